// A tenant's vswitch: parses each packet once, finds or makes its route entry, stamps it and sends it to the flow's
// owner; whatever comes back passes the gate and leaves (docs/protocol.md). All external ports are its.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "chain/packet_counters.h"
#include "chain/poll_output.h"
#include "chain/port_queues.h"
#include "flow/flow_table.h"
#include "flow/fragment_table.h"
#include "flow/lease_table.h"
#include "proto/vswitch_machine.h"
#include "runtime/cluster_board.h"
#include "runtime/command.h"
#include "runtime/command_ring.h"
#include "runtime/delay_meter.h"
#include "runtime/inputs.h"
#include "runtime/lcore_task.h"
#include "runtime/member_mail.h"
#include "runtime/placement.h"
#include "runtime/read_ahead.h"
#include "runtime/ring_queue.h"
#include "runtime/runtime_link.h"
#include "trace/tap.h"

namespace nf {

class Vswitch final : public LcoreTask, private proto::VswitchHost, private proto::RebuildHost, private MailHandler {
 public:
  struct Options {
    uint8_t term = 1;                    // Higher at each start of the tenant's vswitch.
    bool committed = false;              // Runtimes replicate, and nothing leaves before.
    PacketCounters* counters = nullptr;  // Where to count instead of in itself.
    Counter* claimed = nullptr;          // As in PortQueues.
  };
  // Opens the ports of `spec`. Errors: those of ports, eal.memory.
  static Expected<std::unique_ptr<Vswitch>> Create(const RuntimeSpec& spec, MemberMail* mail, const ClusterBoard* board,
                                                   const Options& options);
  static Expected<std::unique_ptr<Vswitch>> Create(const RuntimeSpec& spec, MemberMail* mail,
                                                   const ClusterBoard* board) {
    return Create(spec, mail, board, {});
  }
  ~Vswitch() override;
  // Before anything else: there was another one, which these runtimes knew. Nothing is taken in before each of them has
  // told what it is to its flows, or is gone; what arrives meanwhile waits in the ports, and is missed when they are
  // full.
  void BeginRebuild(std::span<const proto::MemberRef> members);

  // ---- The lcore.
  uint32_t Turn() override;
  bool has_work() const override;
  // Live: takes what the ports hold by now, and then no more.
  void Drain() override { is_draining_.store(true, std::memory_order_release); }
  void End() override;
  std::span<const int> wait_fds() const override { return wait_fds_; }
  // A runtime that was to tell and never had a link here is gone.
  void Forget(uint16_t member, uint32_t incarnation);
  int sleep_ms_max() const override;

  // ---- Any thread.
  const PacketCounters& counters() const { return counters_; }
  uint64_t now_ns() const { return now_shown_.value(); }
  uint32_t entries_used() const { return static_cast<uint32_t>(entries_shown_.value()); }
  uint64_t missed() const { return missed_.value(); }
  // Packets that found the queue of their runtime full: of all, and of this one since it came.
  uint64_t runtime_full() const {
    return counters_.dropped[static_cast<size_t>(abi::DropReason::kRuntimeFull)].value();
  }
  uint64_t runtime_full(uint16_t member) const { return runtimes_[member].full.value(); }
  // Nothing will come in any more.
  bool is_closed() const { return closed_shown_.value() != 0; }
  // Packets stamped, and taken back from the runtimes; those that wait at the gate.
  uint64_t stamped() const { return stamped_shown_.value(); }
  uint64_t outputs() const { return outputs_shown_.value(); }
  const DelayMeter& delays() const { return delays_; }
  // Copies that a replica, or its owner, has sent besides the one that counts. They are in no other count.
  uint64_t repeated() const { return repeated_.value(); }
  uint64_t recovered() const { return recovered_shown_.value(); }
  uint64_t state_lost() const { return lost_shown_.value(); }
  // After another vswitch: bits of the runtimes that haven't told yet, what was told, the flows that this one has of
  // it, and those that it could not have.
  bool serves() const { return serves_shown_.value() != 0; }
  uint64_t awaited() const { return awaited_shown_.value(); }
  uint64_t reports() const { return reports_shown_.value(); }
  uint64_t rebuilt() const { return rebuilt_shown_.value(); }
  uint64_t disowned() const { return disowned_shown_.value(); }
  uint32_t held_at_gate() const { return static_cast<uint32_t>(gate_shown_.value()); }
  const std::optional<Error>& failure() const { return failure_; }  // After the end.
  rte_mempool* pool() const { return inputs_.pool; }
  bool is_capture() const { return inputs_.is_capture; }

  // ---- Control threads, in turns.
  const LeaseTable& leases() const { return leases_; }
  CommandRing& commands() { return commands_; }
  // Between turns.
  TraceTap& trace() { return trace_; }
  void Execute(Command& command) {
    Serve(command);
    command.done.store(true, std::memory_order_release);
  }

 private:
  struct Runtime {
    RuntimeLink* link = nullptr;
    std::unique_ptr<RingQueue> queue;
    uint32_t room = 0;  // In its ring, for the burst that is stamped.
    uint32_t staged_count = 0;
    Counter full;  // Packets that found no room.
    std::array<rte_mbuf*, 2 * abi::kBurstPackets> staged;
  };
  struct EntryInfo {
    uint64_t number = 0;  // Of the flow, from 1.
    // What waited for the owner of one epoch was stamped again in the other.
    uint32_t rerouted_from = 0, rerouted_to = 0;
    bool in_conflict = false;
    bool taught = false;  // Told of by another one's runtime: an answer has come by the alias.
  };
  void SetConflict(uint32_t entry, bool on) {
    conflicts_ += on ? 1 : 0;
    conflicts_ -= info_[entry].in_conflict ? 1 : 0;
    info_[entry].in_conflict = on;
  }

