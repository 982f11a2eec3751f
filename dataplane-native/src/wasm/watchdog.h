// The watchdog's clock: a thread that advances the engine's epoch while guests run, and sleeps while none does.
//
// Compiled guests compare the epoch with their call's deadline at each function entry and loop; the comparison leads to
// Instance's deadline callback, which looks at the CPU time of the thread before it blames the guest. Until some call
// outlasts a step the steps are long (kLazyStep times the tick), since each costs a wake-up; one that does is watched
// in ticks from then on.
//
// Why nobody runs unwatched: a call sets its deadline first (at most kLead steps ahead) and looks at `active_` after
// that. The thread sleeps only when it has taken more than kLead steps since it last saw `active_` set, and by then the
// deadline of every call that saw it set has passed: that guest's next comparison leads to the callback. From there on
// the call is counted (Enter), and the thread sleeps only when no call is. Waking it would not be enough: the engine
// sets the next deadline after the callback, and a thread that loses its core in between may find the watchdog asleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

struct wasm_engine_t;

namespace nf {

class Watchdog {
 public:
  // Steps from now to a call's first deadline, and from one callback to the next.
  static constexpr uint64_t kLead = 1;
  static constexpr uint32_t kLazyStep = 4;

  Watchdog(wasm_engine_t* engine, uint32_t tick_us);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // An lcore is about to call: after the deadline was set. One load as a rule.
  void Touch() noexcept {
    if (active_.load(std::memory_order_acquire) == 0) [[unlikely]]
      Wake();
  }
  // A step has fallen into a call: until Leave, the watchdog does not sleep. Before Touch or Suspect.
  void Enter() noexcept { watched_.fetch_add(1); }
  // That call is over.
  void Leave() noexcept { watched_.fetch_sub(1); }
  // A call has outlasted a step.
  void Suspect() noexcept {
    suspect_steps_.store(kSuspectSteps, std::memory_order_relaxed);
    Wake();
  }

 private:
  static constexpr uint32_t kIdleSteps = 20;
  static constexpr uint32_t kSuspectSteps = 64;

  void Run();
  void Wake() noexcept;

  wasm_engine_t* const engine_;
  const uint32_t tick_us_;
  alignas(64) std::atomic<uint32_t> active_{0};
  std::atomic<uint32_t> watched_{0};
  std::atomic<uint32_t> suspect_steps_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace nf
