// Checksums of packets whose addresses and ports are replaced: what a change adds to them (RFC 1624), computed once for
// a flow. Words as they lie in the frame.
#pragma once

#include <cstdint>
#include <cstring>

namespace nf {

inline uint32_t Folded(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}
inline uint32_t Delta(uint32_t from, uint32_t to) {
  return Folded((~from & 0xffff) + (~from >> 16) + (to & 0xffff) + (to >> 16));
}
inline uint16_t Load16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline void Store16(uint8_t* at, uint32_t value) {
  const auto word = static_cast<uint16_t>(value);
  std::memcpy(at, &word, sizeof word);
}
inline void AddDelta(uint8_t* at, uint32_t delta) {
  const uint32_t sum = (Load16(at) ^ 0xffffu) + delta;
  Store16(at, ~(sum + (sum >> 16)));
}
// 0 says that there is no checksum.
inline void AddUdpDelta(uint8_t* at, uint32_t delta) {
  const uint32_t before = Load16(at);
  if (before == 0) return;
  const uint32_t sum = (before ^ 0xffff) + delta;
  const uint32_t after = ~(sum + (sum >> 16)) & 0xffff;
  Store16(at, after == 0 ? 0xffff : after);
}

}  // namespace nf
