// For tests: frames put together header by header, each header a string of bytes around what it carries. Lengths are
// those of what is really there unless a test says otherwise; checksums are 0, since the dataplane verifies none.
//
//   std::string frame = Ethernet(0x0800, Ipv4({.protocol = 6}, Tcp({.source_port = 1}, "hello")));
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nf::test {

inline std::string Be16(uint32_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
inline std::string Be32(uint32_t value) { return Be16(value >> 16) + Be16(value & 0xffff); }
inline std::string Byte(uint32_t value) { return {static_cast<char>(value)}; }

inline std::string Ethernet(uint16_t ether_type, std::string_view inner) {
  return std::string("\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12) + Be16(ether_type) + std::string(inner);
}
// Tag and what comes behind it; goes into Ethernet with 0x8100 or 0x88a8.
inline std::string Tag(uint16_t id, uint16_t ether_type, std::string_view inner) {
  return Be16(id) + Be16(ether_type) + std::string(inner);
}

struct Ipv4Fields {
  uint8_t protocol = 17;
  uint32_t source = 0x0a000001, destination = 0x0a000102;
  uint16_t identification = 7;
  bool more_fragments = false;
  uint16_t offset_8 = 0;
  std::string options = {};
  int total_length = -1;    // -1: as it is.
  uint8_t version_ihl = 0;  // 0: as it is.
  uint8_t ttl = 64;
};
inline std::string Ipv4(const Ipv4Fields& f, std::string_view inner) {
  const size_t header = 20 + f.options.size();
  const size_t total = f.total_length < 0 ? header + inner.size() : static_cast<size_t>(f.total_length);
  return Byte(f.version_ihl != 0 ? f.version_ihl : 0x40 | header / 4) + Byte(0) + Be16(total) + Be16(f.identification) +
         Be16(f.more_fragments << 13 | f.offset_8) + Byte(f.ttl) + Byte(f.protocol) + Be16(0) + Be32(f.source) +
         Be32(f.destination) + f.options + std::string(inner);
}

struct Ipv6Fields {
  uint8_t next = 17;
  uint8_t source = 1, destination = 2;  // Last byte of 2001:db8::.
  int payload_length = -1;              // -1: as it is.
  uint8_t hop_limit = 64;
};
inline std::string Ipv6Address(uint8_t last) {
  return std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0", 15) + Byte(last);
}
inline std::string Ipv6(const Ipv6Fields& f, std::string_view inner) {
  const size_t length = f.payload_length < 0 ? inner.size() : static_cast<size_t>(f.payload_length);
  return Be32(0x60000000) + Be16(length) + Byte(f.next) + Byte(f.hop_limit) + Ipv6Address(f.source) +
         Ipv6Address(f.destination) + std::string(inner);
}
// Hop-by-hop, routing, destination options and their like: 8 + 8 × `units` bytes.
inline std::string Extension(uint8_t next, uint8_t units, std::string_view inner) {
  return Byte(next) + Byte(units) + std::string(6u + 8u * units, '\0') + std::string(inner);
}
inline std::string Authentication(uint8_t next, uint8_t length, std::string_view inner) {
  return Byte(next) + Byte(length) + std::string((length + 2u) * 4 - 2, '\0') + std::string(inner);
}
inline std::string Fragment(uint8_t next, uint16_t offset_8, bool more, uint32_t identification,
                            std::string_view inner) {
  return Byte(next) + Byte(0) + Be16(offset_8 << 3 | (more ? 1 : 0)) + Be32(identification) + std::string(inner);
}

struct TcpFields {
  uint16_t source_port = 40000, destination_port = 443;
  uint8_t flags = 0x10;
  std::string options = {};
  int data_offset = -1;  // In words; -1: as it is.
};
inline std::string Tcp(const TcpFields& f, std::string_view payload) {
  const size_t words = f.data_offset < 0 ? (20 + f.options.size()) / 4 : static_cast<size_t>(f.data_offset);
  return Be16(f.source_port) + Be16(f.destination_port) + Be32(1) + Be32(2) + Byte(words << 4) + Byte(f.flags) +
         Be16(1000) + Be32(0) + f.options + std::string(payload);
}
inline std::string Udp(uint16_t source_port, uint16_t destination_port, std::string_view payload, int length = -1) {
  return Be16(source_port) + Be16(destination_port) + Be16(length < 0 ? 8 + payload.size() : length) + Be16(0) +
         std::string(payload);
}
// ICMP and ICMPv6; `rest` is the second word: of queries identifier << 16 | sequence.
inline std::string Icmp(uint8_t type, uint8_t code, uint32_t rest, std::string_view payload) {
  return Byte(type) + Byte(code) + Be16(0) + Be32(rest) + std::string(payload);
}

}  // namespace nf::test
