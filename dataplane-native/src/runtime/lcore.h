// The native thread of a runtime: turns of the worker, and sleep when there is nothing to do.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/idle.h"
#include "runtime/worker.h"

namespace nf {

class Lcore {
 public:
  // `cpu` to pin the thread to; -1: none.
  Lcore(Worker& worker, int cpu);
  // Ends the thread at once.
  ~Lcore();
  Lcore(const Lcore&) = delete;
  Lcore& operator=(const Lcore&) = delete;

  void Start();
  void RequestStop(bool drain);
  void Wake() { idle_.Wake(); }
  void WaitUntilEnded();
  bool ended() const { return ended_.load(std::memory_order_acquire); }

 private:
  enum Stop : int { kRun, kDrain, kNow };
  void Run();

  Worker& worker_;
  int cpu_;
  Idle idle_;
  std::atomic<int> stop_{kRun};
  std::atomic<bool> ended_{false};
  std::mutex mutex_;
  std::condition_variable at_end_;
  std::thread thread_;
};

}  // namespace nf
