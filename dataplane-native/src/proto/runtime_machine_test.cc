#include "proto/runtime_machine.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "proto/test_members.h"

namespace nf::proto {
namespace {

using RuntimeMachineTest = test::MembersTest;

TEST_F(RuntimeMachineTest, AFlowEndsWhenVAgrees) {
  const uint32_t entry = OpenFlow();
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entry), now_ns));
  Settle();
  EXPECT_EQ(At(1).machine.actors_used(), 0u);
  EXPECT_EQ(vswitch.machine.entries_used(), 0u);
  EXPECT_FALSE(vswitch.removed.at(0).second);
}

TEST_F(RuntimeMachineTest, AFlowGoesOnWhenAPacketWasUnderWay) {
  const uint32_t entry = OpenFlow();
  Send(entry, 1);
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entry), now_ns));
  DeliverFromRuntime(1);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ab");
  EXPECT_EQ(At(1).machine.actor(ActorAt(1, entry)).state, ActorState::kActive);
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_EQ(vswitch.machine.counters().close_denied, 1u);
}

TEST_F(RuntimeMachineTest, AFlowEndsThoughItsLastPacketWasLost) {
  const uint32_t entry = OpenFlow();
  Send(entry, 1);
  vswitch.to_runtime[1].clear();
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entry), now_ns));
  Settle();
  EXPECT_EQ(At(1).machine.actors_used(), 0u);
  EXPECT_EQ(vswitch.machine.entries_used(), 0u);
  EXPECT_EQ(At(1).machine.counters().missing, 1u);
}

TEST_F(RuntimeMachineTest, AClosingFlowCausesNoOutput) {
  const uint32_t entry = OpenFlow();
  const uint32_t actor = ActorAt(1, entry);
  ASSERT_TRUE(At(1).machine.Close(actor, now_ns));
  EXPECT_FALSE(At(1).machine.NextOutput(actor));
  EXPECT_FALSE(At(1).machine.Close(actor, now_ns));
}

TEST_F(RuntimeMachineTest, TheEntrysNextFlowMayArriveBeforeTheWordThatTheLastHasEnded) {
  const uint32_t entry = OpenFlow();
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entry), now_ns));
  DeliverFromRuntime(1);
  vswitch.to_runtime[1].clear();  // The answer is lost.
  ASSERT_EQ(vswitch.machine.Open({}, 1, now_ns), entry);
  Send(entry, 4);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "e");
  EXPECT_EQ(At(1).machine.actors_used(), 1u);
}

TEST_F(RuntimeMachineTest, APacketThatComesAgainOrLateIsNotProcessed) {
  const uint32_t entry = OpenFlow();
  Send(entry, 1);
  Send(entry, 2);
  auto& queue = vswitch.to_runtime[1];
  const test::OnData first = queue[0];
  std::swap(queue[0], queue[1]);
  queue.push_back(first);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ac");
  EXPECT_EQ(At(1).dropped.size(), 2u);
  EXPECT_EQ(At(1).dropped[0].second, PacketDrop::kLate);
}

TEST_F(RuntimeMachineTest, AFirstPacketThatComesAgainAfterTheEndOpensNothing) {
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Send(entry, 0);
  const test::OnData first = vswitch.to_runtime[1].front();
  Settle();
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entry), now_ns));
  Settle();
  At(1).Take(first, now_ns);
  EXPECT_EQ(At(1).machine.actors_used(), 0u);
  EXPECT_EQ(At(1).dropped.at(0).second, PacketDrop::kStaleEpoch);
}

TEST_F(RuntimeMachineTest, WithoutRoomThePacketIsDroppedAndVForgetsTheFlow) {
  for (int i = 0; i < 4; ++i) OpenFlow();
  OpenFlow();
  EXPECT_EQ(At(1).dropped.at(0).second, PacketDrop::kNoRoom);
  EXPECT_EQ(vswitch.machine.entries_used(), 4u);
}

TEST_F(RuntimeMachineTest, APacketThatFoundNoRoomOpensNothingWhenItComesAgain) {
  uint32_t others[4];
  for (uint32_t& other : others) other = OpenFlow();
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Send(entry, 0);
  const test::OnData first = vswitch.to_runtime[1].front();
  Settle();
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, others[0]), now_ns));
  Settle();
  At(1).Take(first, now_ns);  // There is room, but V has forgotten the flow.
  EXPECT_EQ(At(1).machine.actors_used(), 3u);
  EXPECT_EQ(At(1).dropped.back().second, PacketDrop::kNoRoom);
}

TEST_F(RuntimeMachineTest, WhatIsStampedBehindAPacketThatFoundNoRoomMayOpenTheFlow) {
  uint32_t others[4];
  for (uint32_t& other : others) other = OpenFlow();
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Send(entry, 0);
  DeliverToRuntime(1);
  Send(entry, 1);  // Before V hears that there was no room.
  DeliverFromRuntime(1);
  const test::OnData second = vswitch.to_runtime[1].front();
  vswitch.to_runtime[1].clear();
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, others[0]), now_ns));
  Settle();
  At(1).Take(second, now_ns);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "b");
}

