// What members ask V for: to switch, cancel, close. Every request may come twice; the second is answered as the first.
#include "proto/vswitch_machine.h"

namespace nf::proto {

RouteEntry* VswitchMachine::Switched(const MigrationId& id) {
  RouteEntry* e = Used(id.entry);
  const bool same = e != nullptr && e->switched && e->previous_epoch == id.epoch && e->attempt == id.attempt;
  return same ? e : nullptr;
}

// This attempt and those before it can no longer be switched to.
void VswitchMachine::Forbid(RouteEntry* e, uint32_t attempt) {
  if (!e->has_cancelled || SerialLess(e->cancelled_attempt, attempt)) e->cancelled_attempt = attempt;
  e->has_cancelled = true;
}

void VswitchMachine::Refuse(uint16_t peer, const MigrationId& id, Refusal reason) {
  ++counters_.refused;
  // For good: the same request may still be under way a second time, and find what was missing.
  if (RouteEntry* e = Used(id.entry); e != nullptr && e->epoch == id.epoch) Forbid(e, id.attempt);
  Tell(peer, MessageType::kRouteRefused, id, static_cast<uint32_t>(reason));
}

void VswitchMachine::OnRoute(uint16_t peer, const RouteRecord& route, uint64_t now_ns) {
  const MigrationId& id = route.id;
  if (RouteEntry* e = Switched(id); e != nullptr && e->previous == RefOf(peer)) {
    if (e->returned)
      SendReturned(*e, id);
    else
      SendSwitched(*e, id);
    return;
  }
  RouteEntry* e = Used(id.entry);
  const bool owns = e != nullptr && e->epoch == id.epoch && Owns(*e, peer);
  if (e == nullptr || (InForce(Protection::kRouteOwner) && !owns)) return Refuse(peer, id, Refusal::kNoFlow);
  const bool cancelled = e->has_cancelled && !SerialLess(e->cancelled_attempt, id.attempt);
  if (InForce(Protection::kCancelRecord) && cancelled) return Refuse(peer, id, Refusal::kCancelled);
  if (!Alive(route.target) || route.target == e->owner) return Refuse(peer, id, Refusal::kNoMember);
  if (InForce(Protection::kBusyWhileDraining) && e->draining && Alive(e->previous))
    return Refuse(peer, id, Refusal::kBusy);
  Switch(e, route, now_ns);
}

void VswitchMachine::Switch(RouteEntry* e, const RouteRecord& route, uint64_t now_ns) {
  const uint32_t index = route.id.entry;
  if (e->draining) CloseDrain(index);
  e->previous = e->owner;
  e->previous_epoch = e->epoch;
  e->previous_handle = e->handle;
  e->switch_sequence = e->next_sequence - 1;
  e->attempt = route.id.attempt;
  e->owner = route.target;
  e->handle = route.handle;
  e->epoch = NextEpoch(e->epoch);
  e->draining = e->switched = true;
  e->recovering = e->has_second = false;
  e->returned = e->confirmed = e->may_open = e->has_cancelled = false;
  drains_.Arm(index, now_ns);
  ++counters_.switched;
  SendSwitched(*e, route.id);
}

void VswitchMachine::OnCancel(uint16_t peer, const MigrationId& id, uint64_t now_ns) {
  if (RouteEntry* e = Switched(id); e != nullptr && e->previous == RefOf(peer)) {
    if (e->returned) return SendReturned(*e, id);
    if (e->confirmed) return Tell(peer, MessageType::kCompleted, id);
    if (Alive(e->owner) && InForce(Protection::kWithdrawBeforeReturn))
      return Tell(e->owner.id, MessageType::kWithdraw, id);
    return ReturnToPrevious(id.entry, now_ns);
  }
  RouteEntry* e = Used(id.entry);
  if (e == nullptr || e->epoch != id.epoch || !Owns(*e, peer)) return Tell(peer, MessageType::kCompleted, id);
  Forbid(e, id.attempt);
  ++counters_.cancelled;
  Tell(peer, MessageType::kCancelled, id);
}

void VswitchMachine::OnWithdrawn(uint16_t peer, const MigrationId& id, uint32_t value, uint64_t now_ns) {
  RouteEntry* e = Switched(id);
  if (e == nullptr || e->returned || !Owns(*e, peer)) return;
  if ((value & kHasIt) != 0) {
    Confirm(e);
    return Tell(e->previous.id, MessageType::kCompleted, id, value & kIsBare);
  }
  if (!GoBack(id.entry, now_ns)) Lose(id.entry);
}

// The target has waited long for the state. Before V has switched, the attempt is over for good; afterwards the state
// will come, unless the source is dead.
void VswitchMachine::OnAsk(uint16_t peer, const MigrationId& id) {
  if (RouteEntry* e = Switched(id); e != nullptr && !e->returned && Owns(*e, peer)) {
    if (!Alive(e->previous)) SendSourceLost(*e, id);
    return;
  }
  if (RouteEntry* e = Used(id.entry); e != nullptr && e->epoch == id.epoch) {
    Forbid(e, id.attempt);
    ++counters_.cancelled;
  }
  Tell(peer, MessageType::kCancelled, id);
}

void VswitchMachine::OnNote(uint16_t peer, MessageType type, const Note& note, uint64_t now_ns) {
  switch (type) {
    case MessageType::kCancel:
      return OnCancel(peer, note.id, now_ns);
    case MessageType::kWithdrawn:
      return OnWithdrawn(peer, note.id, note.value, now_ns);
    case MessageType::kAsk:
      return OnAsk(peer, note.id);
    case MessageType::kFlowOpened: {
      RouteEntry* e = Used(note.id.entry);
      if (e == nullptr || e->epoch != note.id.epoch || !Owns(*e, peer)) return;
      e->handle = note.value;
      if (e->recovering) Answered(e);
      e->may_open = e->lost = false;
      Confirm(e);
      e->ever_opened = true;
      return;
    }
    case MessageType::kDraining:
      members_[peer].draining = note.value != 0;
      return;
    default:
      return;  // Not for V.
  }
}

void VswitchMachine::OnMessage(uint16_t peer, Message message, uint64_t now_ns) {
  if (!alive(peer)) return;
  const MessageType type = message.type();
  if (type == MessageType::kReport) {
    while (const auto report = serves_ ? std::nullopt : message.Next<ReportRecord>())
      OnReport(peer, report->record, report->bytes);
    return;
  }
  for (uint32_t i = 0; i < message.count() && !serves_; ++i) {
    if (type == MessageType::kOver) OnOver(message.At<Note>(i).id);
    if (type == MessageType::kReported) to_tell_[peer] = false, ++counters_.reports;
    if (type == MessageType::kDraining) OnNote(peer, type, message.At<Note>(i), now_ns);
  }
  for (uint32_t i = 0; i < message.count() && serves_; ++i) {
    if (type == MessageType::kRoute)
      OnRoute(peer, message.At<RouteRecord>(i), now_ns);
    else if (type == MessageType::kTarget)
      OnTarget(peer, message.At<TargetRecord>(i));
    else if (type == MessageType::kReported)
      to_tell_[peer] = has_to_tell_ = true;  // It came late, or V has begun without asking anybody.
    else if (type == MessageType::kForget)
      OnForget(message.At<MemberRef>(i));
    else if (IsNote(type))
      OnNote(peer, type, message.At<Note>(i), now_ns);
  }
}

void VswitchMachine::OnClose(uint16_t runtime, const Marker& marker) {
  RouteEntry* e = Used(marker.id.entry);
  if (e == nullptr || e->epoch != marker.id.epoch || !Owns(*e, runtime)) {
    // Not its flow, whatever it thinks.
    host_->SendMarker(runtime, MakeMarker(MarkerType::kClosed, marker.id, marker.sequence));
    return;
  }
  if (WaitsForOld(*e)) return;  // Output of it waits here; it will ask again.
  if (InForce(Protection::kCloseAgreement) && e->next_sequence - 1 != marker.sequence) {
    ++counters_.close_denied;
    host_->SendMarker(runtime, MakeMarker(MarkerType::kCloseDenied, marker.id, e->next_sequence - 1));
    return;
  }
  ++counters_.closed;
  Remove(marker.id.entry, false);
  host_->SendMarker(runtime, MakeMarker(MarkerType::kClosed, marker.id, marker.sequence));
}

// The owner knows nothing of the flow: it never heard of it, had no room, or had given its state away before V, for
// want of a living target, made it the owner again.
void VswitchMachine::OnGone(uint16_t runtime, const Marker& marker, uint64_t now_ns) {
  RouteEntry* e = Used(marker.id.entry);
  if (e == nullptr || e->epoch != marker.id.epoch || !Owns(*e, runtime)) return;
  // It opened the flow after it had said so, and what the flow caused, by way of a replica, or the word of it came
  // first.
  if (e->confirmed && SerialLess(marker.sequence, e->confirmed_sequence)) return;
  if (GoBack(marker.id.entry, now_ns)) return;  // A target that has given up: this overtook its word.
  if (e->recovering && RecoverSecond(marker.id.entry)) return;
  if (e->returned && !e->confirmed && RecoverUndone(marker.id.entry)) return;
  const bool more_under_way = e->next_sequence - 1 != marker.sequence;
  if (!more_under_way) return Remove(marker.id.entry, e->ever_opened);
  if (!e->may_open) Lose(marker.id.entry);
}

void VswitchMachine::OnMarker(uint16_t runtime, const Marker& marker, uint64_t now_ns) {
  if (!alive(runtime) || !serves_) return;
  if ((marker.flags & kRelayed) != 0) {
    // Of a life that is over nothing is of use.
    if (!alive(marker.member) || members_[marker.member].incarnation != marker.new_epoch) return;
    runtime = marker.member;
  }
  switch (marker.type) {
    case MarkerType::kDrained:
      if (RouteEntry* e = Switched(marker.id); e != nullptr && e->draining && e->previous == RefOf(runtime))
        CloseDrain(marker.id.entry);
      return Tell(runtime, MessageType::kDrainedAck, marker.id);
    case MarkerType::kClose:
      return OnClose(runtime, marker);
    case MarkerType::kPathEnd:
      return Tell(runtime, MessageType::kPathEnded, marker.id);
    case MarkerType::kGone:
    case MarkerType::kNoRoom:
      return OnGone(runtime, marker, now_ns);
    default:
      return;  // Not for V.
  }
}

}  // namespace nf::proto
