// V, the vswitch's part in moving flows: who owns which flow, the stamp on every packet to an owner, and the gate that
// every packet passes on its way out. V alone makes epochs; its route entry is the only authority (docs/protocol.md).
//
// A pure state machine: it is told of packets, markers, messages, members and time, and acts through VswitchHost. No
// I/O, no clock, no allocation after the constructor. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packet/flow_key.h"
#include "proto/endpoint.h"
#include "proto/held_packets.h"
#include "proto/messages.h"
#include "proto/protection.h"
#include "proto/replication.h"
#include "proto/stamp.h"
#include "proto/timer_queue.h"

namespace nf::proto {

struct VswitchConfig {
  uint32_t entries = 1024;
  uint16_t members = 16;         // With V itself.
  uint32_t held_packets = 1024;  // Output that waits for an old owner's, all flows together.
  uint32_t sweep_entries = 64;   // Looked at in a turn, at most; after a death: found in need of something.
  uint32_t urgent_looks = 1024;  // After a death: looked at in a turn, at most.
  uint32_t promotions = 1024;    // Of flows that nobody waits for: asked for before the first is answered.
  uint8_t term = 1;
  uint32_t first_sequence = 0;
  // Nothing leaves before a replica has what it came from. So of a state that nobody tells another V of nothing was
  // seen.
  bool committed = false;
  uint64_t drain_ns = 10'000'000;  // So long an old owner's output is waited for.
  uint64_t probe_ns = 50'000'000;  // After so much silence V asks the owner about a flow.
};

enum class GateDrop : uint8_t {
  kBadStamp,      // No such entry.
  kStaleEpoch,    // An owner of earlier, or beyond its window.
  kFenced,        // The owner is dead to V.
  kOutOfOrder,    // Later output of the flow has left already (links that reorder or repeat).
  kNoHoldRoom,    // Too much output waits.
  kOwnerChanged,  // Waited, and then its owner was dismissed.
  kRepeated,      // Relayed: given to two replicas, of which the other was sooner.
  kCount
};

enum class GateVerdict : uint8_t { kRelease, kHeld, kDropped };

enum class StampVerdict : uint8_t {
  kStamped,
  kNeedsRuntime,  // The owner is dead and nobody has the state: Reopen the entry, then stamp again.
};

class VswitchHost {
 public:
  // Held output may go out now, or never.
  virtual void Release(PacketRef packet, const PacketHeader& header) = 0;
  virtual void DropHeld(PacketRef packet, const PacketHeader& header, GateDrop reason) = 0;
  // Behind all packets that were sent to the runtime before.
  virtual void SendMarker(uint16_t runtime, const Marker& marker) = 0;
  // The key and its aliases lead nowhere from now on.
  virtual void EntryRemoved(uint32_t entry, bool state_lost) = 0;

 protected:
  ~VswitchHost() = default;
};

class RebuildHost {
 public:
  // V has learnt of this entry; `told` is what the host of who has the state knows of it. False: another flow has its
  // key, or what only one may have, or there is no flow: the entry isn't used, and whoever has it is told to let go.
  virtual bool EntryRebuilt(uint32_t entry, std::span<const uint8_t> told) = 0;
  // That were all; V serves from now on.
  virtual void Rebuilt() = 0;

 protected:
  ~RebuildHost() = default;
};

struct VswitchCounters {
  uint64_t opened = 0;
  uint64_t closed = 0;
  uint64_t close_denied = 0;
  uint64_t switched = 0;
  uint64_t returned = 0;
  uint64_t cancelled = 0;
  uint64_t refused = 0;
  uint64_t state_lost = 0;
  uint64_t recovered = 0;  // Flows sent to the replica of a dead owner.
  uint64_t reports = 0;    // Records of members, after another V.
  uint64_t rebuilt = 0;    // Entries made of them.
  uint64_t disowned = 0;   // Flows that members had, and that got no entry.
  uint64_t drains_timed_out = 0;
  uint64_t probes = 0;
  uint64_t stamped = 0;
  uint64_t outputs = 0;
  uint64_t released = 0;
  uint64_t dropped[static_cast<size_t>(GateDrop::kCount)] = {};
};

// Three cache lines: what finds the flow and its owner, what every packet changes, what migrations need.
struct alignas(64) RouteEntry {
  FlowKey key{};
  MemberRef owner;
  uint32_t handle = kNoHandle;
  uint32_t epoch = 0;

