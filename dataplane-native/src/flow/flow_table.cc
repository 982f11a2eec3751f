#include "flow/flow_table.h"

#include <string>

#include "base/check.h"

namespace nf {
namespace {

constexpr uint32_t kKeysPerHome = 7;  // Of a full table, on average; ten have room.
constexpr uint32_t kFlowsLimit = 1u << 30;

}  // namespace

const FlowHashSecret FlowTable::secret_ = FlowHashSecret::Random();

Expected<FlowTable> FlowTable::Create(const Options& options) {
  if (options.flows_max == 0 || options.flows_max >= kFlowsLimit) {
    return Fail(ErrorCode::kRuntimeSpec, "a flow table holds 1 to " + std::to_string(kFlowsLimit - 1) + " flows, not " +
                                             std::to_string(options.flows_max) + ". Set flows.max accordingly.");
  }
  FlowTable table;
  table.keys_ = static_cast<const uint8_t*>(options.keys);
  table.key_stride_ = options.key_stride;
  table.flows_max_ = options.flows_max;
  if (options.indexed) {
    const uint64_t keys = uint64_t{options.flows_max} * (options.with_aliases ? 2 : 1);
    const uint64_t homes = keys / kKeysPerHome + 1;
    // A chain with k overflow buckets holds more than 10 k keys, so there are never more than this many of them.
    const uint64_t overflow = (keys - 1) / kSlots;
    auto buckets = PrivateMemory::Create("the flow table", (homes + overflow) * sizeof(Bucket));
    if (!buckets) return std::unexpected(buckets.error());
    table.buckets_memory_ = std::move(*buckets);
    table.buckets_ = reinterpret_cast<Bucket*>(table.buckets_memory_.data());
    table.home_buckets_ = static_cast<uint32_t>(homes);
    for (uint64_t i = homes + overflow; i-- > homes;) {
      table.buckets_[i].next = table.overflow_free_;
      table.overflow_free_ = static_cast<uint32_t>(i);
    }
  }
  if (options.with_aliases) {
    auto aliases = PrivateMemory::Create("aliases of flows", uint64_t{options.flows_max} * sizeof(Alias));
    if (!aliases) return std::unexpected(aliases.error());
    table.aliases_memory_ = std::move(*aliases);
    table.aliases_ = reinterpret_cast<Alias*>(table.aliases_memory_.data());
  }
  return table;
}

void FlowTable::FindBurst(const FlowKey* const* keys, uint32_t count, FlowMatch* matches) const {
  uint64_t hashes[32];
  NF_CHECK(count <= std::size(hashes), "a burst has at most 32 keys");
  for (uint32_t i = 0; i < count; ++i) hashes[i] = Start(*keys[i]);
  for (uint32_t i = 0; i < count; ++i) Candidate(hashes[i]);
  for (uint32_t i = 0; i < count; ++i) matches[i] = Find(*keys[i], hashes[i]);
}

void FlowTable::Insert(uint32_t flow, uint64_t hash) {
  NF_CHECK(flow < flows_max_, "the flow has an actor");
  if (buckets_ != nullptr) InsertEntry(flow, hash);
}

void FlowTable::InsertEntry(uint32_t entry, uint64_t hash) {
  Bucket* bucket = &buckets_[HomeOf(hash)];
  // Full buckets come first in a chain, and only its last one has free slots.
  while (bucket->next != kNoBucket) bucket = &buckets_[bucket->next];
  uint32_t slot = static_cast<uint32_t>(std::countr_one(MatchTags(*bucket, 0) ^ kAllSlots));
  if (slot == kSlots) {
    NF_CHECK(overflow_free_ != kNoBucket, "the pool of overflow buckets covers the worst case");
    const uint32_t fresh = overflow_free_;
    overflow_free_ = buckets_[fresh].next;
    bucket->next = fresh;
    bucket = &buckets_[fresh];
    bucket->next = kNoBucket;
    slot = 0;
  }
  bucket->tags[slot] = TagOf(hash);
  bucket->flows[slot] = entry;
  ++size_;
}

bool FlowTable::SetAlias(uint32_t flow, const FlowKey& key) {
  NF_CHECK(aliases_ != nullptr && flow < flows_max_, "the table was made for aliases");
  if (buckets_ == nullptr) {
    if (OrientationOf(key, KeyOf(flow)) == kOther) aliases_[flow].key = key;
    return true;
  }
  const uint64_t hash = Hash(key);
  const FlowMatch known = Find(key, hash);
  if (known.found()) return known.flow == flow;
  NF_CHECK(aliases_[flow].key.ip_version == 0, "a flow has one alias");
  aliases_[flow].key = key;
  InsertEntry(flow | kAliasBit, hash);
  return true;
}

void FlowTable::Erase(uint32_t flow) {
  NF_CHECK(flow < flows_max_, "the flow has an actor");
  if (buckets_ != nullptr) EraseEntry(flow, Hash(KeyOf(flow)));
  ClearAlias(flow);
}

void FlowTable::ClearAlias(uint32_t flow) {
  if (AliasOf(flow) == nullptr) return;
  if (buckets_ != nullptr) EraseEntry(flow | kAliasBit, Hash(aliases_[flow].key));
  aliases_[flow].key = FlowKey{};
}

void FlowTable::EraseEntry(uint32_t entry, uint64_t hash) {
  Bucket* hole = &buckets_[HomeOf(hash)];
  uint32_t slot = 0;
  for (;;) {
    for (slot = 0; slot < kSlots; ++slot) {
      if (hole->tags[slot] != 0 && hole->flows[slot] == entry) break;
    }
    if (slot < kSlots) break;
    NF_CHECK(hole->next != kNoBucket, "the flow was entered with this key");
    hole = &buckets_[hole->next];
  }
  // The last key of the chain fills the hole, so that only the last bucket has free slots.
  Bucket* before = nullptr;
  Bucket* last = hole;
  while (last->next != kNoBucket) {
    before = last;
    last = &buckets_[last->next];
  }
  const uint32_t used = static_cast<uint32_t>(std::countr_one(MatchTags(*last, 0) ^ kAllSlots));
  hole->tags[slot] = last->tags[used - 1];
  hole->flows[slot] = last->flows[used - 1];
  last->tags[used - 1] = 0;
  last->flows[used - 1] = 0;
  --size_;
  if (used > 1) return;
  if (before == nullptr) before = BeforeInChain(last, hash);
  if (before == nullptr) return;  // A home bucket stays.
  const uint32_t index = before->next;
  before->next = kNoBucket;
  last->next = overflow_free_;
  overflow_free_ = index;
}

FlowTable::Bucket* FlowTable::BeforeInChain(const Bucket* bucket, uint64_t hash) {
  Bucket* at = &buckets_[HomeOf(hash)];
  if (at == bucket) return nullptr;
  while (&buckets_[at->next] != bucket) at = &buckets_[at->next];
  return at;
}

}  // namespace nf
