// A runtime's part in owning and moving flows: which packets may be processed, the source's and the target's side of a
// migration, closing by agreement, draining (docs/protocol.md). The index of an actor here is the index of the flow's
// actor and of its slots.
//
// A pure state machine: it is told of packets, markers, messages, members and time, and acts through RuntimeHost. No
// I/O, no clock, no allocation after the constructor. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "packet/flow_key.h"
#include "proto/actor.h"
#include "proto/endpoint.h"
#include "proto/held_packets.h"
#include "proto/messages.h"
#include "proto/migration_table.h"
#include "proto/protection.h"
#include "proto/replica_table.h"
#include "proto/replication_source.h"
#include "proto/stamp.h"
#include "proto/timer_queue.h"

namespace nf::proto {

struct RuntimeConfig {
  uint16_t id = 1;
  uint32_t actors = 1024;
  uint32_t entries = 1024;     // Of V.
  uint16_t members = 16;       // With V.
  uint32_t migrations = 1000;  // Under way at once, at most 4096.
  uint32_t operations = 16;
  uint32_t held_packets = 1024;  // For all awaiting actors together.
  uint32_t held_packets_of_flow = 64;
  uint32_t max_state_bytes = 16 * 1024;
  Digests digests;
  uint64_t retry_ns = 2'000'000;      // A request without an answer is repeated.
  uint64_t give_up_ns = 200'000'000;  // Then the attempt is cancelled.
  uint32_t ask_after_retries = 20;    // An awaiting actor asks V after so many.
  uint64_t settle_ns = 0;             // Packets may be overtaken by a marker by so much; 0: links keep order.
  ReplicationConfig replication;      // If there is a ReplicationHost.
};

enum class PacketDrop : uint8_t {
  kBadStamp,    // No such entry.
  kStaleEpoch,  // Stamped for an owner that this runtime no longer is, or not yet.
  kLate,        // Its place in the flow has passed.
  kNoFlow,      // There is no such flow here.
  kNoRoom,      // No actor is free.
  kHoldFull,    // Too many packets wait.
  kAbandoned,   // Waited for a state that never came.
  kCount
};

enum class PacketVerdict : uint8_t { kProcess, kHeld, kDropped };

struct PacketOutcome {
  PacketVerdict verdict;
  PacketDrop reason;
  uint32_t actor;
};

struct OperationResult {
  uint32_t moved = 0;
  uint32_t failed = 0;
  Refusal reason = Refusal::kNo;  // Of the last that failed.
  bool drained = false;           // No flow is left.
  bool undrained = false;         // Undrain ended it; what had not begun to move stays.
};

class RuntimeHost {
 public:
  // An actor begins without state. Its packets follow.
  virtual void StartFresh(uint32_t actor, const FlowKey& key, bool state_lost) = 0;
  // A packet that waited: through the chain now, as if OnPacket had said kProcess.
  virtual void ProcessHeld(uint32_t actor, PacketRef packet, const PacketHeader& header) = 0;
  virtual void DropHeld(PacketRef packet, const PacketHeader& header, PacketDrop reason) = 0;
  // Writes the flow's state; at most out.size() bytes. 0: it can't be written.
  virtual uint32_t WriteState(uint32_t actor, std::span<uint8_t> out) = 0;
  // kNo: it is installed. Else why this chain does not take it, for good; then nothing was changed.
  virtual Refusal InstallState(uint32_t actor, const FlowKey& key, std::span<const uint8_t> state) = 0;
  // The state that was written isn't final any more: the flow goes on here.
  virtual void Resume(uint32_t actor) = 0;
  // The actor ends here; the flow may live elsewhere (then its state is kFinal).
  virtual void FreeState(uint32_t actor) = 0;
  // To V, behind all output so far: what the chain still keeps back for its flow leaves first.
  virtual void SendMarker(const Marker& marker) = 0;
  virtual void OperationEnded(uint32_t operation, const OperationResult& result) = 0;
  // What another V's host has to know of the actor's flow (its leases, how it is answered); at most out.size() bytes.
  // 0: there is no flow, and V is to make none.
  virtual uint32_t WriteReport(uint32_t actor, std::span<uint8_t> out) = 0;

