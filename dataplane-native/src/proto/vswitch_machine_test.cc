#include "proto/vswitch_machine.h"

#include <gtest/gtest.h>

#include "proto/test_members.h"

namespace nf::proto {
namespace {

class VswitchMachineTest : public test::MembersTest {
 protected:
  GateVerdict Output(uint16_t runtime, const PacketHeader& header, GateDrop* reason) {
    return vswitch.machine.OnOutput(runtime, 1, header, reason);
  }
  PacketHeader OutputOf(uint32_t entry) { return *At(1).machine.NextOutput(ActorAt(1, entry)); }
  GateDrop reason{};
};

TEST_F(VswitchMachineTest, LearnsTheHandleFromTheFirstOutput) {
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Send(entry, 0);
  EXPECT_TRUE(vswitch.to_runtime[1].back().header.flags & kMayOpen);
  Settle();
  Send(entry, 1);
  const PacketHeader header = vswitch.to_runtime[1].back().header;
  EXPECT_FALSE(header.flags & kMayOpen);
  EXPECT_EQ(header.stamp.handle, At(1).machine.handle(ActorAt(1, entry)));
}

TEST_F(VswitchMachineTest, TheGateStopsWhatTheOwnerDidNotSend) {
  const uint32_t entry = OpenFlow();
  Send(entry, 1);
  DeliverToRuntime(1);
  const PacketHeader good = At(1).to_vswitch.back().header;
  PacketHeader bad = good;
  bad.stamp.entry = 1000;
  EXPECT_EQ(Output(1, bad, &reason), GateVerdict::kDropped);
  EXPECT_EQ(reason, GateDrop::kBadStamp);
  bad = good;
  ++bad.stamp.epoch;
  EXPECT_EQ(Output(1, bad, &reason), GateVerdict::kDropped);
  EXPECT_EQ(reason, GateDrop::kStaleEpoch);
  EXPECT_EQ(Output(2, good, &reason), GateVerdict::kDropped);
  EXPECT_EQ(reason, GateDrop::kStaleEpoch);
  EXPECT_EQ(Output(1, good, &reason), GateVerdict::kRelease);
  EXPECT_EQ(Output(1, good, &reason), GateVerdict::kDropped);
  EXPECT_EQ(reason, GateDrop::kOutOfOrder);
}

TEST_F(VswitchMachineTest, NothingOfADeadRuntimePasses) {
  const uint32_t entry = OpenFlow();
  const PacketHeader header = OutputOf(entry);
  vswitch.machine.MemberDown(1);
  EXPECT_EQ(Output(1, header, &reason), GateVerdict::kDropped);
  EXPECT_EQ(reason, GateDrop::kFenced);
  vswitch.machine.MemberUp(1, 50);  // The next life isn't the old one.
  EXPECT_EQ(Output(1, header, &reason), GateVerdict::kDropped);
}

TEST_F(VswitchMachineTest, AFlowWhoseOwnerDiedStartsElsewhereAndItsLossIsCounted) {
  const uint32_t entry = OpenFlow();
  Die(1);
  uint16_t to = 0;
  PacketHeader header;
  ASSERT_EQ(vswitch.machine.StampPacket(entry, 0, now_ns, &to, &header), StampVerdict::kNeedsRuntime);
  ASSERT_TRUE(vswitch.machine.Reopen(entry, 2));
  Send(entry, 1);
  EXPECT_TRUE(vswitch.to_runtime[2].back().header.flags & kStateLost);
  Settle();
  EXPECT_EQ(StateAt(2, entry), "lostb");
  EXPECT_EQ(vswitch.machine.counters().state_lost, 1u);
}

TEST_F(VswitchMachineTest, TheSweepRemovesWhatDiedWithItsOwner) {
  OpenFlow();
  Die(1);
  Turn();
  EXPECT_EQ(vswitch.machine.entries_used(), 0u);
  ASSERT_EQ(vswitch.removed.size(), 1u);
  EXPECT_TRUE(vswitch.removed[0].second);
}

TEST_F(VswitchMachineTest, AFlowThatNeverReachedItsRuntimeIsFoundByAProbe) {
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Send(entry, 0);
  vswitch.to_runtime[1].clear();
  now_ns += 60'000'000;
  vswitch.machine.Turn(now_ns);
  Settle();
  EXPECT_EQ(vswitch.machine.entries_used(), 0u);
  EXPECT_FALSE(vswitch.removed.at(0).second);  // There was no state to lose.
}

TEST_F(VswitchMachineTest, AFlowThatOpensBehindTheAnswerToAProbeIsNotLost) {
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Send(entry, 0);
  vswitch.to_runtime[1].clear();
  now_ns += 60'000'000;
  vswitch.machine.Turn(now_ns);
  Send(entry, 1);
  DeliverToRuntime(1);
  ASSERT_EQ(At(1).to_vswitch.front().what.type, MarkerType::kGone);
  At(1).machine.ReportOpened(ActorAt(1, entry));
  ASSERT_TRUE(DeliverLetter(MessageType::kFlowOpened));
  const uint32_t epoch = vswitch.machine.entry(entry).epoch;
  Settle();
  EXPECT_EQ(vswitch.machine.entry(entry).epoch, epoch);
  EXPECT_EQ(vswitch.machine.counters().state_lost, 0u);
  EXPECT_EQ(vswitch.released, "b");
}

// Nobody who keeps to the protocol says so, but what one has lost all the same is opened anew and does not drop its
// packets for ever.
TEST_F(VswitchMachineTest, AnOwnerWhoHasNotWhatWasStampedSinceHasLostTheFlow) {
  const uint32_t entry = OpenFlow();
  Send(entry, 1);
  const PacketHeader header = vswitch.to_runtime[1].front().header;
  vswitch.to_runtime[1].clear();
  const Marker gone = MakeMarker(MarkerType::kGone, {entry, header.stamp.epoch, 0}, header.stamp.sequence);
  Marker earlier = gone;
  --earlier.sequence;
  vswitch.machine.OnMarker(1, earlier, now_ns);
  EXPECT_TRUE(vswitch.machine.entry(entry).used);
  vswitch.machine.OnMarker(1, gone, now_ns);
  EXPECT_FALSE(vswitch.machine.entry(entry).used);
  EXPECT_EQ(vswitch.machine.counters().state_lost, 1u);
}

TEST_F(VswitchMachineTest, EntriesAreBoundedAndTheirEpochsGoOn) {
  std::vector<uint32_t> entries;
  for (uint32_t entry; (entry = vswitch.machine.Open({}, 1, now_ns)) != kNone;) entries.push_back(entry);
  EXPECT_EQ(entries.size(), 8u);
  const uint32_t epoch = vswitch.machine.entry(entries[3]).epoch;
  vswitch.machine.MemberDown(1);
  vswitch.machine.Turn(now_ns);
  const uint32_t again = vswitch.machine.Open({}, 2, now_ns);
  ASSERT_NE(again, kNone);
  EXPECT_TRUE(EpochNewer(vswitch.machine.entry(again).epoch, epoch));
}

}  // namespace
}  // namespace nf::proto
