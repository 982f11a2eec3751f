#include "packet/ip_headers.h"

#include "base/byte_order.h"
#include "packet/protocols.h"

namespace nf {
namespace {

using abi::DropReason;

constexpr uint32_t kExtensionFixedBytes = 8;
constexpr uint32_t kDatagramBytesMax = 65535;

// Everything that is checked alike in outer and inner headers; `limit` is where bytes end, `malformed` what it is
// called.
DropReason ReadIpv4Fields(const FrameView& frame, uint32_t l3, uint32_t limit, DropReason malformed, IpHeaders* out) {
  if (l3 + kIpv4Bytes > limit) return malformed;
  if (l3 + kIpv4Bytes > frame.captured) return DropReason::kTruncatedHeaders;
  const uint8_t* header = frame.bytes + l3;
  const uint32_t header_bytes = (header[0] & 15) * 4;
  if (header[0] >> 4 != 4 || header_bytes < kIpv4Bytes || l3 + header_bytes > limit) return malformed;
  const uint16_t fragment = LoadBe16(header + 6);
  out->version = 4;
  out->protocol = header[9];
  out->hop_limit = header[8];
  out->more_fragments = (fragment & 0x2000) != 0;
  out->fragment_offset_8 = fragment & 0x1fff;
  out->is_fragment = out->more_fragments || out->fragment_offset_8 != 0;
  out->fragment_protocol = out->protocol;
  out->identification = LoadBe16(header + 4);
  out->addresses = l3 + 12;
  out->l4_offset = l3 + header_bytes;
  out->end = limit;
  return DropReason::kNone;
}

// Bytes of an extension header whose second byte is `length`; 0: `protocol` is none that is walked.
uint32_t ExtensionBytes(uint8_t protocol, uint8_t length) {
  switch (protocol) {
    case kHopByHop:
    case kRouting:
    case kDestinationOptions:
    case kMobility:
    case kHip:
    case kShim6:
      return 8 + 8 * length;
    case kAuthentication:
      return (length + 2) * 4;
    case kFragmentHeader:
      return 8;
    default:
      return 0;
  }
}

DropReason WalkExtensions(const FrameView& frame, uint32_t at, DropReason malformed, IpHeaders* out) {
  bool fragment_seen = false;
  for (uint32_t walked = 0; ExtensionBytes(out->protocol, 0) != 0; ++walked) {
    if (walked == abi::kIpv6ExtensionHeadersMax) return malformed;
    if (out->protocol == kFragmentHeader && fragment_seen) return malformed;
    if (at + kExtensionFixedBytes > out->end) return malformed;
    if (at + kExtensionFixedBytes > frame.captured) return DropReason::kTruncatedHeaders;
    const uint8_t* header = frame.bytes + at;
    const uint32_t bytes = ExtensionBytes(out->protocol, header[1]);
    if (at + bytes > out->end) return malformed;
    const bool is_fragment_header = out->protocol == kFragmentHeader;
    out->protocol = header[0];
    at += bytes;
    if (!is_fragment_header) continue;
    fragment_seen = true;
    const uint16_t fragment = LoadBe16(header + 2);
    out->more_fragments = (fragment & 1) != 0;
    out->fragment_offset_8 = fragment >> 3;
    out->is_fragment = out->more_fragments || out->fragment_offset_8 != 0;
    out->fragment_protocol = header[0];
    out->identification = LoadBe32(header + 4);
    if (out->fragment_offset_8 != 0) break;
  }
  out->l4_offset = at;
  return DropReason::kNone;
}

DropReason ReadIpv6Fields(const FrameView& frame, uint32_t l3, uint32_t limit, bool inner, IpHeaders* out) {
  const DropReason malformed = inner ? DropReason::kMalformedIcmpError : DropReason::kMalformedIpv6;
  if (l3 + kIpv6Bytes > limit) return malformed;
  if (l3 + kIpv6Bytes > frame.captured) return DropReason::kTruncatedHeaders;
  const uint8_t* header = frame.bytes + l3;
  if (header[0] >> 4 != 6) return malformed;
  out->end = limit;
  if (!inner) {
    out->end = l3 + kIpv6Bytes + LoadBe16(header + 4);
    if (out->end > limit) return malformed;
  }
  out->version = 6;
  out->protocol = header[6];
  out->hop_limit = header[7];
  out->addresses = l3 + 8;
  return WalkExtensions(frame, l3 + kIpv6Bytes, malformed, out);
}

}  // namespace

DropReason ReadIpv4(const FrameView& frame, uint32_t l3, IpHeaders* out) {
  const DropReason reason = ReadIpv4Fields(frame, l3, frame.wire_length, DropReason::kMalformedIpv4, out);
  if (reason != DropReason::kNone) return reason;
  out->end = l3 + LoadBe16(frame.bytes + l3 + 2);
  if (out->end < out->l4_offset || out->end > frame.wire_length) return DropReason::kMalformedIpv4;
  if (out->fragment_offset_8 * 8u + (out->end - out->l4_offset) > kDatagramBytesMax) {
    return DropReason::kMalformedFragment;
  }
  return DropReason::kNone;
}

DropReason ReadIpv6(const FrameView& frame, uint32_t l3, IpHeaders* out) {
  const DropReason reason = ReadIpv6Fields(frame, l3, frame.wire_length, false, out);
  if (reason != DropReason::kNone) return reason;
  // Only a later fragment can be too far out, and its data begins where the walk ended.
  if (out->fragment_offset_8 * 8u + (out->end - out->l4_offset) > kDatagramBytesMax) {
    return DropReason::kMalformedFragment;
  }
  return DropReason::kNone;
}

DropReason ReadInnerIp(const FrameView& frame, uint32_t l3, uint32_t end, uint8_t version, IpHeaders* out) {
  if (version == 4) return ReadIpv4Fields(frame, l3, end, DropReason::kMalformedIcmpError, out);
  return ReadIpv6Fields(frame, l3, end, true, out);
}

}  // namespace nf
