// What becomes of the flows of a dead owner that had replicas. Each flow is found by its next packet or by the sweep,
// and goes to the place of its bucket; nothing is said per flow before.
#include <algorithm>

#include "proto/vswitch_machine.h"

namespace nf::proto {

VswitchMachine::Life* VswitchMachine::FindLife(const MemberRef& ref) {
  if (ref.incarnation == 0) return nullptr;
  const auto life = std::ranges::find(lives_, ref, &Life::ref);
  return life == lives_.end() ? nullptr : &*life;
}

// With too many dead ones that of which the least is left to be found makes room.
void VswitchMachine::Begin(const MemberRef& ref) {
  if (FindLife(ref) != nullptr) return;
  Life* room = nullptr;
  for (Life& life : lives_) {
    if (life.ref.incarnation == 0) {
      room = &life;
      break;
    }
    if (life.dead && (room == nullptr || life.unswept < room->unswept)) room = &life;
  }
  *room = {.ref = ref};
}

void VswitchMachine::OnTarget(uint16_t peer, const TargetRecord& record) {
  Life* life = FindLife(RefOf(peer));
  if (life == nullptr || record.bucket >= kBuckets) return;
  // Of a life that V has yet to hear of it could not take anything. It will be said again.
  if (record.target.incarnation != 0 && !Alive(record.target)) return;
  life->targets[record.bucket] = record.target;
  messages_->Say(peer, MessageType::kTarget, record);
}

// Somebody has replicas of a life that isn't known here, or was forgotten before the last of them came.
void VswitchMachine::OnForget(const MemberRef& owner) {
  if (owner.incarnation == 0 || owner.id >= members_.size() || Alive(owner) || FindLife(owner) != nullptr) return;
  Begin(owner);
  Life* life = FindLife(owner);
  life->dead = true;
  life->unswept = static_cast<uint32_t>(entries_.size());
}

MemberRef VswitchMachine::ReplicaOf(const MemberRef& owner, const FlowKey& key) {
  const Life* life = FindLife(owner);
  const MemberRef target = life == nullptr ? MemberRef{} : life->targets[BucketOf(key)];
  return Alive(target) ? target : MemberRef{};
}

// The owner is dead, and nobody has the flow's state but its replica. Until output of the owner's epoch has left, that
// of another owner may have to do: of the one before, if the flow was moving; of the one whom it was moving to, if it
// was given back. The latter first, since the one before may have sent output on its word.
bool VswitchMachine::Recover(uint32_t index) {
  RouteEntry& e = entries_[index];
  const bool unseen = e.switched && !e.confirmed;
  const bool has_second = unseen && InForce(Protection::kSecondReplica);
  const bool undone = has_second && e.returned;
  const MemberRef owner = undone ? e.lost_owner : e.owner;
  const uint32_t epoch = undone ? e.replica_epoch : e.epoch;
  const MemberRef target = ReplicaOf(owner, e.key);
  e.has_second = has_second;
  if (target.incarnation == 0) return RecoverSecond(index);
  PromoteAt(index, target, owner, epoch);
  return true;
}

bool VswitchMachine::RecoverSecond(uint32_t index) {
  RouteEntry& e = entries_[index];
  const MemberRef second = e.has_second ? ReplicaOf(e.previous, e.key) : MemberRef{};
  e.has_second = false;
  if (second.incarnation == 0) return false;
  PromoteAt(index, second, e.previous, e.previous_epoch);
  return true;
}

// The flow was given back to an owner who had let go, since the one who died had said to it, but not to V, that it has
// it.
bool VswitchMachine::RecoverUndone(uint32_t index) {
  const RouteEntry& e = entries_[index];
  const MemberRef target = ReplicaOf(e.lost_owner, e.key);
  if (target.incarnation == 0 || !InForce(Protection::kSecondReplica)) return false;
  PromoteAt(index, target, e.lost_owner, e.replica_epoch);
  return true;
}

// The target doesn't have the flow, and nobody has seen that it was to: the source has it, or, if that is dead, its
// replica.
bool VswitchMachine::GoBack(uint32_t index, uint64_t now_ns) {
  const RouteEntry& e = entries_[index];
  if (!e.switched || e.returned || e.confirmed) return false;
  if (MayReturn(e)) {
    ReturnToPrevious(index, now_ns);
    return true;
  }
  const MemberRef replica = ReplicaOf(e.previous, e.key);
  if (replica.incarnation == 0) return false;
  PromoteAt(index, replica, e.previous, e.previous_epoch);
  return true;
}

// Whether this runtime may send what an owner has caused. While the owner lives, whom it has given it to is its
// business; afterwards only who will be made the flow has all that it has sent.
bool VswitchMachine::MayRelay(uint16_t runtime, const MemberRef& owner, const FlowKey& key) {
  if (!alive(runtime)) return false;
  return Alive(owner) || ReplicaOf(owner, key) == RefOf(runtime);
}

// What the replica has sent for the dead owner, before it heard that it is the flow.
bool VswitchMachine::IsOfHeir(const RouteEntry& e, uint16_t runtime, uint32_t epoch) const {
  return e.used && e.recovering && Owns(e, runtime) && !EpochNewer(e.replica_epoch, epoch) &&
         EpochNewer(e.epoch, epoch);
}

bool VswitchMachine::recovers() const { return std::ranges::any_of(lives_, &Life::dead); }

void VswitchMachine::PromoteAt(uint32_t index, const MemberRef& target, const MemberRef& lost_owner, uint32_t epoch) {
  RouteEntry& e = entries_[index];
  e.lost_owner = lost_owner;
  DropHeld(&e, GateDrop::kOwnerChanged);
  drains_.Disarm(index);
  e.owner = target;
  e.handle = kNoHandle;
  e.replica_epoch = epoch;
  e.epoch = NextEpoch(e.epoch);
  ++e.next_sequence;  // Output that time causes before the next packet is behind all that has left.
  e.recovering = true;
  e.may_open = e.draining = e.switched = e.returned = e.confirmed = e.has_cancelled = false;
  ++counters_.recovered;
  e.stamped_ns = turned_ns_;  // From now on it has time to have room for the flow.
  SendPromote(index, false);
}

void VswitchMachine::SendPromote(uint32_t index, bool is_last) {
  const RouteEntry& e = entries_[index];
  KeepLife(e.lost_owner);
  if (e.has_second) KeepLife(e.previous);
  Marker marker = MakeMarker(MarkerType::kPromote, {index, e.replica_epoch, 0}, e.next_sequence - 1, e.epoch);
  if (is_last) marker.flags = kLastTime;
  host_->SendMarker(e.owner.id, marker);
}

// It is still needed when the sweep comes to this entry again.
void VswitchMachine::KeepLife(const MemberRef& ref) {
  Life* life = FindLife(ref);
  if (life != nullptr && life->dead) life->unswept = static_cast<uint32_t>(entries_.size()) + looked_;
}

// When all entries have been looked at since its death, none is the dead one's any more, and its replicas may go.
void VswitchMachine::Swept(uint32_t count) {
  for (Life& life : lives_) {
    if (!life.dead) continue;
    life.unswept -= std::min(life.unswept, count);
    if (life.unswept > 0) continue;
    bool told = true;
    for (uint16_t id = 1; id < members_.size(); ++id)
      if (alive(id)) told = messages_->Say(id, MessageType::kForget, life.ref) && told;
    if (told) life = {};
  }
}

}  // namespace nf::proto
