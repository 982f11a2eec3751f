// Properties of the parser that hold for any bytes, tried on mutated, truncated and random frames. Each frame lies in a
// buffer of exactly its size, so that the sanitizer build sees every read too far. The seed is fixed.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "packet/parse.h"
#include "packet/test_frames.h"

namespace nf {
namespace {

using namespace test;
using abi::DropReason;

DropReason ParseExact(const std::string& frame, size_t captured, size_t wire, ParsedPacket* out) {
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[captured]);
  std::memcpy(exact.get(), frame.data(), captured);
  std::memset(static_cast<void*>(out), 0xa5, sizeof *out);
  return ParsePacket(exact.get(), static_cast<uint32_t>(captured), static_cast<uint32_t>(wire), out);
}

bool SameMeaning(const ParsedPacket& a, const ParsedPacket& b, int shift, uint16_t ignored_flags) {
  return a.l3_offset + shift == b.l3_offset && a.l4_offset + shift == b.l4_offset &&
         a.payload_offset + shift == b.payload_offset && a.datagram_end + shift == b.datagram_end &&
         ((a.flags ^ b.flags) & ~ignored_flags) == 0 && a.kind == b.kind && a.l4_protocol == b.l4_protocol &&
         a.tcp_flags == b.tcp_flags && a.fragment_protocol == b.fragment_protocol &&
         a.fragment_identification == b.fragment_identification && a.more_fragments == b.more_fragments &&
         a.fragment_offset_8 == b.fragment_offset_8;
}

std::vector<std::string> Seeds() {
  const std::string tcp = Tcp({.options = std::string(12, '\1')}, "some payload");
  const std::string udp = Udp(1000, 53, "query");
  const std::string inner4 = Ipv4({.options = std::string(4, '\1')}, udp);
  const std::string inner6 = Ipv6({.next = 0}, Extension(44, 1, Fragment(17, 0, true, 9, udp)));
  return {
      Ethernet(0x0800, Ipv4({.protocol = 6}, tcp)),
      Ethernet(0x0800, Ipv4({}, udp)) + std::string(18, '\0'),
      Ethernet(0x0800, Ipv4({.options = std::string(40, '\1')}, udp)),
      Ethernet(0x0800, Ipv4({.more_fragments = true}, udp)),
      Ethernet(0x0800, Ipv4({.offset_8 = 100}, udp)),
      Ethernet(0x0800, Ipv4({.protocol = 1}, Icmp(8, 0, 5, "ping"))),
      Ethernet(0x0800, Ipv4({.protocol = 1}, Icmp(3, 4, 0, inner4))),
      Ethernet(0x0800, Ipv4({.protocol = 132}, std::string(16, 's'))),
      Ethernet(0x88a8, Tag(1, 0x8100, Tag(2, 0x0800, Ipv4({.protocol = 6}, tcp)))),
      Ethernet(0x86dd, Ipv6({.next = 6}, tcp)),
      Ethernet(0x86dd,
               Ipv6({.next = 0}, Extension(43, 1, Extension(51, 2, Authentication(60, 1, Extension(17, 0, udp)))))),
      Ethernet(0x86dd, Ipv6({.next = 44}, Fragment(17, 0, true, 7, udp))),
      Ethernet(0x86dd, Ipv6({.next = 44}, Fragment(6, 50, true, 7, udp))),
      Ethernet(0x86dd, Ipv6({.next = 58}, Icmp(1, 0, 0, inner6))),
      Ethernet(0x86dd, Ipv6({.next = 58, .hop_limit = 255}, Icmp(135, 0, 0, std::string(16, 'n')))),
      Ethernet(0x0806, std::string(28, 'a')),
  };
}

class ParseFuzz : public testing::Test {
 protected:
  uint32_t Random(uint32_t below) { return std::uniform_int_distribution<uint32_t>(0, below - 1)(random_); }

  std::string Mutated(std::string frame) {
    const uint32_t changes = Random(5);
    for (uint32_t i = 0; i < changes && !frame.empty(); ++i) {
      // Mostly in the headers; values that are edges for lengths and offsets are likelier.
      const size_t at = Random(4) == 0 ? Random(static_cast<uint32_t>(frame.size()))
                                       : Random(static_cast<uint32_t>(std::min<size_t>(frame.size(), 90)));
      const uint8_t edges[] = {0, 1, 4, 5, 6, 7, 8, 17, 20, 44, 58, 60, 127, 128, 255};
      frame[at] = static_cast<char>(Random(2) == 0 ? edges[Random(sizeof edges)] : Random(256));
    }
    if (Random(4) == 0) frame.resize(Random(static_cast<uint32_t>(frame.size()) + 1));
    if (Random(16) == 0) frame += std::string(Random(40), '\0');
    return frame;
  }

