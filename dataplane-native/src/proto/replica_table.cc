#include "proto/replica_table.h"

#include "base/check.h"
#include "proto/protection.h"

namespace nf::proto {
namespace {

constexpr size_t kFetched = 32;  // Replicas that are fetched at a time: what memory is asked for at once is bounded.

uint32_t EntryOf(const DeltaRecord& record) { return record.flow % kReplicatedEntriesMax; }

}  // namespace

ReplicaTable::ReplicaTable(uint32_t replicas, uint32_t entries, uint16_t members, uint64_t layout,
                           MessageSink* messages, ReplicationHost* host)
    : layout_(layout),
      messages_(messages),
      host_(host),
      replicas_(replicas),
      keys_(replicas),
      of_entry_(entries, kNone),
      refused_(entries),
      lives_(size_t{2} * members) {
  NF_CHECK(members <= 32, "each member has a bit");
  owed_.reserve(lives_.size());
  for (uint32_t i = replicas; i-- > 0;) {
    replicas_[i].after = free_;
    free_ = i;
  }
}

uint32_t ReplicaTable::FindLife(const MemberRef& owner) const {
  for (uint32_t i = 0; i < lives_.size(); ++i)
    if (lives_[i].ref == owner && owner.incarnation != 0) return i;
  return kNone;
}

// A member has two lives here at most, the older of them dead.
uint32_t ReplicaTable::LifeOf(const MemberRef& owner) {
  if (const uint32_t known = FindLife(owner); known != kNone || owner.incarnation == 0) return known;
  uint32_t free = kNone, older = kNone, lives = 0;
  for (uint32_t i = 0; i < lives_.size(); ++i) {
    const Life& life = lives_[i];
    if (life.ref.incarnation == 0) free = i;
    if (life.ref.incarnation == 0 || life.ref.id != owner.id) continue;
    ++lives;
    if (older == kNone || SerialLess(life.born, lives_[older].born)) older = i;
  }
  const uint32_t index = lives < 2 ? free : older;
  if (lives_[index].ref.incarnation != 0) Forget(lives_[index].ref);
  lives_[index] = {.ref = owner, .born = ++births_, .is_owed = lives_[index].is_owed};
  lives_[index].first.fill(kNone);
  return index;
}

void ReplicaTable::Link(uint32_t place, uint32_t life, uint8_t bucket) {
  Replica& r = replicas_[place];
  uint32_t& first = lives_[life].first[bucket];
  r.life = static_cast<uint16_t>(life);
  r.bucket = bucket;
  r.before = kNone;
  r.after = first;
  if (first != kNone) replicas_[first].before = place;
  first = place;
  ++lives_[life].replicas;
}

void ReplicaTable::Unlink(uint32_t place) {
  const Replica& r = replicas_[place];
  (r.before == kNone ? lives_[r.life].first[r.bucket] : replicas_[r.before].after) = r.after;
  if (r.after != kNone) replicas_[r.after].before = r.before;
  --lives_[r.life].replicas;
}

uint32_t ReplicaTable::NewReplica(uint32_t entry) {
  const uint32_t place = free_;
  if (place == kNone) return kNone;
  free_ = replicas_[place].after;
  replicas_[place].entry = entry;
  of_entry_[entry] = place;
  ++used_;
  return place;
}

void ReplicaTable::Free(uint32_t place) {
  Unlink(place);
  Replica& r = replicas_[place];
  of_entry_[r.entry] = kNone;
  host_->FreeReplica(place);
  r = {.after = free_};
  free_ = place;
  --used_;
}

uint32_t ReplicaTable::Find(uint32_t entry, uint32_t epoch, uint32_t before) const {
  const uint32_t place = entry < of_entry_.size() ? of_entry_[entry] : kNone;
  if (place == kNone) return kNone;
  const bool other = EpochNewer(epoch, replicas_[place].epoch) || !EpochNewer(before, replicas_[place].epoch);
  return other && InForce(Protection::kReplicaEpoch) ? kNone : place;
}

void ReplicaTable::Refuse(Life* life, uint32_t entry, uint32_t epoch, Refusal reason) {
  ++(reason == Refusal::kRoom ? counters_.refused_room : counters_.refused_base);
  if (!InForce(Protection::kRefusedUpdate)) return;
  refused_[entry] |= BitOf(*life);
  if (life->owed_count == life->owed.size()) {
    life->broken = true;
    return;
  }
  life->owed[life->owed_count++] = {
      .entry = entry, .epoch = epoch & 0xff, .position = life->received, .reason = reason};
}

void ReplicaTable::OnFull(const MemberRef& owner, const FullRecord& record, std::span<const uint8_t> bytes) {
  const uint32_t index = LifeOf(owner);
  if (index == kNone) return;
  Life& life = lives_[index];
  if (life.sealed || record.entry >= of_entry_.size()) {
    ++counters_.sealed;
    return;
  }
  ++life.received;
  Owe(index);
  if (life.broken) return;
  refused_[record.entry] &= ~BitOf(life);
  uint32_t place = of_entry_[record.entry];
  // Of a later owner: what this one had is in it.
  if (place != kNone && EpochNewer(replicas_[place].epoch, record.epoch)) return;
  if (record.layout != layout_) return Refuse(&life, record.entry, record.epoch, Refusal::kLayout);
  if (place != kNone) Unlink(place);
  if (place == kNone) place = NewReplica(record.entry);
  if (place == kNone) return Refuse(&life, record.entry, record.epoch, Refusal::kRoom);
  Replica& r = replicas_[place];
  Link(place, index, BucketOf(record.key));
  r.epoch = record.epoch;
  r.number = record.number;
  keys_[place] = record.key;
  ++counters_.fulls;
  if (host_->StoreFull(place, record.key, bytes)) return;
  Free(place);
  Refuse(&life, record.entry, record.epoch, Refusal::kLayout);
}

// Where replicas are, then these, then what changes in them is fetched for many at a time.
void ReplicaTable::OnDeltas(const MemberRef& owner, Message* message) {
  const uint32_t life = LifeOf(owner);
  if (life == kNone) return;
  std::array<Message::Tailed<DeltaRecord>, kFetched> some;
  for (size_t count = kFetched; count == kFetched;) {
    for (count = 0; count < kFetched; ++count) {
      const auto next = message->Next<DeltaRecord>();
      if (!next) break;
      some[count] = *next;
      if (const uint32_t entry = EntryOf(next->record); entry < of_entry_.size()) __builtin_prefetch(&of_entry_[entry]);
    }
    for (const auto& [record, bytes] : std::span(some).first(count)) {
      const uint32_t entry = EntryOf(record);
      const uint32_t place = entry < of_entry_.size() ? of_entry_[entry] : kNone;
      if (place == kNone) continue;
      __builtin_prefetch(&replicas_[place], 1);
      host_->PrefetchReplica(place, bytes);
    }
    for (const auto& [record, bytes] : std::span(some).first(count)) OnDelta(life, record, bytes);
  }
}

void ReplicaTable::OnDelta(uint32_t index, const DeltaRecord& record, std::span<const uint8_t> bytes) {
  Life& life = lives_[index];
  const uint32_t entry = EntryOf(record);
  if (life.sealed || entry >= of_entry_.size()) {
    ++counters_.sealed;
    return;
  }
  ++life.received;
  Owe(index);
  if (life.broken) return;
  const uint32_t place = of_entry_[entry];
  const auto refuse = [&] { Refuse(&life, entry, record.flow / kReplicatedEntriesMax, Refusal::kBusy); };
  if (place == kNone || (refused_[entry] & BitOf(life)) != 0) return refuse();
  Replica& r = replicas_[place];
  if (r.life != index) {
    // Of a later owner: what this one had is in it. An earlier one's may have come late, when there was room again.
    const bool later = static_cast<int8_t>((r.epoch & 0xff) - record.flow / kReplicatedEntriesMax) > 0;
    return later ? void() : refuse();
  }
  const bool follows = DeltaFlow(entry, r.epoch) == record.flow && static_cast<uint16_t>(r.number + 1) == record.number;
  if (!follows) return refuse();
  if (!host_->StoreDelta(place, bytes)) return refuse();
  ++r.number;
  ++counters_.deltas;
}

// What came from an update that wasn't stored isn't sent: its owner hears of the refusal, and says both again.
bool ReplicaTable::OnRelay(const MemberRef& owner, const RelayRecord& record, uint32_t vswitch) {
  const uint32_t index = LifeOf(owner);
  if (index == kNone) return false;
  Life& life = lives_[index];
  if (life.sealed) {
    ++counters_.sealed;
    return false;
  }
  ++life.received;
  Owe(index);
  const bool of_this_vswitch = record.vswitch == vswitch || !InForce(Protection::kRelayOnce);
  const uint32_t entry = record.header.stamp.entry;
  const bool was_refused =
      entry < refused_.size() && (refused_[entry] & BitOf(life)) != 0 && InForce(Protection::kRelayStored);
  const bool sends = of_this_vswitch && (record.is_free != 0 || !(life.broken || was_refused));
  ++(sends ? counters_.relayed : counters_.not_relayed);
  return sends;
}

void ReplicaTable::OnReplicaOver(const MemberRef& owner, uint32_t entry, uint32_t epoch) {
  const uint32_t life = FindLife(owner);
  const uint32_t place = entry < of_entry_.size() ? of_entry_[entry] : kNone;
  if (life == kNone || place == kNone) return;
  const bool is_later = EpochNewer(replicas_[place].epoch, epoch);
  if (replicas_[place].life == life && !is_later && !lives_[life].sealed) Free(place);
}

void ReplicaTable::OnBucketOver(const MemberRef& owner, uint32_t bucket) {
  const uint32_t life = FindLife(owner);
  if (life == kNone || bucket >= kBuckets || lives_[life].sealed) return;
  while (lives_[life].first[bucket] != kNone) Free(lives_[life].first[bucket]);
}

void ReplicaTable::Forget(const MemberRef& owner) {
  const uint32_t life = FindLife(owner);
  if (life == kNone) return;
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket)
    while (lives_[life].first[bucket] != kNone) Free(lives_[life].first[bucket]);
  lives_[life].sealed = true;
}

