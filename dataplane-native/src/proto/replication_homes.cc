// Where the replicas of a runtime's flows are, and how that changes.
#include <algorithm>

#include "proto/protection.h"
#include "proto/replication_source.h"

namespace nf::proto {
namespace {

constexpr uint64_t kLooksPerRetry = 8;  // It is looked so often at what isn't as it should be.

}  // namespace

// What output of a bucket waits for. Blocked: V has yet to say that it knows where the replicas are.
ReplicationSource::Gate ReplicationSource::GateOf(const Bucket& bucket) const {
  const Slot& home = bucket.slots[bucket.home];
  const Slot& next = bucket.slots[bucket.home ^ 1];
  if (bucket.telling && bucket.told == home.peer) return Gate::kBlocked;
  const bool telling_next = bucket.telling && next.peer.incarnation != 0 && bucket.told == next.peer;
  if (home.peer.incarnation == 0) {
    if (config_.unprotected == Unprotected::kStrict) return Gate::kBlocked;
    return telling_next || bucket.sent ? Gate::kNext : Gate::kOpen;
  }
  if ((bucket.telling && !telling_next) || !Alive(home.peer) || peers_[home.peer.id].unfit) return Gate::kBlocked;
  return (telling_next || bucket.sent) && InForce(Protection::kBothPlaces) ? Gate::kBoth : Gate::kHome;
}

bool ReplicationSource::IsUsable(const MemberRef& ref, bool second_choice, uint64_t now_ns) const {
  const Peer& peer = peers_[ref.id];
  if (!Alive(ref) || ref.id == own_ || peer.unfit) return false;
  return second_choice || (!peer.silent && now_ns >= peer.refused_until_ns);
}

// The next in a ring of all ids that there may be, in steps of the bucket's own: so with three runtimes or more
// nobody's heir has its own replicas where the dead one was, and what the heir recovers goes on without being copied
// first; and who comes or goes changes the homes of those buckets alone that must change. The ring is prime, so every
// step goes round all of it; a step and its opposite come in turns, so everybody has as many replicas of others.
MemberRef ReplicationSource::Next(uint32_t bucket, const std::bitset<kRing>& among, bool second_choice,
                                  uint64_t now_ns) const {
  const uint32_t forth = 1 + bucket / 2 % (kRing / 2);
  const uint32_t step = bucket % 2 == 0 ? forth : kRing - forth;
  for (uint32_t id = (own_ + step) % kRing; id != own_; id = (id + step) % kRing) {
    if (id >= members_->size() || !among[id]) continue;
    const MemberRef ref{.id = static_cast<uint16_t>(id), .incarnation = (*members_)[id]};
    if (IsUsable(ref, second_choice, now_ns)) return ref;
  }
  return {};
}

// A replica somewhere is better than none: where the homes don't answer, or have no room, any other place is.
MemberRef ReplicationSource::Wanted(uint32_t bucket, uint64_t now_ns) const {
  for (const bool second_choice : {false, true}) {
    for (const auto& among : {is_place_ & is_home_, is_place_}) {
      const MemberRef next = Next(bucket, among, second_choice, now_ns);
      if (next.incarnation != 0) return next;
    }
  }
  return {};
}

void ReplicationSource::SetPlaces(std::span<const uint16_t> places, uint64_t now_ns) {
  is_place_.reset();
  for (const uint16_t id : places)
    if (id != kVswitch && id < members_->size()) is_place_.set(id);
  ReconsiderAll(now_ns);
}

void ReplicationSource::SetHomes(uint32_t homes, uint64_t now_ns) {
  is_home_ = homes & ((1u << kRing) - 1);
  ReconsiderAll(now_ns);
}

void ReplicationSource::ReconsiderAll(uint64_t now_ns) {
  reconsidered_ns_ = now_ns;
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) Reconsider(bucket, now_ns);
}

void ReplicationSource::Reconsider(uint32_t index, uint64_t now_ns) {
  Bucket& bucket = buckets_[index];
  const Slot& home = bucket.slots[bucket.home];
  const Slot& next = bucket.slots[bucket.home ^ 1];
  const bool has_home = home.peer.incarnation != 0;
  if (config_.unprotected == Unprotected::kAvailable && has_home && !bucket.telling) {
    const Peer& peer = peers_[home.peer.id];
    const bool answers = Alive(home.peer) && !peer.silent;
    if (!answers || (peer.unfit && (!relays() || HasEndedPath(index, now_ns)))) StartTelling(index, {}, now_ns);
  }
  if (bucket.telling && next.peer.incarnation != 0 && bucket.told == next.peer) return;  // Until V has answered.
  const MemberRef wanted = Wanted(index, now_ns);
  if (bucket.copying && next.peer == wanted) return;
  if (bucket.copying) DropNext(index);
  if (wanted.incarnation == 0 || wanted == home.peer) return;
  StartCopy(index, wanted);
}

