#include "packet/parse.h"

#include <cstddef>
#include <cstring>

#include "base/byte_order.h"
#include "packet/ip_headers.h"
#include "packet/protocols.h"

namespace nf {
namespace {

using abi::DropReason;

constexpr uint32_t kEthernetBytes = 14;
constexpr uint32_t kTagBytes = 4;

bool IsTag(uint16_t ether_type) { return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100; }

// Both ports at once, in the key's order of bytes.
void SetPorts(FlowKey* key, const uint8_t* ports) {
  uint32_t both;
  std::memcpy(&both, ports, sizeof both);
  both = (both & 0x00ff00ff) << 8 | (both >> 8 & 0x00ff00ff);
  std::memcpy(&key->source_port, &both, sizeof both);
}
static_assert(offsetof(FlowKey, destination_port) == offsetof(FlowKey, source_port) + 2);

bool IsQuery(uint8_t ip_version, uint8_t type) {
  if (ip_version == 6) return type == 128 || type == 129;
  return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

bool IsError(uint8_t ip_version, uint8_t type) {
  if (ip_version == 6) return type >= 1 && type <= 4;
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// Neighbour discovery and multicast listener messages that can only come from this link.
bool IsLinkControl(uint8_t type, uint8_t hop_limit) {
  if (type >= 133 && type <= 137) return hop_limit == 255;
  return hop_limit == 1 && ((type >= 130 && type <= 132) || type == 143);
}

// What the bytes at the start of an L4 header say about the flow, if its protocol has any of it.
void SetL4Key(FlowKey* key, const uint8_t* l4) {
  if (HasPorts(key->protocol)) {
    SetPorts(key, l4);
  } else if (IsIcmp(key->protocol, key->ip_version)) {
    key->source_port = IsQuery(key->ip_version, l4[0]) ? LoadBe16(l4 + 4) : LoadBe16(l4);
    key->destination_port = key->source_port;
  }
}

// Rule 7: an ICMP error's inner packet.
DropReason ParseIcmpError(const FrameView& frame, uint32_t end, ParsedPacket* out) {
  IpHeaders inner;
  const uint32_t at = out->l4_offset + kIcmpBytes;
  const DropReason reason = ReadInnerIp(frame, at, end, out->key.ip_version, &inner);
  if (reason != DropReason::kNone) return reason;
  if (inner.l4_offset + kInnerL4Bytes > end) return DropReason::kMalformedIcmpError;
  if (inner.l4_offset + kInnerL4Bytes > frame.captured) return DropReason::kTruncatedHeaders;
  if (inner.fragment_offset_8 != 0) return DropReason::kIcmpErrorNoFlow;
  const uint8_t* l4 = frame.bytes + inner.l4_offset;
  if (IsIcmp(inner.protocol, out->key.ip_version) && !IsQuery(out->key.ip_version, l4[0])) {
    return DropReason::kIcmpErrorNoFlow;
  }
  out->key.protocol = inner.protocol;
  inner.SetAddresses(frame.bytes, &out->key);
  SetL4Key(&out->key, l4);
  out->key = out->key.Reversed();
  out->payload_offset = static_cast<uint16_t>(inner.l4_offset + kInnerL4Bytes);
  out->flags |= abi::kPacketFlagIcmpError;
  out->kind = PacketKind::kIcmpError;
  return DropReason::kNone;
}

// Rules 6, 7 and 9, for packets that have an L4 header.
DropReason ParseL4(const FrameView& frame, const IpHeaders& ip, ParsedPacket* out) {
  const uint32_t bytes = L4HeaderBytes(ip.protocol, out->key.ip_version);
  if (bytes == 0) return DropReason::kNone;
  const DropReason malformed = ip.is_fragment ? DropReason::kMalformedFragment : DropReason::kMalformedL4;
  const uint32_t room = ip.end - ip.l4_offset;
  if (bytes > room) return malformed;
  if (ip.l4_offset + bytes > frame.captured) return DropReason::kTruncatedHeaders;
  const uint8_t* l4 = frame.bytes + ip.l4_offset;
  uint32_t header = bytes;
  if (ip.protocol == kTcp) {
    header = (l4[12] >> 4) * 4;
    if (header < bytes || header > room) return malformed;
    out->tcp_flags = l4[13];
  } else if (ip.protocol == kUdp) {
    const uint32_t length = LoadBe16(l4 + 4);
    if (length < bytes || (length > room && !ip.is_fragment)) return malformed;
  }
  out->payload_offset = static_cast<uint16_t>(ip.l4_offset + header);
  if (IsIcmp(ip.protocol, out->key.ip_version) && !ip.is_fragment) {
    if (IsError(out->key.ip_version, l4[0])) return ParseIcmpError(frame, ip.end, out);
    if (ip.protocol == kIcmpV6 && IsLinkControl(l4[0], ip.hop_limit)) out->kind = PacketKind::kNonIp;
  }
  SetL4Key(&out->key, l4);
  return DropReason::kNone;
}

DropReason ParseIp(const FrameView& frame, uint32_t l3, uint8_t version, ParsedPacket* out) {
  IpHeaders ip;
  const DropReason reason = version == 4 ? ReadIpv4(frame, l3, &ip) : ReadIpv6(frame, l3, &ip);
  if (reason != DropReason::kNone) return reason;
  out->key.ip_version = version;
  out->key.protocol = ip.protocol;
  ip.SetAddresses(frame.bytes, &out->key);
  out->l3_offset = static_cast<uint16_t>(l3);
  out->l4_offset = static_cast<uint16_t>(ip.l4_offset);
  out->payload_offset = out->l4_offset;
  out->datagram_end = static_cast<uint16_t>(ip.end);
  out->l4_protocol = ip.protocol;
  if (ip.is_fragment) {
    out->flags |= abi::kPacketFlagFragment;
    out->fragment_protocol = ip.fragment_protocol;
    out->fragment_identification = ip.identification;
    out->more_fragments = ip.more_fragments;
    out->fragment_offset_8 = ip.fragment_offset_8;
  }
  if (ip.fragment_offset_8 != 0) {
    out->flags |= abi::kPacketFlagLaterFragment;
    out->kind = PacketKind::kLaterFragment;
  } else {
    const DropReason l4_reason = ParseL4(frame, ip, out);
    if (l4_reason != DropReason::kNone) return l4_reason;
  }
  if (out->payload_offset > abi::kHeaderStride) return DropReason::kHeaderTooLong;
  if (frame.captured < out->payload_offset) return DropReason::kTruncatedHeaders;
  if (frame.captured < ip.end) out->flags |= abi::kPacketFlagTruncated;
  return DropReason::kNone;
}

// All frames, by the rules in their order.
[[gnu::noinline]] DropReason ParseAny(const FrameView& frame, ParsedPacket* out) {
  *out = ParsedPacket{};
  if (kEthernetBytes > frame.wire_length) return DropReason::kMalformedEthernet;
  if (kEthernetBytes > frame.captured) return DropReason::kTruncatedHeaders;
  uint32_t l3 = kEthernetBytes;
  uint16_t ether_type = LoadBe16(frame.bytes + 12);
  while (IsTag(ether_type) && out->key.vlan_count < abi::kVlanTagsMax) {
    if (l3 + kTagBytes > frame.wire_length) return DropReason::kMalformedEthernet;
    if (l3 + kTagBytes > frame.captured) return DropReason::kTruncatedHeaders;
    const uint16_t id = LoadBe16(frame.bytes + l3) & 0xfff;
    (out->key.vlan_count == 0 ? out->key.vlan_outer : out->key.vlan_inner) = id;
    ++out->key.vlan_count;
    ether_type = LoadBe16(frame.bytes + l3 + 2);
    l3 += kTagBytes;
  }
  if (ether_type == 0x0800) return ParseIp(frame, l3, 4, out);
  if (ether_type == 0x86dd) return ParseIp(frame, l3, 6, out);
  out->kind = PacketKind::kNonIp;
  return DropReason::kNone;
}

constexpr uint32_t kPlainL4 = kEthernetBytes + kIpv4Bytes;

// The common case, and nothing else: whole headers of IPv4 without options, tags or fragments, TCP or UDP.
inline bool ParsePlain(const FrameView& frame, ParsedPacket* out) {
  if (frame.captured < kPlainL4 + kUdpBytes) return false;
  const uint8_t* bytes = frame.bytes;
  // EtherType, version with IHL and the fragment field in one test.
  uint32_t type_and_version;
  uint16_t fragment;
  std::memcpy(&type_and_version, bytes + 12, sizeof type_and_version);
  std::memcpy(&fragment, bytes + 20, sizeof fragment);
  const uint32_t wrong = ((type_and_version & 0x00ffffff) ^ 0x00450008) | (fragment & 0xff3f);
  if (wrong != 0) return false;
  const uint32_t end = kEthernetBytes + LoadBe16(bytes + 16);
  if (end > frame.wire_length) return false;

  const uint8_t protocol = bytes[23];
  const uint8_t* l4 = bytes + kPlainL4;
  uint32_t payload_offset;
  uint8_t tcp_flags = 0;
  if (protocol == kTcp) {
    if (frame.captured < kPlainL4 + kTcpBytes) return false;
    payload_offset = kPlainL4 + (l4[12] >> 4) * 4;
    if (payload_offset < kPlainL4 + kTcpBytes || payload_offset > frame.captured || payload_offset > end) return false;
    tcp_flags = l4[13];
  } else if (protocol == kUdp) {
    payload_offset = kPlainL4 + kUdpBytes;
    const uint32_t length = LoadBe16(l4 + 4);
    if (length < kUdpBytes || kPlainL4 + length > end) return false;
  } else {
    return false;
  }

  FlowKey* key = &out->key;
  SetIpv4Addresses(key, bytes + 26, bytes + 30);
  SetPorts(key, l4);
  const uint64_t rest = protocol | uint64_t{4} << 8;  // No tags.
  std::memcpy(&key->protocol, &rest, sizeof rest);
  key->zero_1 = 0;
  out->l3_offset = kEthernetBytes;
  out->l4_offset = kPlainL4;
  out->payload_offset = static_cast<uint16_t>(payload_offset);
  out->datagram_end = static_cast<uint16_t>(end);
  out->flags = frame.captured < end ? abi::kPacketFlagTruncated : 0;
  out->kind = PacketKind::kFlow;
  out->l4_protocol = protocol;
  out->tcp_flags = tcp_flags;
  out->fragment_protocol = 0;
  out->fragment_identification = 0;
  out->more_fragments = false;
  out->fragment_offset_8 = 0;
  return true;
}
static_assert(offsetof(FlowKey, zero_1) == offsetof(FlowKey, protocol) + 8);

}  // namespace

DropReason ParsePacket(const uint8_t* frame, uint32_t captured, uint32_t wire_length, ParsedPacket* out) {
  if (wire_length > abi::kFrameBytesMax || captured > abi::kFrameBytesMax) [[unlikely]] {
    return DropReason::kFrameTooLong;
  }
  const FrameView view{frame, captured, wire_length};
  if (ParsePlain(view, out)) [[likely]]
    return DropReason::kNone;
  return ParseAny(view, out);
}

FlowKey ReadTuple(const uint8_t* frame, const ParsedPacket& parsed) {
  FlowKey key = parsed.key;
  const uint8_t* l3 = frame + parsed.l3_offset;
  if (key.ip_version == 4) {
    SetIpv4Addresses(&key, l3 + 12, l3 + 16);
  } else {
    std::memcpy(key.source_address, l3 + 8, 32);
  }
  if (parsed.payload_offset > parsed.l4_offset) SetL4Key(&key, frame + parsed.l4_offset);
  return key;
}

}  // namespace nf
