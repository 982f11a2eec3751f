// Frames on links between members: an outer Ethernet header, and behind it a Network Service Header (RFC 8300) with a
// packet, or a control frame. Pure; nothing in here trusts a byte that came from a link.
//
// A packet's stamp is the context of the service header: all of it with MD type 1, or the first of two pieces of MD
// type 2 when the vswitch sends leases along. The service path identifier is made of the packet's flags, part and port;
// the service index says which way the packet goes: a runtime is a service function and decrements it. So a packet that
// comes back from a link untouched is no output.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/byte_order.h"
#include "nf_abi.h"
#include "proto/stamp.h"

namespace nf::link {

inline constexpr uint16_t kEtherTypeNsh = 0x894f;
inline constexpr uint16_t kEtherTypeControl = 0x88b5;  // For local experiments (IEEE 802).

// Of one member: locally administered, "NF", tenant, member.
using MacAddress = std::array<uint8_t, 6>;
inline MacAddress AddressOf(uint16_t tenant, uint16_t member) {
  return {
      0x02, 0x4e, 0x46, static_cast<uint8_t>(tenant >> 8), static_cast<uint8_t>(tenant), static_cast<uint8_t>(member)};
}

struct OuterHeader {
  MacAddress destination;
  MacAddress source;
  uint8_t ether_type[2];
};
static_assert(sizeof(OuterHeader) == 14);

// Which member of `tenant` has this address; nothing when none has.
inline std::optional<uint16_t> MemberOf(const MacAddress& address, uint16_t tenant, uint16_t members) {
  if (address != AddressOf(tenant, address[5]) || address[5] >= members) return std::nullopt;
  return address[5];
}

// ---- Packets.

// All in network order.
struct NshBase {
  uint8_t word[4];  // Version 2 bits, O, unassigned, TTL 6, length 6, unassigned 4, MD type 4, next protocol 8.
  uint8_t path[3];  // Flags, part, port.
  uint8_t index;
};
static_assert(sizeof(NshBase) == 8);
struct NshPiece {
  uint8_t metadata_class[2];
  uint8_t type;
  uint8_t bytes;  // The highest bit is unassigned.
};
static_assert(sizeof(NshPiece) == 4);

inline constexpr uint8_t kNshTtl = 63;
inline constexpr uint8_t kNshEthernet = 3;     // Next protocol.
inline constexpr uint8_t kNshWords = 6;        // Of MD type 1.
inline constexpr uint16_t kNshClass = 0xfff6;  // The first for experiments.
inline constexpr uint8_t kPieceStamp = 1, kPieceLeases = 2;
inline constexpr uint8_t kTracedPort = 0x80;                  // Beside the port: the packet is traced.
inline constexpr uint8_t kToRuntime = 255, kToVswitch = 254;  // Service indexes.

inline constexpr size_t kPacketHeaderBytes = sizeof(OuterHeader) + sizeof(NshBase) + sizeof(proto::Stamp);
inline constexpr size_t kPacketHeaderBytesMax =
    kPacketHeaderBytes + 2 * sizeof(NshPiece) + abi::kChainNfsMax * sizeof(uint32_t);
static_assert(kPacketHeaderBytes == 38 && kPacketHeaderBytesMax <= 112);
static_assert((kPacketHeaderBytesMax - sizeof(OuterHeader)) / 4 < 64, "the length has 6 bits");

// Whatever leases a chain gives, one after the other: of NFs that lease nothing there is none.
struct LinkLeases {
  uint32_t count = 0;
  std::array<uint32_t, abi::kChainNfsMax> values;
};

struct LinkPacket {
  proto::PacketHeader header;  // Its port has 7 bits.
  bool is_traced = false;
  LinkLeases leases;
  size_t header_bytes = 0;  // The inner frame follows.
};

constexpr size_t PacketHeaderBytes(uint32_t leases) {
  return leases == 0 ? kPacketHeaderBytes : kPacketHeaderBytes + 2 * sizeof(NshPiece) + leases * sizeof(uint32_t);
}

namespace internal {

inline uint8_t* PutWord(uint8_t* at, uint32_t value) {
  StoreBe32(at, value);
  return at + 4;
}
inline uint8_t* PutStamp(uint8_t* at, const proto::Stamp& stamp) {
  at = PutWord(at, stamp.handle);
  at = PutWord(at, stamp.entry);
  at = PutWord(at, stamp.epoch);
  return PutWord(at, stamp.sequence);
}
inline proto::Stamp GetStamp(const uint8_t* at) {
  return {.handle = LoadBe32(at), .entry = LoadBe32(at + 4), .epoch = LoadBe32(at + 8), .sequence = LoadBe32(at + 12)};
}
inline uint32_t BaseWord(size_t words, uint32_t md_type) {
  return uint32_t{kNshTtl} << 22 | static_cast<uint32_t>(words) << 16 | md_type << 8 | kNshEthernet;
}
inline bool IsPiece(const uint8_t* at, uint8_t type, size_t bytes) {
  NshPiece piece;
  std::memcpy(&piece, at, sizeof piece);
  return LoadBe16(piece.metadata_class) == kNshClass && piece.type == type && piece.bytes == bytes;
}

}  // namespace internal

// Writes the PacketHeaderBytes in front of the inner frame. `way` is kToRuntime or kToVswitch.
inline void EncodePacket(const OuterHeader& outer, uint8_t way, const proto::PacketHeader& header,
                         std::span<const uint32_t> leases, uint8_t* out) {
  std::memcpy(out, &outer, sizeof outer);
  uint8_t* at = out + sizeof outer;
  const size_t words = (PacketHeaderBytes(static_cast<uint32_t>(leases.size())) - sizeof outer) / 4;
  at = internal::PutWord(at, internal::BaseWord(words, leases.empty() ? 1 : 2));
  *at++ = header.flags;
  *at++ = header.part;
  *at++ = static_cast<uint8_t>(header.port);
  *at++ = way;
  if (leases.empty()) [[likely]] {
    internal::PutStamp(at, header.stamp);
    return;
  }
  at = internal::PutWord(at, uint32_t{kNshClass} << 16 | uint32_t{kPieceStamp} << 8 | sizeof(proto::Stamp));
  at = internal::PutStamp(at, header.stamp);
  at = internal::PutWord(at, uint32_t{kNshClass} << 16 | uint32_t{kPieceLeases} << 8 |
                                 static_cast<uint32_t>(leases.size() * sizeof(uint32_t)));
  for (const uint32_t lease : leases) at = internal::PutWord(at, lease);
}

// What is behind the outer header of `frame`. False unless every field is what a member would have written, and at
// least an Ethernet header follows.
inline bool DecodePacket(std::span<const uint8_t> frame, uint8_t way, LinkPacket* out) {
  constexpr size_t kInnerMin = 14;
  if (frame.size() < kPacketHeaderBytes + kInnerMin) return false;
  const uint8_t* at = frame.data() + sizeof(OuterHeader);
  // Where the TTL stands is nobody's business, as long as it has not run out.
  constexpr uint32_t kTtlMask = 63u << 22;
  const uint32_t word = LoadBe32(at);
  if ((word & kTtlMask) == 0 || at[7] != way) return false;
  out->header.flags = at[4];
  out->header.part = at[5];
  out->header.port = at[6] & ~kTracedPort & 0xff;
  out->is_traced = (at[6] & kTracedPort) != 0;
  const uint8_t* context = at + sizeof(NshBase);
  if ((word & ~kTtlMask) == (internal::BaseWord(kNshWords, 1) & ~kTtlMask)) [[likely]] {
    out->header.stamp = internal::GetStamp(context);
    out->leases.count = 0;
    out->header_bytes = kPacketHeaderBytes;
    return true;
  }
  const size_t words = word >> 16 & 63;
  constexpr size_t kWordsWithoutLeases = (PacketHeaderBytes(1) - sizeof(OuterHeader)) / 4 - 1;
  if ((word & ~kTtlMask) != (internal::BaseWord(words, 2) & ~kTtlMask) || words <= kWordsWithoutLeases) return false;
  const auto leases = static_cast<uint32_t>(words - kWordsWithoutLeases);
  if (leases > abi::kChainNfsMax || frame.size() < PacketHeaderBytes(leases) + kInnerMin) return false;
  if (!internal::IsPiece(context, kPieceStamp, sizeof(proto::Stamp))) return false;
  out->header.stamp = internal::GetStamp(context + sizeof(NshPiece));
  context += sizeof(NshPiece) + sizeof(proto::Stamp);
  if (!internal::IsPiece(context, kPieceLeases, leases * sizeof(uint32_t))) return false;
  out->leases.count = leases;
  for (uint32_t i = 0; i < leases; ++i) {
    out->leases.values[i] = LoadBe32(context + sizeof(NshPiece) + i * sizeof(uint32_t));
  }
  out->header_bytes = PacketHeaderBytes(leases);
  return true;
}

// ---- Control frames: the outer header, this one, an encrypted payload, its tag. Both headers are authenticated.

enum class ControlKind : uint8_t {
  kMail = 1,   // A frame of the reliable channel.
  kMarkers,    // A datagram of markers, in its place among the packets.
  kHeartbeat,  // Nothing: the sender lives.
  kFenced,     // From the vswitch: a life that it has turned away from.
};

struct ControlHeader {
  uint8_t version;
  ControlKind kind;
  uint16_t source;
  uint32_t incarnation;  // Of the source.
  uint32_t counter_low;  // Of all control frames of this life of the source, 48 bits.
  uint16_t counter_high;
  uint16_t bytes;  // Of the payload without its tag: links may pad.
};
static_assert(sizeof(ControlHeader) == 16 && std::has_unique_object_representations_v<ControlHeader>);

inline constexpr uint8_t kControlVersion = 1;
inline constexpr size_t kControlHeaderBytes = sizeof(OuterHeader) + sizeof(ControlHeader);
inline constexpr size_t kControlTagBytes = 16;
inline constexpr size_t kControlOverheadBytes = kControlHeaderBytes + kControlTagBytes;

inline uint64_t CounterOf(const ControlHeader& header) {
  return uint64_t{header.counter_high} << 32 | header.counter_low;
}

// Nothing unless the frame is as long as it says. Whether it is genuine is for the cipher to say.
inline std::optional<ControlHeader> DecodeControl(std::span<const uint8_t> frame) {
  if (frame.size() < kControlOverheadBytes) return std::nullopt;
  ControlHeader header;
  std::memcpy(&header, frame.data() + sizeof(OuterHeader), sizeof header);
  if (header.version != kControlVersion || header.kind < ControlKind::kMail || header.kind > ControlKind::kFenced)
    return std::nullopt;
  if (frame.size() < kControlOverheadBytes + header.bytes) return std::nullopt;
  return header;
}

}  // namespace nf::link