TEST_F(RuntimeMachineTest, APacketThatComesBehindTheWordThatThereIsNoFlowOpensNothing) {
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Send(entry, 0);
  const test::OnData first = vswitch.to_runtime[1].front();
  vswitch.to_runtime[1].clear();
  const Stamp& stamp = first.header.stamp;
  At(1).machine.OnMarker(MakeMarker(MarkerType::kProbe, {entry, stamp.epoch, 0}, stamp.sequence), now_ns);
  Settle();
  ASSERT_EQ(vswitch.machine.entries_used(), 0u);
  At(1).Take(first, now_ns);
  EXPECT_EQ(At(1).machine.actors_used(), 0u);
  ASSERT_EQ(vswitch.machine.Open({}, 1, now_ns), entry);
  Send(entry, 1);  // Of the next flow.
  Settle();
  EXPECT_EQ(StateAt(1, entry), "b");
}

// On links that don't keep order, of three packets of a flow the second comes first, and there is room only afterwards.
TEST_F(RuntimeMachineTest, WhatComesBehindARefusedPacketOpensTheFlowAndNothingBeforeItDoes) {
  std::vector<uint32_t> entries;
  for (int i = 0; i < 4; ++i) entries.push_back(OpenFlow());
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  for (PacketRef packet : {0, 1, 2}) Send(entry, packet);
  const auto packets = std::exchange(vswitch.to_runtime[1], {});
  At(1).Take(packets[1], now_ns);
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entries[0]), now_ns));
  Settle();
  ASSERT_EQ(At(1).machine.actors_used(), 3u);
  At(1).Take(packets[0], now_ns);
  At(1).Take(packets[1], now_ns);
  EXPECT_EQ(At(1).machine.actors_used(), 3u);
  EXPECT_EQ(At(1).dropped.back().second, PacketDrop::kNoRoom);
  // V knows that this is on its way, and has not forgotten the flow.
  At(1).Take(packets[2], now_ns);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "c");
  EXPECT_EQ(vswitch.machine.entries_used(), 4u);
  EXPECT_EQ(vswitch.released.back(), 'c');
}

TEST_F(RuntimeMachineTest, WhatVHasForgottenSinceItsLastPacketWasRefusedIsNotOpenedByAnEarlierOne) {
  std::vector<uint32_t> entries;
  for (int i = 0; i < 4; ++i) entries.push_back(OpenFlow());
  std::vector<test::OnData> late;
  for (const PacketRef last : {1, 3}) {  // The second time it is another life of the flow.
    const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
    Send(entry, last - 1);
    Send(entry, last);
    const auto packets = std::exchange(vswitch.to_runtime[1], {});
    late.push_back(packets[0]);
    At(1).Take(packets[1], now_ns);
    Settle();
    ASSERT_EQ(vswitch.machine.entries_used(), 4u);
  }
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entries[0]), now_ns));
  Settle();
  for (const test::OnData& packet : late) At(1).Take(packet, now_ns);
  EXPECT_EQ(At(1).machine.actors_used(), 3u);
  // The next life is another matter.
  const uint32_t entry = OpenFlow();
  EXPECT_EQ(StateAt(1, entry), "a");
}

TEST_F(RuntimeMachineTest, PartsOfOnePacketsOutputAreNumberedAndBounded) {
  const uint32_t entry = OpenFlow();
  const uint32_t actor = ActorAt(1, entry);
  uint32_t parts = 1;  // One for packet a.
  uint8_t last = 0;
  while (const auto header = At(1).machine.NextOutput(actor)) {
    EXPECT_EQ(header->part, last + 1);
    last = header->part;
    ++parts;
  }
  EXPECT_EQ(parts, 255u);
  Send(entry, 1);
  DeliverToRuntime(1);
  EXPECT_EQ(At(1).to_vswitch.back().header.part, 0);
}

TEST_F(RuntimeMachineTest, AFlowThatAnotherVHasNoPlaceForIsLetGo) {
  const uint32_t entry = OpenFlow();
  const uint32_t actor = ActorAt(1, entry);
  const uint32_t epoch = At(1).machine.actor(actor).epoch;
  At(1).machine.OnMarker(MakeMarker(MarkerType::kDisowned, {entry, epoch - 1, 0}, 0), now_ns);
  EXPECT_EQ(At(1).machine.actors_used(), 1u);
  At(1).machine.OnMarker(MakeMarker(MarkerType::kDisowned, {entry, epoch, 0}, 0), now_ns);
  EXPECT_EQ(At(1).machine.actors_used(), 0u);
  EXPECT_EQ(At(1).state[actor], "freed");
}

TEST_F(RuntimeMachineTest, MarkersAndMessagesThatMeanNothingHereChangeNothing) {
  const uint32_t entry = OpenFlow();
  const uint32_t epoch = At(1).machine.actor(ActorAt(1, entry)).epoch;
  for (uint8_t type = 0; type < 20; ++type)
    for (const uint32_t e : {entry, 7u, 5000u}) {
      At(1).machine.OnMarker(MakeMarker(static_cast<MarkerType>(type), {e, epoch + 9, 4}, 3, 2), now_ns);
      vswitch.machine.OnMarker(2, MakeMarker(static_cast<MarkerType>(type), {e, epoch, 4}, 3, 2), now_ns);
    }
  for (uint8_t type = 1; type <= static_cast<uint8_t>(kLastMessageType); ++type) {
    if (!IsNote(static_cast<MessageType>(type))) continue;
    At(3).post.Say(1, static_cast<MessageType>(type), Note{{entry, epoch, 4}, 1});
    At(3).post.Say(kVswitch, static_cast<MessageType>(type), Note{{5000, epoch, 4}, 1});
  }
  Settle();
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ab");
  EXPECT_EQ(vswitch.released, "ab");
}

}  // namespace
}  // namespace nf::proto
