#include "link/link_frame.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace nf::link {
namespace {

constexpr proto::PacketHeader kHeader = {
    .stamp = {.handle = 0x01000203, .entry = 7, .epoch = 0x05000009, .sequence = 0xfffffffe},
    .flags = proto::kDirection | proto::kMayOpen,
    .part = 3,
    .port = 1};
const OuterHeader kOuter = {
    .destination = AddressOf(0x1234, 5), .source = AddressOf(0x1234, 0), .ether_type = {0x89, 0x4f}};

std::vector<uint8_t> Packet(uint8_t way, std::span<const uint32_t> leases, size_t inner = 60) {
  std::vector<uint8_t> frame(PacketHeaderBytes(static_cast<uint32_t>(leases.size())) + inner, 0xee);
  EncodePacket(kOuter, way, kHeader, leases, frame.data());
  return frame;
}

std::string Hex(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
  return text;
}

// By hand from RFC 8300: section 2.2 (base header), 2.3 (service path header), 2.4 (MD type 1).
TEST(LinkFrame, APacketIsANetworkServiceHeaderOfMdType1) {
  const auto frame = Packet(kToRuntime, {});
  EXPECT_EQ(Hex(std::span(frame).first(kPacketHeaderBytes)),
            "024e46123405"  // To member 5 of tenant 0x1234.
            "024e46123400"
            "894f"
            "0fc60103"  // Version 0, no OAM, TTL 63, 6 words, MD type 1, Ethernet.
            "030301ff"  // Path: flags, part, port; index 255.
            "01000203"
            "00000007"
            "05000009"
            "fffffffe");
}

// Section 2.5 (MD type 2): class, type, length, value padded to words, which ours are.
TEST(LinkFrame, LeasesComeInAHeaderOfMdType2) {
  const uint32_t leases[] = {65536, 0};
  const auto frame = Packet(kToRuntime, leases);
  EXPECT_EQ(Hex(std::span(frame).subspan(sizeof(OuterHeader), PacketHeaderBytes(2) - sizeof(OuterHeader))),
            "0fca0203"  // 10 words.
            "030301ff"
            "fff60110"
            "01000203"
            "00000007"
            "05000009"
            "fffffffe"
            "fff60208"
            "00010000"
            "00000000");
}

TEST(LinkFrame, WhatIsWrittenIsRead) {
  std::vector<uint32_t> leases;
  for (uint32_t count = 0; count <= abi::kChainNfsMax; ++count, leases.push_back(count * 7)) {
    for (const uint8_t way : {kToRuntime, kToVswitch}) {
      const auto frame = Packet(way, leases);
      LinkPacket read;
      ASSERT_TRUE(DecodePacket(frame, way, &read)) << count;
      EXPECT_EQ(std::memcmp(&read.header, &kHeader, sizeof kHeader), 0);
      EXPECT_EQ(read.header_bytes, frame.size() - 60);
      ASSERT_EQ(read.leases.count, count);
      EXPECT_TRUE(std::equal(leases.begin(), leases.end(), read.leases.values.begin()));
    }
  }
}

TEST(LinkFrame, APacketThatWasSentToARuntimeIsNoOutput) {
  LinkPacket read;
  EXPECT_FALSE(DecodePacket(Packet(kToRuntime, {}), kToVswitch, &read));
  EXPECT_FALSE(DecodePacket(Packet(kToVswitch, {}), kToRuntime, &read));
}

TEST(LinkFrame, ATtlThatHasRunOutIsRefused) {
  auto frame = Packet(kToRuntime, {});
  LinkPacket read;
  frame[14] = 0x00;
  frame[15] = 0x46;
  EXPECT_TRUE(DecodePacket(frame, kToRuntime, &read)) << "TTL 1";
  frame[15] = 0x06;
  EXPECT_FALSE(DecodePacket(frame, kToRuntime, &read)) << "TTL 0";
}

TEST(LinkFrame, OnlyMembersOfTheTenantHaveAddresses) {
  EXPECT_EQ(MemberOf(AddressOf(3, 15), 3, 16), 15);
  EXPECT_EQ(MemberOf(AddressOf(3, 16), 3, 16), std::nullopt);
  EXPECT_EQ(MemberOf(AddressOf(4, 1), 3, 16), std::nullopt);
  EXPECT_EQ(MemberOf({0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 3, 16), std::nullopt);
}

// Whatever comes in: nothing is read beyond its end (AddressSanitizer looks), and what is accepted is what a member
// would have written, bit for bit, but for the TTL.
void CheckAny(const std::vector<uint8_t>& bytes) {
  // Exactly as long as it says, so that a read beyond is seen.
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  const std::span<const uint8_t> frame(copy.get(), bytes.size());
  for (const uint8_t way : {kToRuntime, kToVswitch}) {
    LinkPacket read;
    if (!DecodePacket(frame, way, &read)) continue;
    ASSERT_LE(read.leases.count, abi::kChainNfsMax);
    ASSERT_LE(read.header_bytes + 14, frame.size());
    std::vector<uint8_t> again(read.header_bytes);
    OuterHeader outer;
    std::memcpy(&outer, frame.data(), sizeof outer);
    proto::PacketHeader header = read.header;
    if (read.is_traced) header.port |= kTracedPort;
    EncodePacket(outer, way, header, std::span(read.leases.values).first(read.leases.count), again.data());
    again[14] = static_cast<uint8_t>((again[14] & 0xf0) | (frame[14] & 0x0f));
    again[15] = static_cast<uint8_t>((again[15] & 0x3f) | (frame[15] & 0xc0));
    ASSERT_EQ(Hex(again), Hex(frame.first(read.header_bytes)));
  }
  if (const auto control = DecodeControl(frame)) {
    ASSERT_LE(kControlOverheadBytes + control->bytes, frame.size());
  }
}

TEST(LinkFrame, HostileFramesAreRefusedOrHarmless) {
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&random](size_t bound) { return static_cast<size_t>(random() % bound); };
    std::vector<uint32_t> leases(below(abi::kChainNfsMax + 1));
    std::vector<uint8_t> frame = Packet(below(2) == 0 ? kToRuntime : kToVswitch, leases, 14 + below(40));
    if (below(3) == 0) {
      ControlHeader header = {.version = kControlVersion,
                              .kind = static_cast<ControlKind>(1 + below(3)),
                              .source = 1,
                              .incarnation = 2,
                              .counter_low = 3,
                              .counter_high = 0,
                              .bytes = static_cast<uint16_t>(below(100))};
      frame.assign(kControlOverheadBytes + header.bytes, 0);
      std::memcpy(frame.data() + sizeof(OuterHeader), &header, sizeof header);
    }
    for (int step = 0; step < 20; ++step) {
      std::vector<uint8_t> bad = frame;
      switch (below(4)) {
        case 0:
          bad.resize(below(bad.size() + 1));
          break;
        case 1:
          for (size_t flips = 1 + below(3); flips != 0; --flips)
            bad[sizeof(OuterHeader) + below(bad.size() - sizeof(OuterHeader))] ^= static_cast<uint8_t>(1 << below(8));
          break;
        case 2:  // The length of the header, alone.
          bad[15] = static_cast<uint8_t>((bad[15] & 0xc0) | below(64));
          break;
        default:
          for (uint8_t& byte : bad) byte = static_cast<uint8_t>(random());
      }
      CheckAny(bad);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(LinkFrame, TruncationAnywhereInTheHeaderIsRefused) {
  const uint32_t leases[] = {1, 2, 3};
  for (const auto& frame : {Packet(kToRuntime, {}, 14), Packet(kToRuntime, leases, 14)}) {
    for (size_t bytes = 0; bytes < frame.size(); ++bytes) {
      LinkPacket read;
      EXPECT_FALSE(DecodePacket(std::span(frame).first(bytes), kToRuntime, &read)) << bytes;
      EXPECT_FALSE(DecodeControl(std::span(frame).first(bytes))) << bytes;
    }
  }
}

}  // namespace
}  // namespace nf::link
