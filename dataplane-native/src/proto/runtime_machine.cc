// Actors, packets and the end of flows. Moving them is in migration_source.cc and migration_target.cc.
#include "proto/runtime_machine.h"

#include <algorithm>

namespace nf::proto {
namespace {

constexpr uint64_t kAskEveryRetries = 10;

}  // namespace

RuntimeMachine::RuntimeMachine(const RuntimeConfig& config, MessageSink* messages, RuntimeHost* host,
                               ReplicationHost* replication)
    : config_(config),
      messages_(messages),
      host_(host),
      replication_(replication),
      members_(config.members),
      actors_(config.actors),
      views_(config.entries),
      operations_(config.operations),
      migrations_(config.migrations, config.retry_ns),
      actor_timers_(&actors_, config.retry_ns),
      held_(config.held_packets),
      scratch_(config.max_state_bytes),
      unsaid_(2 * config.migrations) {
  NF_CHECK(config.actors < HandleIndex(kNoHandle), "an actor's index has 24 bits");
  for (Operation& operation : operations_) operation.targets.reserve(config.members);
  for (uint32_t i = config.actors; i-- > 0;) {
    actors_[i].next_free = free_;
    free_ = i;
  }
  if (replication == nullptr) return;
  NF_CHECK(config.entries <= kReplicatedEntriesMax, "a replicated flow's entry has 24 bits");
  ReplicationSource::Outlet* outlet = this;
  source_ =
      std::make_unique<ReplicationSource>(config.id, config.replication, config.retry_ns, config.max_state_bytes,
                                          config.digests.layout, &actors_, &members_, messages, replication, outlet);
  replicas_ = std::make_unique<ReplicaTable>(config.replication.replicas, config.entries, config.members,
                                             config.digests.layout, messages, replication);
}

void RuntimeMachine::MemberUp(uint16_t id, uint32_t incarnation, uint64_t now_ns) {
  if (id >= members_.size() || id == config_.id) return;
  const bool changed = members_[id] != incarnation;
  members_[id] = incarnation;
  if (id == kVswitch && draining_) SetDraining(true);
  if (changed && source_) source_->MemberChanged(id, now_ns);
  if (changed && id == kVswitch) BeginReport();
}

void RuntimeMachine::MemberDown(uint16_t id, uint64_t now_ns) {
  if (id >= members_.size()) return;
  const bool changed = members_[id] != 0;
  members_[id] = 0;
  if (changed && source_) source_->MemberChanged(id, now_ns);
  // Whatever was to go there is cancelled; what V has switched already, V will undo.
  for (uint32_t i = 0; i < migrations_.capacity(); ++i) {
    const MigrationPhase phase = migrations_[i].phase;
    if (migrations_[i].target.id != id || phase == MigrationPhase::kFree || phase == MigrationPhase::kCancelling ||
        phase == MigrationPhase::kDraining)
      continue;
    Cancel(i, Refusal::kNoMember, now_ns);
  }
}

uint32_t RuntimeMachine::FindActor(const Stamp& stamp) const {
  const uint32_t index = HandleIndex(stamp.handle);
  if (index < actors_.size()) {
    const Actor& a = actors_[index];
    const bool same = a.entry == stamp.entry && a.generation == HandleGeneration(stamp.handle);
    if (a.state != ActorState::kFree && (same || !InForce(Protection::kHandleGeneration))) return index;
  }
  return views_[stamp.entry].actor;
}

uint32_t RuntimeMachine::NewActor(uint32_t entry, const FlowKey& key) {
  if (free_ == kNone) return kNone;
  const uint32_t index = free_;
  Actor& a = actors_[index];
  free_ = a.next_free;
  ++used_;
  a = {.entry = entry, .generation = static_cast<uint8_t>(a.generation + 1), .key = key};
  views_[entry].actor = index;
  return index;
}

void RuntimeMachine::DropHeldOf(uint32_t index) {
  HeldPacket held;
  while (held_.Pop(&actors_[index].held, &held)) {
    ++counters_.dropped[static_cast<size_t>(PacketDrop::kAbandoned)];
    host_->DropHeld(held.packet, held.header, PacketDrop::kAbandoned);
  }
}

void RuntimeMachine::DropAllHeld() {
  for (uint32_t i = 0; i < actors_.size() && held_.held() != 0; ++i)
    if (actors_[i].state == ActorState::kAwaiting) DropHeldOf(i);
  if (source_) source_->DropAllHeld();
}

// Stamps of the owner that this was are over from now on.
void RuntimeMachine::FreeActor(uint32_t index) {
  Actor& a = actors_[index];
  DropHeldOf(index);
  actor_timers_.Disarm(index);
  if (a.state != ActorState::kAwaiting) {
    if (source_) source_->Freed(index);
    host_->FreeState(index);
    views_[a.entry].floor = a.epoch;
  }
  views_[a.entry].actor = kNone;
  a.state = ActorState::kFree;
  a.entry = kNone;
  a.next_free = free_;
  free_ = index;
  --used_;
}

// V has given the entry to another flow: whatever was with this one is over, and V knows.
void RuntimeMachine::Supersede(uint32_t index) {
  const Actor& a = actors_[index];
  const bool final = a.state == ActorState::kFinal;
  if (a.migration != kNone) EndMigration(a.migration, final);
  FreeActor(index);
}

PacketOutcome RuntimeMachine::Drop(PacketDrop reason) {
  ++counters_.dropped[static_cast<size_t>(reason)];
  return {.verdict = PacketVerdict::kDropped, .reason = reason, .actor = kNone};
}

PacketOutcome RuntimeMachine::OnPacket(PacketRef packet, const PacketHeader& header, const FlowKey& key, uint64_t) {
  ++counters_.received;
  const Stamp& stamp = header.stamp;
  if (stamp.entry >= views_.size()) return Drop(PacketDrop::kBadStamp);
  const uint32_t index = FindActor(stamp);
  if (index == kNone) return OpenByPacket(header, key);
  const Actor& a = actors_[index];
  if (a.state == ActorState::kAwaiting) {
    if (header.flags & kMayOpen && EpochNewer(stamp.epoch, a.came_epoch)) {
      Supersede(index);
      return OpenByPacket(header, key);
    }
    if (!EpochNewer(stamp.epoch, a.came_epoch)) return Drop(PacketDrop::kStaleEpoch);
    return Hold(index, packet, header);
  }
  if (InForce(Protection::kActorEpoch) && stamp.epoch != a.epoch) [[unlikely]] {
    if (!(header.flags & kMayOpen) || !EpochNewer(stamp.epoch, a.epoch)) return Drop(PacketDrop::kStaleEpoch);
    Supersede(index);
    return OpenByPacket(header, key);
  }
  if (a.state == ActorState::kFinal) return Drop(PacketDrop::kLate);
  return Accept(index, header);
}

PacketOutcome RuntimeMachine::OpenByPacket(const PacketHeader& header, const FlowKey& key) {
  const Stamp& stamp = header.stamp;
  const bool over = views_[stamp.entry].floor != 0 && !EpochNewer(stamp.epoch, views_[stamp.entry].floor);
  if (over && InForce(Protection::kEpochFloor)) return Drop(PacketDrop::kStaleEpoch);
  const MigrationId id{.entry = stamp.entry, .epoch = stamp.epoch, .attempt = 0};
  // The marker that told of it is lost, or nothing is free; V will say it again.
  if (header.flags & kRecovered) return Drop(PacketDrop::kNoRoom);
  if (!(header.flags & kMayOpen)) {
    Deny(MarkerType::kGone, id, stamp.sequence);
    return Drop(PacketDrop::kNoFlow);
  }
  const bool denied = views_[stamp.entry].Denied(stamp.epoch, stamp.sequence);
  const uint32_t index = denied ? kNone : NewActor(stamp.entry, key);
  if (index == kNone) {
    Deny(MarkerType::kNoRoom, id, stamp.sequence);
    return Drop(PacketDrop::kNoRoom);
  }
  Actor& a = actors_[index];
  a.state = ActorState::kActive;
  a.epoch = stamp.epoch;
  a.expected = stamp.sequence;
  if (header.flags & kStateLost) ++counters_.state_lost;
  host_->StartFresh(index, key, header.flags & kStateLost);
  Owned(index);
  return Accept(index, header);
}

// There is no flow here. V forgets it if nothing later is stamped, so this stands, also when there is room again: what
// comes late would open a flow that V doesn't know.
void RuntimeMachine::Deny(MarkerType type, const MigrationId& id, uint32_t sequence) {
  View& view = views_[id.entry];
  if (!view.Denied(id.epoch, sequence)) {
    view.denied_epoch = id.epoch;
    view.denied_sequence = sequence;
  }
  Marked(type, id, sequence);
}

PacketOutcome RuntimeMachine::Accept(uint32_t index, const PacketHeader& header) {
  Actor& a = actors_[index];
  const uint32_t sequence = header.stamp.sequence;
  if (sequence != a.expected) [[unlikely]] {
    if (InForce(Protection::kSequenceCheck) && SerialLess(sequence, a.expected)) return Drop(PacketDrop::kLate);
    counters_.missing += sequence - a.expected;
  }
  a.expected = sequence + 1;
  a.last_part = 0;
  if (a.state == ActorState::kClosing) {
    a.state = ActorState::kActive;
    a.denied = false;
    actor_timers_.Disarm(index);
  }
  ++counters_.processed;
  if (source_) [[unlikely]]
    source_->Touch(index);
  return {.verdict = PacketVerdict::kProcess, .reason = PacketDrop::kCount, .actor = index};
}

PacketOutcome RuntimeMachine::Hold(uint32_t index, PacketRef packet, const PacketHeader& header) {
  Actor& a = actors_[index];
  if (!InForce(Protection::kTargetBuffer)) return Drop(PacketDrop::kHoldFull);
  if (a.held.count >= config_.held_packets_of_flow || !held_.Insert(&a.held, packet, header))
    return Drop(PacketDrop::kHoldFull);
  return {.verdict = PacketVerdict::kHeld, .reason = PacketDrop::kCount, .actor = index};
}

// The actor has its state: what waited goes the way it would have gone.
void RuntimeMachine::WorkOff(uint32_t index) {
  Actor& a = actors_[index];
  HeldPacket held;
  while (held_.Pop(&a.held, &held)) {
    const bool stale = held.header.stamp.epoch != a.epoch;
    const PacketOutcome outcome = stale ? Drop(PacketDrop::kStaleEpoch) : Accept(index, held.header);
    if (outcome.verdict == PacketVerdict::kProcess)
      host_->ProcessHeld(index, held.packet, held.header);
    else
      host_->DropHeld(held.packet, held.header, outcome.reason);
  }
}

std::optional<PacketHeader> RuntimeMachine::NextOutput(uint32_t index) {
  Actor& a = actors_[index];
  // Not while kClosing: V may have agreed already.
  const bool owner = a.state == ActorState::kActive || a.state == ActorState::kMoving;
  if (!owner || a.last_part == 0xff) return std::nullopt;
  if (source_) [[unlikely]]
    source_->Touch(index);
  return PacketHeader{
      .stamp = {.handle = handle(index), .entry = a.entry, .epoch = a.epoch, .sequence = a.expected - 1},
      .flags = 0,
      .part = a.last_part++,
      .port = 0};
}

void RuntimeMachine::ReportOpened(uint32_t index) {
  const Actor& a = actors_[index];
  const MigrationId id{a.entry, a.epoch, 0};
  if (!source_) {
    Tell(kVswitch, MessageType::kFlowOpened, id, handle(index));
    return;
  }
  // V counts what it has heard of as lost if nobody has it.
  HoldWord(source_->bucket_of(index), handle(index), HeldOutput::Kind::kOpened, MakeMarker({}, id, handle(index)));
}

// Another V has given its place to another flow, or has none for it.
void RuntimeMachine::OnDisowned(const Marker& marker) {
  if (marker.id.entry >= views_.size()) return;
  const uint32_t index = views_[marker.id.entry].actor;
  if (index == kNone || actors_[index].epoch != marker.id.epoch) return;
  if (actors_[index].state != ActorState::kAwaiting) Supersede(index);
}

void RuntimeMachine::SendClose(uint32_t index) {
  const Actor& a = actors_[index];
  MarkBehind(index, MarkerType::kClose, {a.entry, a.epoch, 0}, a.expected - 1);
}

bool RuntimeMachine::Close(uint32_t index, uint64_t now_ns) {
  Actor& a = actors_[index];
  if (a.state != ActorState::kActive) return false;
  a.state = ActorState::kClosing;
  a.denied = false;
  actor_timers_.Arm(index, now_ns);
  SendClose(index);
  return true;
}

void RuntimeMachine::OnClosed(const Marker& marker, bool denied, uint64_t now_ns) {
  if (marker.id.entry >= views_.size()) return;
  const uint32_t index = views_[marker.id.entry].actor;
  if (index == kNone) return;
  Actor& a = actors_[index];
  if (a.state != ActorState::kClosing || a.epoch != marker.id.epoch) return;
  if (!denied) return FreeActor(index);
  a.denied = true;
  a.denied_sequence = marker.sequence;
  // On a link that keeps order everything stamped before has come, or never will.
  if (config_.settle_ns == 0) return ClosingTimer(index, now_ns);
  actor_timers_.Arm(index, now_ns);
}

void RuntimeMachine::ClosingTimer(uint32_t index, uint64_t now_ns) {
  Actor& a = actors_[index];
  if (a.denied && SerialLess(a.expected - 1, a.denied_sequence)) {
    counters_.missing += a.denied_sequence + 1 - a.expected;
    a.expected = a.denied_sequence + 1;
  }
  a.denied = false;
  actor_timers_.Arm(index, now_ns);
  if (InForce(Protection::kRequestRetry)) SendClose(index);
}

void RuntimeMachine::OnMarker(const Marker& marker, uint64_t now_ns) {
  switch (marker.type) {
    case MarkerType::kSwitched:
      return OnSwitched(marker, now_ns);
    case MarkerType::kReturned:
      return OnReturned(marker, now_ns);
    case MarkerType::kProbe: {
      if (marker.id.entry >= views_.size()) return;
      if (views_[marker.id.entry].actor == kNone) Deny(MarkerType::kGone, marker.id, marker.sequence);
      return;
    }
    case MarkerType::kSourceLost:
      return OnSourceLost(marker);
    case MarkerType::kPromote:
      if (source_) OnPromote(marker);
      return;
    case MarkerType::kDisowned:
      return OnDisowned(marker);
    case MarkerType::kClosed:
    case MarkerType::kCloseDenied:
      return OnClosed(marker, marker.type == MarkerType::kCloseDenied, now_ns);
    default:
      return;  // Not for a runtime.
  }
}

void RuntimeMachine::OnMessage(uint16_t peer, Message message, uint64_t now_ns) {
  if (peer >= members_.size()) return;
  const MessageType type = message.type();
  if (type == MessageType::kState) {
    while (const auto state = message.Next<StateRecord>()) OnState(peer, state->record, state->bytes);
    return;
  }
  if (type == MessageType::kFull || type == MessageType::kDelta || type == MessageType::kRelay) {
    if (source_) OnUpdates(peer, &message);
    return;
  }
  for (uint32_t i = 0; i < message.count(); ++i) OnRecord(peer, message, i, now_ns);
}

void RuntimeMachine::OnRecord(uint16_t peer, const Message& message, uint32_t i, uint64_t now_ns) {
  switch (message.type()) {
    case MessageType::kRoute:
    case MessageType::kReport:
      return;  // Not for a runtime.
    case MessageType::kOpen:
      return OnOpen(peer, message.At<OpenRecord>(i), now_ns);
    case MessageType::kTarget:
      if (source_ && peer == kVswitch) source_->OnTarget(message.At<TargetRecord>(i), now_ns);
      return;
    case MessageType::kForget:
      if (source_ && peer == kVswitch) replicas_->Forget(message.At<MemberRef>(i));
      return;
    default:
      break;
  }
  const auto note = message.At<Note>(i);
  switch (message.type()) {
    case MessageType::kAbandon:
      return Forget(peer, note.id);
    case MessageType::kWithdraw:
      if (peer == kVswitch) OnWithdraw(note.id);
      return;
    case MessageType::kServing:
      if (peer == kVswitch) reporting_ = false;
      return;
    case MessageType::kPathEnded:
      if (source_ && peer == kVswitch) source_->OnPathEnded(note.id);
      return;
    case MessageType::kReplicaOver:
    case MessageType::kBucketOver:
    case MessageType::kStored:
    case MessageType::kUnstored:
    case MessageType::kPull:
      if (source_) OnReplicationNote(peer, message.type(), note, now_ns);
      return;
    default:
      return OnSourceNote(peer, message.type(), note, now_ns);
  }
}

void RuntimeMachine::Turn(uint64_t now_ns) {
  SayUnsaid();
  if (reporting_) Report();
  if (draining_unsaid_) SayDraining();
  if (source_) source_->Turn(now_ns);
  if (replicas_ && now_ns - asked_ns_ >= kAskEveryRetries * config_.retry_ns) {
    asked_ns_ = now_ns;
    replicas_->AskAboutDead(members_);
  }
  for (uint32_t i = migrations_.timers().Due(now_ns); i != kNone; i = migrations_.timers().Due(now_ns))
    MigrationTimer(i, now_ns);
  for (uint32_t i = actor_timers_.Due(now_ns); i != kNone; i = actor_timers_.Due(now_ns)) {
    if (actors_[i].state == ActorState::kAwaiting)
      AwaitingTimer(i, now_ns);
    else
      ClosingTimer(i, now_ns);
  }
  for (uint32_t slot = 0; slot < operations_.size(); ++slot)
    if (operations_[slot].used) RunOperation(slot, now_ns);
}

}  // namespace nf::proto
