#include "runtime/lcore.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <sched.h>

#include <algorithm>

namespace nf {
namespace {

// Long enough for several bursts, so that a task's code and data stay in the caches for a while; short enough that a
// task waits no longer than a hundred microseconds for ten others.
constexpr int64_t kQuantumNs = 10'000;
// A turn that took longer than so many quanta was kept from its CPU in the middle of it: that is not its fault.
constexpr int64_t kDebtMaxQuanta = 50;

std::vector<int> Descriptors(const std::vector<LcoreTask*>& tasks) {
  std::vector<int> fds;
  for (const LcoreTask* task : tasks) {
    for (int fd : task->wait_fds()) fds.push_back(fd);
  }
  return fds;
}

}  // namespace

Lcore::Lcore(std::vector<LcoreTask*> tasks, int cpu, bool ends_tasks)
    : tasks_(std::move(tasks)),
      cpu_(cpu),
      ends_tasks_(ends_tasks),
      quantum_(static_cast<int64_t>(rte_get_tsc_hz()) * kQuantumNs / 1'000'000'000),
      idle_(Descriptors(tasks_)) {}

Lcore::~Lcore() {
  RequestStop(false);
  if (thread_.joinable()) thread_.join();
}

void Lcore::Start() {
  std::lock_guard lock(mutex_);
  started_ = true;
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

void Lcore::Change(LcoreTask* task, bool add) {
  std::unique_lock lock(mutex_);
  change_ = task;
  change_adds_ = add;
  if (!started_ || ended()) return ApplyChange();
  has_change_.store(true, std::memory_order_release);
  idle_.Wake();
  changed_.wait(lock, [this] { return change_ == nullptr || ended(); });
  if (change_ != nullptr) ApplyChange();
}

void Lcore::ApplyChange() {
  if (change_adds_) {
    tasks_.push_back(change_);
  } else {
    std::erase(tasks_, change_);
  }
  change_ = nullptr;
  has_change_.store(false, std::memory_order_relaxed);
}

// A task that runs out of work gives up what is left of its share.
uint32_t Lcore::Serve(LcoreTask& task) const {
  const uint64_t begin = rte_rdtsc();
  uint64_t now = begin;
  uint32_t total = 0;
  task.deficit_ += quantum_;
  while (task.deficit_ > 0) {
    const uint32_t work = task.Turn();
    const uint64_t after = rte_rdtsc();
    if (work == 0) {
      task.deficit_ = 0;
      break;
    }
    task.deficit_ -= static_cast<int64_t>(after - now);
    now = after;
    total += work;
  }
  task.deficit_ = std::max(task.deficit_, -kDebtMaxQuanta * quantum_);
  if (total != 0) task.busy_tsc_.Add(now - begin);
  return total;
}

// Nobody has wanted the time that some used beyond their share: a turn in which the CPU was somebody else's for a while
// would keep its task waiting through thousands of sleeps. True when there were any.
bool Lcore::ForgiveDebts() {
  bool had_any = false;
  for (LcoreTask* task : tasks_) {
    had_any |= task->deficit_ < 0;
    task->deficit_ = std::max<int64_t>(task->deficit_, 0);
  }
  return had_any;
}

void Lcore::Sleep() {
  int sleep_ms = 1000;
  for (const LcoreTask* task : tasks_) sleep_ms = std::min(sleep_ms, task->sleep_ms_max());
  idle_.Wait(sleep_ms, [this] {
    bool looks_again = has_change_.load(std::memory_order_relaxed);
    for (LcoreTask* task : tasks_) looks_again |= task->BeforeSleep() || task->has_work();
    return looks_again;
  });
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
    if (has_change_.load(std::memory_order_acquire)) [[unlikely]] {
      std::lock_guard lock(mutex_);
      if (change_ != nullptr) ApplyChange();
      changed_.notify_all();
    }
    uint32_t work = 0;
    for (LcoreTask* task : tasks_) work += Serve(*task);
    if (work != 0) {
      idle_.Reset();
      continue;
    }
    if (ForgiveDebts()) continue;
    if (ends_tasks_ && std::ranges::all_of(tasks_, [](const LcoreTask* task) { return task->at_end(); })) break;
    Sleep();
  }
  if (ends_tasks_) {
    for (LcoreTask* task : tasks_) {
      if (stop == kDrain) task->Drain();
      task->End();
    }
  }
  rte_thread_unregister();
  std::lock_guard lock(mutex_);
  ended_.store(true, std::memory_order_release);
  at_end_.notify_all();
  changed_.notify_all();
}

}  // namespace nf
