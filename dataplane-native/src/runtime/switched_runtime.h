// A runtime behind a vswitch: takes stamped packets of the flows that it owns, and gives and takes flows
// (docs/protocol.md). What happens to a packet in its chain is the same as in direct mode.
//
// The protocol's actor and the flow are two things in one place: when a flow ends for the chain, its actor stays and
// asks the vswitch to agree; a packet that comes before that opens a new flow in it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/counter.h"
#include "flow/lease_table.h"
#include "proto/runtime_machine.h"
#include "runtime/chain_worker.h"
#include "runtime/cluster_board.h"
#include "runtime/flow_joiner.h"
#include "runtime/flow_replicas.h"
#include "runtime/inputs.h"
#include "runtime/member_mail.h"
#include "runtime/move_asker.h"
#include "runtime/report.h"
#include "runtime/runtime_link.h"

namespace nf {

class Uplink;

// A move or a drain, which the control thread that asked for it waits for.
struct Operation {
  proto::OperationResult result;
  bool is_cut_short = false;  // The run has ended before.
  std::atomic<bool> done{false};
};

// Of an operation that is done, and began then.
inline OperationReport ReportOf(const Operation& operation, std::chrono::steady_clock::time_point begin) {
  const std::chrono::nanoseconds taken = std::chrono::steady_clock::now() - begin;
  return {.moved = operation.result.moved,
          .failed = operation.result.failed,
          .reason = RefusalName(operation.result.reason),
          .drained = operation.result.drained,
          .undrained = operation.result.undrained,
          .duration_ns = static_cast<uint64_t>(taken.count())};
}

class SwitchedRuntime final : public ChainWorker, private proto::RuntimeHost, private MailHandler {
 public:
  struct Surroundings {
    uint16_t id;
    uint32_t incarnation;
    uint32_t entries;  // Of the vswitch.
    bool is_capture;   // Time is that of the packets.
    RuntimeLink* link;
    MemberMail* mail;
    ClusterBoard* board;
    const LeaseTable* leases;
    rte_mempool* pool;  // Of packets.
    std::vector<NativeNf*> native;
    uint64_t flows_before = 0;                // Opened by runtimes of the same id that are no more.
    PacketCounters* counters = nullptr;       // Where to count instead of in itself.
    uint32_t held_outputs = kHeldOutputsMax;  // That wait for replicas; fewer than leave `pool` empty.
  };
  static Expected<std::unique_ptr<SwitchedRuntime>> Create(Engine& engine, const RuntimeSpec& spec,
                                                           const Surroundings& surroundings);
  ~SwitchedRuntime() override;

  static constexpr uint32_t kOperationsMax = 16;

  // ---- The lcore.
  bool has_work() const override;
  void End() override;
  // Before the end, when no lcore runs any more: flows whose states were sent live there, if `has_come` says of their
  // entry that it is so; the others end here.
  void LetGo(const std::function<bool(uint32_t entry)>& has_come);
  bool HasFlowOf(uint32_t entry) const;
  // Likewise, of a runtime that is removed: flows that have replicas live on in them.
  void LeaveToReplicas();
  int sleep_ms_max() const override;

  // ---- Any thread.
  uint16_t id() const { return machine_.config().id; }
  bool draining() const { return draining_shown_.value() != 0; }
  // Its lcore: another vswitch has begun and hasn't heard everybody. Packets to it wait.
  bool is_reporting() const { return machine_.is_reporting(); }
  uint64_t moved_in() const { return moved_in_shown_.value(); }
  uint64_t moved_out() const { return moved_out_shown_.value(); }
  // Moves that NFs wanted and that began, and came to nothing.
  uint64_t moves_failed() const { return moves_failed_shown_.value(); }
  uint64_t arrivals_refused() const {
    return arrivals_refused_.value() + (replicas_ != nullptr ? replicas_->not_taken() : 0);
  }
  const MoveAsker& asker() const { return *asker_; }
  uint32_t migrations() const { return static_cast<uint32_t>(migrations_shown_.value()); }
  // Actors in use: flows, flows to come, and flows that have ended but for the vswitch's word.
  uint32_t actors_used() const { return static_cast<uint32_t>(actors_shown_.value()); }
  uint64_t state_lost() const { return state_lost_shown_.value(); }
  // ---- Replication; 0 without.
  uint32_t replicas() const { return static_cast<uint32_t>(replicas_shown_.value()); }
  uint32_t unprotected() const { return static_cast<uint32_t>(unprotected_shown_.value()); }
  // Updates that no replica has answered yet.
  uint32_t replication_lag() const { return static_cast<uint32_t>(lag_shown_.value()); }
  // Packets that it has sent for others' flows. They are in its packets received, and sent or dropped.
  uint64_t relayed() const;
  uint64_t update_bytes() const { return update_bytes_shown_.value(); }
  // Flows made of replicas after their owner's death.
  uint64_t recovered() const { return recovered_shown_.value(); }