  std::mt19937 random_{20240229};
};

TEST_F(ParseFuzz, NeverReadsTooFarAndTellsTheTruth) {
  const std::vector<std::string> seeds = Seeds();
  uint32_t outcomes[abi::kDropReasonCount] = {};
  for (uint32_t round = 0; round < 200000; ++round) {
    const std::string frame = Mutated(seeds[Random(static_cast<uint32_t>(seeds.size()))]);
    const size_t captured = Random(3) == 0 ? Random(static_cast<uint32_t>(frame.size()) + 1) : frame.size();
    ParsedPacket whole, part;
    const DropReason whole_reason = ParseExact(frame, frame.size(), frame.size(), &whole);
    const DropReason reason = ParseExact(frame, captured, frame.size(), &part);
    ++outcomes[static_cast<uint32_t>(reason)];

    ASSERT_NE(whole_reason, DropReason::kTruncatedHeaders);
    if (reason != DropReason::kNone) {
      // A shorter capture hides headers; it never makes another error of a good or bad packet.
      ASSERT_TRUE(reason == whole_reason || reason == DropReason::kTruncatedHeaders) << round;
      continue;
    }
    ASSERT_EQ(whole_reason, DropReason::kNone);
    ASSERT_EQ(part.key, whole.key);
    ASSERT_TRUE(SameMeaning(part, whole, 0, abi::kPacketFlagTruncated)) << round;
    if (part.kind == PacketKind::kNonIp) continue;
    ASSERT_LE(part.l3_offset, part.l4_offset);
    ASSERT_LE(part.l4_offset, part.payload_offset);
    ASSERT_LE(part.payload_offset, part.datagram_end);
    ASSERT_LE(part.payload_offset, captured);
    ASSERT_LE(part.payload_offset, abi::kHeaderStride);
    ASSERT_LE(part.datagram_end, frame.size());
    ASSERT_EQ((part.flags & abi::kPacketFlagTruncated) != 0, captured < part.datagram_end);
    if (part.kind != PacketKind::kIcmpError) {
      ASSERT_EQ(ReadTuple(reinterpret_cast<const uint8_t*>(frame.data()), part), part.key);
    }
  }
  // The frames were varied enough to meet every outcome that a parser has.
  for (const DropReason reason :
       {DropReason::kNone, DropReason::kMalformedEthernet, DropReason::kMalformedIpv4, DropReason::kMalformedIpv6,
        DropReason::kMalformedL4, DropReason::kMalformedIcmpError, DropReason::kMalformedFragment,
        DropReason::kTruncatedHeaders, DropReason::kIcmpErrorNoFlow}) {
    EXPECT_GT(outcomes[static_cast<uint32_t>(reason)], 50u) << abi::DropReasonName(reason);
  }
}

TEST_F(ParseFuzz, ATagChangesNothingBehindIt) {
  // Untagged frames may take the short way through the parser, tagged ones never do.
  const std::vector<std::string> seeds = Seeds();
  uint32_t compared = 0;
  for (uint32_t round = 0; round < 100000; ++round) {
    const std::string frame = Mutated(seeds[Random(8)]);
    if (frame.size() < 14) continue;
    const size_t captured = 14 + Random(static_cast<uint32_t>(frame.size()) - 13);
    const std::string tagged = frame.substr(0, 12) + std::string("\x81\0\x20\x05", 4) + frame.substr(12);
    ParsedPacket plain, behind;
    const DropReason reason = ParseExact(frame, captured, frame.size(), &plain);
    const DropReason tagged_reason = ParseExact(tagged, captured + 4, tagged.size(), &behind);
    if (reason == DropReason::kHeaderTooLong || tagged_reason == DropReason::kHeaderTooLong) continue;
    if (reason == DropReason::kNone && plain.kind == PacketKind::kNonIp) continue;
    ASSERT_EQ(reason, tagged_reason) << round;
    if (reason != DropReason::kNone) continue;
    ASSERT_TRUE(SameMeaning(plain, behind, 4, 0)) << round;
    FlowKey key = behind.key;
    if (plain.key.vlan_count == 0) {
      ASSERT_EQ(key.vlan_outer, 5);
      key.vlan_count = 0;
      key.vlan_outer = 0;
      ASSERT_EQ(key, plain.key);
      ++compared;
    }
  }
  EXPECT_GT(compared, 10000u);
}

TEST_F(ParseFuzz, PureNoise) {
  for (uint32_t round = 0; round < 100000; ++round) {
    std::string frame(Random(300), '\0');
    for (char& c : frame) c = static_cast<char>(Random(256));
    if (frame.size() >= 14) {
      const bool is_ipv6 = Random(2) == 0;
      frame[12] = static_cast<char>(is_ipv6 ? 0x86 : 0x08);
      frame[13] = static_cast<char>(is_ipv6 ? 0xdd : 0x00);
    }
    if (frame.size() > 14) frame[14] = static_cast<char>(frame[13] == 0 ? 0x45 + Random(3) : 0x60);
    ParsedPacket packet;
    ParseExact(frame, frame.size(), frame.size() + Random(100), &packet);
  }
}

}  // namespace
}  // namespace nf
