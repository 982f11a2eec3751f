// A new V's table, out of what members say they are to their flows.
#include "proto/test_members.h"

namespace nf::proto::test {
namespace {

constexpr uint32_t kOldEpoch = 0x01000005;  // Of term 1.
// Of the source of a move to runtime 2 that V had switched.
const ReportRecord kHandedOver{.entry = 3,
                               .epoch = kOldEpoch,
                               .handle = 8,
                               .sequence = 41,
                               .attempt = 9,
                               .new_epoch = kOldEpoch + 1,
                               .switch_sequence = 41,
                               .role = FlowRole::kFinal,
                               .other = {.id = 2, .incarnation = 2}};

class VswitchRebuildTest : public testing::Test {
 protected:
  VswitchRebuildTest() : v({.entries = 8, .members = kMembers, .held_packets = 8, .term = 2}, &post, &host) {
    for (uint16_t id = 1; id < kMembers; ++id) v.MemberUp(id, id);
    v.BeginRebuild(&host, 8);
  }
  template <typename Record>
  void Hear(uint16_t from, MessageType type, const Record& record) {
    post.Say(kVswitch, type, {reinterpret_cast<const uint8_t*>(&record), sizeof record}, {});
    v.OnMessage(from, *DecodeMessage(letters.back().bytes), 1'000);
    letters.clear();
  }
  void Report(uint16_t from, ReportRecord report, const std::string& told = "") {
    report.key.source_port = static_cast<uint16_t>(100 + report.entry);
    report.bytes = static_cast<uint16_t>(told.size());
    post.Say(kVswitch, MessageType::kReport, {reinterpret_cast<const uint8_t*>(&report), sizeof report},
             {reinterpret_cast<const uint8_t*>(told.data()), told.size()});
    v.OnMessage(from, *DecodeMessage(letters.back().bytes), 1'000);
    letters.clear();
  }
  void AllHaveTold() {
    for (uint16_t id = 1; id < kMembers; ++id) Hear(id, MessageType::kReported, Note{});
    v.Turn(2'000);
  }
  Stamp NextStamp(uint32_t entry, uint16_t* runtime) {
    PacketHeader header{};
    EXPECT_EQ(v.StampPacket(entry, 0, 3'000, runtime, &header), StampVerdict::kStamped);
    return header.stamp;
  }

  std::deque<Letter> letters;
  Post post{kVswitch, &letters};
  TestVswitch host{&letters};
  VswitchMachine v;
};

TEST_F(VswitchRebuildTest, ServesWhenEverybodyHasToldOrIsDead) {
  for (const uint16_t id : {1, 2}) Hear(id, MessageType::kReported, Note{});
  v.Turn(2'000);
  EXPECT_FALSE(v.serves());
  EXPECT_EQ(v.Open({}, 1, 2'000), kNone);
  v.MemberDown(3);
  v.Turn(3'000);
  EXPECT_TRUE(v.serves());
  EXPECT_NE(v.Open({}, 1, 3'000), kNone);
}

TEST_F(VswitchRebuildTest, WhoReportsToOneWhoAskedNobodyIsToldThatItServes) {
  VswitchMachine other({.entries = 8, .members = kMembers, .held_packets = 8, .term = 2}, &post, &host);
  other.MemberUp(1, 1);
  const Note note{};
  post.Say(kVswitch, MessageType::kReported, {reinterpret_cast<const uint8_t*>(&note), sizeof note}, {});
  other.OnMessage(1, *DecodeMessage(letters.back().bytes), 1'000);
  letters.clear();
  other.Turn(2'000);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters.front().type(), MessageType::kServing);
}

TEST_F(VswitchRebuildTest, AnOwnersFlowGoesOnBehindWhatItHasSeen) {
  Report(2, {.entry = 3, .epoch = kOldEpoch, .handle = 77, .sequence = 41, .role = FlowRole::kOwner});
  AllHaveTold();
  uint16_t runtime = 0;
  const Stamp stamp = NextStamp(3, &runtime);
  EXPECT_EQ(runtime, 2);
  EXPECT_EQ(stamp.handle, 77u);
  EXPECT_EQ(stamp.epoch, kOldEpoch);
  EXPECT_EQ(stamp.sequence, 42u);
  GateDrop reason{};
  EXPECT_EQ(v.OnOutput(2, 0, {.stamp = {77, 3, kOldEpoch, 40}}, &reason), GateVerdict::kRelease);
  EXPECT_EQ(v.entries_used(), 1u);
}

TEST_F(VswitchRebuildTest, OfTwoWhoHaveTheStateTheLaterOwnerIsRight) {
  Report(1, kHandedOver);
  Report(2, {.entry = 3, .epoch = kOldEpoch + 1, .sequence = 50, .role = FlowRole::kOwner});
  AllHaveTold();
  EXPECT_EQ(v.entry(3).owner.id, 2);
  EXPECT_EQ(v.entry(3).epoch, kOldEpoch + 1);
  // Output that the source still held may come.
  GateDrop reason{};
  EXPECT_EQ(v.OnOutput(1, 0, {.stamp = {0, 3, kOldEpoch, 41}}, &reason), GateVerdict::kRelease);
}

TEST_F(VswitchRebuildTest, WhoAwaitsAStateIsNotItsOwnerUnlessVHadSwitched) {
  Report(2, {.entry = 3, .epoch = kOldEpoch, .handle = 5, .attempt = 9, .role = FlowRole::kAwaiting});
  Report(1, {.entry = 3, .epoch = kOldEpoch, .sequence = 41, .role = FlowRole::kOwner});
  Report(2, {.entry = 4, .epoch = kOldEpoch, .handle = 6, .attempt = 9, .role = FlowRole::kAwaiting});
  AllHaveTold();
  EXPECT_EQ(v.entry(3).owner.id, 1);
  EXPECT_FALSE(v.entry(4).used);
}

TEST_F(VswitchRebuildTest, AMoveThatVHadSwitchedGoesOn) {
  Report(2, {.entry = 3, .epoch = kOldEpoch, .handle = 5, .sequence = 44, .attempt = 9, .role = FlowRole::kAwaiting});
  Report(1, kHandedOver);
  AllHaveTold();
  uint16_t runtime = 0;
  const Stamp stamp = NextStamp(3, &runtime);
  EXPECT_EQ(runtime, 2);
  EXPECT_EQ(stamp.sequence, 45u);
  // If the target dies now, the source has the flow again, in an epoch of the higher term.
  v.MemberDown(2);
  const Stamp returned = NextStamp(3, &runtime);
  EXPECT_EQ(runtime, 1);
  EXPECT_EQ(EpochTerm(returned.epoch), 2);
}

TEST_F(VswitchRebuildTest, AReplicaBecomesTheFlowOnlyIfItsOwnerIsDead) {
  const MemberRef dead{.id = 3, .incarnation = 2};  // Life 3 lives.
  Report(1, {.entry = 3, .epoch = kOldEpoch, .role = FlowRole::kReplica, .other = dead});
  Report(1, {.entry = 4, .epoch = kOldEpoch, .role = FlowRole::kReplica, .other = {.id = 2, .incarnation = 2}});
  // Newer than what the owner before it still has.
  Report(1, {.entry = 5, .epoch = kOldEpoch + 1, .role = FlowRole::kReplica, .other = dead});
  Report(2, {.entry = 5, .epoch = kOldEpoch, .sequence = 7, .role = FlowRole::kOwner});
  AllHaveTold();
  EXPECT_EQ(v.entry(3).owner.id, 1);
  EXPECT_TRUE(v.entry(3).recovering);
  EXPECT_FALSE(v.entry(4).used);
  EXPECT_EQ(v.entry(5).owner.id, 1);
  EXPECT_TRUE(v.recovers());
}

TEST_F(VswitchRebuildTest, OfTwoReplicasTheOneWithMoreUpdatesIsRight) {
  const MemberRef dead{.id = 3, .incarnation = 2};
  Report(1, {.entry = 3, .epoch = kOldEpoch, .sequence = 7, .role = FlowRole::kReplica, .other = dead});
  Report(2, {.entry = 3, .epoch = kOldEpoch, .sequence = 9, .role = FlowRole::kReplica, .other = dead});
  Report(3, {.entry = 3, .epoch = kOldEpoch, .sequence = 8, .role = FlowRole::kReplica, .other = dead});
  AllHaveTold();
  EXPECT_EQ(v.entry(3).owner.id, 2);
}

TEST_F(VswitchRebuildTest, WhatHostsToldComesWithTheFlowAndOneThatFindsNoPlaceIsDisowned) {
  Report(1, {.entry = 3, .epoch = kOldEpoch, .sequence = 4, .role = FlowRole::kOwner}, "mine");
  Report(2, {.entry = 4, .epoch = kOldEpoch, .sequence = 5, .role = FlowRole::kOwner}, "taken");
  Report(2, {.entry = 5, .epoch = kOldEpoch, .sequence = 5, .role = FlowRole::kOwner}, "much too long");
  AllHaveTold();
  EXPECT_EQ(host.told, (std::vector<std::string>{"mine", "taken"}));
  EXPECT_EQ(host.rebuilt, 1);
  EXPECT_TRUE(v.entry(3).used);
  EXPECT_FALSE(v.entry(4).used || v.entry(5).used);
  EXPECT_TRUE(host.to_runtime[1].empty());
  ASSERT_EQ(host.to_runtime[2].size(), 1u);
  const Marker& marker = host.to_runtime[2].front().what;
  EXPECT_EQ(marker.type, MarkerType::kDisowned);
  EXPECT_EQ(marker.id, (MigrationId{4, kOldEpoch, 0}));
  EXPECT_EQ(v.counters().rebuilt, 1u);
  EXPECT_EQ(v.counters().disowned, 1u);
}

TEST_F(VswitchRebuildTest, WhatSomebodyToldWhoHasDiedSinceIsNotThere) {
  Report(3, {.entry = 3, .epoch = kOldEpoch, .role = FlowRole::kOwner});
  Report(1, {.entry = 3, .epoch = kOldEpoch, .role = FlowRole::kReplica, .other = {.id = 3, .incarnation = 3}});
  Report(3, {.entry = 4, .epoch = kOldEpoch, .role = FlowRole::kOwner});
  v.MemberDown(3);
  AllHaveTold();
  EXPECT_EQ(v.entry(3).owner.id, 1);
  EXPECT_TRUE(v.entry(3).recovering);
  EXPECT_FALSE(v.entry(4).used);
}

TEST_F(VswitchRebuildTest, AFlowWhoseEndTheOtherOneMayHaveGrantedIsOver) {
  Report(1, {.entry = 3, .epoch = kOldEpoch, .role = FlowRole::kOwner, .flags = kIsClosing});
  AllHaveTold();
  EXPECT_FALSE(v.entry(3).used);
  EXPECT_EQ(v.counters().disowned, 0u) << "nobody's loss";
}

TEST_F(VswitchRebuildTest, WhatADeadTargetHasDoneIsNotKnownUnlessItReplicated) {
  for (const bool committed : {false, true}) {
    VswitchMachine other({.entries = 8, .members = kMembers, .held_packets = 8, .term = 2, .committed = committed},
                         &post, &host);
    for (uint16_t id = 1; id < kMembers; ++id) other.MemberUp(id, id);
    other.BeginRebuild(&host, 8);
    const Note note{};
    for (uint16_t id = 1; id < kMembers; ++id) {
      if (id == 1) post.Say(kVswitch, MessageType::kReport, kHandedOver);
      if (id == 1) other.OnMessage(1, *DecodeMessage(letters.back().bytes), 1'000);
      post.Say(kVswitch, MessageType::kReported, note);
      if (id != 2) other.OnMessage(id, *DecodeMessage(letters.back().bytes), 1'000);
    }
    other.MemberDown(2);
    other.Turn(2'000);
    uint16_t runtime = 0;
    PacketHeader header{};
    const StampVerdict verdict = other.StampPacket(3, 0, 3'000, &runtime, &header);
    EXPECT_EQ(verdict, committed ? StampVerdict::kStamped : StampVerdict::kNeedsRuntime);
    EXPECT_EQ(runtime, committed ? 1 : 0);
  }
}

TEST_F(VswitchRebuildTest, WhatIsOverInALaterEpochDoesNotComeBack) {
  const MemberRef dead{.id = 3, .incarnation = 2};
  for (const uint32_t entry : {3, 4})
    Report(1, {.entry = entry, .epoch = kOldEpoch, .role = FlowRole::kReplica, .other = dead});
  Hear(2, MessageType::kOver, Note{{3, kOldEpoch + 1, 0}, 0});
  Hear(2, MessageType::kOver, Note{{4, kOldEpoch, 0}, 0});  // A target that had given up knows only so much.
  AllHaveTold();
  EXPECT_FALSE(v.entry(3).used);
  EXPECT_TRUE(v.entry(4).used);
}

// The target's flow has ended before the source heard that it was there; so has its replica yet to hear of the end.
TEST_F(VswitchRebuildTest, TheReplicaOfWhoHasLetGoKeepsNoFlowOfAnEarlierEpochAlive) {
  Report(1, kHandedOver, "before");
  Report(3, {.entry = 3, .epoch = kOldEpoch + 1, .role = FlowRole::kReplica, .other = kHandedOver.other});
  Hear(2, MessageType::kOver, Note{{3, kOldEpoch + 1, 0}, 0});
  AllHaveTold();
  EXPECT_FALSE(v.entry(3).used);
  ASSERT_EQ(host.to_runtime[1].size(), 1u);
  EXPECT_EQ(host.to_runtime[1].front().what.type, MarkerType::kDisowned);
  EXPECT_EQ(host.to_runtime[1].front().what.id, (MigrationId{3, kOldEpoch, 0}));
}

}  // namespace
}  // namespace nf::proto::test
