// Virtual reassembly (docs/packet_path.md, section 5): later fragments go with the flow of their datagram's first
// fragment; those that come before it are held, within bounds. Nothing is put together.
//
// Entries lie in a fixed array, found through a keyed hash and chained by age, since all live equally long. Everything
// is allocated by Create. Used by one lcore. Owns the mbufs that it holds; whoever destroys the table drains it first.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <type_traits>

#include "base/result.h"
#include "flow/flow_hash.h"
#include "nf_abi.h"
#include "packet/parse.h"

namespace nf {

struct FragmentLimits {
  uint32_t datagrams_max = abi::kFragmentDatagramsMax;
  uint32_t held_max = abi::kFragmentHeldMax;
  uint32_t held_per_datagram_max = abi::kFragmentHeldPerDatagramMax;
  uint64_t timeout_ns = abi::kFragmentTimeoutNs;
};

// The flow that a datagram belongs to. The number tells a living flow from a later one in the same actor: the caller
// compares it with the actor's.
struct FragmentFlow {
  uint64_t flow_number;
  uint32_t flow;
  uint32_t direction;
};

enum class FragmentOutcome : uint8_t {
  kFlow,      // Belongs to `flow`; the caller checks that it lives, else fragment_no_flow.
  kHeld,      // The table has the mbuf now.
  kOverflow,  // Drop as fragment_overflow.
};

class FragmentTable {
 public:
  static Expected<FragmentTable> Create(const FragmentLimits& limits = {});
  FragmentTable(FragmentTable&&) noexcept = default;
  FragmentTable& operator=(FragmentTable&&) noexcept = default;

  // A first fragment that belongs to `flow`. Makes or overwrites its datagram's entry, and gives the fragments held for
  // it, in order of arrival, to `released` (room for held_per_datagram_max) and their number back.
  uint32_t First(const ParsedPacket& packet, const FragmentFlow& flow, uint64_t now_ns, rte_mbuf** released);

  // A later fragment.
  FragmentOutcome Later(const ParsedPacket& packet, rte_mbuf* mbuf, uint64_t now_ns, FragmentFlow* flow);

  // Ends entries whose time is over, oldest first; `drop(rte_mbuf*)` takes what they held, in order of arrival.
  template <typename Drop>
  void Expire(uint64_t now_ns, Drop&& drop) {
    while (oldest_ != kNone && now_ns >= entries_[oldest_].created_ns + limits_.timeout_ns) End(oldest_, drop);
  }
  // Ends all entries, as at the end of a run.
  template <typename Drop>
  void Drain(Drop&& drop) {
    while (oldest_ != kNone) End(oldest_, drop);
  }

  uint32_t datagrams() const { return datagrams_; }
  uint32_t held() const { return held_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Key {
    uint8_t source_address[16];
    uint8_t destination_address[16];
    uint32_t identification;
    uint8_t protocol;
    uint8_t ip_version;
    uint8_t vlan_count;
    uint8_t zero;
    uint16_t vlan_outer;
    uint16_t vlan_inner;
    uint32_t zero_1;
  };
  static_assert(sizeof(Key) == 48 && std::has_unique_object_representations_v<Key>);
  struct Entry {
    Key key;
    uint64_t created_ns;
    FragmentFlow flow;
    bool waiting;  // No first fragment yet.
    uint32_t held_count;
    uint32_t held_head, held_tail;  // Fragments that wait, in order of arrival.
    uint32_t older, newer;          // By creation. `newer` links the free list too.
    uint32_t chain_next;            // In its hash bucket.
  };
  struct Held {
    rte_mbuf* mbuf;
    uint32_t next;
  };

  FragmentTable() = default;
  static const uint64_t secret_;
  static Key KeyOf(const ParsedPacket& packet);
  uint32_t BucketOf(const Key& key) const;
  uint32_t FindEntry(const Key& key, uint32_t bucket) const;
  uint32_t MakeEntry(const Key& key, uint32_t bucket, uint64_t now_ns);  // kNone when the table is full.
  void Unlink(uint32_t entry);
  void Append(uint32_t entry);
  void Free(uint32_t entry);
  rte_mbuf* TakeHeld(uint32_t entry);  // The oldest that the entry holds, or null.

  template <typename Drop>
  void End(uint32_t entry, Drop& drop) {
    while (rte_mbuf* mbuf = TakeHeld(entry)) drop(mbuf);
    Free(entry);
  }

  FragmentLimits limits_;
  std::unique_ptr<Entry[]> entries_;
  std::unique_ptr<Held[]> holders_;
  std::unique_ptr<uint32_t[]> buckets_;
  uint32_t bucket_mask_ = 0;
  uint32_t free_entry_ = kNone;
  uint32_t free_holder_ = kNone;
  uint32_t oldest_ = kNone, newest_ = kNone;
  uint32_t datagrams_ = 0;
  uint32_t held_ = 0;
};

}  // namespace nf
