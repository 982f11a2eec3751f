// Updates, and output that waits for them. Where the replicas are is in replication_homes.cc.
#include "proto/replication_source.h"

#include "base/check.h"
#include "proto/protection.h"
#include "proto/word_delta.h"

namespace nf::proto {
namespace {

constexpr uint32_t kOversMax = 4096;
constexpr uint32_t kManyDirty = 64;  // More than a poll of packets changes. Of more a turn writes so many.

}  // namespace

ReplicationSource::ReplicationSource(uint16_t own, const ReplicationConfig& config, uint64_t retry_ns,
                                     uint32_t state_bytes, uint64_t layout, const std::vector<Actor>* actors,
                                     const std::vector<uint32_t>* members, MessageSink* messages, ReplicationHost* host,
                                     Outlet* outlet)
    : own_(own),
      config_(config),
      retry_ns_(retry_ns),
      layout_(layout),
      actors_(actors),
      members_(members),
      messages_(messages),
      host_(host),
      outlet_(outlet),
      flows_(actors->size()),
      dirty_(actors->size()),
      peers_(members->size()),
      pool_(config.held_outputs),
      scratch_(state_bytes + kDeltaSlack),
      relayed_(config.mode == ReplicationMode::kRelay ? config.relayed_bytes : 0) {
  NF_CHECK(members->size() <= kRing, "ids are below the ring's size");
  for (Peer& peer : peers_) peer.overs.resize(kOversMax);
  for (uint32_t i = config.held_outputs; i-- > 0;) {
    pool_[i].next = free_;
    free_ = i;
  }
}

void ReplicationSource::Opened(uint32_t actor) {
  Flow& flow = flows_[actor];
  flow = {.bucket = BucketOf((*actors_)[actor].key), .used = true, .dirty = flow.dirty, .queued = flow.queued};
  Bucket& bucket = buckets_[flow.bucket];
  ++bucket.flows;
  for (Slot& slot : bucket.slots) slot.missing += slot.peer.incarnation != 0 ? 1 : 0;
  flow.before = bucket.last;
  (bucket.last == kNone ? bucket.first : flows_[bucket.last].after) = actor;
  bucket.last = actor;
  Touch(actor);
}

// Its replicas have an owner's epoch that is over.
void ReplicationSource::Renewed(uint32_t actor) {
  Flow& flow = flows_[actor];
  Bucket& bucket = buckets_[flow.bucket];
  for (int s = 0; s < 2; ++s) {
    if (bucket.slots[s].peer.incarnation == 0) continue;
    if (Based(flow, bucket.slots[s], s)) ++bucket.slots[s].missing;
    flow.copies[s] = {.position = flow.copies[s].position, .said = flow.copies[s].said};
  }
  Touch(actor);
}

void ReplicationSource::Freed(uint32_t actor) {
  Flow& flow = flows_[actor];
  if (!flow.used) return;
  Bucket& bucket = buckets_[flow.bucket];
  const Actor& a = (*actors_)[actor];
  for (int s = 0; s < 2; ++s) {
    Slot& slot = bucket.slots[s];
    if (slot.peer.incarnation == 0) continue;
    const bool has_copy = flow.copies[s].round == slot.round;
    // One of an epoch before, too.
    if (has_copy || flow.copies[s].said == slot.round) OweOver(slot.peer, a.entry, a.epoch);
    if (!has_copy && !Based(flow, slot, s)) --slot.missing;
  }
  if (bucket.cursor == actor) bucket.cursor = flow.after;
  (flow.before == kNone ? bucket.first : flows_[flow.before].after) = flow.after;
  (flow.after == kNone ? bucket.last : flows_[flow.after].before) = flow.before;
  --bucket.flows;
  flow.used = false;
}

// What is behind the record lies in scratch_.
template <typename Record>
bool ReplicationSource::SayUpdate(const MemberRef& peer, MessageType type, const Record& record, uint32_t bytes) {
  if (!messages_->Say(peer.id, type, {reinterpret_cast<const uint8_t*>(&record), sizeof record},
                      std::span(scratch_).first(bytes))) {
    peers_[peer.id].congested = true;
    return false;
  }
  counters_.update_bytes += sizeof record + bytes;
  return true;
}

bool ReplicationSource::SayFull(uint32_t actor, const MemberRef& peer, uint32_t number) {
  const Actor& a = (*actors_)[actor];
  const uint32_t bytes = host_->WriteFull(actor, scratch_);
  const FullRecord record{a.entry, a.epoch, number, bytes, layout_, a.key};
  if (!SayUpdate(peer, MessageType::kFull, record, bytes)) return false;
  ++counters_.copies;
  return true;
}

bool ReplicationSource::SayDelta(uint32_t actor, const MemberRef& peer, uint32_t number, uint32_t bytes) {
  const Actor& a = (*actors_)[actor];
  const DeltaRecord record{DeltaFlow(a.entry, a.epoch), static_cast<uint16_t>(number), static_cast<uint16_t>(bytes)};
  return SayUpdate(peer, MessageType::kDelta, record, bytes);
}

void ReplicationSource::SentTo(Flow* flow, Bucket* bucket, int s, uint32_t number, uint64_t now_ns) {
  Slot& slot = bucket->slots[s];
  Peer& peer = peers_[slot.peer.id];
  if (!Based(*flow, slot, s)) --slot.missing;
  if (peer.sent == peer.stored) peer.progress_ns = now_ns;
  flow->copies[s] = {.round = slot.round, .number = number, .position = ++peer.sent, .said = slot.round};
  ++counters_.updates;
}

// Brings both places up to what the flow is. False: one of them has no room for the message now.
bool ReplicationSource::WriteFlow(uint32_t actor, uint64_t now_ns) {
  Flow& flow = flows_[actor];
  Bucket& bucket = buckets_[flow.bucket];
  const int s = bucket.home;
  const Slot& home = bucket.slots[s];
  // There is mostly one place, and it has the flow.
  const bool is_settled = bucket.slots[s ^ 1].peer.incarnation == 0 && Alive(home.peer) && IsCurrent(flow, home, s) &&
                          !peers_[home.peer.id].unfit;
  if (!is_settled) [[unlikely]]
    return WriteBoth(actor, now_ns);
  if (peers_[home.peer.id].congested) return false;
  const uint32_t bytes = host_->WriteDelta(actor, scratch_);
  if (bytes == 0) return true;
  if (bytes > 0xffff) [[unlikely]]
    return WriteBoth(actor, now_ns);
  if (!SayDelta(actor, home.peer, flow.number + 1, bytes)) return false;
  host_->Sent(actor);
  SentTo(&flow, &bucket, s, ++flow.number, now_ns);
  return true;
}

// Whether the place may yet refuse what was said of the flow last. All of the flow would be taken then, and what waits
// for it sent, before what was behind the other goes there again.
bool ReplicationSource::MayRefuse(const Flow& flow, const Slot& slot, int s) const {
  return relays() && flow.copies[s].said == slot.round &&
         SerialLess(peers_[slot.peer.id].stored, flow.copies[s].position);
}

bool ReplicationSource::WriteBoth(uint32_t actor, uint64_t now_ns) {
  Flow& flow = flows_[actor];
  Bucket& bucket = buckets_[flow.bucket];
  bool delta[2] = {}, full[2] = {}, takes[2] = {}, sent[2] = {}, all = true;
  for (int s = 0; s < 2; ++s) {
    const Slot& slot = bucket.slots[s];
    if (!Alive(slot.peer) || peers_[slot.peer.id].unfit) continue;
    if (flow.copies[s].refused == slot.round && now_ns < peers_[slot.peer.id].refused_until_ns) continue;
    (IsCurrent(flow, slot, s) ? delta : full)[s] = true;
    takes[s] = !peers_[slot.peer.id].congested;
  }
  if (!takes[0] && !takes[1]) return !(delta[0] || full[0] || delta[1] || full[1]);
  uint32_t number = flow.number + 1;
  if (delta[0] || delta[1]) {
    const uint32_t bytes = host_->WriteDelta(actor, scratch_);
    // What hasn't changed keeps its number: a place that has it and takes nothing now would be told of no other.
    if (bytes == 0) number = flow.number;
    if (bytes > 0xffff) {
      for (int s = 0; s < 2; ++s) full[s] = full[s] || delta[s];
    } else {
      for (int s = 0; s < 2; ++s)
        if (delta[s]) sent[s] = bytes != 0 && takes[s] && SayDelta(actor, bucket.slots[s].peer, number, bytes);
    }
    for (int s = 0; s < 2; ++s) delta[s] = delta[s] && bytes != 0 && bytes <= 0xffff;
  }
  for (int s = 0; s < 2; ++s)
    if (full[s])
      sent[s] = takes[s] && !MayRefuse(flow, bucket.slots[s], s) && SayFull(actor, bucket.slots[s].peer, number);
  if (sent[0] || sent[1]) {
    flow.number = number;
    host_->Sent(actor);
  }
  for (int s = 0; s < 2; ++s) {
    if (sent[s]) SentTo(&flow, &bucket, s, number, now_ns);
    all = all && (sent[s] || !(delta[s] || full[s]));
  }
  return all;
}

// After a death there are more flows to tell of than fit into a turn: first those whose output waits for it.
void ReplicationSource::WriteAwaited(uint64_t now_ns) {
  waiting_.ForEach([this, now_ns](uint32_t bucket) {
    for (uint32_t held = buckets_[bucket].head; held != kNone; held = pool_[held].next) {
      if (pool_[held].handle == kNoHandle) continue;
      const uint32_t actor = HandleIndex(pool_[held].handle);
      Flow& flow = flows_[actor];
      if (flow.used && flow.dirty && WriteFlow(actor, now_ns)) flow.dirty = false;
    }
  });
}

// Many have time: so that what comes meanwhile doesn't wait behind them, a turn takes some, and none to a peer to which
// as much is under way as may be.
void ReplicationSource::WriteDirty(uint64_t now_ns) {
  const bool are_many = dirty_count_ > kManyDirty;
  uint32_t failures = 0, writes = kManyDirty;
  for (uint32_t left = dirty_count_; left != 0 && writes != 0 && failures < kManyDirty; --left) {
    const uint32_t actor = Unqueue();
    Flow& flow = flows_[actor];
    if (!flow.used || !flow.dirty) {
      flow.dirty = false;
      continue;
    }
    const Bucket& bucket = buckets_[flow.bucket];
    const bool has_time = are_many && messages_->IsBusy(bucket.slots[bucket.home].peer.id);
    if (!has_time && WriteFlow(actor, now_ns)) {
      flow.dirty = false;
      --writes;
      continue;
    }
    Queue(actor);
    ++failures;
  }
}

void ReplicationSource::Flush(uint64_t now_ns) {
  for (Peer& peer : peers_) peer.congested = false;
  if (dirty_count_ > kManyDirty) [[unlikely]]
    WriteAwaited(now_ns);
  WriteDirty(now_ns);
  if (copies_) [[unlikely]]
    CopyBuckets(now_ns);
  waiting_.ForEach([this, now_ns](uint32_t bucket) {
    const Gate gate = GateOf(buckets_[bucket]);
    relays() ? GiveAll(bucket, now_ns) : Tag(bucket, gate);
    Release(bucket, gate);
  });
}

bool ReplicationSource::Hold(uint8_t bucket, const HeldOutput& held) {
  if (free_ == kNone) {
    ++counters_.dropped_room;
    return false;
  }
  const uint32_t index = free_;
  free_ = pool_[index].next;
  pool_[index] = held;
  pool_[index].next = kNone;
  Bucket& b = buckets_[bucket];
  (b.tail == kNone ? b.head : pool_[b.tail].next) = index;
  b.tail = index;
  if (b.untagged == kNone) b.untagged = index;
  waiting_.set(bucket);
  ++held_;
  if (held.kind == HeldOutput::Kind::kOutput) ++counters_.held;
  return true;
}

// Whether it is known what this waits for: all that its flow is has been sent.
bool ReplicationSource::TagOne(HeldOutput* held, const Bucket& bucket, Gate gate) {
  held->waits[0] = held->waits[1] = held->exempt = false;
  const uint32_t actor = HandleIndex(held->handle);
  const Actor& a = (*actors_)[actor];
  if (a.state == ActorState::kFree || a.generation != HandleGeneration(held->handle)) return true;
  const Flow& flow = flows_[actor];
  for (int s = 0; s < 2; ++s) {
    const bool is_home = s == bucket.home;
    if (!(gate == Gate::kBoth || gate == (is_home ? Gate::kHome : Gate::kNext))) continue;
    if (flow.copies[s].refused == bucket.slots[s].round) {
      held->exempt = true;
      continue;
    }
    if (flow.dirty || !IsCurrent(flow, bucket.slots[s], s)) return false;
    held->position[s] = flow.copies[s].position;
    held->waits[s] = true;
  }
  return true;
}

void ReplicationSource::Tag(uint32_t index, Gate gate) {
  Bucket& bucket = buckets_[index];
  while (bucket.untagged != kNone && gate != Gate::kBlocked) {
    HeldOutput& held = pool_[bucket.untagged];
    if (!TagOne(&held, bucket, gate)) return;
    bucket.untagged = held.next;
  }
}

void ReplicationSource::Retag(uint32_t index) { buckets_[index].untagged = buckets_[index].head; }

bool ReplicationSource::MayLeave(const HeldOutput& held, const Bucket& bucket, Gate gate) const {
  if (gate == Gate::kBlocked) return false;
  for (int s = 0; s < 2; ++s)
    if (held.waits[s] && SerialLess(peers_[bucket.slots[s].peer.id].stored, held.position[s])) return false;
  return true;
}

void ReplicationSource::Pop(Bucket* bucket, HeldOutput* held) {
  const uint32_t index = bucket->head;
  *held = pool_[index];
  if (bucket->untagged == index) bucket->untagged = held->next;
  bucket->head = held->next;
  if (bucket->head == kNone) bucket->tail = kNone;
  pool_[index].next = free_;
  free_ = index;
  --held_;
}

void ReplicationSource::LeaveOrDrop(HeldOutput* held, bool is_protected) {
  if (!is_protected && config_.unprotected == Unprotected::kStrict && InForce(Protection::kOutputCommit)) {
    ++counters_.dropped_unprotected;
    host_->DropOutput(held->packet, held->header);
    return;
  }
  ++counters_.released;
  counters_.unprotected += is_protected ? 0 : 1;
  outlet_->Leave(*held);
}

void ReplicationSource::Release(uint32_t index, Gate gate) {
  if (relays() && InForce(Protection::kOutputCommit)) return ReleaseRelayed(index);
  Bucket& bucket = buckets_[index];
  const bool committed = !InForce(Protection::kOutputCommit);
  while (bucket.head != kNone) {
    if (!committed && (bucket.head == bucket.untagged || !MayLeave(pool_[bucket.head], bucket, gate))) return;
    HeldOutput held;
    Pop(&bucket, &held);
    if (held.kind != HeldOutput::Kind::kOutput) {
      outlet_->Leave(held);
      continue;
    }
    LeaveOrDrop(&held, gate != Gate::kOpen && !held.exempt && !held.unsafe);
  }
  waiting_.reset(index);
}

void ReplicationSource::LeftUnprotected(uint32_t actor) {
  const uint32_t handle = MakeHandle((*actors_)[actor].generation, actor);
  for (uint32_t i = buckets_[flows_[actor].bucket].head; i != kNone; i = pool_[i].next)
    pool_[i].unsafe = pool_[i].unsafe || pool_[i].handle == handle;
}

void ReplicationSource::DropAllHeld() {
  for (Bucket& bucket : buckets_) {
    while (bucket.head != kNone) {
      HeldOutput held;
      Pop(&bucket, &held);
      if (held.kind != HeldOutput::Kind::kOutput) continue;
      held.was_given ? host_->OutputRelayed(held.packet, held.header) : host_->DropOutput(held.packet, held.header);
    }
  }
  waiting_.reset();
}

void ReplicationSource::OnStored(uint16_t id, uint32_t position, uint64_t now_ns) {
  Peer& peer = peers_[id];
  if (!SerialLess(peer.stored, position) || SerialLess(peer.sent, position)) return;
  peer.stored = position;
  peer.progress_ns = now_ns;
  peer.silent = false;
  waiting_.ForEach([this](uint32_t bucket) { Release(bucket, GateOf(buckets_[bucket])); });
}

void ReplicationSource::OnUnstored(uint16_t id, uint32_t actor, uint32_t position, Refusal reason, uint64_t now_ns) {
  Flow& flow = flows_[actor];
  if (!flow.used) return;
  ++counters_.refused;
  Bucket& bucket = buckets_[flow.bucket];
  for (int s = 0; s < 2; ++s) {
    Slot& slot = bucket.slots[s];
    if (slot.peer.id != id || !Alive(slot.peer)) continue;
    // After a later update, of which there will be word, only output must not take it for stored.
    if (flow.copies[s].round != slot.round || flow.copies[s].position != position) continue;
    const bool was_based = Based(flow, slot, s);
    flow.copies[s] = {.refused = reason == Refusal::kRoom ? slot.round : 0};
    if (was_based && !Based(flow, slot, s)) ++slot.missing;
    if (!was_based && Based(flow, slot, s)) --slot.missing;
  }
  Touch(actor);
  Retag(flow.bucket);
  if (reason == Refusal::kRoom) peers_[id].refused_until_ns = now_ns + config_.refused_ns;
  if (reason == Refusal::kLayout) return OnUnfit(id, now_ns);
  if (reason == Refusal::kRoom) ReconsiderAll(now_ns);
}

void ReplicationSource::OnUnfit(uint16_t id, uint64_t now_ns) {
  peers_[id].unfit = true;
  TakeAllBack(id);
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) Retag(bucket);
  ReconsiderAll(now_ns);
}

