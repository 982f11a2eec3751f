// The control thread that makes spare instances and destroys dead ones, so that the lcore never does.
#pragma once

#include <atomic>
#include <thread>

#include "chain/chain.h"

namespace nf {

class SpareKeeper {
 public:
  // Wakes itself up when an NF of the chain needs it. The chain outlives it.
  explicit SpareKeeper(Chain& chain);
  ~SpareKeeper();
  SpareKeeper(const SpareKeeper&) = delete;
  SpareKeeper& operator=(const SpareKeeper&) = delete;

 private:
  void Run();
  void Wake();

  Chain& chain_;
  int event_fd_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace nf
