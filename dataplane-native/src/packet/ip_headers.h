// IP headers of a frame, the inner ones of ICMP errors included: rules 3, 4, 5 and the first half of 7 of
// docs/packet_path.md, section 2. For parse.cc; pure.
#pragma once

#include <cstdint>
#include <cstring>

#include "nf_abi.h"
#include "packet/flow_key.h"

namespace nf {

struct FrameView {
  const uint8_t* bytes;
  uint32_t captured;
  uint32_t wire_length;
};

inline void SetIpv4Addresses(FlowKey* key, const uint8_t* source, const uint8_t* destination) {
  const auto mapped = [](uint8_t* to, const uint8_t* from) {
    uint32_t address;
    std::memcpy(&address, from, sizeof address);
    const uint64_t halves[2] = {0, uint64_t{address} << 32 | 0xffff0000u};  // ::ffff:a.b.c.d
    std::memcpy(to, halves, sizeof halves);
  };
  mapped(key->source_address, source);
  mapped(key->destination_address, destination);
}

// What a walk over the IP headers found.
struct IpHeaders {
  uint8_t version = 0;
  uint8_t protocol = 0;
  uint8_t hop_limit = 0;
  bool is_fragment = false;  // Not of an atomic one.
  bool more_fragments = false;
  uint8_t fragment_protocol = 0;
  uint16_t fragment_offset_8 = 0;
  uint32_t identification = 0;
  uint32_t addresses = 0;  // Frame offset of the source address, which the destination follows.
  uint32_t l4_offset = 0;
  uint32_t end = 0;  // Of the datagram; of an inner packet: of the bytes that the outer one has.

  void SetAddresses(const uint8_t* frame, FlowKey* key) const {
    if (version == 4) {
      SetIpv4Addresses(key, frame + addresses, frame + addresses + 4);
    } else {
      std::memcpy(key->source_address, frame + addresses, 32);
    }
  }
};

// kNone, kMalformedIpv4, kMalformedIpv6, kMalformedFragment or kTruncatedHeaders.
abi::DropReason ReadIpv4(const FrameView& frame, uint32_t l3, IpHeaders* out);
abi::DropReason ReadIpv6(const FrameView& frame, uint32_t l3, IpHeaders* out);
// The headers inside an ICMP error whose datagram ends at `end`: kNone, kMalformedIcmpError or kTruncatedHeaders.
abi::DropReason ReadInnerIp(const FrameView& frame, uint32_t l3, uint32_t end, uint8_t version, IpHeaders* out);

}  // namespace nf
