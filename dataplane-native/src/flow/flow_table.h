// From a flow key to the flow's actor, in both directions of the flow, without a lock, an allocation or a rehash.
//
// The table owns no keys: the key of flow `i`, as its initiator sends it, lies in the flow's actor, at `keys + i *
// key_stride`. So a hit touches one cache line of the table and the actor's own first line, which is needed anyway.
// Only aliases (the tuple by which the responder answers when an NF rewrote the first packet) are kept here.
//
// A bucket is one cache line: ten 16-bit tags that one AVX2 compare tests, ten indexes, and a link to an overflow
// bucket. A full table has seven keys a bucket on average; the pool of overflow buckets is large enough for any
// distribution of keys, so that Insert cannot fail while there are free actors. The hash gives both directions of a
// flow the same value and is keyed with a secret of the process, so that nobody can aim at one bucket.
//
// Used by one lcore. A burst goes in three steps, each a loop over its packets, so that memory is waited for in
// parallel:
//   hash = table.Start(key);            // Hashes and prefetches the bucket.
//   flow = table.Candidate(hash);       // Prefetches the actor's key; the index, likely right, lets the caller
//   prefetch
//                                       // more of the actor and its state slots.
//   FlowMatch m = table.Find(key, hash);  // In order, after the flows that packets before this one opened or closed.
#pragma once

#include <immintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/private_memory.h"
#include "base/result.h"
#include "flow/flow_hash.h"
#include "packet/flow_key.h"
#include "packet/packet_meta.h"

namespace nf {

struct FlowMatch {
  uint32_t flow;  // kNoFlow when the key belongs to none.
  uint16_t direction;
  bool by_alias = false;

  bool found() const { return flow != kNoFlow; }
};
static_assert(sizeof(FlowMatch) == 8);  // One register.

class FlowTable {
 public:
  struct Options {
    uint32_t flows_max;   // Actors: indexes are 0 … flows_max - 1. Below 2^30.
    bool with_aliases;    // Needed by chains with an NF that has `edit` only.
    const void* keys;     // FlowKey of flow 0; outlives the table.
    size_t key_stride;    // Bytes from one flow's key to the next one's.
    bool indexed = true;  // False: somebody else finds flows; only aliases are kept, and nothing is refused.
  };
  static Expected<FlowTable> Create(const Options& options);

  FlowTable(FlowTable&&) noexcept = default;
  FlowTable& operator=(FlowTable&&) noexcept = default;

  uint64_t Start(const FlowKey& key) const {
    const uint64_t hash = Hash(key);
    __builtin_prefetch(&buckets_[HomeOf(hash)]);
    return hash;
  }
  uint32_t Candidate(uint64_t hash) const {
    const Bucket& bucket = buckets_[HomeOf(hash)];
    const uint32_t slots = MatchTags(bucket, TagOf(hash));
    if (slots == 0) return kNoFlow;
    const uint32_t entry = bucket.flows[std::countr_zero(slots)];
    __builtin_prefetch(&KeyOf(entry));
    return entry & ~kAliasBit;
  }
  // The flow of this key and the direction of a packet that shows it. 0 if both endpoints are the same.
  FlowMatch Find(const FlowKey& key, uint64_t hash) const {
    const uint16_t tag = TagOf(hash);
    uint32_t index = HomeOf(hash);
    do {
      const Bucket& bucket = buckets_[index];
      for (uint32_t slots = MatchTags(bucket, tag); slots != 0; slots &= slots - 1) {
        const uint32_t entry = bucket.flows[std::countr_zero(slots)];
        const uint32_t orientation = OrientationOf(key, KeyOf(entry));
        if (orientation != kOther) {
          return {entry & ~kAliasBit, static_cast<uint16_t>(orientation ^ (entry >> 31)), entry >> 31 != 0};
        }
      }
      index = bucket.next;
    } while (index != kNoBucket);
    return {kNoFlow, 0};
  }
  FlowMatch Find(const FlowKey& key) const { return Find(key, Hash(key)); }

  // All three steps for up to 32 keys that nothing opens or closes meanwhile.
  void FindBurst(const FlowKey* const* keys, uint32_t count, FlowMatch* matches) const;

  // Enters `flow`, whose key has been written to its actor and was not found. `hash` is that key's.
  void Insert(uint32_t flow, uint64_t hash);
  // A second key of `flow`, as its responder sends it: a packet that shows `key` has direction 1, one that shows the
  // reverse 0. False, and nothing done, if another flow has that key. A key that the flow has already stays as it is.
  bool SetAlias(uint32_t flow, const FlowKey& key);
  // Forgets the alias of `flow`, if it has one.
  void ClearAlias(uint32_t flow);
  // Forgets the key and the alias of `flow`, whose key must still be in its actor. A flow not entered is an error.
  void Erase(uint32_t flow);