 private:
  SwitchedRuntime(const RuntimeSpec& spec, const Surroundings& surroundings, std::unique_ptr<FlowReplicas> replicas);

  // ChainWorker.
  uint32_t Round() override;
  bool Serve(Command& command) override;
  bool IsShown(uint32_t flow) const override { return machine_.actor(flow).state != proto::ActorState::kFinal; }

  // proto::RuntimeHost.
  void StartFresh(uint32_t actor, const FlowKey& key, bool state_lost) override;
  void ProcessHeld(uint32_t actor, proto::PacketRef packet, const proto::PacketHeader& header) override;
  void DropHeld(proto::PacketRef packet, const proto::PacketHeader& header, proto::PacketDrop reason) override;
  uint32_t WriteState(uint32_t actor, std::span<uint8_t> out) override;
  proto::Refusal InstallState(uint32_t actor, const FlowKey& key, std::span<const uint8_t> state) override;
  void Resume(uint32_t actor) override;
  void FreeState(uint32_t actor) override;
  void SendMarker(const proto::Marker& marker) override;
  void OperationEnded(uint32_t operation, const proto::OperationResult& result) override;
  uint32_t WriteReport(uint32_t actor, std::span<uint8_t> out) override;

  void OnMail(uint16_t peer, proto::Message message, uint64_t mono_ns) override;

  uint32_t RoundLive();
  uint32_t RoundCapture();
  // What the others said, what is due, and the end of the poll.
  uint32_t Finish(uint32_t taken, uint64_t mono_ns);
  void Take(rte_mbuf** packets, uint32_t count, uint64_t mono_ns);
  void TakePacket(rte_mbuf* mbuf, uint64_t mono_ns);
  void TakeMarker(rte_mbuf* mbuf, uint64_t mono_ns);
  void Process(uint32_t actor, rte_mbuf* mbuf, const proto::PacketHeader& header);
  bool Open(uint32_t actor, rte_mbuf* mbuf, const proto::PacketHeader& header);
  void EndOnConflict(const proto::Marker& marker);
  void CatchUp(uint32_t actor);
  void SettleActors(uint64_t mono_ns);
  void Depart(uint32_t actor);
  bool Choose(Command& command);
  void Begin(Command& command);
  void Publish();
  void MeasureLoad();
  void PublishReplication();
  void TouchDue();
  void ChangePlaces(const Command& command);

  RuntimeLink& link_;
  MemberMail& mail_;
  ClusterBoard& board_;
  const LeaseTable& leases_;
  std::unique_ptr<FlowReplicas> replicas_;  // If replication is on.
  proto::RuntimeMachine machine_;
  std::unique_ptr<Uplink> uplink_;
  std::optional<FlowJoiner> joiner_;
  std::optional<MoveAsker> asker_;
  std::vector<uint16_t> places_;  // Other runtimes that live.
  uint32_t held_processed_ = 0;
  uint32_t away_ = 0;        // Flows whose states are on their way from here.
  uint64_t machine_ns_ = 0;  // When its time last passed.
  // Actors that this poll opened: the vswitch is told of those that caused no output.
  std::vector<uint32_t> opened_;

  std::array<Operation*, kOperationsMax> operations_{};
  uint32_t operations_count_ = 0;
  bool is_ended_ = false;                                     // Nobody would end an operation any more.
  std::array<std::vector<uint32_t>, kOperationsMax> chosen_;  // Handles, of moves of chosen flows.

  uint64_t load_begin_tsc_ = 0, load_busy_tsc_ = 0;
  uint16_t load_permille_ = 0;
  Counter arrivals_refused_;
  Counter state_lost_shown_, replicas_shown_, unprotected_shown_, lag_shown_, recovered_shown_, update_bytes_shown_;
  Counter draining_shown_, moved_in_shown_, moved_out_shown_, moves_failed_shown_, migrations_shown_, actors_shown_;
};

}  // namespace nf
