#include "runtime/lcore.h"

#include <pthread.h>
#include <rte_lcore.h>
#include <sched.h>

namespace nf {
namespace {

// A sleep ends by itself so that flows expire and ticks come when nothing arrives.
constexpr int kSleepMs = 10, kSleepWithoutFlowsMs = 50, kSleepWithoutDescriptorsMs = 1;

}  // namespace

Lcore::Lcore(Worker& worker, int cpu) : worker_(worker), cpu_(cpu), idle_(worker.wait_fds()) {}

Lcore::~Lcore() {
  RequestStop(false);
  if (thread_.joinable()) thread_.join();
}

void Lcore::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Lcore::RequestStop(bool drain) {
  int expected = kRun;
  if (drain) {
    stop_.compare_exchange_strong(expected, kDrain);
  } else {
    stop_.store(kNow);
  }
  idle_.Wake();
}

void Lcore::WaitUntilEnded() {
  std::unique_lock lock(mutex_);
  at_end_.wait(lock, [this] { return ended(); });
}

void Lcore::Run() {
  pthread_setname_np(pthread_self(), "nf-lcore");
  if (cpu_ >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu_, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
  }
  rte_thread_register();  // For a cache of packets of its own; without it the lcore works too.
  int stop = kRun;
  while ((stop = stop_.load(std::memory_order_relaxed)) == kRun) {
    if (worker_.Turn() != 0) {
      idle_.Reset();
      continue;
    }
    if (worker_.at_end()) break;
    if (worker_.wait_fds().empty()) {
      idle_.Wait(kSleepWithoutDescriptorsMs);
    } else {
      idle_.Wait(worker_.flows_open() != 0 ? kSleepMs : kSleepWithoutFlowsMs);
    }
  }
  if (stop == kDrain) worker_.Drain();
  worker_.End();
  rte_thread_unregister();
  std::lock_guard lock(mutex_);
  ended_.store(true, std::memory_order_release);
  at_end_.notify_all();
}

}  // namespace nf