  uint32_t next_sequence = 0;
  uint32_t previous_epoch = 0;
  uint32_t switch_sequence = 0;
  bool used = false;
  bool draining = false;   // The previous owner's output may still come.
  bool switched = false;   // previous, attempt and switch_sequence tell of a migration.
  bool returned = false;   // It was undone: the previous owner is the owner.
  bool confirmed = false;  // The owner is known to live on this state.
  bool may_open = false;
  bool lost = false;         // The next owner starts without the state that was.
  bool recovering = false;   // The owner was told to make the flow of its replica, and hasn't answered.
  bool ever_opened = false;  // Some runtime has had a state.
  uint64_t released = 0;     // Position of the last output that left.
  uint64_t stamped_ns = 0;
  uint32_t next_free = kNone;
  uint32_t replica_epoch = 0;  // While recovering: no older replica will do.
  MemberRef lost_owner;        // While recovering: whose replica. Returned: who had it last, and may have had more.
  bool has_second = false;     // If it has none, the replica of `previous` will do.

  alignas(64) MemberRef previous;
  uint32_t previous_handle = kNoHandle;
  uint32_t attempt = 0;
  uint32_t cancelled_attempt = 0;
  uint32_t confirmed_sequence = 0;  // What is stamped from here on finds the flow at its owner, once that is known.
  bool has_cancelled = false;
  HeldList held;
  TimerLink timer;  // While draining.
};
static_assert(sizeof(RouteEntry) == 192 && offsetof(RouteEntry, next_sequence) == 64);

class VswitchMachine {
 public:
  VswitchMachine(const VswitchConfig& config, MessageSink* messages, VswitchHost* host);

  void MemberUp(uint16_t id, uint32_t incarnation);
  void MemberDown(uint16_t id);
  // After another V: the members that are up now knew it. Nothing is stamped or let out until each of them has told
  // what it is to its flows, or is dead. `told_bytes`: what hosts tell of a flow at most; what is longer is not used.
  void BeginRebuild(RebuildHost* host, uint32_t told_bytes);
  bool serves() const { return serves_; }
  // Whether V can't serve before this member has reported.
  bool awaits(uint16_t id) const { return !serves_ && to_tell_[id]; }

  // A new flow for this runtime. kNone: all entries are in use or the runtime is dead.
  uint32_t Open(const FlowKey& key, uint16_t runtime, uint64_t now_ns);
  // Again for a flow whose owner is dead with its state.
  bool Reopen(uint32_t entry, uint16_t runtime);
  // Only with room in the ring to the owner: a stamp taken is a packet sent. Direction: 0 or kDirection.
  StampVerdict StampPacket(uint32_t entry, uint8_t direction, uint64_t now_ns, uint16_t* runtime, PacketHeader* header);

  // A packet from this runtime. Held: it will come back through the host.
  GateVerdict OnOutput(uint16_t runtime, PacketRef packet, const PacketHeader& header, GateDrop* reason);
  void OnMarker(uint16_t runtime, const Marker& marker, uint64_t now_ns);
  void OnMessage(uint16_t peer, Message message, uint64_t now_ns);
  void Turn(uint64_t now_ns);