  // The alias of a flow that has one, else null.
  const FlowKey* AliasOf(uint32_t flow) const {
    return aliases_ != nullptr && aliases_[flow].key.ip_version != 0 ? &aliases_[flow].key : nullptr;
  }
  void PrefetchAlias(uint32_t flow) const {
    if (aliases_ != nullptr) __builtin_prefetch(&aliases_[flow]);
  }

  // The same for both directions, and for nobody to foresee. Differs between processes.
  static uint64_t Hash(const FlowKey& key) { return HashFlowKey(key, secret_); }

  uint32_t size() const { return size_; }  // Keys, aliases included.
  size_t memory_bytes() const { return buckets_memory_.bytes() + aliases_memory_.bytes(); }

 private:
  static constexpr uint32_t kSlots = 10;
  static constexpr uint32_t kAllSlots = (1u << kSlots) - 1;
  static constexpr uint32_t kAliasBit = 0x80000000u;
  static constexpr uint32_t kOther = 2;
  static constexpr uint32_t kNoBucket = 0;  // Bucket 0 is nobody's overflow: the first overflow bucket comes after all.
  struct alignas(64) Bucket {
    uint16_t tags[kSlots];  // 0: free. Filled from the front, all buckets of a chain but the last are full.
    uint32_t next;          // Overflow bucket, or kNoBucket. In the free list: the next free one.
    uint32_t flows[kSlots];
  };
  static_assert(sizeof(Bucket) == 64);
  struct alignas(64) Alias {  // A cache line, not parts of two.
    FlowKey key;              // ip_version 0: none.
  };

  FlowTable() = default;
  static const FlowHashSecret secret_;

  const FlowKey& KeyOf(uint32_t entry) const {
    return entry & kAliasBit ? aliases_[entry & ~kAliasBit].key
                             : *reinterpret_cast<const FlowKey*>(keys_ + uint64_t{entry} * key_stride_);
  }
  // Which bucket a hash belongs to: its upper half, scaled. The tag is from its lower half.
  uint32_t HomeOf(uint64_t hash) const { return static_cast<uint32_t>((hash >> 32) * home_buckets_ >> 32); }
  static uint16_t TagOf(uint64_t hash) {
    const uint16_t tag = static_cast<uint16_t>(hash);
    return tag != 0 ? tag : 1;
  }
  // Bit i: slot i has the tag (0: is free). The 32 bytes are the tags, the link, and two indexes that the mask leaves
  // out.
  static uint32_t MatchTags(const Bucket& bucket, uint16_t tag) {
    const __m256i line = _mm256_load_si256(reinterpret_cast<const __m256i*>(bucket.tags));
    const __m256i equal = _mm256_cmpeq_epi16(line, _mm256_set1_epi16(static_cast<int16_t>(tag)));
    // Two bytes of 0 or -1 each become one bit each.
    const __m128i packed = _mm_packs_epi16(_mm256_castsi256_si128(equal), _mm256_extracti128_si256(equal, 1));
    return static_cast<uint32_t>(_mm_movemask_epi8(packed)) & kAllSlots;
  }
  // 0: the same key; 1: its reverse. Both are tested in one go, with every byte loaded once.
  static uint32_t OrientationOf(const FlowKey& key, const FlowKey& known) {
    const auto part = [](const FlowKey& of, size_t i) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(&of) + i);
    };
    const __m128i source = part(known, 0), destination = part(known, 1), rest = part(known, 2);
    const __m128i swapped = _mm_shufflelo_epi16(rest, _MM_SHUFFLE(3, 2, 0, 1));  // Ports.
    const __m128i same =
        _mm_or_si128(_mm_or_si128(_mm_xor_si128(part(key, 0), source), _mm_xor_si128(part(key, 1), destination)),
                     _mm_xor_si128(part(key, 2), rest));
    const __m128i reverse =
        _mm_or_si128(_mm_or_si128(_mm_xor_si128(part(key, 0), destination), _mm_xor_si128(part(key, 1), source)),
                     _mm_xor_si128(part(key, 2), swapped));
    if (_mm_testz_si128(same, same)) return 0;
    return _mm_testz_si128(reverse, reverse) ? 1 : kOther;
  }
  void InsertEntry(uint32_t entry, uint64_t hash);
  void EraseEntry(uint32_t entry, uint64_t hash);
  Bucket* BeforeInChain(const Bucket* bucket, uint64_t hash);  // Null for a home bucket.

  Bucket* buckets_ = nullptr;
  const uint8_t* keys_ = nullptr;
  size_t key_stride_ = 0;
  Alias* aliases_ = nullptr;  // By flow.
  uint32_t home_buckets_ = 0;
  uint32_t overflow_free_ = kNoBucket;
  uint32_t size_ = 0;
  uint32_t flows_max_ = 0;
  PrivateMemory buckets_memory_;
  PrivateMemory aliases_memory_;
};

}  // namespace nf