void ReplicationSource::StartCopy(uint32_t index, const MemberRef& peer) {
  Bucket& bucket = buckets_[index];
  SayOver(peer.id);
  if (peers_[peer.id].over[index]) return;  // What it had of the bucket must go first.
  bucket.slots[bucket.home ^ 1] = {.peer = peer, .round = ++rounds_, .missing = bucket.flows};
  bucket.copying = copies_ = true;
  bucket.sent = false;
  bucket.cursor = bucket.first;
}

// Buckets whose output waits come first, and one is brought to its end before the next has its turn: output leaves when
// all of its bucket is at another place.
void ReplicationSource::CopyBuckets(uint64_t now_ns) {
  uint32_t budget = config_.copies_per_turn;
  const uint32_t first = next_copied_;
  next_copied_ = (first + 1) % kBuckets;
  copies_ = false;
  for (const bool that_wait : {true, false}) {
    for (uint32_t i = 0; i < kBuckets; ++i) {
      const uint32_t bucket = (first + i) % kBuckets;
      if (!buckets_[bucket].copying || waiting_[bucket] != that_wait) continue;
      if (budget > 0 && (that_wait || !messages_->IsBusy(buckets_[bucket].slots[buckets_[bucket].home ^ 1].peer.id))) {
        CopySome(bucket, &budget, now_ns);
        if (budget == 0) next_copied_ = bucket;
      }
      copies_ = copies_ || buckets_[bucket].copying;
    }
  }
}

void ReplicationSource::CopySome(uint32_t index, uint32_t* budget, uint64_t now_ns) {
  Bucket& bucket = buckets_[index];
  const int s = bucket.home ^ 1;
  const Slot& next = bucket.slots[s];
  for (; bucket.cursor != kNone; bucket.cursor = flows_[bucket.cursor].after) {
    if (Based(flows_[bucket.cursor], next, s)) continue;
    if (*budget == 0 || !WriteFlow(bucket.cursor, now_ns)) return;
    --*budget;
  }
  if (next.missing != 0) {
    if (bucket.sent) Retag(index);
    bucket.sent = false;
    return;
  }
  const Peer& peer = peers_[next.peer.id];
  if (!bucket.sent) {
    // What has left so far is in what was sent there by now; from here on output waits for it.
    for (uint32_t actor = bucket.first; actor != kNone; actor = flows_[actor].after)
      if (flows_[actor].dirty || !(IsCurrent(flows_[actor], next, s) || flows_[actor].copies[s].refused == next.round))
        return;
    bucket.mark = peer.sent;
    bucket.sent = true;
    bucket.path_end = 0;
    Retag(index);
  }
  if (InForce(Protection::kCopyStored) && SerialLess(peer.stored, bucket.mark)) return;
  if (relays() && InForce(Protection::kPathEnd) && !HasEndedPath(index, now_ns)) return;
  bucket.copying = bucket.sent = false;
  StartTelling(index, next.peer, now_ns);
  if (!InForce(Protection::kTargetAck))
    OnTarget({static_cast<uint16_t>(index), bucket.version, 0, bucket.told}, now_ns);
}

void ReplicationSource::StartTelling(uint32_t index, const MemberRef& target, uint64_t now_ns) {
  Bucket& bucket = buckets_[index];
  bucket.telling = true;
  bucket.told = target;
  ++bucket.version;
  Retag(index);
  SayTarget(index, now_ns);
}

void ReplicationSource::SayTarget(uint32_t index, uint64_t now_ns) {
  Bucket& bucket = buckets_[index];
  bucket.told_ns = now_ns;
  messages_->Say(kVswitch, MessageType::kTarget,
                 TargetRecord{static_cast<uint16_t>(index), bucket.version, 0, bucket.told});
}

void ReplicationSource::OnTarget(const TargetRecord& record, uint64_t now_ns) {
  if (record.bucket >= kBuckets) return;
  Bucket& bucket = buckets_[record.bucket];
  if (!bucket.telling || bucket.version != record.version) return;
  bucket.telling = false;
  if (bucket.told != bucket.slots[bucket.home].peer) bucket.is_path_used = false;
  const MemberRef next = bucket.slots[bucket.home ^ 1].peer;
  if (next.incarnation != 0 && bucket.told == next) {
    Vacate(record.bucket, bucket.home);
    bucket.home ^= 1;
    ++counters_.moved_home;
  } else if (bucket.told.incarnation == 0) {
    Vacate(record.bucket, bucket.home);
  }
  Retag(record.bucket);
  Reconsider(record.bucket, now_ns);
}

