#include "proto/stamp.h"

#include <gtest/gtest.h>

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

TEST(PositionTest, OrdersBySequenceThenPartOverTheWrap) {
  const auto before = [](uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b) < 0; };
  EXPECT_TRUE(before(Position(1, 255), Position(2, 0)));
  EXPECT_TRUE(before(Position(2, 0), Position(2, 1)));
  EXPECT_TRUE(before(Position(0xffffffff, 3), Position(0, 0)));
}

}  // namespace
}  // namespace nf::proto
