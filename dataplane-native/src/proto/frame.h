// The frame of the reliable channel (paper, section 6.3), behind whatever header the link needs.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

#include "proto/crc32c.h"
#include "proto/protection.h"

namespace nf::proto {

inline constexpr uint8_t kFrameVersion = 1;
inline constexpr uint8_t kFrameHasData = 1;

struct FrameHeader {
  uint32_t checksum;  // CRC-32C of all that follows.
  uint8_t version;
  uint8_t flags;
  uint16_t window;  // Frames from `ack` on that the sender of this one can take.
  uint16_t source;
  uint16_t destination;
  uint32_t source_incarnation;
  uint32_t destination_incarnation;
  uint32_t sequence;   // Of this frame, if it has data.
  uint32_t ack;        // All frames before it have come.
  uint32_t bytes;      // Behind this header.
  uint64_t selective;  // Bit i: frame ack + 1 + i has come.
};
static_assert(sizeof(FrameHeader) == 40 && std::has_unique_object_representations_v<FrameHeader>);

// A message, or a part of one, in a frame.
struct PieceHeader {
  uint16_t bytes;  // Behind this header.
  uint8_t flags;
  uint8_t zero;
};
static_assert(sizeof(PieceHeader) == 4);
inline constexpr uint8_t kPieceFirst = 1;
inline constexpr uint8_t kPieceLast = 2;

inline void SealFrame(std::span<uint8_t> frame) {
  const uint32_t checksum = Crc32c(frame.subspan(sizeof checksum));
  std::memcpy(frame.data(), &checksum, sizeof checksum);
}

// Nothing unless the frame is whole and unharmed. Who sent it and whether it is new is for the channel to say.
inline std::optional<FrameHeader> DecodeFrame(std::span<const uint8_t> frame) {
  FrameHeader header;
  if (frame.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, frame.data(), sizeof header);
  if (InForce(Protection::kChannelChecksum) && header.checksum != Crc32c(frame.subspan(sizeof header.checksum)))
    return std::nullopt;
  if (header.version != kFrameVersion || (header.flags & ~kFrameHasData) != 0) return std::nullopt;
  if (header.bytes != frame.size() - sizeof header) return std::nullopt;
  if (((header.flags & kFrameHasData) != 0) != (header.bytes != 0)) return std::nullopt;
  return header;
}

}  // namespace nf::proto