 protected:
  ~RuntimeHost() = default;
};

struct RuntimeCounters {
  uint64_t received = 0;
  uint64_t processed = 0;
  uint64_t dropped[static_cast<size_t>(PacketDrop::kCount)] = {};
  uint64_t missing = 0;  // Sequence numbers that never came. Not part of the books: whoever lost them counted them.
  uint64_t moved_out = 0;
  uint64_t moved_in = 0;
  uint64_t refused = 0;  // Opens of others.
  uint64_t abandoned = 0;
  uint64_t came_back = 0;
  uint64_t state_lost = 0;
  uint64_t alone_failed = 0;  // Moves begun by MoveAlone that came to nothing.
  uint64_t recovered = 0;     // Flows made of replicas, after their owner's death.
};

class RuntimeMachine final : private ReplicationSource::Outlet {
 public:
  // With a `replication` host flows are replicated, once SetPlaces has said where.
  RuntimeMachine(const RuntimeConfig& config, MessageSink* messages, RuntimeHost* host,
                 ReplicationHost* replication = nullptr);

  void MemberUp(uint16_t id, uint32_t incarnation, uint64_t now_ns = 0);
  void MemberDown(uint16_t id, uint64_t now_ns);

  PacketOutcome OnPacket(PacketRef packet, const PacketHeader& header, const FlowKey& key, uint64_t now_ns);
  void OnMarker(const Marker& marker, uint64_t now_ns);
  void OnMessage(uint16_t peer, Message message, uint64_t now_ns);
  void Turn(uint64_t now_ns);

  // What the next frame that the actor causes carries; nothing after 256 without a packet in between, and nothing
  // while it closes or once its state is final.
  std::optional<PacketHeader> NextOutput(uint32_t actor);
  // The flow's first packet caused no output that would tell V the handle.
  void ReportOpened(uint32_t actor);

  // The flow is over for the chain. False: it is moving, or closing already.
  bool Close(uint32_t actor, uint64_t now_ns);
  // Moves `flows` flows, whichever; ends through OperationEnded. False: unknown target, or too many operations.
  bool Move(uint32_t operation, uint16_t target, uint32_t flows);
  bool MoveOne(uint32_t operation, uint16_t target, uint32_t actor, uint64_t now_ns);
  // Without an operation, since nobody waits for how it ends. Not kNo: it has not begun.
  Refusal MoveAlone(uint32_t actor, uint16_t target, uint64_t now_ns);
  // The flows of these handles (kNoHandle, and whose actor has another flow by then, count as failed: no_flow). The
  // span stays as it is until the operation ends.
  bool MoveThese(uint32_t operation, uint16_t target, std::span<const uint32_t> handles);
  // No new flows, and all that are here go to the targets in turn.
  bool Drain(uint32_t operation, std::span<const uint16_t> targets);
  // Takes new flows again. Drains that go on end when the moves that they have begun are through.
  void Undrain();
  // The end: nothing is held any more.
  void DropAllHeld();

  // ---- Replication; only if it is on.
  bool replicates() const { return source_ != nullptr; }
  // Where replicas may be: members in order; this one is passed over.
  void SetPlaces(std::span<const uint16_t> places, uint64_t now_ns) { source_->SetPlaces(places, now_ns); }
  // Of these places those that replicas are to be at, as long as one of them can: bits by id. 0: any.
  void SetHomes(uint32_t homes, uint64_t now_ns) { source_->SetHomes(homes, now_ns); }
  // The flow has changed without a packet or output of it: a timer.
  void Touch(uint32_t actor) { source_->Touch(actor); }
  // What has this header of NextOutput leaves when it is safe, through ReleaseOutput. False: no room; the caller drops
  // it.
  bool HoldOutput(uint32_t actor, PacketRef packet, const PacketHeader& header);
  // The end of a poll, when its packets have had their effect: what has changed goes out.
  void Replicate(uint64_t now_ns);
  const ReplicationSource& source() const { return *source_; }
  const ReplicaTable& replicas() const { return *replicas_; }
  // Another V has begun, and doesn't know yet what all members are to its flows.
  bool is_reporting() const { return reporting_; }

