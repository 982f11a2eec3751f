#include "packet/parse.h"

#include <gtest/gtest.h>

#include <memory>

#include "packet/test_frames.h"

namespace nf {
namespace {

using namespace test;
using abi::DropReason;

struct Outcome {
  DropReason reason;
  ParsedPacket packet;
};

// In a buffer without a spare byte, so that a sanitizer sees any read beyond what was captured.
Outcome Parse(const std::string& frame, int captured = -1, int wire = -1) {
  const size_t bytes = captured < 0 ? frame.size() : static_cast<size_t>(captured);
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[bytes]);
  std::memcpy(exact.get(), frame.data(), bytes);
  Outcome outcome{};
  outcome.reason =
      ParsePacket(exact.get(), static_cast<uint32_t>(bytes),
                  wire < 0 ? static_cast<uint32_t>(frame.size()) : static_cast<uint32_t>(wire), &outcome.packet);
  return outcome;
}
DropReason Reason(const std::string& frame, int captured = -1, int wire = -1) {
  return Parse(frame, captured, wire).reason;
}
ParsedPacket Good(const std::string& frame) {
  const Outcome outcome = Parse(frame);
  EXPECT_EQ(outcome.reason, DropReason::kNone) << abi::DropReasonName(outcome.reason);
  return outcome.packet;
}
std::string V4(const Ipv4Fields& fields, const std::string& inner) { return Ethernet(0x0800, Ipv4(fields, inner)); }
std::string V6(const Ipv6Fields& fields, const std::string& inner) { return Ethernet(0x86dd, Ipv6(fields, inner)); }
std::string Bytes(const uint8_t* from, size_t count) { return {reinterpret_cast<const char*>(from), count}; }

void ExpectOffsets(const ParsedPacket& p, int l3, int l4, int payload, int end) {
  EXPECT_EQ(p.l3_offset, l3);
  EXPECT_EQ(p.l4_offset, l4);
  EXPECT_EQ(p.payload_offset, payload);
  EXPECT_EQ(p.datagram_end, end);
}

TEST(Parse, TcpOverIpv4) {
  const ParsedPacket p = Good(V4({.protocol = 6}, Tcp({.flags = 0x12, .options = std::string(8, '\1')}, "hello")));
  ExpectOffsets(p, 14, 34, 62, 67);
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_EQ(p.flags, 0);
  EXPECT_EQ(p.l4_protocol, 6);
  EXPECT_EQ(p.tcp_flags, 0x12);
  EXPECT_EQ(p.key.ip_version, 4);
  EXPECT_EQ(p.key.protocol, 6);
  EXPECT_EQ(p.key.vlan_count, 0);
  EXPECT_EQ(p.key.source_port, 40000);
  EXPECT_EQ(p.key.destination_port, 443);
  EXPECT_EQ(Bytes(p.key.source_address, 16), std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01", 16));
  EXPECT_EQ(Bytes(p.key.destination_address, 16), std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\x01\x02", 16));
}

TEST(Parse, UdpOverIpv6) {
  const ParsedPacket p = Good(V6({}, Udp(53, 5353, "abc")));
  ExpectOffsets(p, 14, 54, 62, 65);
  EXPECT_EQ(p.key.ip_version, 6);
  EXPECT_EQ(Bytes(p.key.source_address, 16), Ipv6Address(1));
  EXPECT_EQ(Bytes(p.key.destination_address, 16), Ipv6Address(2));
  EXPECT_EQ(p.key.source_port, 53);
  EXPECT_EQ(p.key.destination_port, 5353);
}

TEST(Parse, EthernetAndTags) {
  const std::string ip = Ipv4({}, Udp(1, 2, ""));
  ParsedPacket p = Good(Ethernet(0x8100, Tag(0xe064, 0x0800, ip)));
  EXPECT_EQ(p.l3_offset, 18);
  EXPECT_EQ(p.key.vlan_count, 1);
  EXPECT_EQ(p.key.vlan_outer, 100);  // Priority is no part of it.
  EXPECT_EQ(p.key.vlan_inner, 0);
  p = Good(Ethernet(0x88a8, Tag(7, 0x9100, Tag(8, 0x0800, ip))));
  EXPECT_EQ(p.l3_offset, 22);
  EXPECT_EQ(p.key.vlan_count, 2);
  EXPECT_EQ(p.key.vlan_outer, 7);
  EXPECT_EQ(p.key.vlan_inner, 8);
  EXPECT_EQ(Good(Ethernet(0x8100, Tag(7, 0x8100, Tag(8, 0x8100, Tag(9, 0x0800, ip))))).kind, PacketKind::kNonIp);
  EXPECT_EQ(Good(Ethernet(0x0806, std::string(28, '\0'))).kind, PacketKind::kNonIp);
  EXPECT_EQ(Good(Ethernet(0x0040, std::string(50, '\0'))).kind, PacketKind::kNonIp);
  EXPECT_EQ(Good(Ethernet(0x1234, "")).kind, PacketKind::kNonIp);

  EXPECT_EQ(Reason(std::string(13, '\0')), DropReason::kMalformedEthernet);
  EXPECT_EQ(Reason(""), DropReason::kMalformedEthernet);
  EXPECT_EQ(Reason(Ethernet(0x0800, ip), 13), DropReason::kTruncatedHeaders);
  EXPECT_EQ(Reason(Ethernet(0x8100, "\1\1\1")), DropReason::kMalformedEthernet);
  EXPECT_EQ(Reason(Ethernet(0x8100, Tag(1, 0x0800, ip)), 17), DropReason::kTruncatedHeaders);
}

TEST(Parse, FrameTooLongComesBeforeAll) {
  EXPECT_EQ(Reason(std::string(9217, '\0')), DropReason::kFrameTooLong);
  EXPECT_EQ(Reason("", 0, 9217), DropReason::kFrameTooLong);
  EXPECT_EQ(Reason(std::string(9216, '\0')), DropReason::kNone);
}

TEST(Parse, MalformedIpv4) {
  const std::string udp = Udp(1, 2, "xy");
  EXPECT_EQ(Reason(Ethernet(0x0800, std::string(19, 'E'))), DropReason::kMalformedIpv4);
  EXPECT_EQ(Reason(V4({.version_ihl = 0x55}, udp)), DropReason::kMalformedIpv4);
  EXPECT_EQ(Reason(V4({.version_ihl = 0x44}, udp)), DropReason::kMalformedIpv4);
  EXPECT_EQ(Reason(V4({.version_ihl = 0x4f}, udp)), DropReason::kMalformedIpv4);  // Header beyond the wire.
  EXPECT_EQ(Reason(V4({.total_length = 19}, udp)), DropReason::kMalformedIpv4);
  EXPECT_EQ(Reason(V4({.options = std::string(4, '\1'), .total_length = 23}, udp)), DropReason::kMalformedIpv4);
  EXPECT_EQ(Reason(V4({.total_length = 31}, udp)), DropReason::kMalformedIpv4);
  EXPECT_EQ(Reason(V4({}, udp), 33), DropReason::kTruncatedHeaders);
}

TEST(Parse, OptionsAndPadding) {
  const ParsedPacket p = Good(V4({.options = std::string(8, '\1')}, Udp(1, 2, "xy")) + std::string(18, '\0'));
  ExpectOffsets(p, 14, 42, 50, 52);
  EXPECT_EQ(p.flags, 0);
  // Padding that was not captured is no loss.
  EXPECT_EQ(Parse(V4({}, Udp(1, 2, "xy")) + std::string(18, '\0'), 44).packet.flags, 0);
}

TEST(Parse, MalformedIpv6) {
  EXPECT_EQ(Reason(Ethernet(0x86dd, std::string(39, '`'))), DropReason::kMalformedIpv6);
  EXPECT_EQ(Reason(V6({.payload_length = 9}, Udp(1, 2, ""))), DropReason::kMalformedIpv6);
  std::string wrong = V6({}, Udp(1, 2, ""));
  wrong[14] = 0x40;
  EXPECT_EQ(Reason(wrong), DropReason::kMalformedIpv6);
  EXPECT_EQ(Reason(V6({}, Udp(1, 2, "")), 53), DropReason::kTruncatedHeaders);
}

TEST(Parse, Ipv6Extensions) {
  for (const uint8_t type : {0, 43, 60, 135, 139, 140}) {
    const ParsedPacket p = Good(V6({.next = type}, Extension(17, 1, Udp(5, 6, ""))));
    ExpectOffsets(p, 14, 70, 78, 78);
    EXPECT_EQ(p.l4_protocol, 17);
    EXPECT_EQ(p.key.source_port, 5);
  }
  EXPECT_EQ(Good(V6({.next = 51}, Authentication(17, 4, Udp(5, 6, "")))).l4_offset, 54 + 24);
  EXPECT_EQ(Good(V6({.next = 51}, Authentication(17, 0, Udp(5, 6, "")))).l4_offset, 54 + 8);
  // Walks end at ESP and no-next-header.
  for (const uint8_t type : {50, 59, 99}) {
    const ParsedPacket p = Good(V6({.next = 60}, Extension(type, 0, "whatever there is")));
    ExpectOffsets(p, 14, 62, 62, 79);
    EXPECT_EQ(p.key.protocol, type);
    EXPECT_EQ(p.key.source_port, 0);
  }
  EXPECT_EQ(Reason(V6({.next = 60}, std::string("\x11\0\0\0\0\0\0", 7))), DropReason::kMalformedIpv6);
  EXPECT_EQ(Reason(V6({.next = 60}, std::string("\x11\1\0\0\0\0\0\0", 8))), DropReason::kMalformedIpv6);
  std::string chain = Udp(1, 2, "");
  uint8_t next = 17;
  for (int i = 0; i < 8; ++i) {
    chain = Extension(next, 0, chain);
    next = 60;
  }
  EXPECT_EQ(Good(V6({.next = 60}, chain)).l4_offset, 54 + 64);
  const std::string nine = V6({.next = 60}, Extension(60, 0, chain));
  EXPECT_EQ(Reason(nine), DropReason::kMalformedIpv6);
  EXPECT_EQ(Reason(nine, 54 + 64), DropReason::kMalformedIpv6);  // Known before its bytes are needed.
  EXPECT_EQ(Reason(nine, 54 + 63), DropReason::kTruncatedHeaders);
}

TEST(Parse, Ipv4Fragments) {
  ParsedPacket p = Good(V4({.identification = 99, .more_fragments = true}, Udp(5, 6, "abc", 2000)));
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_EQ(p.flags, abi::kPacketFlagFragment);
  EXPECT_EQ(p.key.source_port, 5);
  EXPECT_TRUE(p.more_fragments);
  EXPECT_EQ(p.fragment_identification, 99u);
  EXPECT_EQ(p.fragment_protocol, 17);
  p = Good(V4({.identification = 99, .offset_8 = 185}, "abc"));
  EXPECT_EQ(p.kind, PacketKind::kLaterFragment);
  EXPECT_EQ(p.flags, abi::kPacketFlagFragment | abi::kPacketFlagLaterFragment);
  ExpectOffsets(p, 14, 34, 34, 37);
  EXPECT_EQ(p.key.source_port, 0);
  EXPECT_EQ(p.key.protocol, 17);
  EXPECT_EQ(p.fragment_offset_8, 185);
  EXPECT_EQ(Reason(V4({.offset_8 = 8191}, std::string(7, 'x'))), DropReason::kNone);  // Ends at 65,535.
  EXPECT_EQ(Reason(V4({.offset_8 = 8191}, std::string(8, 'x'))), DropReason::kMalformedFragment);
  EXPECT_EQ(Reason(V4({.more_fragments = true}, "1234567")), DropReason::kMalformedFragment);
  EXPECT_EQ(Reason(V4({.more_fragments = true}, Udp(1, 2, "", 7))), DropReason::kMalformedFragment);
  EXPECT_EQ(Reason(V4({.protocol = 6, .more_fragments = true}, Tcp({.data_offset = 6}, ""))),
            DropReason::kMalformedFragment);
}

TEST(Parse, Ipv6Fragments) {
  ParsedPacket p = Good(V6({.next = 44}, Fragment(17, 0, true, 0x12345678, Udp(5, 6, "abc", 900))));
  EXPECT_EQ(p.flags, abi::kPacketFlagFragment);
  EXPECT_EQ(p.fragment_identification, 0x12345678u);
  EXPECT_EQ(p.key.source_port, 5);
  // Headers behind the fragment header belong to the first fragment; later ones have only what its next header says.
  p = Good(V6({.next = 44}, Fragment(60, 10, true, 1, Extension(17, 0, "abcdefgh"))));
  EXPECT_EQ(p.kind, PacketKind::kLaterFragment);
  EXPECT_EQ(p.key.protocol, 60);
  ExpectOffsets(p, 14, 62, 62, 78);
  p = Good(V6({.next = 44}, Fragment(60, 0, true, 1, Extension(17, 0, Udp(5, 6, "")))));
  EXPECT_EQ(p.key.protocol, 17);
  EXPECT_EQ(p.fragment_protocol, 60);
  // An atomic fragment is an ordinary packet.
  p = Good(V6({.next = 44}, Fragment(17, 0, false, 1, Udp(5, 6, ""))));
  EXPECT_EQ(p.flags, 0);
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_EQ(p.l4_offset, 62);
  EXPECT_EQ(Reason(V6({.next = 44}, Fragment(17, 8191, false, 1, std::string(8, 'x')))),
            DropReason::kMalformedFragment);
  EXPECT_EQ(Reason(V6({.next = 44}, Fragment(44, 0, false, 1, Fragment(17, 0, true, 1, Udp(5, 6, ""))))),
            DropReason::kMalformedIpv6);
}

TEST(Parse, L4HeadersMustFit) {
  EXPECT_EQ(Reason(V4({.protocol = 6}, std::string(19, '\x50'))), DropReason::kMalformedL4);
  EXPECT_EQ(Reason(V4({.protocol = 6}, Tcp({.data_offset = 4}, "abcd"))), DropReason::kMalformedL4);
  EXPECT_EQ(Reason(V4({.protocol = 6}, Tcp({.data_offset = 6}, "abc"))), DropReason::kMalformedL4);
  EXPECT_EQ(Reason(V4({}, "1234567")), DropReason::kMalformedL4);
  EXPECT_EQ(Reason(V4({}, Udp(1, 2, "ab", 11))), DropReason::kMalformedL4);
  EXPECT_EQ(Reason(V4({}, Udp(1, 2, "ab", 7))), DropReason::kMalformedL4);
  EXPECT_EQ(Good(V4({}, Udp(1, 2, "ab", 8))).datagram_end, 44);  // Payload ends with the datagram.
  EXPECT_EQ(Reason(V4({.protocol = 132}, std::string(11, 'x'))), DropReason::kMalformedL4);
  EXPECT_EQ(Reason(V4({.protocol = 136}, std::string(7, 'x'))), DropReason::kMalformedL4);
  EXPECT_EQ(Reason(V4({.protocol = 1}, std::string(7, 'x'))), DropReason::kMalformedL4);
  EXPECT_EQ(Reason(V6({.next = 58}, std::string(7, 'x'))), DropReason::kMalformedL4);
  // The padding of the link is not room.
  EXPECT_EQ(Reason(V4({}, "1234") + std::string(26, '\0')), DropReason::kMalformedL4);
}

TEST(Parse, PortsByProtocol) {
  const std::string l4 = Be16(1234) + Be16(80) + std::string(20, '\0');
  for (const uint8_t protocol : {132, 136}) {
    const ParsedPacket p = Good(V4({.protocol = protocol}, l4));
    EXPECT_EQ(p.key.source_port, 1234);
    EXPECT_EQ(p.key.destination_port, 80);
    EXPECT_EQ(p.payload_offset, protocol == 132 ? 46 : 42);
  }
  for (const uint8_t protocol : {2, 33, 47, 50, 51, 58}) {
    const ParsedPacket p = Good(V4({.protocol = protocol}, l4));
    EXPECT_EQ(p.key.source_port, 0);
    EXPECT_EQ(p.payload_offset, 34);
    EXPECT_EQ(p.l4_protocol, protocol);
  }
  EXPECT_EQ(Good(V6({.next = 1}, l4)).payload_offset, 54);  // ICMP of the other family.
}

TEST(Parse, IcmpQueriesAndOthers) {
  for (const uint8_t type : {0, 8, 13, 14, 15, 16, 17, 18}) {
    const ParsedPacket p = Good(V4({.protocol = 1}, Icmp(type, 0, 0x1234'0001, "data")));
    EXPECT_EQ(p.key.source_port, 0x1234);
    EXPECT_EQ(p.key.destination_port, 0x1234);
    EXPECT_EQ(p.payload_offset, 42);
  }
  for (const uint8_t type : {128, 129}) {
    EXPECT_EQ(Good(V6({.next = 58}, Icmp(type, 0, 0x1234'0001, ""))).key.source_port, 0x1234);
  }
  EXPECT_EQ(Good(V4({.protocol = 1}, Icmp(9, 3, 0x12340001, ""))).key.source_port, 9 * 256 + 3);
  EXPECT_EQ(Good(V6({.next = 58}, Icmp(138, 1, 0x12340001, ""))).key.destination_port, 138 * 256 + 1);
  // An error in fragments is no error to us.
  const ParsedPacket p = Good(V4({.protocol = 1, .more_fragments = true}, Icmp(3, 1, 0, "")));
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_EQ(p.key.source_port, 3 * 256 + 1);
}

TEST(Parse, IcmpErrorsBelongToTheFlowTheyAreAbout) {
  const std::string inner = Ipv4({.protocol = 6, .source = 1, .destination = 2, .total_length = 1500},
                                 Tcp({.source_port = 10, .destination_port = 20}, "").substr(0, 8));
  for (const uint8_t type : {3, 4, 5, 11, 12}) {
    const ParsedPacket p = Good(Ethernet(0x8100, Tag(5, 0x0800, Ipv4({.protocol = 1}, Icmp(type, 1, 0, inner)))));
    EXPECT_EQ(p.kind, PacketKind::kIcmpError);
    EXPECT_EQ(p.flags, abi::kPacketFlagIcmpError);
    EXPECT_EQ(p.l4_protocol, 1);
    EXPECT_EQ(p.key.protocol, 6);
    EXPECT_EQ(p.key.vlan_outer, 5);
    EXPECT_EQ(p.key.source_port, 20);
    EXPECT_EQ(p.key.destination_port, 10);
    EXPECT_EQ(p.key.source_address[15], 2);
    EXPECT_EQ(p.key.destination_address[15], 1);
    ExpectOffsets(p, 18, 38, 74, 74);
  }
  const auto error = [](const std::string& in) { return Reason(V4({.protocol = 1}, Icmp(3, 1, 0, in))); };
  EXPECT_EQ(error(inner.substr(0, 27)), DropReason::kMalformedIcmpError);
  EXPECT_EQ(error(inner.substr(0, 19)), DropReason::kMalformedIcmpError);
  EXPECT_EQ(error(Ipv4({.version_ihl = 0x65}, Udp(1, 2, ""))), DropReason::kMalformedIcmpError);
  EXPECT_EQ(error(Ipv4({.version_ihl = 0x44}, Udp(1, 2, ""))), DropReason::kMalformedIcmpError);
  EXPECT_EQ(error(Ipv4({.version_ihl = 0x4f}, Udp(1, 2, ""))), DropReason::kMalformedIcmpError);
  EXPECT_EQ(error(Ipv4({.offset_8 = 3}, "12345678")), DropReason::kIcmpErrorNoFlow);
  EXPECT_EQ(error(Ipv4({.offset_8 = 3}, "1234567")), DropReason::kMalformedIcmpError);
  EXPECT_EQ(error(Ipv4({.protocol = 1}, Icmp(3, 0, 0, ""))), DropReason::kIcmpErrorNoFlow);
  EXPECT_EQ(error(Ipv4({.protocol = 1}, Icmp(9, 0, 0, ""))), DropReason::kIcmpErrorNoFlow);
  EXPECT_EQ(error(Ipv4({.protocol = 1}, Icmp(8, 0, 0x00070000, ""))), DropReason::kNone);
  EXPECT_EQ(error(Ipv4({.protocol = 47}, "12345678")), DropReason::kNone);
  EXPECT_EQ(Reason(V4({.protocol = 1}, Icmp(3, 1, 0, inner)), 69), DropReason::kTruncatedHeaders);
}

TEST(Parse, IcmpV6Errors) {
  const std::string inner =
      Ipv6({.next = 60, .source = 3, .destination = 4, .payload_length = 1400}, Extension(17, 0, Udp(10, 20, "")));
  for (const uint8_t type : {1, 2, 3, 4}) {
    const ParsedPacket p = Good(V6({.next = 58}, Icmp(type, 0, 0, inner)));
    EXPECT_EQ(p.kind, PacketKind::kIcmpError);
    EXPECT_EQ(p.key.protocol, 17);
    EXPECT_EQ(p.key.source_port, 20);
    EXPECT_EQ(Bytes(p.key.source_address, 16), Ipv6Address(4));
    EXPECT_EQ(p.payload_offset, 54 + 8 + 40 + 8 + 8);
  }
  const auto error = [](const std::string& in) { return Reason(V6({.next = 58}, Icmp(1, 0, 0, in))); };
  EXPECT_EQ(error(Ipv4({}, Udp(1, 2, "")) + std::string(20, '\0')), DropReason::kMalformedIcmpError);
  EXPECT_EQ(error(Ipv6({.next = 44}, Fragment(17, 5, true, 1, "12345678"))), DropReason::kIcmpErrorNoFlow);
  EXPECT_EQ(error(Ipv6({.next = 60}, std::string("\x11\7\0\0\0\0\0\0", 8))), DropReason::kMalformedIcmpError);
  EXPECT_EQ(error(Ipv6({.next = 58}, Icmp(128, 0, 5, ""))), DropReason::kNone);
}

TEST(Parse, HeadersThatAreTooLongOrNotCaptured) {
  const std::string chain = Extension(60, 10, Extension(17, 11, Udp(1, 2, "x")));  // 88 + 96 + 8, headers end at 246.
  EXPECT_EQ(Good(V6({.next = 60}, chain)).payload_offset, 246);
  const std::string longer = V6({.next = 60}, Extension(60, 10, Extension(17, 13, Udp(1, 2, "x"))));
  EXPECT_EQ(Reason(longer), DropReason::kHeaderTooLong);
  EXPECT_EQ(Reason(longer, 200), DropReason::kTruncatedHeaders);  // The UDP header is needed first.

  const std::string tcp = V4({.protocol = 6}, Tcp({.options = std::string(12, '\1')}, "hello"));
  EXPECT_EQ(Reason(tcp, 53), DropReason::kTruncatedHeaders);
  EXPECT_EQ(Reason(tcp, 65), DropReason::kTruncatedHeaders);
  EXPECT_EQ(Parse(tcp, 66).packet.flags, abi::kPacketFlagTruncated);
  EXPECT_EQ(Parse(tcp, 70).packet.flags, abi::kPacketFlagTruncated);
  EXPECT_EQ(Parse(tcp, 71).packet.flags, 0);
  // What the wire did not have is malformed even where the capture is short too.
  EXPECT_EQ(Reason(V4({.protocol = 6}, "abc"), 34), DropReason::kMalformedL4);
}

TEST(Parse, LinkControlIsNotForNfs) {
  for (const uint8_t type : {133, 134, 135, 136, 137}) {
    EXPECT_EQ(Good(V6({.next = 58, .hop_limit = 255}, Icmp(type, 0, 0, ""))).kind, PacketKind::kNonIp);
    EXPECT_EQ(Good(V6({.next = 58, .hop_limit = 254}, Icmp(type, 0, 0, ""))).kind, PacketKind::kFlow);
  }
  for (const uint8_t type : {130, 131, 132, 143}) {
    EXPECT_EQ(Good(V6({.next = 0, .hop_limit = 1}, Extension(58, 0, Icmp(type, 0, 0, "")))).kind, PacketKind::kNonIp);
    EXPECT_EQ(Good(V6({.next = 58, .hop_limit = 255}, Icmp(type, 0, 0, ""))).kind, PacketKind::kFlow);
  }
  EXPECT_EQ(Good(V6({.next = 44, .hop_limit = 255}, Fragment(58, 0, true, 1, Icmp(135, 0, 0, "")))).kind,
            PacketKind::kFlow);
}

TEST(ReadTuple, ShowsWhatAnEditLeft) {
  std::string frame = V4({.protocol = 6}, Tcp({}, "x"));
  const ParsedPacket p = Good(frame);
  const auto tuple = [&](const ParsedPacket& parsed) {
    return ReadTuple(reinterpret_cast<const uint8_t*>(frame.data()), parsed);
  };
  EXPECT_EQ(tuple(p), p.key);
  frame[29] = 77;
  frame[35] = 78;
  const FlowKey key = tuple(p);
  EXPECT_EQ(key.source_address[15], 77);
  EXPECT_EQ(key.source_port, (40000 & 0xff00) | 78);
  EXPECT_EQ(key, Good(frame).key);

  frame = V6({.next = 58}, Icmp(128, 0, 0x00070001, ""));
  const ParsedPacket echo = Good(frame);
  frame[53] = 99;
  frame[59] = 8;
  EXPECT_EQ(tuple(echo), Good(frame).key);
  frame = V4({.offset_8 = 9}, "abcdefgh");
  EXPECT_EQ(tuple(Good(frame)), Good(frame).key);
}

}  // namespace
}  // namespace nf