void ReplicaTable::AskAboutDead(const std::vector<uint32_t>& members) {
  for (const Life& life : lives_)
    if (life.replicas > 0 && members[life.ref.id] != life.ref.incarnation)
      messages_->Say(kVswitch, MessageType::kForget, life.ref);
}

void ReplicaTable::Answer() {
  std::erase_if(owed_, [this](uint16_t index) {
    Life& life = lives_[index];
    life.is_owed = life.ref.incarnation != 0 && !life.sealed && !Tell(&life);
    return !life.is_owed;
  });
}

// False: not all of it yet.
bool ReplicaTable::Tell(Life* life) {
  uint32_t told = 0;
  while (told < life->owed_count) {
    const Owed& owed = life->owed[told];
    const Note note{{owed.entry, owed.epoch, owed.position}, static_cast<uint32_t>(owed.reason)};
    if (!messages_->Say(life->ref.id, MessageType::kUnstored, note)) break;
    ++told;
  }
  if (told > 0) {
    for (uint32_t i = told; i < life->owed_count; ++i) life->owed[i - told] = life->owed[i];
    life->owed_count -= told;
  }
  // A refusal that could not be told holds back what came from it on.
  if (life->owed_count > 0) return false;
  if (life->broken && !life->told_broken)
    life->told_broken = messages_->Say(life->ref.id, MessageType::kUnstored,
                                       Note{{kNone, 0, 0}, static_cast<uint32_t>(Refusal::kLayout)});
  if (life->broken != life->told_broken) return false;
  if (life->received != life->said && messages_->Say(life->ref.id, MessageType::kStored, Note{{}, life->received}))
    life->said = life->received;
  return life->received == life->said;
}

}  // namespace nf::proto