  const Actor& actor(uint32_t index) const { return actors_[index]; }
  void Prefetch(uint32_t index) const { __builtin_prefetch(&actors_[index], 1); }
  uint32_t handle(uint32_t index) const { return MakeHandle(actors_[index].generation, index); }
  uint32_t actor_of_entry(uint32_t entry) const { return views_[entry].actor; }
  uint32_t actors_used() const { return used_; }
  uint32_t migrations_used() const { return migrations_.used(); }
  uint32_t operations_used() const;
  uint32_t held() const { return held_.held(); }
  bool draining() const { return draining_; }
  const RuntimeConfig& config() const { return config_; }
  const RuntimeCounters& counters() const { return counters_; }

 private:
  // What is known of V's entry: our actor, the epoch up to which everything is over, and what V was told last that
  // there is no flow for, by epoch and sequence: V may have forgotten the flow since, so no packet up to there opens
  // one.
  struct View {
    uint32_t actor = kNone;
    uint32_t floor = 0;
    uint32_t denied_epoch = 0;
    uint32_t denied_sequence = 0;
    bool Denied(uint32_t epoch, uint32_t sequence) const {
      if (epoch == denied_epoch) return !SerialLess(denied_sequence, sequence);
      return !EpochNewer(epoch, denied_epoch);
    }
  };
  struct Operation {
    bool used = false;
    bool draining = false;
    uint32_t id = 0;
    bool has_chosen = false;
    std::span<const uint32_t> chosen;
    uint32_t left = 0;  // To be started.
    // Of a move of so many flows, whichever: flows there were when it began, how many of them it has not seen, and what
    // share of a flow is due.
    uint32_t of = 0, wanted = 0, unseen = 0;
    uint64_t due = 0;
    uint32_t under_way = 0;
    uint32_t cursor = 0;     // Next actor to look at.
    uint32_t looked_at = 0;  // In this round.
    uint32_t moved_in_round = 0;
    uint32_t refused_in_round = 0;  // For a reason that will last.
    uint64_t round_ns = 0;          // When it began.
    uint32_t next_target = 0;
    std::vector<uint16_t> targets;
    OperationResult result;
  };

  static bool IsNext(Operation& operation);

  // runtime_machine.cc: actors and packets.
  uint32_t FindActor(const Stamp& stamp) const;
  uint32_t NewActor(uint32_t entry, const FlowKey& key);
  void FreeActor(uint32_t index);
  void Supersede(uint32_t index);
  void DropHeldOf(uint32_t index);
  PacketOutcome Drop(PacketDrop reason);
  PacketOutcome OpenByPacket(const PacketHeader& header, const FlowKey& key);
  void Deny(MarkerType type, const MigrationId& id, uint32_t sequence);
  PacketOutcome Accept(uint32_t index, const PacketHeader& header);
  PacketOutcome Hold(uint32_t index, PacketRef packet, const PacketHeader& header);
  void WorkOff(uint32_t index);
  void SendClose(uint32_t index);
  void OnClosed(const Marker& marker, bool denied, uint64_t now_ns);
  void OnDisowned(const Marker& marker);
  void ClosingTimer(uint32_t index, uint64_t now_ns);
  void OnRecord(uint16_t peer, const Message& message, uint32_t i, uint64_t now_ns);
  void Marked(MarkerType type, const MigrationId& id, uint32_t sequence) {
    host_->SendMarker(MakeMarker(type, id, sequence));
  }
  bool Tell(uint16_t peer, MessageType type, const MigrationId& id, uint32_t value = 0) {
    return messages_->Say(peer, type, Note{id, value});
  }
  MemberRef RefOf(uint16_t id) const { return {.id = id, .incarnation = members_[id]}; }
  bool Alive(const MemberRef& ref) const { return ref.incarnation != 0 && members_[ref.id] == ref.incarnation; }

