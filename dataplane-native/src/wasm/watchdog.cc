#include "wasm/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <wasmtime.h>

namespace nf {

Watchdog::Watchdog(wasm_engine_t* engine, uint32_t tick_us) : engine_(engine), tick_us_(tick_us) {
  // Signals of the process are for the threads that know what to do with them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watchdog::~Watchdog() {
  stop_.store(true);
  Wake();
  thread_.join();
}

void Watchdog::Wake() noexcept {
  // notify_one is a system call only when the thread sleeps.
  if (active_.exchange(1) == 0) active_.notify_one();
}

void Watchdog::Run() {
  pthread_setname_np(pthread_self(), "nf-watchdog");
  prctl(PR_SET_TIMERSLACK, 1000);  // The default slack of 50 us is half a tick.
  while (!stop_.load()) {
    active_.wait(0);
    for (uint32_t idle = 0; (idle < kIdleSteps || watched_.load() != 0) && !stop_.load();) {
      uint32_t suspect = suspect_steps_.load(std::memory_order_relaxed);
      if (suspect > 0) suspect_steps_.compare_exchange_strong(suspect, suspect - 1, std::memory_order_relaxed);
      uint64_t ns = uint64_t{1000} * tick_us_ * (suspect > 0 ? 1 : kLazyStep);
      timespec pause = {static_cast<time_t>(ns / 1000000000), static_cast<long>(ns % 1000000000)};
      clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
      wasmtime_engine_increment_epoch(engine_);
      idle = active_.exchange(0) != 0 ? 0 : idle + 1;
    }
  }
}

}  // namespace nf
