// The target's side: an actor that waits for its state, and what becomes of it when the state doesn't come.
#include "proto/runtime_machine.h"

namespace nf::proto {

// The actor that came, or is to come, by this very attempt.
uint32_t RuntimeMachine::Awaiting(const MigrationId& id) const {
  if (id.entry >= views_.size()) return kNone;
  const uint32_t index = views_[id.entry].actor;
  if (index == kNone || id.epoch == 0) return kNone;
  const Actor& a = actors_[index];
  return a.came_epoch == id.epoch && a.came_attempt == id.attempt ? index : kNone;
}

Refusal RuntimeMachine::WhyNot(const OpenRecord& open, uint16_t peer) const {
  if (open.id.entry >= views_.size() || peer == kVswitch) return Refusal::kNoFlow;
  if (open.digests.chain != config_.digests.chain) return Refusal::kChain;
  if (InForce(Protection::kLayoutDigest) && open.digests.layout != config_.digests.layout) return Refusal::kLayout;
  if (draining_) return Refusal::kDraining;
  const View& view = views_[open.id.entry];
  const bool over = view.floor != 0 && !EpochNewer(open.id.epoch, view.floor);
  if (over && InForce(Protection::kEpochFloor)) return Refusal::kCancelled;
  if (view.actor != kNone) return Refusal::kBusy;
  return Refusal::kNo;
}

void RuntimeMachine::OnOpen(uint16_t peer, const OpenRecord& open, uint64_t now_ns) {
  const uint32_t known = Awaiting(open.id);
  if (known != kNone && actors_[known].came_from == peer) {
    Tell(peer, MessageType::kOpened, open.id, handle(known));
    return;
  }
  Refusal reason = WhyNot(open, peer);
  const uint32_t index = reason == Refusal::kNo ? NewActor(open.id.entry, open.key) : kNone;
  if (reason == Refusal::kNo && index == kNone) reason = Refusal::kRoom;
  if (reason != Refusal::kNo) {
    ++counters_.refused;
    Tell(peer, MessageType::kRefused, open.id, static_cast<uint32_t>(reason));
    return;
  }
  Actor& a = actors_[index];
  a.state = ActorState::kAwaiting;
  a.came_epoch = open.id.epoch;
  a.came_attempt = open.id.attempt;
  a.came_from = peer;
  actor_timers_.Arm(index, now_ns);
  Tell(peer, MessageType::kOpened, open.id, handle(index));
}

void RuntimeMachine::OnState(uint16_t peer, const StateRecord& record, std::span<const uint8_t> bytes) {
  // Nobody who awaits a state becomes an owner between the reports of two members. It will be said again.
  if (reporting_) return;
  const uint32_t index = Awaiting(record.id);
  const auto refuse = [&](Refusal reason) {
    Tell(peer, MessageType::kRefused, record.id, static_cast<uint32_t>(reason));
  };
  const bool known = index != kNone && handle(index) == record.handle;
  const bool pulled = known && actors_[index].pulled_from != 0;
  const uint16_t from = !known ? kVswitch : pulled ? actors_[index].pulled_from : actors_[index].came_from;
  if (!known || from != peer) return refuse(Refusal::kNoFlow);
  Actor& a = actors_[index];
  if (a.no_state && !(pulled && a.state == ActorState::kAwaiting)) return refuse(Refusal::kNoFlow);
  if (a.state != ActorState::kAwaiting) return SendInstalled(index);
  if (InForce(Protection::kLayoutDigest) && record.layout != config_.digests.layout) return refuse(Refusal::kLayout);
  if (const Refusal reason = host_->InstallState(index, a.key, bytes); reason != Refusal::kNo) {
    if (pulled) return OnWithdraw(record.id);  // V goes to the replica.
    a.no_state = true;                         // The source may ask a second time before it hears this.
    return refuse(reason);
  }
  actor_timers_.Disarm(index);
  a.state = ActorState::kActive;
  ++counters_.moved_in;
  if (pulled) {
    a.no_state = true;
    ++counters_.recovered;
  } else {
    a.epoch = record.new_epoch;
    a.expected = record.last_sequence + 1;
    a.last_part = record.last_part;
  }
  Owned(index);
  SendInstalled(index);
  WorkOff(index);
}

// V has never switched to this actor and never will.
void RuntimeMachine::Forget(uint16_t peer, const MigrationId& id) {
  const uint32_t index = Awaiting(id);
  if (index != kNone && peer != kVswitch && peer != actors_[index].came_from) return;
  if (index == kNone || actors_[index].state != ActorState::kAwaiting) return;
  ++counters_.abandoned;
  FreeActor(index);
}

// V wants to give the flow back to the source. An open or a state of this epoch that is still under way comes too late.
void RuntimeMachine::OnWithdraw(const MigrationId& id) {
  if (id.entry >= views_.size()) return;
  const uint32_t index = Awaiting(id);
  const bool installed = index != kNone && actors_[index].state != ActorState::kAwaiting;
  if (installed && !actors_[index].safe)
    return SendInstalled(index);  // Which may not have found room. V will ask again.
  if (!installed) {
    Forget(kVswitch, id);
    uint32_t& floor = views_[id.entry].floor;
    if (EpochNewer(id.epoch, floor)) floor = id.epoch;
  }
  const uint32_t bare = installed && actors_[index].is_bare ? kIsBare : 0;
  Tell(kVswitch, MessageType::kWithdrawn, id, installed ? kHasIt | bare : 0);
}

void RuntimeMachine::OnSourceLost(const Marker& marker) {
  const uint32_t index = Awaiting(marker.id);
  if (index == kNone) {
    // It was given up, and V hasn't heard of it.
    const bool over = marker.id.entry < views_.size() && !EpochNewer(marker.id.epoch, views_[marker.id.entry].floor);
    if (source_ && over) Tell(kVswitch, MessageType::kWithdrawn, marker.id, 0);
    return;
  }
  Actor& a = actors_[index];
  if (a.state == ActorState::kAwaiting) {
    a.epoch = marker.new_epoch;
    a.expected = marker.sequence + 1;
    a.was_seen = (marker.flags & kStateLost) != 0;
    if (source_ && marker.member != 0 && Pull(index, marker)) return;
    StartAfresh(index);
  } else if (a.safe) {
    Tell(kVswitch, MessageType::kWithdrawn, marker.id, kHasIt);
  } else {
    SendInstalled(index);
  }
}

// Nobody has the state of the flow that was to come.
void RuntimeMachine::StartAfresh(uint32_t index) {
  Actor& a = actors_[index];
  actor_timers_.Disarm(index);
  a.state = ActorState::kActive;
  a.no_state = true;
  if (a.was_seen) ++counters_.state_lost;
  host_->StartFresh(index, a.key, a.was_seen);
  Owned(index);
  SendInstalled(index);
  WorkOff(index);
}

void RuntimeMachine::AwaitingTimer(uint32_t index, uint64_t now_ns) {
  Actor& a = actors_[index];
  actor_timers_.Arm(index, now_ns);
  if (a.pulled_from != 0) SayPull(index);
  if (++a.retries < config_.ask_after_retries) return;
  a.retries = 0;
  const MigrationId id{.entry = a.entry, .epoch = a.came_epoch, .attempt = a.came_attempt};
  if (InForce(Protection::kAskBeforeDelete))
    Tell(kVswitch, MessageType::kAsk, id);
  else
    Forget(kVswitch, id);
}

}  // namespace nf::proto