  // replicated_flows.cc: what replication means for owning, moving and ending flows; recovery.
  void Leave(const HeldOutput& held) override;
  bool HoldWord(uint8_t bucket, uint32_t handle, HeldOutput::Kind kind, const Marker& marker);
  // Behind the output that the flow has caused.
  void MarkBehind(uint32_t index, MarkerType type, const MigrationId& id, uint32_t sequence);
  void SendDrained(uint32_t migration);
  void SendInstalled(uint32_t index);
  void Owned(uint32_t index);
  void OnPromote(const Marker& marker);
  void OnPull(uint16_t peer, const Note& note);
  bool Pull(uint32_t index, const Marker& marker);
  void SayPull(uint32_t index);
  bool TakeOwnReplica(uint32_t index, const Marker& marker);
  void StartAfresh(uint32_t index);
  void Relayed(const HeldOutput& held) override;
  void OnUpdates(uint16_t peer, Message* message);
  void OnRelays(uint16_t peer, Message* message);
  void OnReplicationNote(uint16_t peer, MessageType type, const Note& note, uint64_t now_ns);

  // report.cc
  void BeginReport();
  void Report();
  ReportRecord ReportOf(uint32_t index) const;
  bool SayReport(ReportRecord report, uint32_t bytes);

  // migration_source.cc
  Refusal Start(uint32_t index, uint16_t target, uint32_t operation_slot, uint64_t now_ns);
  void Request(uint32_t migration);
  bool SayRequest(uint32_t migration);
  void SayUnsaid();
  void Finalise(uint32_t migration, uint64_t now_ns);
  void Cancel(uint32_t migration, Refusal reason, uint64_t now_ns);
  void GoOn(uint32_t migration);
  void Completed(uint32_t migration, uint32_t value, uint64_t now_ns);
  void EndMigration(uint32_t migration, bool moved);
  void OnSwitched(const Marker& marker, uint64_t now_ns);
  void OnReturned(const Marker& marker, uint64_t now_ns);
  void OnSourceNote(uint16_t peer, MessageType type, const Note& note, uint64_t now_ns);
  void MigrationTimer(uint32_t migration, uint64_t now_ns);

  // migration_target.cc
  uint32_t Awaiting(const MigrationId& id) const;
  Refusal WhyNot(const OpenRecord& open, uint16_t peer) const;
  void OnOpen(uint16_t peer, const OpenRecord& open, uint64_t now_ns);
  void OnState(uint16_t peer, const StateRecord& record, std::span<const uint8_t> bytes);
  void Forget(uint16_t peer, const MigrationId& id);
  void OnWithdraw(const MigrationId& id);
  void OnSourceLost(const Marker& marker);
  void AwaitingTimer(uint32_t index, uint64_t now_ns);

  // operations.cc
  Operation* NewOperation(uint32_t id);
  bool IsTarget(uint16_t id) const {
    return id != config_.id && id != kVswitch && id < members_.size() && members_[id] != 0;
  }
  void RunOperation(uint32_t slot, uint64_t now_ns);
  void OperationStep(uint32_t slot, bool moved, Refusal reason);
  void SetDraining(bool on);
  void SayDraining();

  RuntimeConfig config_;
  MessageSink* messages_;
  RuntimeHost* host_;
  ReplicationHost* replication_;
  std::vector<uint32_t> members_;  // Incarnations.
  std::vector<Actor> actors_;
  std::vector<View> views_;
  std::vector<Operation> operations_;
  MigrationTable migrations_;
  TimerQueue<Actor> actor_timers_;
  HeldPackets held_;
  std::vector<uint8_t> scratch_;
  std::unique_ptr<ReplicationSource> source_;  // If replication is on.
  std::unique_ptr<ReplicaTable> replicas_;
  std::vector<uint32_t> unsaid_;  // A ring of migrations, first refused first.
  uint32_t unsaid_first_ = 0, unsaid_count_ = 0;
  uint32_t free_ = kNone;
  uint32_t used_ = 0;
  bool draining_ = false;
  uint64_t asked_ns_ = 0;  // About dead owners.
  bool knew_vswitch_ = false;
  bool reporting_ = false;  // Until V has heard everybody.
  bool report_ended_ = false;
  std::array<uint8_t, kReportBytesMax> report_bytes_;
  uint32_t report_at_ = 0;        // Actors, then replicas.
  bool draining_unsaid_ = false;  // V has not been told, for want of room in the channel.
  RuntimeCounters counters_;
};

}  // namespace nf::proto
