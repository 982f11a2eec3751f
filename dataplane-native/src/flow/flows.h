// The flows of one runtime: actors, the table that finds them, what each has leased, and when each ends
// (docs/packet_path.md, sections 3 and 4). It decides nothing about packets and calls no NF.
//
// Expiry costs a packet nothing but the store of `last_seen`: a flow waits in a timing wheel at a deadline that is only
// looked at again when it comes. Whoever makes a deadline come nearer (another phase, an NF's timeout) calls Rearm.
//
// Created and destroyed by control threads, used by one lcore; nothing allocates after Create.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/private_memory.h"
#include "base/result.h"
#include "flow/flow_actor.h"
#include "flow/flow_table.h"
#include "flow/idle_times.h"
#include "flow/leases.h"
#include "flow/timing_wheel.h"

namespace nf {

class Flows {
 public:
  struct Options {
    uint32_t flows_max = 65536;
    IdleMs idle_ms;
    uint64_t seed = 0;
    uint32_t nfs = 0;                   // Length of the chain.
    bool with_aliases = false;          // An NF may rewrite what identifies a flow.
    std::vector<uint32_t> lease_sizes;  // By position in the chain; 0: no lease.
    std::vector<bool> timers;           // By position: the NF exports flow-timer.
    // Under a vswitch, which finds flows and leases values for them: the protocol's actors say where flows live.
    bool is_placed = false;
    uint64_t number_base = 0;  // Numbers of flows count from here, so that no two runtimes give the same.
  };
  static Expected<std::unique_ptr<Flows>> Create(const Options& options);

  FlowActor& actor(uint32_t flow) { return actors_[flow]; }
  const FlowActor& actor(uint32_t flow) const { return actors_[flow]; }
  FlowTable& table() { return *table_; }
  const FlowTable& table() const { return *table_; }
  uint32_t flows_max() const { return options_.flows_max; }
  uint32_t open() const { return open_; }
  uint64_t opened() const { return opened_; }

  // All of the flow that one of its packets needs; which key of it the packet shows is not known yet.
  void Prefetch(uint32_t flow) const {
    __builtin_prefetch(&actors_[flow]);
    __builtin_prefetch(&actors_[flow].last_seen_ns, 1);
    table_->PrefetchAlias(flow);
  }

