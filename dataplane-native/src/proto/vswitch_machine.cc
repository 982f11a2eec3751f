// Entries, stamps, the gate and the sweep. What members ask for is in vswitch_requests.cc.
#include "proto/vswitch_machine.h"

#include <algorithm>

#include "base/check.h"

namespace nf::proto {
namespace {

constexpr uint32_t kSweepAhead = 16;
constexpr uint64_t kPromotePatienceNs = 10'000'000;

}  // namespace

VswitchMachine::VswitchMachine(const VswitchConfig& config, MessageSink* messages, VswitchHost* host)
    : config_(config),
      messages_(messages),
      host_(host),
      members_(config.members),
      lives_(size_t{3} * config.members),
      entries_(config.entries),
      drains_(&entries_, config.drain_ns),
      held_(config.held_packets),
      to_tell_(config.members) {
  NF_CHECK(config.term != 0, "terms count from 1");
  for (uint32_t i = config.entries; i-- > 0;) {
    entries_[i].epoch = MakeEpoch(config.term, 0);
    entries_[i].next_free = free_;
    free_ = i;
  }
}

void VswitchMachine::MemberUp(uint16_t id, uint32_t incarnation) {
  if (id == kVswitch || id >= members_.size()) return;
  if (members_[id].incarnation != 0 && members_[id].incarnation != incarnation) MemberDown(id);
  members_[id] = {.incarnation = incarnation, .draining = false};
  Begin(RefOf(id));
}

// Fences it: from here on nothing of it passes the gate. Its entries are found by their next packet or by the sweep.
void VswitchMachine::MemberDown(uint16_t id) {
  if (id >= members_.size()) return;
  if (Life* life = FindLife(RefOf(id)); life != nullptr) {
    life->dead = true;
    life->unswept = static_cast<uint32_t>(entries_.size());
  }
  members_[id] = {};
  if (!serves_) to_tell_[id] = false;
  sweep_urgent_ = static_cast<uint32_t>(entries_.size());
  unanswered_ = 0;
  answered_ns_ = turned_ns_;
}

uint32_t VswitchMachine::NextEpoch(uint32_t epoch) const { return MakeEpoch(config_.term, epoch + 1); }

uint32_t VswitchMachine::Open(const FlowKey& key, uint16_t runtime, uint64_t now_ns) {
  if (free_ == kNone || !alive(runtime) || !serves_) return kNone;
  const uint32_t index = free_;
  RouteEntry& e = entries_[index];
  free_ = e.next_free;
  top_ = std::max(top_, index + 1);
  ++used_;
  ++counters_.opened;
  e = {.key = key,
       .owner = RefOf(runtime),
       .epoch = NextEpoch(e.epoch),
       .next_sequence = config_.first_sequence,
       .used = true,
       .may_open = true,
       .released = Position(config_.first_sequence - 1, 0xff),
       .stamped_ns = now_ns};
  return index;
}

bool VswitchMachine::Reopen(uint32_t index, uint16_t runtime) {
  RouteEntry* e = Used(index);
  if (e == nullptr || Alive(e->owner) || !alive(runtime)) return false;
  Lose(index);
  e->owner = RefOf(runtime);
  return true;
}

// Whoever owns the entry next starts without what was: a new epoch, no handle, and the loss is told to the runtime.
void VswitchMachine::Lose(uint32_t index) {
  RouteEntry& e = entries_[index];
  DropHeld(&e, GateDrop::kOwnerChanged);
  drains_.Disarm(index);
  if (e.ever_opened) {
    e.lost = true;
    ++counters_.state_lost;
  }
  e.epoch = NextEpoch(e.epoch);
  e.handle = kNoHandle;
  e.may_open = true;
  e.draining = e.switched = e.returned = e.confirmed = e.has_cancelled = e.ever_opened = false;
  e.recovering = e.has_second = false;
  e.previous_epoch = 0;
}

void VswitchMachine::Remove(uint32_t index, bool state_lost) {
  RouteEntry& e = entries_[index];
  DropHeld(&e, GateDrop::kOwnerChanged);
  drains_.Disarm(index);
  if (state_lost) ++counters_.state_lost;
  host_->EntryRemoved(index, state_lost);
  // The epoch stays: the counter goes on with the next flow.
  e.used = false;
  e.next_free = free_;
  free_ = index;
  --used_;
}

StampVerdict VswitchMachine::StampPacket(uint32_t index, uint8_t direction, uint64_t now_ns, uint16_t* runtime,
                                         PacketHeader* header) {
  RouteEntry& e = entries_[index];
  if (!Alive(e.owner)) [[unlikely]] {
    if (MayReturn(e))
      ReturnToPrevious(index, now_ns);
    else if (!Recover(index))
      return StampVerdict::kNeedsRuntime;
  }
  *header = {.stamp = {.handle = e.handle, .entry = index, .epoch = e.epoch, .sequence = e.next_sequence++},
             .flags = static_cast<uint8_t>(direction | (e.may_open ? kMayOpen : 0) | (e.lost ? kStateLost : 0) |
                                           (e.recovering ? kRecovered : 0)),
             .part = 0,
             .port = 0};
  *runtime = e.owner.id;
  e.stamped_ns = now_ns;
  ++counters_.stamped;
  return StampVerdict::kStamped;
}

// The new owner's output waits for the old one's; not when they are the same, since its link keeps order.
bool VswitchMachine::WaitsForOld(const RouteEntry& e) const {
  return e.draining && e.previous != e.owner && Alive(e.previous);
}

GateVerdict VswitchMachine::OnOutput(uint16_t runtime, PacketRef packet, const PacketHeader& header, GateDrop* reason) {
  ++counters_.outputs;
  const auto drop = [&](GateDrop why) {
    *reason = why;
    CountDrop(why);
    return GateVerdict::kDropped;
  };
  const Stamp& stamp = header.stamp;
  if (stamp.entry >= entries_.size()) return drop(GateDrop::kBadStamp);
  RouteEntry& e = entries_[stamp.entry];
  const bool relayed = (header.flags & kRelayed) != 0;
  const bool current = e.used && stamp.epoch == e.epoch && (relayed || e.owner.id == runtime);
  const auto is_fenced = [&](const MemberRef& owner) {
    return InForce(Protection::kGateFence) && !(relayed ? MayRelay(runtime, owner, e.key) : Alive(owner));
  };
  if (current) [[likely]] {
    if (is_fenced(e.owner)) return drop(GateDrop::kFenced);
    if (InForce(Protection::kDrainedMarker) && WaitsForOld(e)) [[unlikely]] {
      if (!held_.Insert(&e.held, packet, header)) return drop(GateDrop::kNoHoldRoom);
      return GateVerdict::kHeld;
    }
    if (e.draining) CloseDrain(stamp.entry);
    e.handle = stamp.handle;
    if (e.recovering) [[unlikely]]
      Answered(&e);
    e.may_open = e.lost = false;
    Confirm(&e);
    e.ever_opened = true;
  } else if (InForce(Protection::kGateEpoch)) {
    const bool old = InForce(Protection::kGateWindow) && e.used && e.draining && stamp.epoch == e.previous_epoch &&
                     (relayed || e.previous.id == runtime) && !SerialLess(e.switch_sequence, stamp.sequence);
    if (!old && !(relayed && IsOfHeir(e, runtime, stamp.epoch))) return drop(GateDrop::kStaleEpoch);
    if (old && is_fenced(e.previous)) return drop(GateDrop::kFenced);
    e.ever_opened = true;
  }
  const uint64_t position = Position(stamp.sequence, header.part);
  if (InForce(Protection::kGateOrder) && static_cast<int64_t>(position - e.released) <= 0)
    return drop(ReasonBehind(header));
  e.released = position;
  ++counters_.released;
  return GateVerdict::kRelease;
}

// The old owner has nothing more to say, or will not be listened to: what waited may leave.
void VswitchMachine::CloseDrain(uint32_t index) {
  RouteEntry& e = entries_[index];
  e.draining = false;
  drains_.Disarm(index);
  HeldPacket held;
  while (held_.Pop(&e.held, &held)) {
    const uint64_t position = Position(held.header.stamp.sequence, held.header.part);
    const bool in_order = static_cast<int64_t>(position - e.released) > 0;
    const bool dismissed = held.header.stamp.epoch != e.epoch || !Alive(e.owner);
    if (dismissed || !in_order) {
      const GateDrop reason = dismissed ? GateDrop::kOwnerChanged : ReasonBehind(held.header);
      CountDrop(reason);
      host_->DropHeld(held.packet, held.header, reason);
      continue;
    }
    e.handle = held.header.stamp.handle;
    Confirm(&e);
    e.ever_opened = true;
    e.released = position;
    ++counters_.released;
    host_->Release(held.packet, held.header);
  }
}

void VswitchMachine::DropHeld(RouteEntry* e, GateDrop reason) {
  HeldPacket held;
  while (held_.Pop(&e->held, &held)) {
    CountDrop(reason);
    host_->DropHeld(held.packet, held.header, reason);
  }
}

void VswitchMachine::DropAllHeld() {
  for (RouteEntry& e : entries_) {
    if (held_.held() == 0) return;
    DropHeld(&e, GateDrop::kOwnerChanged);
  }
}

// The previous owner still has the state it gave, and nobody has seen what came after.
bool VswitchMachine::MayReturn(const RouteEntry& e) const {
  return e.switched && !e.returned && !e.confirmed && Alive(e.previous);
}

void VswitchMachine::ReturnToPrevious(uint32_t index, uint64_t now_ns) {
  RouteEntry& e = entries_[index];
  DropHeld(&e, GateDrop::kOwnerChanged);
  e.lost_owner = e.owner;
  e.replica_epoch = e.epoch;
  e.owner = e.previous;
  e.handle = e.previous_handle;
  e.epoch = NextEpoch(e.epoch);
  e.returned = true;
  e.confirmed = false;  // Nothing of this epoch has left: a replica of the one before will do.
  e.may_open = e.has_cancelled = false;
  // Its old output may still be under way, on the link that will bring the new.
  if (e.draining) drains_.Arm(index, now_ns);
  KeepLife(e.lost_owner);
  ++counters_.returned;
  SendReturned(e, {.entry = index, .epoch = e.previous_epoch, .attempt = e.attempt});
}

void VswitchMachine::SendSwitched(const RouteEntry& e, const MigrationId& id) {
  host_->SendMarker(e.previous.id, MakeMarker(MarkerType::kSwitched, id, e.switch_sequence, e.epoch));
}

void VswitchMachine::SendReturned(const RouteEntry& e, const MigrationId& id) {
  host_->SendMarker(e.owner.id, MakeMarker(MarkerType::kReturned, id, e.next_sequence, e.epoch));
}

void VswitchMachine::SendSourceLost(const RouteEntry& e, const MigrationId& id) {
  Marker marker = MakeMarker(MarkerType::kSourceLost, id, e.switch_sequence, e.epoch);
  marker.flags = e.ever_opened || e.lost ? kStateLost : 0;
  marker.member = ReplicaOf(e.previous, e.key).id;
  KeepLife(e.previous);
  host_->SendMarker(e.owner.id, marker);
}

// Whether there was something to do.
bool VswitchMachine::Sweep(uint32_t index, uint64_t now_ns) {
  RouteEntry& e = entries_[index];
  if (!e.used) return false;
  if (e.draining && !Alive(e.previous)) CloseDrain(index);
  if (!Alive(e.owner)) {
    if (MayReturn(e))
      ReturnToPrevious(index, now_ns);
    else if (Recover(index))
      ++unanswered_;
    else
      Remove(index, e.ever_opened);
    return true;
  }
  // An owner that is yet to make the flow is not asked whether it has it, since the question may overtake the order;
  // but it is not waited for without end to have room.
  const bool is_quiet = InForce(Protection::kIdleProbe) && now_ns - e.stamped_ns >= config_.probe_ns;
  if (e.recovering) SendPromote(index, is_quiet);
  if (e.returned && !e.confirmed) KeepLife(e.lost_owner);
  if (e.switched && !e.returned && !e.confirmed && !Alive(e.previous))
    SendSourceLost(e, {index, e.previous_epoch, e.attempt});
  if (is_quiet) {
    e.stamped_ns = now_ns;
    if (!e.recovering) {
      ++counters_.probes;
      host_->SendMarker(e.owner.id, MakeMarker(MarkerType::kProbe, {index, e.epoch, 0}, e.next_sequence - 1));
    }
  }
  return e.recovering;
}

// Packets of flows wait behind what their owner is to make flows of, so that isn't more than it does in a moment. An
// answer may be lost, or its owner be dead.
bool VswitchMachine::MayPromote(const RouteEntry& e, uint64_t now_ns) {
  if (!e.used || Alive(e.owner) || unanswered_ < config_.promotions) return true;
  if (now_ns - answered_ns_ < kPromotePatienceNs) return false;
  answered_ns_ = now_ns;
  unanswered_ = 0;
  return true;
}

void VswitchMachine::Answered(RouteEntry* e) {
  e->recovering = false;
  answered_ns_ = turned_ns_;
  unanswered_ -= unanswered_ != 0 ? 1 : 0;
}

// From the last entry that was looked at on; those that were never used are passed over.
void VswitchMachine::SweepSome(uint32_t looks_max, uint64_t now_ns) {
  const uint32_t top = std::max(top_, 1u);
  looks_max = std::min(looks_max, top);
  uint32_t found = 0;
  for (uint32_t looks = 0; looks < looks_max && found < config_.sweep_entries; ++looks) {
    if (!MayPromote(entries_[sweep_at_ + 1 < top ? sweep_at_ + 1 : 0], now_ns)) break;
    if (++sweep_at_ >= top) {
      const uint32_t passed = sweep_at_ <= entries_.size() ? static_cast<uint32_t>(entries_.size()) - sweep_at_ : 0;
      sweep_urgent_ -= std::min(sweep_urgent_, passed);
      Swept(looked_ + passed);
      looked_ = 0;
      sweep_at_ = 0;
    }
    ++looked_;
    const uint32_t ahead = sweep_at_ + kSweepAhead;
    if (ahead < top_) {
      __builtin_prefetch(&entries_[ahead].owner);
      __builtin_prefetch(&entries_[ahead].used);
    }
    found += Sweep(sweep_at_, now_ns) ? 1 : 0;
    sweep_urgent_ -= std::min(sweep_urgent_, 1u);
  }
  if (looked_ > 0) Swept(looked_);
  looked_ = 0;
}

void VswitchMachine::Turn(uint64_t now_ns) {
  if (!serves_) {
    turned_ns_ = now_ns;
    return TurnRebuild(now_ns);
  }
  if (has_to_tell_) TellServing();
  for (uint32_t index = drains_.Due(now_ns); index != kNone; index = drains_.Due(now_ns)) {
    ++counters_.drains_timed_out;
    CloseDrain(index);
  }
  // All of them twice in the time after which a silent flow is asked about; as fast as may be after a death.
  sweep_due_ += uint64_t{2} * std::max(top_, 1u) * std::min(now_ns - turned_ns_, config_.probe_ns);
  turned_ns_ = now_ns;
  const uint64_t due = sweep_due_ / config_.probe_ns;
  sweep_due_ = due > config_.sweep_entries ? 0 : sweep_due_ % config_.probe_ns;
  if (sweep_urgent_ != 0)
    SweepSome(std::min(sweep_urgent_, config_.urgent_looks), now_ns);
  else
    SweepSome(static_cast<uint32_t>(std::min<uint64_t>(due, config_.sweep_entries)), now_ns);
}

}  // namespace nf::proto
