// The source's side: three requests, each repeated until answered; then the state is the target's, or the flow goes on
// here. Paper, section 5.4.1.
#include "proto/runtime_machine.h"

namespace nf::proto {

Refusal RuntimeMachine::Start(uint32_t index, uint16_t target, uint32_t operation, uint64_t now_ns) {
  Actor& a = actors_[index];
  if (a.state == ActorState::kFree) return Refusal::kNoFlow;
  if (a.state != ActorState::kActive) return Refusal::kBusy;
  if (!IsTarget(target)) return Refusal::kNoMember;
  const uint32_t m = migrations_.New(a.entry, a.epoch);
  if (m == kNone) return Refusal::kBusy;
  a.state = ActorState::kMoving;
  a.migration = m;
  migrations_[m].actor = index;
  migrations_[m].operation = operation;
  migrations_[m].target = RefOf(target);
  migrations_.Enter(m, MigrationPhase::kOpening, now_ns);
  Request(m);
  return Refusal::kNo;
}

// Says (again) what the phase waits for an answer to. What finds no room in the channel is said in a later turn.
void RuntimeMachine::Request(uint32_t m) {
  if (SayRequest(m) || migrations_[m].unsaid || unsaid_count_ == unsaid_.size()) return;  // Its timer is left to it.
  migrations_[m].unsaid = true;
  unsaid_[(unsaid_first_ + unsaid_count_++) % unsaid_.size()] = m;
}

// One that has ended meanwhile and begun anew may be in the ring twice, and is then said twice.
void RuntimeMachine::SayUnsaid() {
  while (unsaid_count_ > 0) {
    const uint32_t m = unsaid_[unsaid_first_];
    if (migrations_[m].unsaid && !SayRequest(m)) return;
    migrations_[m].unsaid = false;
    unsaid_first_ = (unsaid_first_ + 1) % static_cast<uint32_t>(unsaid_.size());
    --unsaid_count_;
  }
}

bool RuntimeMachine::SayRequest(uint32_t m) {
  const Migration& migration = migrations_[m];
  switch (migration.phase) {
    case MigrationPhase::kOpening: {
      const OpenRecord open{migration.id, 0, config_.digests, actors_[migration.actor].key};
      return messages_->Say(migration.target.id, MessageType::kOpen, open);
    }
    case MigrationPhase::kRouting: {
      const RouteRecord route{migration.id, migration.target_handle, migration.target};
      return messages_->Say(kVswitch, MessageType::kRoute, route);
    }
    case MigrationPhase::kSending: {
      const Actor& a = actors_[migration.actor];
      const uint32_t bytes = host_->WriteState(migration.actor, scratch_);
      const StateRecord state{
          migration.id, migration.target_handle, migration.new_epoch, a.expected - 1, bytes, a.last_part,
          {},           config_.digests.layout};
      return messages_->Say(migration.target.id, MessageType::kState,
                            {reinterpret_cast<const uint8_t*>(&state), sizeof state}, std::span(scratch_).first(bytes));
    }
    case MigrationPhase::kCancelling:
      return Tell(kVswitch, MessageType::kCancel, migration.id);
    default:
      return true;
  }
}

void RuntimeMachine::EndMigration(uint32_t m, bool moved) {
  const Migration migration = migrations_[m];
  if (migration.actor != kNone) actors_[migration.actor].migration = kNone;
  migrations_.Free(m);
  if (migration.operation != kNone)
    OperationStep(migration.operation, moved, migration.reason);
  else if (!moved)
    ++counters_.alone_failed;
}

// The attempt is over and the flow stays.
void RuntimeMachine::GoOn(uint32_t m) {
  const uint32_t index = migrations_[m].actor;
  const bool was_final = actors_[index].state == ActorState::kFinal;
  actors_[index].state = ActorState::kActive;
  if (was_final) host_->Resume(index);
  EndMigration(m, false);
}

void RuntimeMachine::Cancel(uint32_t m, Refusal reason, uint64_t now_ns) {
  Migration& migration = migrations_[m];
  migration.reason = reason;
  if (migration.phase == MigrationPhase::kOpening) {  // V has heard nothing of it.
    Tell(migration.target.id, MessageType::kAbandon, migration.id);
    return GoOn(m);
  }
  migrations_.Enter(m, MigrationPhase::kCancelling, now_ns);
  Request(m);
}

void RuntimeMachine::OnSwitched(const Marker& marker, uint64_t now_ns) {
  const uint32_t m = migrations_.Find(marker.id);
  if (m == kNone || migrations_[m].phase != MigrationPhase::kRouting) return;
  Migration& migration = migrations_[m];
  migration.new_epoch = marker.new_epoch;
  migration.switch_sequence = marker.sequence;
  const Actor& a = actors_[migration.actor];
  if (config_.settle_ns == 0 || !SerialLess(a.expected - 1, marker.sequence)) return Finalise(m, now_ns);
  migrations_.Enter(m, MigrationPhase::kSettling, now_ns);
}

// Everything up to the switch has been processed, or is lost: the state is final.
void RuntimeMachine::Finalise(uint32_t m, uint64_t now_ns) {
  Migration& migration = migrations_[m];
  Actor& a = actors_[migration.actor];
  if (SerialLess(a.expected - 1, migration.switch_sequence)) {
    counters_.missing += migration.switch_sequence + 1 - a.expected;
    a.expected = migration.switch_sequence + 1;
  }
  a.state = ActorState::kFinal;
  migration.drained_sent = true;
  migration.handle = handle(migration.actor);
  migrations_.Enter(m, MigrationPhase::kSending, now_ns);
  Request(m);
  SendDrained(m);
  if (!InForce(Protection::kKeepUntilInstalled)) Completed(m, 0, now_ns);
}

// The target has the state, and has said so.
void RuntimeMachine::Completed(uint32_t m, uint32_t value, uint64_t now_ns) {
  Migration& migration = migrations_[m];
  const uint32_t index = migration.actor;
  migration.actor = kNone;
  actors_[index].migration = kNone;
  if (source_ && (value & kIsBare) != 0) source_->LeftUnprotected(index);
  FreeActor(index);
  ++counters_.moved_out;
  if (migration.drained_known || !migration.drained_sent) return EndMigration(m, true);
  if (migration.operation != kNone) OperationStep(migration.operation, true, Refusal::kNo);
  migration.operation = kNone;
  migrations_.Enter(m, MigrationPhase::kDraining, now_ns);
}

// V gives the flow back, in a new epoch; from here on it is as if it had never left, but for what the target lost.
void RuntimeMachine::OnReturned(const Marker& marker, uint64_t) {
  if (marker.id.entry >= views_.size()) return;
  const uint32_t m = migrations_.Find(marker.id);
  if (m == kNone || migrations_[m].actor == kNone) {
    const uint32_t index = views_[marker.id.entry].actor;
    const bool known = index != kNone && !EpochNewer(marker.new_epoch, actors_[index].epoch);
    if (!known) Marked(MarkerType::kGone, {marker.id.entry, marker.new_epoch, 0}, marker.sequence - 1);
    return;
  }
  Actor& a = actors_[migrations_[m].actor];
  a.epoch = marker.new_epoch;
  if (source_) source_->Renewed(migrations_[m].actor);
  if (migrations_[m].reason == Refusal::kNo) migrations_[m].reason = Refusal::kNoMember;
  ++counters_.came_back;
  const uint32_t index = migrations_[m].actor;
  GoOn(m);
  if (source_) ReportOpened(index);  // When that is stored no older replica will do.
}

void RuntimeMachine::OnSourceNote(uint16_t peer, MessageType type, const Note& note, uint64_t now_ns) {
  const auto reason = static_cast<Refusal>(note.value);
  // V's word on an attempt of others, of which this is the target.
  if (type == MessageType::kCancelled && peer == kVswitch) Forget(peer, note.id);
  // Nobody has the replica that this target asked for.
  if (const uint32_t index = Awaiting(note.id); type == MessageType::kRefused && index != kNone &&
                                                actors_[index].state == ActorState::kAwaiting &&
                                                actors_[index].pulled_from == peer && peer != kVswitch)
    return StartAfresh(index);
  const uint32_t m = migrations_.Find(note.id);
  if (m == kNone) return;
  Migration& migration = migrations_[m];
  const MigrationPhase phase = migration.phase;
  const bool from_target = peer == migration.target.id;
  const bool from_vswitch = peer == kVswitch;
  if (type == MessageType::kOpened && from_target && phase == MigrationPhase::kOpening) {
    migration.target_handle = note.value;
    migrations_.Enter(m, MigrationPhase::kRouting, now_ns);
    Request(m);
    if (InForce(Protection::kSwitchMarker)) return;
    const Actor& a = actors_[migration.actor];
    OnSwitched(MakeMarker(MarkerType::kSwitched, migration.id, a.expected - 1, a.epoch + 1), now_ns);
  } else if (type == MessageType::kRefused && from_target) {
    if (phase == MigrationPhase::kOpening) {
      migration.reason = reason;
      GoOn(m);
    } else if (phase == MigrationPhase::kSending) {
      Cancel(m, reason, now_ns);
    }
  } else if (type == MessageType::kInstalled && from_target) {
    if (phase == MigrationPhase::kSending || phase == MigrationPhase::kCancelling) Completed(m, note.value, now_ns);
  } else if (type == MessageType::kDrainedAck && from_vswitch) {
    migration.drained_known = true;
    if (phase == MigrationPhase::kDraining) EndMigration(m, true);
  } else if (type == MessageType::kCompleted && from_vswitch && phase == MigrationPhase::kCancelling) {
    Completed(m, note.value, now_ns);
  } else if (type == MessageType::kRouteRefused || type == MessageType::kCancelled) {
    const bool asked = phase == MigrationPhase::kRouting || phase == MigrationPhase::kCancelling;
    if (!from_vswitch || !asked) return;
    // A refusal that crossed our cancellation is none of it: V will answer that too.
    if (type == MessageType::kRouteRefused && phase == MigrationPhase::kCancelling) return;
    if (type == MessageType::kRouteRefused) migration.reason = reason;
    Tell(migration.target.id, MessageType::kAbandon, migration.id);
    GoOn(m);
  }
}

void RuntimeMachine::MigrationTimer(uint32_t m, uint64_t now_ns) {
  Migration& migration = migrations_[m];
  const uint64_t waited = now_ns - migration.phase_ns;
  migrations_.timers().Arm(m, now_ns);
  if (migration.phase == MigrationPhase::kSettling) {
    if (waited >= config_.settle_ns) Finalise(m, now_ns);
    return;
  }
  if (!InForce(Protection::kRequestRetry)) return;
  if (migration.drained_sent && !migration.drained_known) SendDrained(m);
  const bool may_give_up =
      migration.phase != MigrationPhase::kCancelling && migration.phase != MigrationPhase::kDraining;
  if (may_give_up && waited >= config_.give_up_ns) return Cancel(m, Refusal::kTimeout, now_ns);
  Request(m);
}

}  // namespace nf::proto
