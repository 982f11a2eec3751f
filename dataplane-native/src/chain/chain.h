// A chain of NFs and how packets go through it: docs/packet_path.md, sections 4 (opening and closing), 6 and 7.
//
// The runtime gives each packet that belongs to a flow to Add, in order. Two pending calls, one per direction, gather
// them; a call runs when it must (order within a flow), when it is full, or at the end of the poll. Running it means,
// NF by NF: show the NF the packets, call it once, read and check each result once, copy back what it was allowed to
// change. All of it on the lcore, without allocation, locks or logs.
#pragma once

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "chain/chain_nf.h"
#include "chain/event_sink.h"
#include "chain/packet_counters.h"
#include "chain/poll_output.h"
#include "chain/results.h"
#include "flow/flows.h"

namespace nf {

class Chain {
 public:
  struct Options {
    uint32_t flows_max;
    std::vector<NativeNf*> native;  // By position; benchmarks only.
    bool flows_move = false;        // Else nobody hears what NFs ask with ASK_MIGRATE.
  };
  static Expected<std::unique_ptr<Chain>> Create(Engine& engine, const std::vector<NfSpec>& specs,
                                                 const Options& options);

  // What the chain works with; all outlive its use. `wait_for_spares`, if set, is called while the lcore waits for the
  // next spare; unset, it does not wait.
  struct Surroundings {
    Flows* flows;
    PollOutput* output;
    PacketCounters* counters;
    EventSink* events;
    rte_mempool* pool;
    std::function<void()> wait_for_spares;
  };
  void Connect(const Surroundings& surroundings);

  uint32_t size() const { return static_cast<uint32_t>(nfs_.size()); }
  ChainNf& nf(uint32_t index) { return *nfs_[index]; }
  const ChainNf& nf(uint32_t index) const { return *nfs_[index]; }
  bool may_edit() const { return may_edit_; }

  // ---- The lcore.
  void BeginPoll(uint64_t now_ns);
  std::span<const Flows::Due> FireTimers() { return Fire(flows_->TakeDueTimers(now_ns_)); }
  // Those of one flow.
  void FireTimersOf(uint32_t flow) { Fire(flows_->TakeDueTimersOf(flow, now_ns_)); }
  void Tick();

  bool is_full(uint32_t direction) const { return pending_[direction].count == abi::kBurstPackets; }
  // The packet joins the call of its direction, which is not full; its meta has flow, direction and sequence.
  void Add(rte_mbuf* mbuf) {
    const PacketMeta* meta = MetaOf(mbuf);
    Pending& call = pending_[meta->direction];
    call.packets[call.count] = mbuf;
    call.flows[call.count++] = meta->flow;
    flows_->actor(meta->flow).pending |= static_cast<uint8_t>(1u << meta->direction);
    slots_[FirstNf(meta->direction)].Prefetch(meta->flow);
  }
  void Run(uint32_t direction);
  void RunPending() {
    Run(0);
    Run(1);
  }

  // Tells the NFs that have opened the flow, then forgets it. No call may hold packets of it.
  void Close(uint32_t flow, abi::CloseReason reason) { Close(flow, reason, kNoNf); }

  // ---- Flows that move; chain_moves.cc. No call runs meanwhile.
  struct Ask {
    uint32_t flow;
    uint64_t number;  // Of the flow that was there then.
  };
  // Flows with ASK_MIGRATE in a result since the last ForgetAsks, each once. What finds no room is lost: the NF may ask
  // again.
  std::span<const Ask> asks() const { return {asks_.data(), asks_count_}; }
  void ForgetAsks() { asks_count_ = 0; }
  // Some NF that can be called says where flows should go.
  bool knows_targets() const;
  // The first answer but 0 of the NFs that have opened the flow: a guest's, any number. `cluster` has at most
  // kClusterRuntimesMax.
  uint32_t TargetOf(uint32_t flow, std::span<const abi::RuntimeRecord> cluster);
  // The flow is here now, and is not any more; NFs that have opened it hear of it. False: one does not take it, and
  // those that did have heard that it left.
  bool TellArrived(uint32_t flow);
  void TellLeft(uint32_t flow) { TellLeft(flow, size()); }

  void PublishCounters();
  uint64_t flows_ended() const { return flows_ended_.value(); }

 private:
  static constexpr uint32_t kNoNf = UINT32_MAX;
  static constexpr uint32_t kNoPlace = UINT32_MAX;
  static constexpr uint32_t kAsksMax = 32;
  static constexpr uint32_t kEmitsMax = abi::kEmitsPerPacketMax * abi::kBurstPackets * abi::kChainNfsMax;

  struct Pending {
    uint32_t count = 0;
    std::array<rte_mbuf*, abi::kBurstPackets> packets;
    std::array<uint32_t, abi::kBurstPackets> flows;  // Of the packets; they may be gone before the call is over.
  };
  // Packets on their way from NF to NF, in order.
  struct Walk {
    uint32_t count = 0;
    uint8_t direction = 0;
    PacketRole role = PacketRole::kPacket;
    bool headers_shown = false;  // The shared header area shows exactly these packets as they are now.
    bool payloads_shown = false;
    const Slots* next = nullptr;  // Of the NF behind the one that is called.
    std::array<rte_mbuf*, abi::kBurstPackets> packets;
  };
  // One call into an instance: which packets of the walk, and what came of it.
  struct Call {
    uint32_t count = 0;
    uint32_t first = 0;                              // Bit j: packet j has FIRST.
    std::array<uint8_t, abi::kBurstPackets> places;  // In the walk.
  };
  struct Turned {
    rte_mbuf* mbuf;
    uint32_t nf;
  };
  struct Emitted {
    rte_mbuf* mbuf;
    uint8_t nf;
    uint8_t direction;
  };
  struct Closing {
    uint32_t flow;
    abi::CloseReason reason;
    uint32_t skip;  // NF that is not told.
  };