uint32_t ReplicationSource::unprotected() const {
  uint32_t flows = 0;
  for (const Bucket& bucket : buckets_) {
    const Slot& home = bucket.slots[bucket.home];
    flows += Alive(home.peer) ? home.missing : bucket.flows;
  }
  return flows;
}

bool ReplicationSource::all_protected() const {
  for (uint32_t i = 0; i < flows_.size(); ++i) {
    const Flow& flow = flows_[i];
    if (!flow.used) continue;
    const Bucket& bucket = buckets_[flow.bucket];
    const Slot& home = bucket.slots[bucket.home];
    const Copy& copy = flow.copies[bucket.home];
    if (bucket.telling || !Alive(home.peer) || flow.dirty || !IsCurrent(flow, home, bucket.home)) return false;
    if (SerialLess(peers_[home.peer.id].stored, copy.position)) return false;
  }
  return true;
}

uint32_t ReplicationSource::lag() const {
  uint32_t updates = 0;
  for (const Peer& peer : peers_) updates += peer.sent - peer.stored;
  return updates;
}

bool ReplicationSource::idle() const {
  if (held_ != 0 || dirty_count_ != 0) return false;
  for (const Bucket& bucket : buckets_)
    if (bucket.copying || bucket.telling) return false;
  for (const Peer& peer : peers_)
    if (peer.overs_count != 0 || peer.over.any() || peer.sent != peer.stored) return false;
  return true;
}

}  // namespace nf::proto
