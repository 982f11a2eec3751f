// What replication means for flows that open, move and end here, and how a flow is made of the replica of a dead owner.
#include "proto/runtime_machine.h"

namespace nf::proto {

// The actor has a state, and V will send its packets here.
void RuntimeMachine::Owned(uint32_t index) {
  actors_[index].safe = !source_;
  if (source_) source_->Opened(index);
}

bool RuntimeMachine::HoldOutput(uint32_t index, PacketRef packet, const PacketHeader& header) {
  HeldOutput held;
  held.packet = packet;
  held.header = header;
  held.handle = handle(index);
  return source_->Hold(source_->bucket_of(index), held);
}

bool RuntimeMachine::HoldWord(uint8_t bucket, uint32_t handle, HeldOutput::Kind kind, const Marker& marker) {
  HeldOutput held;
  held.kind = kind;
  held.marker = marker;
  held.handle = handle;
  return source_->Hold(bucket, held);
}

void RuntimeMachine::MarkBehind(uint32_t index, MarkerType type, const MigrationId& id, uint32_t sequence) {
  if (!source_ || !InForce(Protection::kBehindOutput)) return Marked(type, id, sequence);
  HoldWord(source_->bucket_of(index), handle(index), HeldOutput::Kind::kMarker, MakeMarker(type, id, sequence));
}

// What it is behind may still wait when the flow is gone already.
void RuntimeMachine::SendDrained(uint32_t m) {
  Migration& migration = migrations_[m];
  if (!source_ || !InForce(Protection::kBehindOutput))
    return Marked(MarkerType::kDrained, migration.id, migration.switch_sequence);
  if (migration.drained_waits) return;
  if (migration.actor != kNone) migration.bucket = source_->bucket_of(migration.actor);
  migration.drained_waits = HoldWord(migration.bucket, migration.handle, HeldOutput::Kind::kMarker,
                                     MakeMarker(MarkerType::kDrained, migration.id, migration.switch_sequence));
}

// The source frees the flow when it hears this, and its replica with it: so ours must be there before.
void RuntimeMachine::SendInstalled(uint32_t index) {
  Actor& a = actors_[index];
  const MigrationId id{.entry = a.entry, .epoch = a.came_epoch, .attempt = a.came_attempt};
  if (!InForce(Protection::kReplicateBeforeInstalled)) a.safe = true;
  if (!a.safe) {
    HoldWord(source_->bucket_of(index), handle(index), HeldOutput::Kind::kInstalled, MakeMarker({}, id, 0));
    return;
  }
  if (a.no_state)
    Tell(kVswitch, MessageType::kWithdrawn, id, kHasIt);
  else
    Tell(a.came_from, MessageType::kInstalled, id, a.is_bare ? kIsBare : 0);
}

void RuntimeMachine::Leave(const HeldOutput& held) {
  if (held.kind == HeldOutput::Kind::kOutput) return replication_->ReleaseOutput(held.packet, held.header);
  const uint32_t index = HandleIndex(held.handle);
  const bool lives =
      index < actors_.size() && actors_[index].state != ActorState::kFree && handle(index) == held.handle;
  switch (held.kind) {
    case HeldOutput::Kind::kMarker:
      if (held.marker.type == MarkerType::kDrained)
        if (const uint32_t m = migrations_.Find(held.marker.id); m != kNone) migrations_[m].drained_waits = false;
      return host_->SendMarker(held.marker);
    case HeldOutput::Kind::kInstalled:
      if (!lives) return;
      actors_[index].safe = true;
      actors_[index].is_bare = held.exempt;
      return SendInstalled(index);
    default:
      if (lives) Tell(kVswitch, MessageType::kFlowOpened, held.marker.id, held.marker.sequence);
  }
}

void RuntimeMachine::Relayed(const HeldOutput& held) {
  if (held.kind == HeldOutput::Kind::kOutput) return replication_->OutputRelayed(held.packet, held.header);
  if (const uint32_t m = migrations_.Find(held.marker.id); m != kNone) migrations_[m].drained_waits = false;
}

void RuntimeMachine::OnRelays(uint16_t peer, Message* message) {
  const MemberRef owner = RefOf(peer);
  while (const auto relay = message->Next<RelayRecord>()) {
    if (!replicas_->OnRelay(owner, relay->record, members_[kVswitch])) continue;
    if (relay->record.is_marker == 0) {
      PacketHeader header = relay->record.header;
      header.flags |= kRelayed;
      replication_->RelayOutput(header, relay->bytes);
      continue;
    }
    Marker marker;
    std::memcpy(&marker, relay->bytes.data(), sizeof marker);
    marker.flags = kRelayed;
    marker.member = peer;
    marker.new_epoch = owner.incarnation;
    if (IsSound(marker)) host_->SendMarker(marker);
  }
}

void RuntimeMachine::Replicate(uint64_t now_ns) {
  replicas_->Answer();
  source_->Flush(now_ns);
}

void RuntimeMachine::OnUpdates(uint16_t peer, Message* message) {
  const MemberRef owner = RefOf(peer);
  if (message->type() == MessageType::kRelay) {
    OnRelays(peer, message);
  } else if (message->type() == MessageType::kFull) {
    while (const auto full = message->Next<FullRecord>()) replicas_->OnFull(owner, full->record, full->bytes);
  } else {
    replicas_->OnDeltas(owner, message);
  }
}

void RuntimeMachine::OnReplicationNote(uint16_t peer, MessageType type, const Note& note, uint64_t now_ns) {
  switch (type) {
    case MessageType::kReplicaOver:
      return replicas_->OnReplicaOver(RefOf(peer), note.id.entry, note.id.epoch);
    case MessageType::kBucketOver:
      return replicas_->OnBucketOver(RefOf(peer), note.value);
    case MessageType::kStored:
      return source_->OnStored(peer, note.value, now_ns);
    case MessageType::kUnstored: {
      if (note.id.entry == kNone) return source_->OnUnfit(peer, now_ns);
      source_->TakeBack(peer, note.id.attempt);
      const uint32_t index = note.id.entry < views_.size() ? views_[note.id.entry].actor : kNone;
      if (index == kNone) return;
      return source_->OnUnstored(peer, index, note.id.attempt, static_cast<Refusal>(note.value), now_ns);
    }
    default:
      return OnPull(peer, note);
  }
}

// V has fenced the owner: whatever it still sends is not stored, and the replica becomes the flow.
void RuntimeMachine::OnPromote(const Marker& marker) {
  const uint32_t entry = marker.id.entry;
  if (entry >= views_.size()) return;
  View& view = views_[entry];
  if (view.actor != kNone) {
    const Actor& a = actors_[view.actor];
    const bool awaits = a.state == ActorState::kAwaiting;
    if (!awaits && a.epoch == marker.new_epoch) return ReportOpened(view.actor);
    if (!EpochNewer(marker.new_epoch, awaits ? a.came_epoch : a.epoch)) return;
    Supersede(view.actor);
  }
  if (view.floor != 0 && !EpochNewer(marker.new_epoch, view.floor)) return;
  const uint32_t place = replicas_->Find(entry, marker.id.epoch, marker.new_epoch);
  if (place == kNone) return Marked(MarkerType::kGone, {entry, marker.new_epoch, 0}, marker.sequence);
  replicas_->Seal(place);
  const FlowKey key = replicas_->key(place);
  const uint32_t index = NewActor(entry, key);
  if (index == kNone) {
    if ((marker.flags & kLastTime) == 0) return;  // V will say it again.
    // For good: without the replica what V has said before, and comes yet, makes no flow any more.
    replicas_->Free(place);
    return Marked(MarkerType::kGone, {entry, marker.new_epoch, 0}, marker.sequence);
  }
  Actor& a = actors_[index];
  a.state = ActorState::kActive;
  a.epoch = marker.new_epoch;
  a.expected = marker.sequence + 1;
  const bool whole = replication_->Promote(place, index, key);
  NF_CHECK(whole, "a replica of this layout is a state of this chain");
  replicas_->Free(place);
  ++counters_.recovered;
  Owned(index);
  Tell(kVswitch, MessageType::kFlowOpened, {entry, a.epoch, 0}, handle(index));
}

// False: there is nobody to ask, or nothing here.
bool RuntimeMachine::Pull(uint32_t index, const Marker& marker) {
  Actor& a = actors_[index];
  if (!InForce(Protection::kPullReplica)) return false;
  if (marker.member == config_.id) return TakeOwnReplica(index, marker);
  if (marker.member >= members_.size() || members_[marker.member] == 0) return true;  // V will say it again.
  if (a.pulled_from == marker.member) return true;
  a.pulled_from = marker.member;
  SayPull(index);
  return true;
}

void RuntimeMachine::SayPull(uint32_t index) {
  const Actor& a = actors_[index];
  Tell(a.pulled_from, MessageType::kPull, {a.entry, a.came_epoch, a.came_attempt}, handle(index));
}

// The flow was to come here, where its replica is.
bool RuntimeMachine::TakeOwnReplica(uint32_t index, const Marker& marker) {
  Actor& a = actors_[index];
  const uint32_t place = replicas_->Find(a.entry, marker.id.epoch, marker.new_epoch);
  if (place == kNone) return false;
  replicas_->Seal(place);
  const bool whole = replication_->Promote(place, index, a.key);
  NF_CHECK(whole, "a replica of this layout is a state of this chain");
  actor_timers_.Disarm(index);
  a.state = ActorState::kActive;
  a.no_state = true;
  ++counters_.recovered;
  Owned(index);
  SendInstalled(index);
  WorkOff(index);
  return true;
}

// The replica stays until V has found all flows of the dead owner: who asks may die before it has one of its own.
void RuntimeMachine::OnPull(uint16_t peer, const Note& note) {
  const uint32_t place = replicas_->Find(note.id.entry, note.id.epoch, note.id.epoch + 1);
  if (place == kNone) {
    Tell(peer, MessageType::kRefused, note.id, static_cast<uint32_t>(Refusal::kNoFlow));
    return;
  }
  replicas_->Seal(place);
  const uint32_t bytes = replication_->ReadReplica(place, scratch_);
  const StateRecord state{.id = note.id, .handle = note.value, .bytes = bytes, .layout = config_.digests.layout};
  messages_->Say(peer, MessageType::kState, {reinterpret_cast<const uint8_t*>(&state), sizeof state},
                 std::span(scratch_).first(bytes));
}

}  // namespace nf::proto