  Chain();

  uint32_t FirstNf(uint32_t direction) const { return direction == 0 || size() == 0 ? 0 : size() - 1; }

  // chain.cc
  std::span<const Flows::Due> Fire(std::span<const Flows::Due> fired);
  void Pass(Walk& walk, uint32_t begin, uint32_t end);
  void RunReplies(uint32_t direction);
  void RunEmitted(uint32_t direction);
  void RunClosings();
  void AskToClose(uint32_t flow, abi::CloseReason reason, uint32_t skip);
  void Close(uint32_t flow, abi::CloseReason reason, uint32_t skip);
  void Refuse(const Closing& closing);
  void TellClosed(uint32_t flow, abi::CloseReason reason, uint32_t skip);

  // chain_step.cc: one NF.
  void Step(ChainNf& nf, Walk& walk);
  void Select(ChainNf& nf, Walk& walk, Call& call);
  // Both leave in `call` what is to be tried again.
  void CallNative(ChainNf& nf, Walk& walk, Call& call);
  void CallInstance(ChainNf& nf, Walk& walk, Call& call);
  void Show(ChainNf& nf, Walk& walk, Call& call);
  void TakeResult(ChainNf& nf, Walk& walk, const Call& call, uint32_t index, const abi::Result& result);
  void TakeFlowAnswer(ChainNf& nf, uint32_t flow, const abi::Result& result, bool is_first);
  static void Compact(Walk& walk);
  uint32_t SkippedBy(const ChainNf& nf, const Walk& walk) const;

  // chain_emit.cc
  void ReadEmits(ChainNf& nf, const Call& call, uint32_t taken, PacketRole role);
  void TakeEmits(ChainNf& nf, const Walk& walk, uint32_t index, rte_mbuf* cause);

  // chain_fault.cc
  void BlamePacket(ChainNf& nf, Walk& walk, uint32_t place, const FaultInfo* fault);
  void RefuseBehind(Walk& walk, uint32_t place, uint32_t flow);
  void BlameCallback(ChainNf& nf);
  void ReplaceDead(ChainNf& nf);
  void DrainLogs(ChainNf& nf);
  void CheckLogs(ChainNf& nf) {
    if (__atomic_load_n(&nf.active()->log_ring()->written, __ATOMIC_RELAXED) != nf.logs_seen) [[unlikely]]
      DrainLogs(nf);
  }
  void PrepareCallback(Instance& instance, uint32_t flow);

  // chain_moves.cc
  void NoteAsk(uint32_t flow);
  bool IsTold(const ChainNf& nf, const FlowActor& actor) const;
  void TellLeft(uint32_t flow, uint32_t end);

  // chain_leave.cc
  void Leave(rte_mbuf* mbuf, const Walk& walk);
  abi::DropReason CheckTuple(const PacketMeta& meta, uint32_t direction, PacketRole role);

  std::vector<std::unique_ptr<ChainNf>> nfs_;
  // By position, for prefetching: a packet's slot in one NF is fetched while it is in the hands of the NF before, so
  // that no more is asked of memory at a time than it can give. One more, which stays empty.
  std::array<Slots, abi::kChainNfsMax + 1> slots_;
  HeaderArea shared_headers_;
  PayloadArea shared_payloads_;
  bool may_edit_ = false;
  bool flows_move_ = false;

  Flows* flows_ = nullptr;
  PollOutput* output_ = nullptr;
  PacketCounters* counters_ = nullptr;
  EventSink* events_ = nullptr;
  rte_mempool* pool_ = nullptr;
  std::function<void()> wait_for_spares_;

  uint64_t now_ns_ = 0;
  Pending pending_[2];
  Counter flows_ended_;
  std::array<Ask, kAsksMax> asks_;
  uint32_t asks_count_ = 0;

  // Of the call that runs.
  std::array<Turned, abi::kBurstPackets> turned_;
  uint32_t turned_count_ = 0;
  std::array<Emitted, kEmitsMax> emitted_;
  uint32_t emitted_count_ = 0;
  std::array<Closing, abi::kBurstPackets> closings_;
  uint32_t closings_count_ = 0;
  std::array<abi::EmitRecord, abi::kEmitsPerBurstMax> emit_records_;  // Read once, those that count, in order.
  uint32_t emit_records_count_ = 0;
  uint32_t emit_breach_ = 0;     // Bit j: a record of packet j breaks a rule.
  uint32_t trapped_ = kNoPlace;  // Place in the walk of the packet that a trap is blamed on.
  // Copies of a dead instance's results, or those of a native NF; read as two words each.
  alignas(uint64_t) std::array<abi::Result, abi::kBurstPackets> native_results_;
};

}  // namespace nf
