// Output that replicas send to V, instead of the flow's owner: it goes to the bucket's home behind the update that it
// waits for, and a copy stays until the home has come so far. If the home dies or doesn't store the update, the copy
// goes to the next one; V lets out one of them.
//
// All output of a bucket takes one way: that of its home, or, without one, the owner's own. Before the way changes
// nothing is given, and V is asked, on the old way, for a word when all of it has come.
#include <cstring>

#include "proto/protection.h"
#include "proto/replication_source.h"

namespace nf::proto {

// Without output that waits for two places.
ReplicationSource::Gate ReplicationSource::RelayGateOf(const Bucket& bucket) const {
  const Gate gate = GateOf(bucket);
  const bool is_changing = bucket.sent || gate == Gate::kBoth || gate == Gate::kNext;
  return is_changing ? Gate::kBlocked : gate;
}

bool ReplicationSource::Give(HeldOutput* held, const Slot& slot, RelayRecord record, uint64_t now_ns) {
  Peer& peer = peers_[slot.peer.id];
  if (held->was_given) record.header.flags |= kAgain;
  record.vswitch = (*members_)[kVswitch];
  if (!messages_->Say(slot.peer.id, MessageType::kRelay, {reinterpret_cast<const uint8_t*>(&record), sizeof record},
                      std::span(relayed_).first(record.bytes)))
    return false;
  if (peer.sent == peer.stored) peer.progress_ns = now_ns;
  held->position[0] = ++peer.sent;
  counters_.again += held->was_given ? 1 : 0;
  ++counters_.given;
  counters_.update_bytes += sizeof record + record.bytes;
  held->round = slot.round;
  held->vswitch = record.vswitch;
  held->was_given = true;
  return true;
}

// Without a home of the flow it will be dropped; or nobody knows whether it has left.
bool ReplicationSource::IsForHome(const HeldOutput& held) const {
  if (held.kind == HeldOutput::Kind::kMarker) return !held.is_lost && InForce(Protection::kRelayWords);
  const bool is_protected = !held.exempt && !held.unsafe;
  return !held.is_lost && (is_protected || config_.unprotected == Unprotected::kAvailable);
}

// Whether the home may yet refuse what the flow caused before this.
bool ReplicationSource::MayComeBack(const HeldOutput& held, const Bucket& bucket) const {
  const Slot& home = bucket.slots[bucket.home];
  for (uint32_t i = bucket.head; &pool_[i] != &held; i = pool_[i].next) {
    const HeldOutput& before = pool_[i];
    if (before.handle == held.handle && before.update != 0 && before.round == home.round &&
        SerialLess(peers_[home.peer.id].stored, before.position[0]))
      return true;
  }
  return false;
}

// False: it can't be given now, nor what is behind it.
bool ReplicationSource::GiveOne(HeldOutput* held, uint32_t index, uint64_t now_ns) {
  Bucket& bucket = buckets_[index];
  const int s = bucket.home;
  const Slot& home = bucket.slots[s];
  if (held->round == home.round) return true;
  // It may have left by way of a V that this one knows nothing of.
  held->is_lost = held->was_given && held->vswitch != (*members_)[kVswitch] && InForce(Protection::kRelayOnce);
  if (held->is_lost) return true;
  const bool is_frame = held->kind == HeldOutput::Kind::kOutput;
  RelayRecord record{.is_marker = !is_frame};
  const uint32_t actor = HandleIndex(held->handle);
  const Actor& a = (*actors_)[actor];
  const Flow& flow = flows_[actor];
  held->exempt = false;
  held->update = 0;
  if (a.state == ActorState::kFree || a.generation != HandleGeneration(held->handle)) {
    record.is_free = 1;
  } else if (flow.copies[s].refused == home.round) {
    held->exempt = true;
    record.is_free = 1;
  } else if (flow.dirty || !IsCurrent(flow, home, s)) {
    return false;
  } else {
    held->update = flow.copies[s].position;
  }
  if (!IsForHome(*held)) return true;
  if (record.is_free != 0 && MayComeBack(*held, bucket)) return false;
  if (is_frame) {
    record.header = held->header;
    record.bytes = static_cast<uint16_t>(host_->WriteOutput(held->packet, relayed_));
  } else {
    record.header = {.stamp = {.entry = held->marker.id.entry, .epoch = held->marker.id.epoch}};
    record.bytes = sizeof held->marker;
    std::memcpy(relayed_.data(), &held->marker, sizeof held->marker);
  }
  if (!Give(held, home, record, now_ns)) return false;
  UsePath(&bucket);
  return true;
}

void ReplicationSource::GiveAll(uint32_t index, uint64_t now_ns) {
  Bucket& bucket = buckets_[index];
  const Gate gate = RelayGateOf(bucket);
  while (bucket.untagged != kNone && gate != Gate::kBlocked) {
    HeldOutput& held = pool_[bucket.untagged];
    if (IsWord(held)) {
      if (!TagOne(&held, bucket, gate)) return;
    } else if (gate == Gate::kHome && !GiveOne(&held, index, now_ns)) {
      return;
    }
    bucket.untagged = held.next;
  }
}

// V is told of another way, and what was given goes that way, too. All of it: what the home says now that it has sent
// may come to V behind what comes the other way.
bool ReplicationSource::IsGivenUp(const Bucket& bucket) {
  return bucket.telling && bucket.told != bucket.slots[bucket.home].peer && InForce(Protection::kGivenUpHome);
}

void ReplicationSource::ReleaseRelayed(uint32_t index) {
  Bucket& bucket = buckets_[index];
  const Gate gate = RelayGateOf(bucket);
  while (bucket.head != kNone) {
    const HeldOutput& first = pool_[bucket.head];
    const Slot& home = bucket.slots[bucket.home];
    const bool is_given = first.round != 0 && first.round == home.round && Alive(home.peer) && !IsGivenUp(bucket);
    const bool has_gone =
        is_given && (!SerialLess(peers_[home.peer.id].stored, first.position[0]) || !InForce(Protection::kRelayCopy));
    if (!has_gone) {
      if (gate == Gate::kBlocked || bucket.head == bucket.untagged) return;
      if (IsWord(first) ? !MayLeave(first, bucket, gate) : gate != Gate::kOpen && IsForHome(first)) return;
    }
    HeldOutput held;
    Pop(&bucket, &held);
    if (has_gone) {
      if (held.kind == HeldOutput::Kind::kOutput) {
        ++counters_.relayed;
        counters_.unprotected += held.exempt || held.unsafe ? 1 : 0;
      }
      outlet_->Relayed(held);
      continue;
    }
    held.is_lost = held.is_lost || (held.was_given && held.vswitch != (*members_)[kVswitch]);
    if (held.is_lost && !IsWord(held) && InForce(Protection::kRelayOnce)) {
      if (held.kind != HeldOutput::Kind::kOutput) {
        outlet_->Relayed(held);  // It will be said again.
        continue;
      }
      ++counters_.dropped_lost;
      host_->DropOutput(held.packet, held.header);
      continue;
    }
    if (!IsWord(held)) UsePath(&bucket);
    if (held.kind != HeldOutput::Kind::kOutput) {
      outlet_->Leave(held);
      continue;
    }
    if (held.was_given) {
      held.header.flags |= kAgain;
      ++counters_.again;
    }
    LeaveOrDrop(&held, gate != Gate::kOpen && !held.exempt && !held.unsafe);
  }
  waiting_.reset(index);
}

// What V has of the bucket is all there was: the way may be another. Nobody waits for a home that says nothing more.
bool ReplicationSource::HasEndedPath(uint32_t index, uint64_t now_ns) {
  Bucket& bucket = buckets_[index];
  const Slot& home = bucket.slots[bucket.home];
  const Peer& peer = peers_[home.peer.id];
  const bool is_own = home.peer.incarnation == 0;
  if (!is_own && (!Alive(home.peer) || peer.silent)) return true;
  for (uint32_t i = bucket.head; i != kNone && !is_own; i = pool_[i].next)
    if (pool_[i].round == home.round && SerialLess(peer.stored, pool_[i].position[0])) return false;
  if (!bucket.is_path_used) return true;
  if (bucket.path_end != 0 && now_ns - bucket.path_end_ns < retry_ns_) return false;
  if (bucket.path_end == 0) bucket.path_end = ++path_ends_;
  HeldOutput held;
  held.kind = HeldOutput::Kind::kMarker;
  held.marker = MakeMarker(MarkerType::kPathEnd, {index, bucket.path_end, 0}, 0);
  bucket.path_end_ns = now_ns;
  if (is_own) {
    outlet_->Leave(held);
    return false;
  }
  std::memcpy(relayed_.data(), &held.marker, sizeof held.marker);
  Give(&held, home, {.bytes = sizeof held.marker, .is_marker = 1, .is_free = 1}, now_ns);
  return false;
}

void ReplicationSource::OnPathEnded(const MigrationId& id) {
  if (id.entry >= kBuckets || id.epoch == 0 || buckets_[id.entry].path_end != id.epoch) return;
  buckets_[id.entry].is_path_used = false;
}

// What was given behind later updates of the flow may or may not have been relayed; it must not overtake what wasn't.
void ReplicationSource::TakeBack(uint16_t id, uint32_t update) {
  if (!relays()) return;
  for (uint32_t index = 0; index < kBuckets; ++index) {
    Bucket& bucket = buckets_[index];
    const Slot& home = bucket.slots[bucket.home];
    if (!waiting_[index] || home.peer.id != id || home.round == 0) continue;
    uint32_t handle = kNoHandle;
    for (uint32_t i = bucket.head; i != kNone; i = pool_[i].next) {
      HeldOutput& held = pool_[i];
      if (held.round != home.round || held.update == 0) continue;
      if (held.update == update) handle = held.handle;
      if (held.handle == handle) held.round = 0;
    }
    if (handle != kNoHandle) Retag(index);
  }
}

void ReplicationSource::TakeAllBack(uint16_t id) {
  if (!relays()) return;
  for (Bucket& bucket : buckets_) {
    const Slot& home = bucket.slots[bucket.home];
    for (uint32_t i = bucket.head; i != kNone && home.peer.id == id; i = pool_[i].next)
      if (pool_[i].round == home.round) pool_[i].round = 0;
  }
}

}  // namespace nf::proto
