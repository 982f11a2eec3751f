// A flow moves: everything in its place, and each thing that can go wrong.
#include <gtest/gtest.h>

#include "proto/test_members.h"

namespace nf::proto {
namespace {

using test::Letter;

class MigrationTest : public test::MembersTest {
 protected:
  // Runtime 1 is told to move the flow to `target`; the open has arrived, and so has its answer.
  void UpToRoute(uint32_t entry, uint16_t target = 2) {
    ASSERT_TRUE(At(1).machine.MoveOne(7, target, ActorAt(1, entry), now_ns));
    ASSERT_TRUE(DeliverLetter(MessageType::kOpen));
    ASSERT_TRUE(DeliverLetter(MessageType::kOpened));
  }
  // V has switched; its marker has not been read.
  void UpToSwitch(uint32_t entry) {
    UpToRoute(entry);
    ASSERT_TRUE(DeliverLetter(MessageType::kRoute));
  }
  // The source has the marker; its state is under way.
  void UpToState(uint32_t entry) {
    UpToSwitch(entry);
    DeliverToRuntime(1);
    ASSERT_EQ(letters.size(), 1u);
  }
};

TEST_F(MigrationTest, ThreeRequestsMoveTheFlowAndItsState) {
  const uint32_t entry = OpenFlow();
  Send(entry, 1);
  UpToSwitch(entry);
  Send(entry, 2);  // To the target, which has no state yet.
  DeliverToRuntime(2);
  EXPECT_EQ(At(2).machine.held(), 1u);
  Settle();
  EXPECT_EQ(StateAt(2, entry), "abc");
  EXPECT_EQ(StateAt(1, entry), "none");
  EXPECT_EQ(vswitch.released, "abc");
  EXPECT_EQ(Ended(1, 7).moved, 1u);
  EXPECT_EQ(At(1).machine.migrations_used(), 0u);
  EXPECT_TRUE(At(1).dropped.empty() && At(2).dropped.empty() && vswitch.dropped.empty());
}

TEST_F(MigrationTest, TheNewOwnersOutputWaitsUntilTheOldOnesHasPassed) {
  const uint32_t entry = OpenFlow();
  Send(entry, 1);
  UpToState(entry);  // Packet b was processed; its output and the drained marker are under way.
  Send(entry, 2);
  DeliverToRuntime(2);
  ASSERT_TRUE(DeliverLetter(MessageType::kState));
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "a");
  EXPECT_EQ(vswitch.machine.held(), 1u);
  DeliverFromRuntime(1);
  EXPECT_EQ(vswitch.released, "abc");
}

TEST_F(MigrationTest, AnOldOwnerThatNeverSaysItIsDrainedIsNotWaitedForForever) {
  const uint32_t entry = OpenFlow();
  UpToState(entry);
  At(1).to_vswitch.clear();
  Send(entry, 1);
  DeliverToRuntime(2);
  ASSERT_TRUE(DeliverLetter(MessageType::kState));
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "a");
  now_ns += 20'000'000;
  vswitch.machine.Turn(now_ns);
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_EQ(vswitch.machine.counters().drains_timed_out, 1u);
}

TEST_F(MigrationTest, OutputThatWaitsIsDroppedWhenItsOwnerIsDeadToo) {
  const uint32_t entry = OpenFlow();
  UpToState(entry);
  Send(entry, 1);
  DeliverToRuntime(2);
  ASSERT_TRUE(DeliverLetter(MessageType::kState));
  DeliverFromRuntime(2);
  ASSERT_EQ(vswitch.machine.held(), 1u);
  vswitch.machine.MemberDown(1);
  vswitch.machine.MemberDown(2);
  vswitch.machine.Turn(now_ns);
  EXPECT_EQ(vswitch.released, "a");
  EXPECT_EQ(vswitch.dropped.size(), 1u);
  EXPECT_EQ(vswitch.machine.held(), 0u);
}

TEST_F(MigrationTest, RefusalsLeaveTheFlowWhereItIsAndSayWhy) {
  digests[2] = {8, 1};
  digests[3] = {7, 2};
  for (const uint16_t id : {2, 3}) StartRuntime(id);
  for (uint16_t id = 1; id < test::kMembers; ++id) Introduce(id, id);
  const uint32_t entry = OpenFlow();
  const auto reason_of = [&](uint32_t operation, uint16_t target) {
    EXPECT_TRUE(At(1).machine.MoveOne(operation, target, ActorAt(1, entry), now_ns));
    Settle();
    return Ended(1, operation).reason;
  };
  EXPECT_EQ(reason_of(1, 2), Refusal::kChain);
  EXPECT_EQ(reason_of(2, 3), Refusal::kLayout);
  EXPECT_EQ(reason_of(3, 1), Refusal::kNoMember);
  EXPECT_EQ(reason_of(4, kVswitch), Refusal::kNoMember);
  EXPECT_EQ(reason_of(5, 77), Refusal::kNoMember);
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ab");
}

