// How an lcore waits while nothing comes: it polls some more, then gives way to others, then sleeps on its ports'
// descriptors and an eventfd that control threads write to. A busy lcore never gets here.
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace nf {

class Idle {
 public:
  // Control thread.
  explicit Idle(std::span<const int> fds);
  ~Idle();
  Idle(const Idle&) = delete;
  Idle& operator=(const Idle&) = delete;

  // Any thread: the lcore stops sleeping soon.
  void Wake();

  // The lcore: after a turn without packets. `sleep_ms_max` bounds the sleep.
  void Wait(int sleep_ms_max);
  void Reset() { turns_ = 0; }

 private:
  int event_fd_;
  std::vector<pollfd> fds_;
  uint32_t turns_ = 0;
};

}  // namespace nf
