// What a runtime stores of another's flows is an image of its own chain, or isn't stored.
#include "runtime/flow_replicas.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "proto/word_delta.h"
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
    // Only a flow made of a replica would change them, and none is here.
    replicas_->Connect(&run_.worker().chain(), const_cast<Flows*>(&run_.worker().flows()), nullptr);
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
    const proto::DeltaChunk chunk{.at = static_cast<uint16_t>(4 * (random() % (image_.size() / 4 + 1))),
                                  .words = random() % 2 == 0 ? uint16_t{1} : uint16_t{5}};
    std::vector<uint8_t> delta(sizeof chunk + 4u * static_cast<size_t>(std::popcount(chunk.words)));
    std::memcpy(delta.data(), &chunk, sizeof chunk);
    for (size_t at = sizeof chunk; at < delta.size(); ++at) delta[at] = static_cast<uint8_t>(random() % 4);
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

TEST_F(FlowReplicasTest, WhatIsSentOfAFlowMakesTheReplicaWhatTheFlowIs) {
  const size_t longest = FlowImageBytesMax(run_.spec.chain);
  std::vector<uint8_t> out(longest + proto::kDeltaSlack), now(longest);
  out.resize(replicas_->WriteFull(0, out));
  replicas_->Sent(0);
  ASSERT_TRUE(replicas_->StoreFull(3, {}, out));
  for (int i = 0; i < 50; ++i) {
    run_.Client(UdpFrame(1000, Payload({{}})));
    run_.Turns();
    out.resize(longest + proto::kDeltaSlack);
    const uint32_t bytes = replicas_->WriteDelta(0, out);
    ASSERT_NE(bytes, proto::kNoDelta);
    ASSERT_GT(bytes, 0u);
    ASSERT_LT(bytes, 80u);
    ASSERT_TRUE(replicas_->StoreDelta(3, std::span(out).first(bytes)));
    replicas_->Sent(0);
    now.resize(longest);
    now.resize(WriteFlowImage(run_.worker().chain(), run_.worker().flows(), 0, now));
    ASSERT_EQ(Stored(3), now);
    ASSERT_EQ(replicas_->WriteDelta(0, out), 0u);
  }
  EXPECT_EQ(replicas_->WriteDelta(1, out), proto::kNoDelta);  // Nothing was sent of it.
}

}  // namespace
}  // namespace nf::test
