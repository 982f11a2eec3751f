#include "flow/fragment_table.h"

#include <sys/random.h>

#include <bit>
#include <cstring>
#include <string>

#include "base/check.h"

namespace nf {
namespace {

// Keyed, like that of flows, so that nobody can make one long chain.
uint64_t Secret() {
  uint64_t secret = 0;
  NF_CHECK(getrandom(&secret, sizeof secret, 0) == sizeof secret, "the kernel gives random numbers");
  return secret | 1;
}

}  // namespace

const uint64_t FragmentTable::secret_ = Secret();

Expected<FragmentTable> FragmentTable::Create(const FragmentLimits& limits) {
  if (limits.datagrams_max == 0 || limits.datagrams_max > 1u << 24 || limits.held_max > 1u << 24) {
    return Fail(ErrorCode::kRuntimeSpec,
                "a fragment table tracks 1 to 16,777,216 datagrams, not " + std::to_string(limits.datagrams_max) + ".");
  }
  FragmentTable table;
  table.limits_ = limits;
  const uint32_t buckets = std::bit_ceil(limits.datagrams_max * 2);
  table.bucket_mask_ = buckets - 1;
  table.buckets_ = std::make_unique<uint32_t[]>(buckets);
  for (uint32_t i = 0; i < buckets; ++i) table.buckets_[i] = kNone;
  table.entries_ = std::make_unique<Entry[]>(limits.datagrams_max);
  for (uint32_t i = limits.datagrams_max; i-- > 0;) {
    table.entries_[i].newer = table.free_entry_;
    table.free_entry_ = i;
  }
  table.holders_ = std::make_unique<Held[]>(limits.held_max);
  for (uint32_t i = limits.held_max; i-- > 0;) {
    table.holders_[i].next = table.free_holder_;
    table.free_holder_ = i;
  }
  return table;
}

FragmentTable::Key FragmentTable::KeyOf(const ParsedPacket& packet) {
  Key key{};
  std::memcpy(key.source_address, packet.key.source_address, sizeof key.source_address);
  std::memcpy(key.destination_address, packet.key.destination_address, sizeof key.destination_address);
  key.identification = packet.fragment_identification;
  key.protocol = packet.fragment_protocol;
  key.ip_version = packet.key.ip_version;
  key.vlan_count = packet.key.vlan_count;
  key.vlan_outer = packet.key.vlan_outer;
  key.vlan_inner = packet.key.vlan_inner;
  return key;
}

uint32_t FragmentTable::BucketOf(const Key& key) const {
  uint64_t words[sizeof key / 8];
  std::memcpy(words, &key, sizeof key);
  uint64_t hash = secret_;
  for (const uint64_t word : words) hash = FoldedProduct(hash ^ word, secret_ + (hash << 1));
  return static_cast<uint32_t>(hash >> 32) & bucket_mask_;
}

uint32_t FragmentTable::FindEntry(const Key& key, uint32_t bucket) const {
  uint32_t index = buckets_[bucket];
  while (index != kNone && std::memcmp(&entries_[index].key, &key, sizeof key) != 0) index = entries_[index].chain_next;
  return index;
}

uint32_t FragmentTable::MakeEntry(const Key& key, uint32_t bucket, uint64_t now_ns) {
  const uint32_t index = free_entry_;
  if (index == kNone) return kNone;
  Entry& entry = entries_[index];
  free_entry_ = entry.newer;
  entry = {.key = key,
           .created_ns = now_ns,
           .flow = {},
           .waiting = true,
           .held_count = 0,
           .held_head = kNone,
           .held_tail = kNone,
           .older = kNone,
           .newer = kNone,
           .chain_next = buckets_[bucket]};
  buckets_[bucket] = index;
  Append(index);
  ++datagrams_;
  return index;
}

void FragmentTable::Append(uint32_t index) {
  entries_[index].older = newest_;
  entries_[index].newer = kNone;
  (newest_ == kNone ? oldest_ : entries_[newest_].newer) = index;
  newest_ = index;
}

void FragmentTable::Unlink(uint32_t index) {
  const Entry& entry = entries_[index];
  (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
  (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
}

void FragmentTable::Free(uint32_t index) {
  Entry& entry = entries_[index];
  uint32_t* link = &buckets_[BucketOf(entry.key)];
  while (*link != index) link = &entries_[*link].chain_next;
  *link = entry.chain_next;
  Unlink(index);
  entry.newer = free_entry_;
  free_entry_ = index;
  --datagrams_;
}

rte_mbuf* FragmentTable::TakeHeld(uint32_t index) {
  Entry& entry = entries_[index];
  const uint32_t holder = entry.held_head;
  if (holder == kNone) return nullptr;
  entry.held_head = holders_[holder].next;
  if (entry.held_head == kNone) entry.held_tail = kNone;
  --entry.held_count;
  holders_[holder].next = free_holder_;
  free_holder_ = holder;
  --held_;
  return holders_[holder].mbuf;
}

uint32_t FragmentTable::First(const ParsedPacket& packet, const FragmentFlow& flow, uint64_t now_ns,
                              rte_mbuf** released) {
  const Key key = KeyOf(packet);
  const uint32_t bucket = BucketOf(key);
  uint32_t index = FindEntry(key, bucket);
  if (index == kNone) {
    index = MakeEntry(key, bucket, now_ns);
    if (index == kNone) return 0;
  } else {
    Unlink(index);
    Append(index);
  }
  Entry& entry = entries_[index];
  entry.created_ns = now_ns;
  entry.flow = flow;
  entry.waiting = false;
  uint32_t count = 0;
  while (rte_mbuf* mbuf = TakeHeld(index)) released[count++] = mbuf;
  return count;
}

FragmentOutcome FragmentTable::Later(const ParsedPacket& packet, rte_mbuf* mbuf, uint64_t now_ns, FragmentFlow* flow) {
  const Key key = KeyOf(packet);
  const uint32_t bucket = BucketOf(key);
  uint32_t index = FindEntry(key, bucket);
  if (index != kNone && !entries_[index].waiting) {
    *flow = entries_[index].flow;
    return FragmentOutcome::kFlow;
  }
  if (free_holder_ == kNone) return FragmentOutcome::kOverflow;
  if (index == kNone) {
    if (limits_.held_per_datagram_max == 0) return FragmentOutcome::kOverflow;
    index = MakeEntry(key, bucket, now_ns);
    if (index == kNone) return FragmentOutcome::kOverflow;
  }
  Entry& entry = entries_[index];
  if (entry.held_count == limits_.held_per_datagram_max) return FragmentOutcome::kOverflow;
  const uint32_t holder = free_holder_;
  free_holder_ = holders_[holder].next;
  holders_[holder] = {.mbuf = mbuf, .next = kNone};
  (entry.held_tail == kNone ? entry.held_head : holders_[entry.held_tail].next) = holder;
  entry.held_tail = holder;
  ++entry.held_count;
  ++held_;
  return FragmentOutcome::kHeld;
}

}  // namespace nf
