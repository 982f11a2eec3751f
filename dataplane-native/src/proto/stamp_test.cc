#include "proto/stamp.h"

#include <gtest/gtest.h>

#include <vector>

namespace nf::proto {
namespace {

std::span<const uint8_t> BytesOf(const MarkerDatagram& datagram) {
  return {reinterpret_cast<const uint8_t*>(&datagram), sizeof datagram};
}

TEST(MarkerTest, ComesBackAsItWent) {
  const Marker marker = MakeMarker(MarkerType::kSwitched, {.entry = 1, .epoch = 2, .attempt = 3}, 4, 5);
  const auto back = DecodeMarker(BytesOf(EncodeMarker(marker)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, marker.id);
  EXPECT_EQ(back->sequence, 4u);
  EXPECT_EQ(back->new_epoch, 5u);
}

TEST(MarkerTest, EveryFlippedBitAndEveryOtherLengthIsRefused) {
  const MarkerDatagram good = EncodeMarker(MakeMarker(MarkerType::kClose, {.entry = 9, .epoch = 8, .attempt = 0}, 7));
  for (size_t bit = 0; bit < sizeof good * 8; ++bit) {
    MarkerDatagram bad = good;
    reinterpret_cast<uint8_t*>(&bad)[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(DecodeMarker(BytesOf(bad))) << "bit " << bit;
  }
  for (size_t size = 0; size < sizeof good; ++size) EXPECT_FALSE(DecodeMarker(BytesOf(good).first(size)));
}

TEST(MarkerTest, AnUnknownTypeIsRefusedThoughItsChecksumIsRight) {
  EXPECT_FALSE(DecodeMarker(BytesOf(EncodeMarker(MakeMarker(static_cast<MarkerType>(0), {}, 0)))));
  EXPECT_FALSE(DecodeMarker(BytesOf(EncodeMarker(MakeMarker(static_cast<MarkerType>(200), {}, 0)))));
}

// A datagram of so many markers that count up, and how many of them are taken.
std::vector<uint8_t> DatagramOf(uint32_t count) {
  std::vector<uint8_t> bytes(count * sizeof(Marker) + sizeof(uint32_t));
  for (uint32_t i = 0; i < count; ++i) {
    const Marker marker = MakeMarker(MarkerType::kDrained, {.entry = i, .epoch = 1, .attempt = 0}, i);
    std::memcpy(bytes.data() + i * sizeof marker, &marker, sizeof marker);
  }
  EXPECT_EQ(SealMarkers(bytes.data(), count), bytes.size());
  return bytes;
}
uint32_t Taken(std::span<const uint8_t> datagram) {
  uint32_t taken = 0;
  const bool whole = ForEachMarker(datagram, [&taken](const Marker& marker) {
    EXPECT_EQ(marker.sequence, taken);
    ++taken;
  });
  EXPECT_EQ(whole, taken != 0);
  return taken;
}

TEST(MarkersTest, ShareADatagramAndComeInOrder) {
  for (uint32_t count : {1u, 2u, 17u, static_cast<uint32_t>(kMarkersPerDatagramMax)}) {
    EXPECT_EQ(Taken(DatagramOf(count)), count);
  }
  EXPECT_EQ(DecodeMarker(DatagramOf(1))->sequence, 0u);  // One is a datagram of the other form too.
  EXPECT_EQ(Taken(DatagramOf(0)), 0u);
  EXPECT_EQ(Taken(DatagramOf(kMarkersPerDatagramMax + 1)), 0u);
}

TEST(MarkersTest, OneThatIsHarmedTakesAllWithIt) {
  const std::vector<uint8_t> good = DatagramOf(3);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::vector<uint8_t> bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_EQ(Taken(bad), 0u) << "bit " << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) EXPECT_EQ(Taken(std::span(good).first(size)), 0u) << size;
  std::vector<uint8_t> unknown = good;
  unknown[sizeof(Marker)] = 99;  // The second one's type, under a checksum that is right.
  SealMarkers(unknown.data(), 3);
  EXPECT_EQ(Taken(unknown), 0u);
}

TEST(PositionTest, OrdersBySequenceThenPartOverTheWrap) {
  const auto before = [](uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b) < 0; };
  EXPECT_TRUE(before(Position(1, 255), Position(2, 0)));
  EXPECT_TRUE(before(Position(2, 0), Position(2, 1)));
  EXPECT_TRUE(before(Position(0xffffffff, 3), Position(0, 0)));
}

}  // namespace
}  // namespace nf::proto
