#include "proto/word_delta.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace nf::proto {
namespace {

constexpr uint32_t kSeed = 1;

TEST(WordDelta, WhatOnePacketChangesIsShort) {
  std::vector<uint8_t> before(200, 1), after = before, delta(64 + kDeltaSlack);
  EXPECT_EQ(WriteWordDelta(before, after, delta), 0u);
  after[17] = 9;
  EXPECT_EQ(WriteWordDelta(before, after, delta), sizeof(DeltaChunk) + kDeltaWord);
  after[40] = 9;
  EXPECT_EQ(WriteWordDelta(before, after, delta), sizeof(DeltaChunk) + 2 * kDeltaWord);
  after[199] = 9;
  EXPECT_EQ(WriteWordDelta(before, after, delta), 2 * sizeof(DeltaChunk) + 3 * kDeltaWord);
}

TEST(WordDelta, AppliedItMakesOneImageTheOther) {
  std::mt19937 random(kSeed);
  for (int round = 0; round < 5'000; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round);
    std::vector<uint8_t> before(1 + random() % 300);
    for (uint8_t& byte : before) byte = static_cast<uint8_t>(random());
    std::vector<uint8_t> after = before, delta(400);
    for (uint32_t changes = random() % 8; changes > 0; --changes) after[random() % after.size()] ^= 1 + random() % 255;
    const size_t bytes = WriteWordDelta(before, after, delta);
    if (bytes > delta.size()) continue;  // It would be longer than the image.
    EXPECT_TRUE(ApplyWordDelta(std::span(delta).first(bytes), before));
    EXPECT_EQ(before, after);
  }
}

TEST(WordDelta, OneThatIsNotOfTheImageChangesNothing) {
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20'000; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round);
    std::vector<uint8_t> image(1 + random() % 64, 7), delta(random() % 40);
    for (uint8_t& byte : delta) byte = static_cast<uint8_t>(random() % 3 == 0 ? random() : random() % 5);
    const std::vector<uint8_t> before = image;
    if (ApplyWordDelta(delta, image)) continue;
    EXPECT_EQ(image, before);
  }
}

}  // namespace
}  // namespace nf::proto
