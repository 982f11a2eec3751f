// What a capture file is besides its packets, as far as a file of the same format needs it again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nf {

struct CaptureFormat {
  // A section header or interface description block as it was read, and the byte order of its section.
  struct Block {
    std::string bytes;
    bool big_endian;
  };

  bool is_pcapng = false;
  std::string header;         // Classic: the 24 bytes of the file header.
  bool big_endian = false;    // Classic.
  std::vector<Block> blocks;  // pcapng: in the file's order, as far as it has been read.
};

// Integers in a file's byte order.
inline uint16_t Load16(const uint8_t* at, bool big_endian) {
  return static_cast<uint16_t>(big_endian ? at[0] << 8 | at[1] : at[1] << 8 | at[0]);
}
inline uint32_t Load32(const uint8_t* at, bool big_endian) {
  const uint32_t first = Load16(at, big_endian), second = Load16(at + 2, big_endian);
  return big_endian ? first << 16 | second : second << 16 | first;
}
inline void Store32(uint8_t* at, uint32_t value, bool big_endian) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(value >> (big_endian ? 24 - 8 * i : 8 * i));
}

inline constexpr uint32_t kPcapngSection = 0x0a0d0d0a, kPcapngInterface = 1, kPcapngObsoletePacket = 2,
                          kPcapngSimplePacket = 3, kPcapngEnhancedPacket = 6, kPcapngOrderMagic = 0x1a2b3c4d;
inline constexpr uint32_t kLinkEthernet = 1;

}  // namespace nf
