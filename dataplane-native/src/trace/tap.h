// A member's end of a trace: chooses packets, numbers them, and records what they meet. Off, it costs a look at one
// number. Used by one lcore; Take comes between its turns.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "nf_abi.h"
#include "packet/packet_meta.h"
#include "trace/session.h"

namespace nf {

class TraceTap;
// Members of this process that trace: what is looked at first, since a variable of a thread costs a call in a shared
// library.
extern constinit std::atomic<uint32_t> trace_taps_on;

class TraceTap {
 public:
  TraceTap() = default;
  ~TraceTap() { Take(nullptr); }
  TraceTap(const TraceTap&) = delete;
  TraceTap& operator=(const TraceTap&) = delete;

  // From now on records go there; null: nowhere. The session stays until another call has returned.
  void Take(TraceSession* session);
  const TraceSession* session() const { return session_; }

  // At the begin of each turn of the member.
  void Enter();
  // The tap of the member that this thread works on just now. Null: it does not trace.
  static TraceTap* Current() {
    if (trace_taps_on.load(std::memory_order_relaxed) == 0) [[likely]]
      return nullptr;
    return OfThread();
  }

  // ---- Where packets come in.
  bool chooses() const { return session_ != nullptr && session_->spec_.chooses; }
  // True while there are packets to be chosen.
  bool HasBudget(uint64_t mono_ns) const {
    return mono_ns < session_->spec_.until_ns && session_->chosen_.value() < session_->budget();
  }
  bool Matches(const FlowKey& key) const { return session_->spec_.filter.Matches(key); }
  bool MatchesEverything() const { return session_->spec_.filter.is_everything(); }
  // It gets a number, unless there is no room for its way.
  void Choose(rte_mbuf* mbuf, bool is_new_flow);

  // ---- Where a packet with a number comes by; without one nothing happens.
  struct Stamp {
    uint32_t entry, epoch, sequence;
    uint8_t part;
  };
  // From another member: it gets a number of this one.
  void Arrived(rte_mbuf* mbuf, TraceHop hop, const Stamp& stamp);
  void Routed(rte_mbuf* mbuf, uint16_t runtime, const Stamp& stamp);
  void Left(rte_mbuf* mbuf, TraceHop hop, const Stamp& stamp);
  void Waits(rte_mbuf* mbuf, TraceWait wait);
  void Out(rte_mbuf* mbuf);
  void Dropped(rte_mbuf* mbuf, abi::DropReason reason);

  // ---- The chain: packets before an NF sees them, by place, and after it has answered; those that are null then were
  // recorded when they went.
  void BeforeNf(rte_mbuf* const* packets, uint32_t count, uint8_t nf, uint8_t flags);
  // `skipped`: bit i: the NF was not asked about packet i.
  void AfterNf(rte_mbuf* const* packets, uint32_t skipped);
  void Answered(rte_mbuf* mbuf, uint32_t place, abi::Verdict verdict, uint8_t reason);
  // An NF has made `mbuf`, which has its cause's meta but for the number.
  void Emitted(rte_mbuf* mbuf, const PacketMeta& cause, uint8_t nf);

 private:
  static TraceTap* OfThread();
  struct Before {
    uint16_t number = 0;  // 0: is not traced.
    uint16_t length = 0;
  };
  uint16_t Number() {
    if (++last_ == 0) ++last_;
    return last_;
  }
  uint8_t* copy(uint32_t place) const { return session_->before_.get() + size_t{place} * session_->spec_.frame_bytes; }
  bool IsChanged(const rte_mbuf* mbuf, uint32_t place) const;
  bool KeepsAtPort(uint8_t port) const;
  bool KeepsAtNf(TracePoint::Kind kind) const;
  // What every record has. `number` 0: the meta's.
  TraceRecord Start(rte_mbuf* mbuf, TraceHop hop) const;
  void Put(TraceRecord record, const rte_mbuf* mbuf, bool with_frame);

  TraceSession* session_ = nullptr;
  uint16_t last_ = 0;  // Goes on over sessions: what is still under way of one is nobody's in the next.
  // Of the NF that is called.
  uint8_t nf_ = kTraceNoNf;
  uint8_t nf_flags_ = 0;
  uint32_t before_count_ = 0;
  uint64_t now_ns_ = 0;  // Not 0: all records have this time.
  std::array<Before, abi::kBurstPackets> before_;
};

}  // namespace nf
