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

  // The same for one who left work for the lcore that it finds without being told unless it sleeps: costs no system
  // call then.
  void WakeIfSleeping() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_relaxed)) Wake();
  }

  // The lcore: after a turn without packets. `sleep_ms_max` bounds the sleep; `has_work` is asked once more when
  // others know already that it is about to sleep.
  template <typename HasWork>
  void Wait(int sleep_ms_max, HasWork&& has_work) {
    if (!Doze()) return;
    sleeping_.store(true, std::memory_order_seq_cst);
    if (!has_work()) Sleep(sleep_ms_max);
    sleeping_.store(false, std::memory_order_relaxed);
  }
  void Wait(int sleep_ms_max) {
    Wait(sleep_ms_max, [] { return false; });
  }
  void Reset() { turns_ = 0; }

 private:
  bool Doze();  // True when there was enough of it.
  void Sleep(int sleep_ms_max);

  int event_fd_;
  std::vector<pollfd> fds_;
  uint32_t turns_ = 0;
  std::atomic<bool> sleeping_{false};
};

}  // namespace nf