TEST_F(MigrationTest, ATargetWithoutRoomRefuses) {
  for (int i = 0; i < 4; ++i) {
    const uint32_t other = vswitch.machine.Open({}, 2, now_ns);
    Send(other, 0);
  }
  const uint32_t entry = OpenFlow();
  ASSERT_TRUE(At(1).machine.MoveOne(1, 2, ActorAt(1, entry), now_ns));
  Settle();
  EXPECT_EQ(Ended(1, 1).reason, Refusal::kRoom);
}

TEST_F(MigrationTest, ASecondMoveOfAMovingFlowIsBusy) {
  const uint32_t entry = OpenFlow();
  UpToRoute(entry);
  ASSERT_TRUE(At(1).machine.MoveOne(8, 3, ActorAt(1, entry), now_ns));
  EXPECT_EQ(Ended(1, 8).reason, Refusal::kBusy);
  Settle();
  EXPECT_EQ(Ended(1, 7).moved, 1u);
}

TEST_F(MigrationTest, ARequestThatWasLostIsRepeatedAndARepetitionChangesNothing) {
  const uint32_t entry = OpenFlow();
  UpToRoute(entry);
  const Letter route = letters.front();
  letters.clear();
  Turn();
  ASSERT_EQ(letters.front().type(), MessageType::kRoute);
  Hand(route);
  const uint32_t epoch = vswitch.machine.entry(entry).epoch;
  ASSERT_TRUE(DeliverLetter(MessageType::kRoute));
  EXPECT_EQ(vswitch.machine.entry(entry).epoch, epoch);
  Settle();
  EXPECT_EQ(StateAt(2, entry), "a");
}

TEST_F(MigrationTest, ARefusedRouteStaysRefusedThoughWhatWasMissingComes) {
  const uint32_t entry = OpenFlow();
  UpToRoute(entry);
  const Letter route = letters.front();
  vswitch.machine.MemberDown(2);
  ASSERT_TRUE(DeliverLetter(MessageType::kRoute));
  vswitch.machine.MemberUp(2, 2);
  Hand(route);  // The same request, repeated on the way.
  Settle();
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ab");
  EXPECT_EQ(Ended(1, 7).reason, Refusal::kNoMember);
  EXPECT_EQ(At(2).machine.actors_used(), 0u);
}

TEST_F(MigrationTest, ATargetThatDiesBeforeItHasTheStateGivesTheFlowBack) {
  const uint32_t entry = OpenFlow();
  UpToState(entry);
  Die(2);
  Turn();
  Settle();
  EXPECT_EQ(vswitch.machine.entry(entry).owner.id, 1);
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ab");
  EXPECT_EQ(vswitch.machine.counters().state_lost, 0u);
}

TEST_F(MigrationTest, ASourceThatDiesBeforeItsStateCameLetsTheTargetStartAfresh) {
  const uint32_t entry = OpenFlow();
  UpToState(entry);
  const Letter state = letters.front();
  letters.clear();
  Send(entry, 1);
  DeliverToRuntime(2);
  Die(1);
  Turn();
  Settle();
  EXPECT_EQ(StateAt(2, entry), "lostb");
  Hand(state);  // Too late: refused.
  EXPECT_EQ(StateAt(2, entry), "lostb");
  EXPECT_EQ(letters.front().type(), MessageType::kRefused);
}

TEST_F(MigrationTest, AStateThatTheTargetCantTakeGoesBackToTheSource) {
  const uint32_t entry = OpenFlow();
  At(2).refuses_states = true;
  UpToSwitch(entry);
  Settle();
  EXPECT_EQ(Ended(1, 7).reason, Refusal::kNf);
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ab");
  EXPECT_EQ(StateAt(2, entry), "none");
}

// The source says its state again while the refusal is on its way.
TEST_F(MigrationTest, AStateThatWasRefusedIsNotShownToTheTargetAgain) {
  const uint32_t entry = OpenFlow();
  At(2).refuses_states = true;
  UpToState(entry);
  const Letter state = letters.front();
  letters.clear();
  Hand(state);
  At(2).refuses_states = false;
  Hand(state);
  EXPECT_EQ(At(2).states_shown, 1u);
  Settle();
  EXPECT_EQ(Ended(1, 7).reason, Refusal::kNf);
  EXPECT_EQ(StateAt(1, entry), "a");
  EXPECT_EQ(StateAt(2, entry), "none");
}