  bool Alive(const MemberRef& ref) const {
    return ref.incarnation != 0 && ref.id < members_.size() && members_[ref.id].incarnation == ref.incarnation;
  }
  bool alive(uint16_t id) const { return id < members_.size() && members_[id].incarnation != 0; }
  void SetAccepting(uint16_t id, bool on) { members_[id].draining = !on; }
  // Whether new flows may be placed there.
  bool accepts(uint16_t id) const { return alive(id) && !members_[id].draining; }
  const RouteEntry& entry(uint32_t index) const { return entries_[index]; }
  // Whether flows of dead members may still have to be found.
  bool recovers() const;
  // Where an entry of any number would lie, to prefetch it.
  const RouteEntry& entry_slot(uint32_t index) const { return entries_.data()[index < entries_.size() ? index : 0]; }
  // The end: nothing is held any more.
  void DropAllHeld();

  uint32_t entries_used() const { return used_; }
  uint32_t held() const { return held_.held(); }
  const VswitchCounters& counters() const { return counters_; }

 private:
  struct Member {
    uint32_t incarnation = 0;
    bool draining = false;
  };
  // Where the replicas of a member's flows are; kept after its death, until all of them have been found.
  struct Life {
    MemberRef ref;  // Nobody: free.
    bool dead = false;
    uint32_t unswept = 0;  // Entries that may be its.
    std::array<MemberRef, kBuckets> targets{};
  };
  // What members have said of an entry, while V is rebuilt.
  struct Claim {
    MemberRef of;
    ReportRecord report{};  // Its bytes lie in told_.
  };
  struct Claims {
    Claim owner, final, awaiting, replica;
    uint32_t over = 0;  // Somebody had the flow in this epoch, and it ended there.
  };
  MemberRef RefOf(uint16_t id) const { return {.id = id, .incarnation = members_[id].incarnation}; }
  bool Owns(const RouteEntry& e, uint16_t peer) const { return Alive(e.owner) && e.owner.id == peer; }
  RouteEntry* Used(uint32_t index) {
    return index < entries_.size() && entries_[index].used ? &entries_[index] : nullptr;
  }
  // The entry in which this very attempt has been switched, and not superseded since.
  RouteEntry* Switched(const MigrationId& id);
  uint32_t NextEpoch(uint32_t epoch) const;
  bool WaitsForOld(const RouteEntry& e) const;
  static GateDrop ReasonBehind(const PacketHeader& header) {
    return (header.flags & (kRelayed | kAgain)) != 0 ? GateDrop::kRepeated : GateDrop::kOutOfOrder;
  }
  void CountDrop(GateDrop reason) { ++counters_.dropped[static_cast<size_t>(reason)]; }

  static void Confirm(RouteEntry* e) {
    if (!e->confirmed) e->confirmed_sequence = e->next_sequence;
    e->confirmed = true;
  }
  void CloseDrain(uint32_t index);
  void DropHeld(RouteEntry* e, GateDrop reason);
  void ReturnToPrevious(uint32_t index, uint64_t now_ns);
  bool MayReturn(const RouteEntry& e) const;
  void Remove(uint32_t index, bool state_lost);
  void Lose(uint32_t index);
  void Switch(RouteEntry* e, const RouteRecord& route, uint64_t now_ns);
  void SendSwitched(const RouteEntry& e, const MigrationId& id);
  void SendReturned(const RouteEntry& e, const MigrationId& id);
  void SendSourceLost(const RouteEntry& e, const MigrationId& id);
  void Tell(uint16_t peer, MessageType type, const MigrationId& id, uint32_t value = 0) {
    messages_->Say(peer, type, Note{id, value});
  }
  void Forbid(RouteEntry* e, uint32_t attempt);
  void Refuse(uint16_t peer, const MigrationId& id, Refusal reason);

