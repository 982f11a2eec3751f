// One NF of a chain: its rights, the instance that works, a warm spare, the flow states, faults and counters.
//
// The lcore calls the active instance. After a trap it takes the spare, which lies there ready, and leaves the dead
// instance to the keeper, a control thread, which destroys it and makes the next spare. A live swap brings a whole
// NfVersion: the lcore exchanges pointers, the control thread destroys what came back.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "chain/burst_area.h"
#include "chain/fault_window.h"
#include "chain/nf_spec.h"
#include "flow/state_store.h"
#include "wasm/engine.h"
#include "wasm/instance.h"
#include "wasm/module.h"

namespace nf {

class NativeNf;

// A version of an NF with the instances that serve it; made by control threads, given to the lcore and back.
struct NfVersion {
  NfSpec spec;  // Its `native` is empty: the module has the code.
  std::shared_ptr<const Module> module;
  std::unique_ptr<Instance> active, spare;
  // For each of its counters the running version's counter of that name, which it goes on from; -1: none.
  std::array<int8_t, abi::kCountersMax> goes_on_from{};
  WarmUp warm_up;  // Of the active instance, for the lcore's turns before the flip.
};

class ChainNf {
 public:
  struct Options {
    uint32_t index;
    uint32_t flows_max;
    HeaderArea* shared_headers;  // For NFs that may not write.
    PayloadArea* shared_payloads;
    NativeNf* native = nullptr;  // Instead of a module; benchmarks only.
  };
  static Expected<std::unique_ptr<ChainNf>> Create(Engine& engine, const NfSpec& spec, const Options& options);
  ~ChainNf();
  ChainNf(const ChainNf&) = delete;
  ChainNf& operator=(const ChainNf&) = delete;

  // ---- Constant while the runtime lives.
  uint32_t index() const { return index_; }
  uint16_t bit() const { return static_cast<uint16_t>(1u << index_); }
  StateStore& states() { return states_; }
  const StateStore& states() const { return states_; }
  HeaderArea& headers() { return *headers_; }
  PayloadArea& payloads() { return *payloads_; }
  bool has_own_headers() const { return own_headers_.has_value(); }
  bool has_own_payloads() const { return own_payloads_.has_value(); }
  NativeNf* native() const { return native_; }
  // The entry exports flow-timer, and so does every later version.
  bool has_timer() const { return has_timer_; }
  bool has_lease() const { return lease_size_ != 0; }

  // ---- The lcore.
  struct Rights {
    bool edit_header, edit_payload, view_payload, reshape, reply;
    uint32_t emits;
    OnFault on_fault;
    QuarantineMode quarantine;
  };
  const Rights& rights() const { return rights_; }
  // Slots as the active instance sees them.
  Slots slots() const {
    Slots slots = states_.slots();
    if (active_ != nullptr) slots.at = active_->states();
    return slots;
  }
  // Null while there is none: then packets drop as nf_unavailable.
  Instance* active() const { return active_; }
  bool is_quarantined() const { return quarantined_.load(std::memory_order_relaxed); }
  bool is_callable() const { return active_ != nullptr && !is_quarantined(); }
  bool any_bypassed = false;  // Some flow may have its bit set in FlowActor::bypassed.

  // After a trap: the spare takes over. `wait`, when set, is called again and again until there is one or none can be
  // made.
  void ReplaceDead(const std::function<void()>* wait);
  // Takes a spare that was made while there was none.
  void Recover() {
    if (active_ == nullptr && native_ == nullptr) [[unlikely]] {
      active_ = spare_.exchange(nullptr, std::memory_order_acq_rel);
      if (active_ != nullptr && wake_) wake_();
    }
  }
  // Counts a fault; true when it quarantines the NF.
  bool CountFault(uint64_t now_ns);
  const FaultWindow& faults() const { return window_; }
  // Exchanges the running version's instances with those of `version`, which Prepare made.
  void Flip(NfVersion& version);
  // Makes the NF's own counters visible to other threads.
  void PublishCounters();

  Counter faults_total;
  Counter dropped[129];  // 0: without a reason; else reason - 127.
  uint64_t calls = 0;    // Of process-burst on the active instance.
  uint32_t logs_seen = 0, logs_lost = 0;
  uint64_t log_second = 0;
  uint32_t logs_in_second = 0;

  // ---- Control threads.
  // A version that fits the entry: states, rights and exports are the same or less. Errors: swap.*, nf.*.
  Expected<std::unique_ptr<NfVersion>> Prepare(const NfSpec& spec);
  // Keeps the keeper away from this NF for the time of a flip; until the next one at most four instances can die, since
  // no more come.
  void PauseKeeper();
  // Takes over what Flip brought (`spec` and module of the version that runs now) and lets the keeper go on.
  void ResumeKeeper(const NfVersion* running);
  // The keeper's work: destroys dead instances, makes a spare. False when one cannot be made.
  void Maintain();
  // Of the running version; callers hold the runtime's control lock.
  const NfSpec& spec() const { return spec_; }
  uint64_t counter(uint32_t which) const { return published_[which].value(); }
  void set_wake(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  ChainNf(Engine& engine, const NfSpec& spec, const Options& options);
  InstancePlan PlanFor(const NfSpec& spec) const;
  Expected<void> CheckFits(const NfSpec& spec) const;
  uint64_t Guest(uint32_t which) const;  // A counter of the active instance, read once.
  void CarryCounters();
  void DestroyDead();
  static Rights RightsOf(const NfSpec& spec);

  Engine& engine_;
  uint32_t index_;
  NativeNf* native_;
  bool has_timer_;
  uint32_t lease_size_;
  StateStore states_;
  std::optional<HeaderArea> own_headers_;
  std::optional<PayloadArea> own_payloads_;
  HeaderArea* headers_;
  PayloadArea* payloads_;

  Rights granted_;                    // To the entry, as it was when the runtime was made.
  std::vector<std::string> exports_;  // Of the entry's first version.
  Rights rights_;                     // Of the running version.
  Instance* active_ = nullptr;
  std::atomic<bool> quarantined_{false};
  FaultWindow window_;
  uint32_t counters_ = 0;                              // How many the running version has.
  std::array<uint64_t, abi::kCountersMax> carried_{};  // From instances before.
  std::array<Counter, abi::kCountersMax> published_;

  // Between the lcore and the keeper.
  static constexpr uint32_t kDeadMax = 8;
  std::atomic<Instance*> spare_{nullptr};
  std::atomic<bool> spare_failed_{false};
  std::array<std::atomic<Instance*>, kDeadMax> dead_{};
  std::function<void()> wake_;

  std::mutex keeper_mutex_;
  bool paused_ = false;
  NfSpec spec_;
  std::shared_ptr<const Module> module_;
};

}  // namespace nf