TEST_F(MigrationTest, AFlowMovesAloneAndNobodyHearsOfIt) {
  const uint32_t entry = OpenFlow();
  const uint32_t actor = At(1).machine.actor_of_entry(entry);
  EXPECT_EQ(At(1).machine.MoveAlone(actor, 2, now_ns), Refusal::kNo);
  EXPECT_EQ(At(1).machine.MoveAlone(actor, 2, now_ns), Refusal::kBusy);
  Settle();
  EXPECT_EQ(StateAt(2, entry), "a");
  EXPECT_TRUE(At(1).ended.empty());
  EXPECT_EQ(At(1).machine.counters().alone_failed, 0u);
  EXPECT_EQ(At(1).machine.MoveAlone(actor, 2, now_ns), Refusal::kNoFlow);
  EXPECT_EQ(At(1).machine.MoveAlone(kNone, 2, now_ns), Refusal::kNoFlow);
  const uint32_t there = At(2).machine.actor_of_entry(entry);
  for (uint16_t target : std::initializer_list<uint16_t>{0, 2, 77, UINT16_MAX})
    EXPECT_EQ(At(2).machine.MoveAlone(there, target, now_ns), Refusal::kNoMember);
  At(1).refuses_states = true;
  EXPECT_EQ(At(2).machine.MoveAlone(there, 1, now_ns), Refusal::kNo);
  Settle();
  EXPECT_EQ(At(2).machine.counters().alone_failed, 1u);
  EXPECT_EQ(StateAt(2, entry), "a");
}

TEST_F(MigrationTest, ATargetThatHearsNothingAsksAndVThenNeverSwitches) {
  const uint32_t entry = OpenFlow();
  UpToRoute(entry);
  const Letter route = letters.front();
  letters.clear();
  for (int i = 0; i < 25; ++i) {
    now_ns += kTurnNs;
    At(2).machine.Turn(now_ns);
  }
  ASSERT_TRUE(DeliverLetter(MessageType::kAsk));
  ASSERT_TRUE(DeliverLetter(MessageType::kCancelled));
  EXPECT_EQ(At(2).machine.actors_used(), 0u);
  Hand(route);
  Settle();
  EXPECT_EQ(Ended(1, 7).reason, Refusal::kCancelled);
  EXPECT_EQ(vswitch.machine.entry(entry).owner.id, 1);
}

TEST_F(MigrationTest, MoveTakesSoManyFlowsAndDrainAll) {
  for (int i = 0; i < 4; ++i) OpenFlow();
  ASSERT_TRUE(At(1).machine.Move(1, 2, 3));
  for (int i = 0; i < 3; ++i) {
    Turn();
    Settle();
  }
  EXPECT_EQ(Ended(1, 1).moved, 3u);
  EXPECT_EQ(At(1).machine.actors_used(), 1u);
  const uint16_t targets[] = {1, 3};
  ASSERT_TRUE(At(2).machine.Drain(2, targets));
  for (int i = 0; i < 3; ++i) {
    Turn();
    Settle();
  }
  EXPECT_TRUE(Ended(2, 2).drained);
  EXPECT_EQ(Ended(2, 2).moved, 3u);
  EXPECT_FALSE(vswitch.machine.accepts(2));
  EXPECT_TRUE(vswitch.machine.accepts(1));
  // Others may not move flows to it either.
  ASSERT_TRUE(At(1).machine.Move(3, 2, 1));
  for (int i = 0; i < 2; ++i) {
    Turn();
    Settle();
  }
  EXPECT_EQ(Ended(1, 3).reason, Refusal::kDraining);
  At(2).machine.Undrain();
  Settle();
  EXPECT_TRUE(vswitch.machine.accepts(2));
}

TEST_F(MigrationTest, AMoveOfSoManyFlowsTakesThemEvenlyFromAllAndNoFewer) {
  std::vector<uint32_t> flows;
  for (int i = 0; i < 4; ++i) flows.push_back(OpenFlow());
  ASSERT_TRUE(At(1).machine.Move(1, 2, 2));
  for (int i = 0; i < 2; ++i) {
    Turn();
    Settle();
  }
  EXPECT_EQ(Ended(1, 1).moved, 2u);
  const auto is_moved = [&](int i) { return vswitch.machine.entry(flows[i]).owner.id == 2; };
  EXPECT_NE(is_moved(0), is_moved(1));
  EXPECT_NE(is_moved(2), is_moved(3));
  for (int i = 0; i < 2; ++i) flows.push_back(OpenFlow());
  ASSERT_TRUE(At(1).machine.Move(2, 2, 2));
  // One of those that were there when it began has ended: another goes for it.
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, flows.back()), now_ns));
  for (int i = 0; i < 3; ++i) {
    Turn();
    Settle();
  }
  EXPECT_EQ(Ended(1, 2).moved, 2u);
  EXPECT_EQ(At(1).machine.actors_used(), 1u);
}

