// A native thread that works on tasks by deficit round robin over measured cycles, and sleeps when there is nothing to
// do.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/idle.h"
#include "runtime/lcore_task.h"

namespace nf {

class Lcore {
 public:
  // `cpu` to pin the thread to; -1: none. An lcore that ends its tasks runs until they are at their end, and calls
  // Drain and End; otherwise that is its owner's business.
  Lcore(std::vector<LcoreTask*> tasks, int cpu, bool ends_tasks);
  // Ends the thread at once.
  ~Lcore();
  Lcore(const Lcore&) = delete;
  Lcore& operator=(const Lcore&) = delete;

  void Start();
  void RequestStop(bool drain);
  void Wake() { idle_.Wake(); }
  void WaitUntilEnded();
  bool ended() const { return ended_.load(std::memory_order_acquire); }

  // Control threads: from their return on the task is worked on, or no longer. Without descriptors to wait for.
  void Add(LcoreTask* task) { Change(task, true); }
  void Remove(LcoreTask* task) { Change(task, false); }

  // Other lcores, after they left something for a task here.
  void WakeIfSleeping() { idle_.WakeIfSleeping(); }

 private:
  enum Stop : int { kRun, kDrain, kNow };
  void Run();
  uint32_t Serve(LcoreTask& task) const;
  bool ForgiveDebts();
  void Sleep();
  void Change(LcoreTask* task, bool add);
  void ApplyChange();

  std::vector<LcoreTask*> tasks_;
  int cpu_;
  bool ends_tasks_;
  int64_t quantum_;  // Cycles.
  Idle idle_;
  std::atomic<int> stop_{kRun};
  std::atomic<bool> started_{false};
  std::atomic<bool> ended_{false};
  std::atomic<bool> has_change_{false};
  std::mutex mutex_;
  std::condition_variable at_end_;
  std::condition_variable changed_;
  LcoreTask* change_ = nullptr;
  bool change_adds_ = false;
  std::thread thread_;
};

}  // namespace nf
