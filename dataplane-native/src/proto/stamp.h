// What rides with every packet between V and a runtime, and the markers that go the same way behind packets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "proto/crc32c.h"
#include "proto/ids.h"

namespace nf::proto {

// Exactly the context of a Network Service Header (RFC 8300, MD type 1).
struct Stamp {
  uint32_t handle;    // Of the owner's actor; kNoHandle while V has not heard of it.
  uint32_t entry;     // V's route entry.
  uint32_t epoch;     // Of the owner.
  uint32_t sequence;  // Of the packet, one count for both directions.
};
static_assert(sizeof(Stamp) == 16);

inline constexpr uint8_t kDirection = 1;   // Set: towards the initiator.
inline constexpr uint8_t kMayOpen = 2;     // V knows of no actor: who has none opens one.
inline constexpr uint8_t kStateLost = 4;   // The flow had a state, which is lost.
inline constexpr uint8_t kLearn = 8;       // On the way out: by this packet's tuple reversed the responder answers.
inline constexpr uint8_t kByAlias = 16;    // It came by what V has learnt so.
inline constexpr uint8_t kRecovered = 32;  // The owner is dead; the marker before it told where the replica is.
// On the way out, where replicas relay output:
inline constexpr uint8_t kRelayed = 64;  // It comes from the runtime that has the flow's replica.
inline constexpr uint8_t kAgain = 128;   // It was given to a replica before, and may have left.

struct PacketHeader {
  Stamp stamp;
  uint8_t flags;
  uint8_t part;   // On the way out: the how-manieth frame that this packet (or time after it) caused, from 0.
  uint16_t port;  // The external one.
};
static_assert(sizeof(PacketHeader) == 20);

// Where an output stands in its flow. Compared as serial numbers.
inline uint64_t Position(uint32_t sequence, uint8_t part) { return uint64_t{sequence} << 32 | uint32_t{part} << 24; }

// Markers are datagrams: whoever wants an answer repeats the question, and every one may come twice.
enum class MarkerType : uint8_t {
  // V to a runtime, behind the packets that V stamped for it.
  kSwitched = 1,  // id is in force: `sequence` is the last for you, the new owner has `new_epoch`.
  kReturned,      // id came to nothing: you own the flow again, in `new_epoch`, from `sequence` on.
  kProbe,         // The flow of `epoch` is quiet since `sequence`: do you have it?
  kClosed,        // The flow of `epoch` has ended: let go of it.
  kDisowned,      // I am another V, and have no place for the flow of `epoch`: let go of it.
  kCloseDenied,   // I have stamped up to `sequence`.
  kSourceLost,  // Of id nothing will come: take `member`'s replica, or start afresh, in `new_epoch`, behind `sequence`.
  // A runtime to V, behind the runtime's output.
  kDrained,  // No more output of id's old owner.
  kClose,    // The flow ends, if `sequence` was the last.
  kGone,     // A packet or probe with `sequence` came, but there is no such flow here.
  kNoRoom,   // A packet with `sequence` would have opened a flow, but there is no room.
  // V to a runtime.
  kAliasConflict,  // What the flow of `epoch` taught V belongs to another flow: end it.
  // Of your replica, not older than id.epoch, make the flow, in `new_epoch`, behind `sequence`. Its owner is dead.
  kPromote,
  // A runtime to V, behind its output: of bucket id.entry nothing more comes on this way. Answered by `path_ended`.
  kPathEnd,
};
inline constexpr MarkerType kLastMarkerType = MarkerType::kPathEnd;

inline constexpr uint8_t kLastTime = 1;  // Who has no room for the flow now gives its replica up, and says so.

struct Marker {
  MarkerType type;
  // Of kSourceLost: kStateLost, if output of the flow has left. Of kPromote: kLastTime. kRelayed: `member` says it.
  uint8_t flags;
  uint16_t member;  // Of kSourceLost: who may have a replica; 0: nobody.
  MigrationId id;   // Without a migration: entry and epoch of the flow.
  uint32_t sequence;
  uint32_t new_epoch;  // kRelayed: the member's incarnation.
};
static_assert(sizeof(Marker) == 24 && std::has_unique_object_representations_v<Marker>);

struct MarkerDatagram {
  Marker marker;
  uint32_t checksum;
};
static_assert(sizeof(MarkerDatagram) == 28);

inline Marker MakeMarker(MarkerType type, MigrationId id, uint32_t sequence, uint32_t new_epoch = 0) {
  return {.type = type, .flags = 0, .member = 0, .id = id, .sequence = sequence, .new_epoch = new_epoch};
}

inline MarkerDatagram EncodeMarker(const Marker& marker) {
  return {marker, Crc32c({reinterpret_cast<const uint8_t*>(&marker), sizeof marker})};
}

// What an owner may have its replica say.
inline bool IsRelayable(MarkerType type) {
  return type == MarkerType::kDrained || type == MarkerType::kClose || type == MarkerType::kPathEnd;
}

inline bool IsSound(const Marker& marker) {
  const bool plain = marker.flags == 0 && marker.member == 0;
  const bool relayed = marker.flags == kRelayed && marker.member != kVswitch && IsRelayable(marker.type);
  const bool source_lost = marker.type == MarkerType::kSourceLost && (marker.flags & ~kStateLost) == 0;
  const bool last_promote = marker.type == MarkerType::kPromote && marker.flags == kLastTime && marker.member == 0;
  return marker.type >= MarkerType::kSwitched && marker.type <= kLastMarkerType &&
         (plain || relayed || source_lost || last_promote);
}

// Markers that follow each other may share a datagram, under one checksum behind the last.
inline constexpr size_t kMarkersPerDatagramMax = 50;

// Completes a datagram of `count` markers that lie at its beginning; bytes of it.
inline size_t SealMarkers(uint8_t* datagram, size_t count) {
  const size_t bytes = count * sizeof(Marker);
  const uint32_t checksum = Crc32c({datagram, bytes});
  std::memcpy(datagram + bytes, &checksum, sizeof checksum);
  return bytes + sizeof checksum;
}

// Hands each marker of a datagram to `take`, in order. False, and none, unless all are whole and unharmed.
template <typename Take>
bool ForEachMarker(std::span<const uint8_t> datagram, Take&& take) {
  uint32_t checksum;
  if (datagram.size() < sizeof(MarkerDatagram)) return false;
  const size_t bytes = datagram.size() - sizeof checksum;
  const size_t count = bytes / sizeof(Marker);
  if (bytes % sizeof(Marker) != 0 || count > kMarkersPerDatagramMax) return false;
  std::memcpy(&checksum, datagram.data() + bytes, sizeof checksum);
  if (checksum != Crc32c(datagram.first(bytes))) return false;
  Marker marker;
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < count; ++i) {
      std::memcpy(&marker, datagram.data() + i * sizeof marker, sizeof marker);
      if (round == 0 && !IsSound(marker)) return false;
      if (round == 1) take(marker);
    }
  }
  return true;
}

// The marker of a datagram that has one. Nothing unless it is whole and unharmed.
inline std::optional<Marker> DecodeMarker(std::span<const uint8_t> bytes) {
  std::optional<Marker> one;
  if (bytes.size() == sizeof(MarkerDatagram)) ForEachMarker(bytes, [&one](const Marker& marker) { one = marker; });
  return one;
}

}  // namespace nf::proto
