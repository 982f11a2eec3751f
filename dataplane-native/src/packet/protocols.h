// IP protocol numbers and the fixed sizes of their headers, as docs/packet_path.md uses them. What has no size here has
// no L4 header for us.
#pragma once

#include <cstdint>

namespace nf {

inline constexpr uint8_t kHopByHop = 0, kIcmp = 1, kTcp = 6, kUdp = 17, kRouting = 43, kFragmentHeader = 44, kEsp = 50,
                         kAuthentication = 51, kIcmpV6 = 58, kNoNextHeader = 59, kDestinationOptions = 60, kSctp = 132,
                         kMobility = 135, kUdpLite = 136, kHip = 139, kShim6 = 140;

inline constexpr uint32_t kIpv4Bytes = 20, kIpv6Bytes = 40, kTcpBytes = 20, kUdpBytes = 8, kSctpBytes = 12,
                          kUdpLiteBytes = 8, kIcmpBytes = 8, kInnerL4Bytes = 8;

inline bool IsIcmp(uint8_t protocol, uint8_t ip_version) {
  return ip_version == 4 ? protocol == kIcmp : protocol == kIcmpV6;
}

// Both ports in the first four bytes of the header.
inline bool HasPorts(uint8_t protocol) {
  return protocol == kTcp || protocol == kUdp || protocol == kSctp || protocol == kUdpLite;
}

// Fixed part of the L4 header; 0: none that we know.
inline uint32_t L4HeaderBytes(uint8_t protocol, uint8_t ip_version) {
  switch (protocol) {
    case kTcp:
      return kTcpBytes;
    case kUdp:
      return kUdpBytes;
    case kSctp:
      return kSctpBytes;
    case kUdpLite:
      return kUdpLiteBytes;
    default:
      return IsIcmp(protocol, ip_version) ? kIcmpBytes : 0;
  }
}

}  // namespace nf
