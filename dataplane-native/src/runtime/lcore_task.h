// What an lcore works on in turns: the worker of a runtime in direct mode, a vswitch, a runtime behind one.
#pragma once

#include <cstdint>
#include <span>

#include "base/counter.h"

namespace nf {

class LcoreTask {
 public:
  virtual ~LcoreTask() = default;
  LcoreTask(const LcoreTask&) = delete;
  LcoreTask& operator=(const LcoreTask&) = delete;

  // ---- The lcore.
  // A bounded piece of work. What was done: packets, messages; 0: there was nothing to do.
  virtual uint32_t Turn() = 0;
  // Another lcore has left something here; looked at before sleeping.
  virtual bool has_work() const { return false; }
  // The lcore would sleep now. True when it should look once more first, since only from now on somebody else wakes it.
  virtual bool BeforeSleep() { return false; }
  // No packet will come any more.
  virtual bool at_end() const { return false; }
  // Takes what the ports hold by now.
  virtual void Drain() {}
  // The end of the run: what is held drops, flows close.
  virtual void End() = 0;
  // What a sleeping lcore waits for, and for how long at most.
  virtual std::span<const int> wait_fds() const { return {}; }
  virtual int sleep_ms_max() const = 0;

  // ---- Any thread.
  // Cycles of the turns that had work.
  const Counter& busy_tsc() const { return busy_tsc_; }

 protected:
  LcoreTask() = default;

 private:
  friend class Lcore;
  Counter busy_tsc_;
  int64_t deficit_ = 0;  // Cycles that it may use before others get their turn.
};

}  // namespace nf