  // Makes `key` (not in the table) a flow with its initiator's first packet; kNoFlow when there is no free actor.
  uint32_t Open(const FlowKey& key, uint64_t hash, uint8_t side, uint64_t now_ns);
  // The same for placed flows, where `flow` is free. `leases` by position in the chain, 0: none.
  void OpenAt(uint32_t flow, const FlowKey& key, uint8_t side, uint64_t now_ns, std::span<const uint32_t> leases);
  // Placed flows that have ended since KeepFreed last let go of them; their place isn't free before it says so.
  template <typename Keep>
  void KeepFreed(Keep&& keep) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < freed_count_; ++i) {
      const uint32_t flow = freed_[i];
      if (keep(flow))
        freed_[kept++] = flow;
      else
        is_freed_[flow] = false;
    }
    freed_count_ = kept;
  }
  void NoteFreed(uint32_t flow) {
    if (is_freed_[flow]) return;
    is_freed_[flow] = true;
    freed_[freed_count_++] = flow;
  }

  // ---- Placed flows that move.
  // Ticks of the timers that are set, by position.
  uint64_t timer_deadline(uint32_t nf, uint32_t flow) const { return timer_deadlines_[TimerNode(nf, flow)]; }
  // Its time stands still: it neither ends nor has timers that fire, but keeps all it has.
  void Suspend(uint32_t flow);
  bool is_suspended(uint32_t flow) const { return actors_[flow].number != 0 && !wheel_.armed(flow); }
  void Resume(uint32_t flow);
  // As the flow was elsewhere; leases and deadlines by position. The caller has checked every value.
  void Arrive(uint32_t flow, const FlowActor& actor, const FlowKey* alias, std::span<const uint32_t> leases,
              std::span<const uint64_t> deadlines);
  // It lives elsewhere now.
  void Depart(uint32_t flow) { Forget(flow); }

  // Forgets the flow: key, alias, leases, timers. `now_ns` is when its leases begin to rest.
  void Free(uint32_t flow, uint64_t now_ns);
  // Gives back what a refused flow needs no more; its record stays.
  void Refuse(uint32_t flow, uint64_t now_ns);

  // 1 + index of the value that NF `nf` leased for the flow; 0: none.
  uint32_t lease(uint32_t nf, uint32_t flow) const { return leased_[nf] == nullptr ? 0 : leased_[nf][flow]; }

  // The tick after which the flow is due.
  uint64_t DeadlineOf(const FlowActor& actor) const {
    return (actor.last_seen_ns + IdleNs(actor)) >> abi::kExpiryTickShift;
  }
  void Rearm(uint32_t flow) { wheel_.Arm(flow, DeadlineOf(actors_[flow])); }
  // Sets NF `nf`'s timer of the flow; `delay_ms` 0 disarms it.
  void ArmTimer(uint32_t nf, uint32_t flow, uint64_t now_ns, uint32_t delay_ms);
  void DisarmTimers(uint32_t flow);

  struct Due {
    uint64_t tick;
    uint64_t number;
    uint32_t flow;
    uint32_t nf;  // Of timers: position in the chain.
  };
  // Flows that are due at `now_ns`, in the order in which they close; they wait for nothing any more. Valid until the
  // next call. The first call of all starts the clock.
  std::span<const Due> TakeDue(uint64_t now_ns);
  // Timers that are due, disarmed, in the order in which they fire.
  std::span<const Due> TakeDueTimers(uint64_t now_ns);

  // The same for one flow, whatever was looked at before.
  bool IsDue(uint32_t flow, uint64_t now_ns) const {
    return DeadlineOf(actors_[flow]) < now_ns >> abi::kExpiryTickShift;
  }
  std::span<const Due> TakeDueTimersOf(uint32_t flow, uint64_t now_ns);

  // All flows that live, in order of their numbers; for the end of a run. Allocates.
  std::vector<uint32_t> InOrder() const;

  size_t memory_bytes() const;

 private:
  explicit Flows(const Options& options) : options_(options), wheel_(options.flows_max) {}
  uint64_t IdleNs(const FlowActor& actor) const;
  void Begin(uint32_t flow, const FlowKey& key, uint8_t side, uint64_t now_ns);
  void Forget(uint32_t flow);
  uint32_t TimerNode(uint32_t nf, uint32_t flow) const { return timer_index_[nf] * options_.flows_max + flow; }
  void ReturnLeases(uint32_t flow, uint64_t now_ns);

  Options options_;
  PrivateMemory actors_memory_;
  FlowActor* actors_ = nullptr;
  std::optional<FlowTable> table_;
  uint32_t free_ = kNoFlow;  // Head of the free actors, linked through their idle_ms.
  uint32_t open_ = 0;
  uint64_t opened_ = 0;
  std::vector<std::unique_ptr<Leases>> pools_;       // By position.
  std::vector<std::unique_ptr<uint32_t[]>> leased_;  // By position, then flow.
  std::vector<uint32_t> timer_index_;                // By position: which of the timer NFs it is.
  std::vector<uint32_t> timer_nfs_;                  // The other way round.
  std::unique_ptr<uint64_t[]> timer_deadlines_;      // By timer node: tick.
  TimingWheel wheel_;
  std::unique_ptr<TimingWheel> timer_wheel_;
  bool started_ = false;
  // Room for all flows being due at once; untouched memory costs nothing.
  std::unique_ptr<Due[]> due_;
  std::unique_ptr<Due[]> due_timers_;
  std::unique_ptr<uint32_t[]> freed_;
  std::unique_ptr<bool[]> is_freed_;
  uint32_t freed_count_ = 0;
};

}  // namespace nf