TEST_F(MigrationTest, AChosenFlowThatEndsBeforeItsTurnIsNotTakenForTheOneInItsPlace) {
  const uint32_t first = OpenFlow(), second = OpenFlow();
  const uint32_t place = ActorAt(1, second);
  const uint32_t chosen[] = {At(1).machine.handle(ActorAt(1, first)), At(1).machine.handle(place)};
  ASSERT_TRUE(At(1).machine.MoveThese(1, 2, chosen));
  ASSERT_TRUE(At(1).machine.Close(place, now_ns));
  Settle();
  const uint32_t other = OpenFlow();
  ASSERT_EQ(ActorAt(1, other), place);
  for (int i = 0; i < 3; ++i) {
    Turn();
    Settle();
  }
  EXPECT_EQ(Ended(1, 1).moved, 1u);
  EXPECT_EQ(Ended(1, 1).failed, 1u);
  EXPECT_EQ(Ended(1, 1).reason, Refusal::kNoFlow);
  EXPECT_EQ(vswitch.machine.entry(first).owner.id, 2);
  EXPECT_EQ(vswitch.machine.entry(other).owner.id, 1);
}

TEST_F(MigrationTest, UndrainEndsADrainWhenTheMovesThatItHasBegunAreThrough) {
  for (int i = 0; i < 2; ++i) OpenFlow();
  const uint16_t targets[] = {2, 3};
  ASSERT_TRUE(At(1).machine.Drain(1, targets));
  At(1).machine.Turn(now_ns);
  ASSERT_EQ(At(1).machine.migrations_used(), 2u);
  At(1).machine.Undrain();
  const uint32_t stays = OpenFlow();
  for (int i = 0; i < 3; ++i) {
    Turn();
    Settle();
  }
  EXPECT_TRUE(Ended(1, 1).undrained);
  EXPECT_FALSE(Ended(1, 1).drained);
  EXPECT_EQ(Ended(1, 1).moved, 2u);
  EXPECT_EQ(Ended(1, 1).failed, 0u);
  EXPECT_EQ(StateAt(1, stays), "a");
  EXPECT_FALSE(At(1).machine.draining());
  EXPECT_TRUE(vswitch.machine.accepts(1));
  // Other moves from there are no drains, and another drain is another.
  ASSERT_TRUE(At(1).machine.Move(2, 2, 1));
  At(1).machine.Undrain();
  Turn();
  Settle();
  EXPECT_EQ(Ended(1, 2).moved, 1u);
  EXPECT_FALSE(Ended(1, 2).undrained);
  ASSERT_TRUE(At(1).machine.Drain(3, targets));
  Turn();
  EXPECT_TRUE(Ended(1, 3).drained);
  EXPECT_FALSE(Ended(1, 3).undrained);
}

TEST_F(MigrationTest, VIsToldOfUndrainThoughTheChannelHadNoRoom) {
  OpenFlow();
  const uint16_t targets[] = {2};
  ASSERT_TRUE(At(1).machine.Drain(1, targets));
  Settle();
  ASSERT_FALSE(vswitch.machine.accepts(1));
  At(1).post.is_full = true;
  At(1).machine.Undrain();
  Turn();
  Settle();
  ASSERT_FALSE(vswitch.machine.accepts(1));
  At(1).post.is_full = false;
  Turn();
  Settle();
  EXPECT_TRUE(vswitch.machine.accepts(1));
}

TEST_F(MigrationTest, ADrainThatMayNotMoveAnythingEndsAndSaysSo) {
  digests[2] = {8, 1};
  StartRuntime(2);
  for (uint16_t id = 1; id < test::kMembers; ++id) Introduce(id, id);
  OpenFlow();
  const uint16_t targets[] = {2};
  ASSERT_TRUE(At(1).machine.Drain(1, targets));
  for (int i = 0; i < 3; ++i) {
    Turn();
    Settle();
  }
  EXPECT_FALSE(Ended(1, 1).drained);
  EXPECT_EQ(Ended(1, 1).reason, Refusal::kChain);
}

TEST_F(MigrationTest, PacketsBeyondTheTargetsBufferAreDroppedAndCounted) {
  const uint32_t entry = OpenFlow();
  UpToSwitch(entry);
  for (PacketRef packet = 1; packet <= 5; ++packet) Send(entry, packet);
  DeliverToRuntime(2);
  EXPECT_EQ(At(2).machine.held(), 3u);
  EXPECT_EQ(At(2).dropped.size(), 2u);
  EXPECT_EQ(At(2).dropped[0].second, PacketDrop::kHoldFull);
  Settle();
  EXPECT_EQ(StateAt(2, entry), "abcd");
}

}  // namespace
}  // namespace nf::proto
