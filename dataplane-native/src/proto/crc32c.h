// CRC-32C (Castagnoli) by the processor's own instruction: tells a damaged message from a whole one. No protection
// against somebody who means it.
#pragma once

#include <nmmintrin.h>

#include <cstdint>
#include <cstring>
#include <span>

namespace nf::proto {

inline constexpr size_t kCrc32cLongBytes = 128;

// For many bytes: three parts side by side, since the instruction takes one step per cycle but three to answer.
uint32_t Crc32cLong(std::span<const uint8_t> bytes, uint32_t seed);

// `seed`: the sum of what came before.
inline uint32_t Crc32c(std::span<const uint8_t> bytes, uint32_t seed = 0) {
  if (bytes.size() >= kCrc32cLongBytes) return Crc32cLong(bytes, seed);
  uint64_t crc = ~seed;
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  auto rest = static_cast<uint32_t>(crc);
  for (; at < bytes.size(); ++at) rest = _mm_crc32_u8(rest, bytes[at]);
  return ~rest;
}

}  // namespace nf::proto
