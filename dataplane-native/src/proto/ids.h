// What the protocols name: members, flows, ownership. All widths and wraps are decided here.
//
// Sequences are 32 bits and wrap: compared as serial numbers (RFC 1982), right as long as less than 2^31 packets of a
// flow are on their way. An epoch is V's term (8 bits, from 1) over a counter of the route entry (24 bits); the counter
// goes on when the entry is used again, so a stamp of an earlier flow matches only after 16 million changes of owner.
// A handle is an actor's index (24 bits) under its generation (8 bits); the actor's entry is compared as well.
#pragma once

#include <cstdint>
#include <type_traits>

namespace nf::proto {

inline constexpr uint32_t kNone = 0xffffffff;      // No index.
inline constexpr uint32_t kNoHandle = 0xffffffff;  // Its index, 2^24 - 1, is never used.
inline constexpr uint16_t kVswitch = 0;            // The member id of V; runtimes count from 1.

inline bool SerialLess(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

inline constexpr uint32_t kEpochCounterBits = 24;
inline uint32_t MakeEpoch(uint8_t term, uint32_t counter) {
  return uint32_t{term} << kEpochCounterBits | (counter & ((1u << kEpochCounterBits) - 1));
}
inline uint8_t EpochTerm(uint32_t epoch) { return static_cast<uint8_t>(epoch >> kEpochCounterBits); }
// Whether `a` was made after `b`. Nothing has epoch 0, which is older than any.
inline bool EpochNewer(uint32_t a, uint32_t b) {
  if (a == 0 || b == 0) return a != 0;
  if (EpochTerm(a) != EpochTerm(b)) return static_cast<int8_t>(EpochTerm(a) - EpochTerm(b)) > 0;
  return static_cast<int32_t>((a - b) << (32 - kEpochCounterBits)) > 0;
}

inline constexpr uint32_t kHandleIndexBits = 24;
inline uint32_t MakeHandle(uint8_t generation, uint32_t index) {
  return uint32_t{generation} << kHandleIndexBits | index;
}
inline uint32_t HandleIndex(uint32_t handle) { return handle & ((1u << kHandleIndexBits) - 1); }
inline uint8_t HandleGeneration(uint32_t handle) { return static_cast<uint8_t>(handle >> kHandleIndexBits); }

// A member of the tenant's dataplane, in one life. Incarnation 0: nobody.
struct MemberRef {
  uint16_t id = 0;
  uint16_t zero = 0;
  uint32_t incarnation = 0;
  bool operator==(const MemberRef&) const = default;
};
static_assert(sizeof(MemberRef) == 8 && std::has_unique_object_representations_v<MemberRef>);

// One attempt to move one flow: the flow's entry, the epoch in which its owner began, and the owner's count of
// attempts. An owner has one attempt at a time for a flow, so V needs to remember only the last one of each entry.
struct MigrationId {
  uint32_t entry = 0;
  uint32_t epoch = 0;
  uint32_t attempt = 0;
  bool operator==(const MigrationId&) const = default;
};
static_assert(sizeof(MigrationId) == 12);

// A packet as its holder knows it: a pointer, an index. The protocols never look inside.
using PacketRef = uint64_t;

}  // namespace nf::proto