  Vswitch(const RuntimeSpec& spec, MemberMail* mail, const ClusterBoard* board, const Options& options);
  Expected<void> Build(const RuntimeSpec& spec, Counter* claimed);
  void Serve(Command& command);

  // vswitch.cc: turns and what comes back.
  uint32_t TakeOutputs(uint64_t mono_ns);
  void TakeOutput(uint16_t runtime, rte_mbuf* mbuf, uint64_t mono_ns);
  void DropOutput(rte_mbuf* mbuf, const proto::PacketHeader& header, proto::GateDrop why);
  void Emit(rte_mbuf* mbuf, const proto::PacketHeader& header);
  bool Learn(rte_mbuf* mbuf, const proto::PacketHeader& header);
  void TellConflict(uint32_t index);
  void PutOut(rte_mbuf* mbuf);
  bool IsWorkedOff() const;
  void DropAll(Runtime& runtime);
  void Publish(uint64_t mono_ns);
  void WakeRuntimes();

  // vswitch_input.cc: what comes in.
  uint32_t TakeInputs(uint64_t mono_ns);
  uint32_t TakeLive(uint64_t mono_ns);
  uint32_t TakeCapture(uint64_t mono_ns);
  bool Seal();
  void Process(rte_mbuf** packets, uint32_t count, uint64_t now_ns, uint64_t mono_ns);
  void ProcessFlowPacket(rte_mbuf* mbuf, PacketMeta* meta, uint64_t hash, uint64_t mono_ns);
  void ProcessLaterFragment(rte_mbuf* mbuf, PacketMeta* meta, uint64_t mono_ns);
  void ProcessNonIp(rte_mbuf* mbuf, PacketMeta* meta);
  uint32_t OpenEntry(const FlowKey& key, uint64_t hash, uint64_t mono_ns, abi::DropReason* why);
  void Route(rte_mbuf* mbuf, PacketMeta* meta, uint32_t entry, uint8_t flags, uint64_t mono_ns);
  bool IsLiving(const FragmentFlow& flow) const {
    return machine_.entry(flow.flow).used && info_[flow.flow].number == flow.flow_number;
  }
  void Reroute(Runtime& lost, bool with_ring, uint64_t mono_ns);
  void RouteAgain(rte_mbuf* mbuf, uint64_t mono_ns);
  void MeasureRoom();
  void DropFull(rte_mbuf* mbuf, Runtime& runtime);
  void FlushStaged(Runtime& runtime);
  uint16_t Place();

  // proto::VswitchHost.
  void Release(proto::PacketRef packet, const proto::PacketHeader& header) override;
  void DropHeld(proto::PacketRef packet, const proto::PacketHeader& header, proto::GateDrop reason) override;
  void SendMarker(uint16_t runtime, const proto::Marker& marker) override;
  void EntryRemoved(uint32_t entry, bool state_lost) override;

  // vswitch_rebuild.cc: proto::RebuildHost.
  bool EntryRebuilt(uint32_t entry, std::span<const uint8_t> told) override;
  void Rebuilt() override;
  void PublishRebuild();

  void OnMail(uint16_t peer, proto::Message message, uint64_t mono_ns) override;

  NonIpPolicy non_ip_;
  Inputs inputs_;
  MemberMail& mail_;
  const ClusterBoard& board_;
  proto::VswitchMachine machine_;
  std::optional<FlowTable> table_;  // Keys are those of the machine's entries.
  std::optional<FragmentTable> fragments_;
  LeaseTable leases_;
  std::vector<EntryInfo> info_;
  uint64_t numbers_ = 0;
  uint32_t conflicts_ = 0;  // Entries in conflict.
  bool may_edit_ = false;   // An NF may change by what a flow is answered.
  uint64_t began_ns_ = 0;   // After another one.
  uint64_t rested_ns_ = 0;  // Before that no value may be leased.
  uint64_t unsent_ = 0;     // Stamped for runtimes that went away before they had taken it.
  Placing placing_;
  std::array<Runtime, kMembersMax> runtimes_;  // By member id.
  std::vector<uint16_t> present_;              // Ids in use.
  std::optional<PortQueues> queues_;           // Live.
  std::optional<PollOutput> output_;           // From a capture: everything in order of arrival.
  std::unique_ptr<PacketCounters> own_counters_;
  PacketCounters& counters_;
  std::vector<int> wait_fds_;
  CommandRing commands_;
  TraceTap trace_;
  DelayMeter delays_;

  uint64_t now_ns_ = 0;
  uint64_t machine_ns_ = 0;
  uint64_t expired_tick_ = 0;
  uint64_t missed_ns_ = 0;
  uint64_t poll_ = 0;  // From a capture: polls read.
  ReadAhead ahead_;
  std::atomic<bool> is_draining_{false};
  uint32_t drain_turns_ = 0;
  bool is_closed_ = false;
  std::array<rte_mbuf*, abi::kFragmentHeldPerDatagramMax> released_;
  Counter now_shown_, entries_shown_, missed_, closed_shown_, stamped_shown_, outputs_shown_, gate_shown_;
  Counter recovered_shown_, lost_shown_, repeated_;
  Counter serves_shown_, awaited_shown_, reports_shown_, rebuilt_shown_, disowned_shown_;
  std::optional<Error> failure_;
};

}  // namespace nf