  void OnRoute(uint16_t peer, const RouteRecord& route, uint64_t now_ns);
  void OnCancel(uint16_t peer, const MigrationId& id, uint64_t now_ns);
  void OnWithdrawn(uint16_t peer, const MigrationId& id, uint32_t value, uint64_t now_ns);
  void OnAsk(uint16_t peer, const MigrationId& id);
  void OnNote(uint16_t peer, MessageType type, const Note& note, uint64_t now_ns);
  void OnClose(uint16_t runtime, const Marker& marker);
  void OnGone(uint16_t runtime, const Marker& marker, uint64_t now_ns);
  bool Sweep(uint32_t index, uint64_t now_ns);
  bool MayPromote(const RouteEntry& e, uint64_t now_ns);
  void Answered(RouteEntry* e);
  void SweepSome(uint32_t looks_max, uint64_t now_ns);

  // vswitch_rebuild.cc
  void OnReport(uint16_t peer, const ReportRecord& report, std::span<const uint8_t> told);
  void OnOver(const MigrationId& id);
  void TurnRebuild(uint64_t now_ns);
  // Whose claim the entry was made of; null: of none.
  Claim* Rebuild(uint32_t index, uint64_t now_ns);
  void Disown(uint32_t index);
  void RebuildMove(uint32_t index, bool awaits, uint64_t now_ns);
  Claim* RebuildOfReplica(uint32_t index);
  void TellServing();
  std::span<uint8_t> ToldOf(uint32_t entry, FlowRole role) {
    const uint32_t place = role == FlowRole::kOwner ? 0 : role == FlowRole::kFinal ? 1 : 2;
    return std::span(told_).subspan((size_t{entry} * 3 + place) * told_bytes_, told_bytes_);
  }

  // vswitch_recovery.cc
  Life* FindLife(const MemberRef& ref);
  void Begin(const MemberRef& ref);
  void OnTarget(uint16_t peer, const TargetRecord& record);
  void OnForget(const MemberRef& owner);
  MemberRef ReplicaOf(const MemberRef& owner, const FlowKey& key);
  bool MayRelay(uint16_t runtime, const MemberRef& owner, const FlowKey& key);
  bool IsOfHeir(const RouteEntry& e, uint16_t runtime, uint32_t epoch) const;
  bool Recover(uint32_t index);
  bool RecoverSecond(uint32_t index);
  bool RecoverUndone(uint32_t index);
  bool GoBack(uint32_t index, uint64_t now_ns);
  void PromoteAt(uint32_t index, const MemberRef& target, const MemberRef& lost_owner, uint32_t epoch);
  void SendPromote(uint32_t index, bool is_last);
  void KeepLife(const MemberRef& ref);
  void Swept(uint32_t count);

  VswitchConfig config_;
  MessageSink* messages_;
  VswitchHost* host_;
  RebuildHost* rebuild_host_ = nullptr;
  std::vector<Member> members_;
  std::vector<Life> lives_;
  std::vector<RouteEntry> entries_;
  TimerQueue<RouteEntry> drains_;
  HeldPackets held_;
  uint32_t free_ = kNone;
  uint32_t used_ = 0;
  uint32_t top_ = 0;  // No entry from here on has ever been used.
  uint32_t sweep_at_ = 0;
  uint32_t looked_ = 0;     // Entries, which lives have not been told of yet.
  uint64_t sweep_due_ = 0;  // Entries times ns.
  uint32_t sweep_urgent_ = 0;
  uint32_t unanswered_ = 0;   // Promotions that the sweep has asked for, roughly.
  uint64_t answered_ns_ = 0;  // When the last one was answered, or given up.
  uint64_t turned_ns_ = 0;
  bool serves_ = true;
  bool has_to_tell_ = false;
  std::vector<Claims> claims_;  // By entry, while V is rebuilt.
  std::vector<uint8_t> told_;   // By entry and role but kAwaiting, told_bytes_ each.
  uint32_t told_bytes_ = 0;
  std::vector<bool> to_tell_;  // Members that haven't told theirs yet; then those that have not heard that V serves.
  VswitchCounters counters_;
};

}  // namespace nf::proto
