// What native NFs read of a TCP packet.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/byte_order.h"
#include "chain/native_nf.h"
#include "nf_abi.h"
#include "packet/protocols.h"

namespace nf {

inline constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

struct TcpView {
  const uint8_t* at;  // Null when there is no TCP header.

  explicit TcpView(const NativePacket& packet) {
    const ParsedPacket& parsed = packet.meta->parsed;
    at = parsed.l4_protocol == kTcp && (parsed.flags & abi::kPacketFlagLaterFragment) == 0
             ? packet.frame + parsed.l4_offset
             : nullptr;
  }
  uint32_t seq() const { return LoadBe32(at + 4); }
  uint32_t ack() const { return LoadBe32(at + 8); }
  uint32_t header_length() const { return at[12] >> 4 << 2; }
  uint32_t flags() const { return at[13]; }
  uint32_t window() const { return LoadBe16(at + 14); }
  uint32_t option(uint32_t i) const { return i < header_length() - 20 ? at[20 + i] : 0; }
};

// Bytes of the datagram behind the L4 header, as the IP header says.
inline uint32_t DataLength(const NativePacket& packet) {
  return packet.meta->parsed.datagram_end - packet.meta->parsed.payload_offset;
}
inline bool IsFragment(const NativePacket& packet) {
  return (packet.meta->parsed.flags & abi::kPacketFlagFragment) != 0;
}

inline void Forward(abi::Result& result) { result.verdict = static_cast<uint8_t>(abi::Verdict::kForward); }
inline void Drop(abi::Result& result, uint32_t reason) {
  result.verdict = static_cast<uint8_t>(abi::Verdict::kDrop);
  result.drop_reason = static_cast<uint8_t>(reason);
}

}  // namespace nf