void ReplicationSource::Vacate(uint32_t index, int s) {
  Slot& slot = buckets_[index].slots[s];
  if (Alive(slot.peer)) {
    peers_[slot.peer.id].over.set(index);
    SayOver(slot.peer.id);
  }
  slot = {};
  Retag(index);
}

void ReplicationSource::DropNext(uint32_t index) {
  buckets_[index].copying = buckets_[index].sent = false;
  Vacate(index, buckets_[index].home ^ 1);
}

void ReplicationSource::OweOver(const MemberRef& ref, uint32_t entry, uint32_t epoch) {
  if (!Alive(ref)) return;
  Peer& peer = peers_[ref.id];
  if (peer.overs_count == peer.overs.size()) {
    ++counters_.forgotten;  // Until the entry has another flow, or the bucket another home.
    return;
  }
  peer.overs[(peer.overs_first + peer.overs_count++) % peer.overs.size()] = {entry, epoch};
  SayOver(ref.id);
}

void ReplicationSource::SayOver(uint16_t id) {
  Peer& peer = peers_[id];
  for (; peer.overs_count > 0; --peer.overs_count) {
    const Over& over = peer.overs[peer.overs_first];
    if (!messages_->Say(id, MessageType::kReplicaOver, Note{{over.entry, over.epoch, 0}, 0})) return;
    peer.overs_first = (peer.overs_first + 1) % static_cast<uint32_t>(peer.overs.size());
  }
  if (peer.over.none()) return;
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (!peer.over[bucket]) continue;
    if (!messages_->Say(id, MessageType::kBucketOver, Note{{}, bucket})) return;
    peer.over.reset(bucket);
  }
}

void ReplicationSource::MemberChanged(uint16_t id, uint64_t now_ns) {
  if (id == own_) return;
  Peer& changed = peers_[id];
  changed.sent = changed.stored = changed.overs_count = 0;
  changed.unfit = changed.silent = false;
  changed.refused_until_ns = 0;
  changed.over.reset();
  for (uint32_t index = 0; index < kBuckets; ++index) {
    Bucket& bucket = buckets_[index];
    Slot& home = bucket.slots[bucket.home];
    Slot& next = bucket.slots[bucket.home ^ 1];
    if (id == kVswitch) {
      // Another V, which knows nothing yet, and to which nothing is under way.
      bucket.is_path_used = false;
      if (bucket.telling || home.peer.incarnation != 0)
        StartTelling(index, bucket.telling ? bucket.told : home.peer, now_ns);
      continue;
    }
    const bool is_told = bucket.telling && bucket.told.incarnation != 0 && !Alive(bucket.told);
    if (next.peer.incarnation != 0 && !Alive(next.peer)) {
      next = {};
      bucket.copying = bucket.sent = false;
    }
    if (is_told) {
      bucket.telling = false;
      // V may know it already, and must look where output goes on waiting for.
      const bool has_home = home.peer.incarnation != 0;
      if (has_home ? Alive(home.peer) : config_.unprotected == Unprotected::kAvailable)
        StartTelling(index, home.peer, now_ns);
    }
    if (bucket.head != kNone) Retag(index);
  }
  ReconsiderAll(now_ns);
}

void ReplicationSource::Turn(uint64_t now_ns) {
  if (now_ns - turned_ns_ < retry_ns_ / kLooksPerRetry) return;
  if (unprotected() != 0) counters_.unprotected_ns += now_ns - turned_ns_;
  turned_ns_ = now_ns;
  bool changed = now_ns - reconsidered_ns_ >= retry_ns_;
  for (uint16_t id = 1; id < peers_.size(); ++id) {
    Peer& peer = peers_[id];
    if (peer.overs_count != 0 || peer.over.any()) SayOver(id);
    if (peer.sent == peer.stored || peer.silent || now_ns - peer.progress_ns < config_.unreachable_ns) continue;
    peer.silent = changed = true;
  }
  if (!changed) return;
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket)
    if (buckets_[bucket].telling && now_ns - buckets_[bucket].told_ns >= retry_ns_) SayTarget(bucket, now_ns);
  ReconsiderAll(now_ns);
}

}  // namespace nf::proto
