// What a runtime stores of another's flows is an image of its own chain, or isn't stored.
#include "runtime/flow_replicas.h"

#include <gtest/gtest.h>

#include <random>

#include "runtime/flow_image.h"
#include "runtime/test_run.h"

namespace nf::test {
namespace {

class FlowReplicasTest : public testing::Test {
 protected:
  FlowReplicasTest() {
    run_.AddNf({.name = "a", .timer = true});
    run_.Client(UdpFrame(1000, Payload({{}})));
    run_.Turns();
    const uint32_t longest = FlowImageBytesMax(run_.spec.chain);
    image_.resize(longest);
    image_.resize(WriteFlowImage(run_.worker().chain(), run_.worker().flows(), 0, image_));
    replicas_ = std::move(*FlowReplicas::Create(16, longest));
    replicas_->Connect(&run_.worker().chain(), nullptr, nullptr);
  }
  ~FlowReplicasTest() override { run_.worker().End(); }
  std::vector<uint8_t> Stored(uint32_t place) {
    std::vector<uint8_t> bytes(FlowImageBytesMax(run_.spec.chain));
    bytes.resize(replicas_->ReadReplica(place, bytes));
    return bytes;
  }

  TestRun run_;
  std::vector<uint8_t> image_;
  std::unique_ptr<FlowReplicas> replicas_;
};

TEST_F(FlowReplicasTest, AnImageIsStoredAsItIsAndPartOfOneIsNot) {
  ASSERT_GT(image_.size(), kScriptStateBytes);
  EXPECT_TRUE(replicas_->StoreFull(3, {}, image_));
  EXPECT_EQ(Stored(3), image_);
  for (size_t bytes = 0; bytes < image_.size(); ++bytes)
    EXPECT_FALSE(replicas_->StoreFull(4, {}, std::span(image_).first(bytes))) << bytes;
  EXPECT_TRUE(Stored(4).empty());
  replicas_->FreeReplica(3);
  EXPECT_TRUE(Stored(3).empty());
}

TEST_F(FlowReplicasTest, WhateverADeltaSaysTheImageStaysOne) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  ASSERT_TRUE(replicas_->StoreFull(3, {}, image_));
  uint32_t refused = 0, stored = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto words = static_cast<uint16_t>(1 + random() % 2);
    const uint16_t run[2] = {static_cast<uint16_t>(random() % (image_.size() / 8 + 1)), words};
    std::vector<uint8_t> delta(sizeof run + 8u * words);
    std::memcpy(delta.data(), run, sizeof run);
    for (size_t at = sizeof run; at < delta.size(); ++at) delta[at] = static_cast<uint8_t>(random() % 4);
    const auto before = Stored(3);
    if (replicas_->StoreDelta(3, delta)) {
      ++stored;
      ASSERT_TRUE(IsFlowImage(run_.worker().chain(), Stored(3)));
    } else {
      ++refused;
      ASSERT_EQ(Stored(3), before);
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_GT(stored, 0u);
}

}  // namespace
}  // namespace nf::test
