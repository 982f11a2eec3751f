// Flows that are replicated: when their output leaves, and what becomes of them when runtimes die.
#include <algorithm>
#include <set>

#include "proto/test_members.h"

namespace nf::proto::test {
namespace {

constexpr ReplicationConfig kStrict{.replicas = 8, .held_outputs = 16};
constexpr ReplicationConfig kAvailable{.unprotected = Unprotected::kAvailable, .replicas = 8, .held_outputs = 16};

class ReplicationTest : public MembersTest {
 protected:
  explicit ReplicationTest(const ReplicationConfig& config = kStrict, const Rooms& rooms = {})
      : MembersTest(true, config, rooms) {}

  void SetPlaces(uint16_t id, std::vector<uint16_t> places) { At(id).machine.SetPlaces(places, now_ns); }
  void SetAllPlaces(const std::vector<uint16_t>& places) {
    for (uint16_t id = 1; id < kMembers; ++id)
      if (runtimes[id]) SetPlaces(id, places);
    Settle();
  }
  // The packet has been processed, and what it changed has been said.
  void Process(uint32_t entry, PacketRef packet, uint16_t id) {
    Send(entry, packet);
    DeliverToRuntime(id);
    At(id).machine.Replicate(now_ns);
    DeliverFromRuntime(id);
  }
  // One round in which nothing that is said to or by this member arrives; it waits.
  void SettleWithout(uint16_t member) {
    for (uint16_t id = 1; id < kMembers; ++id) {
      DeliverToRuntime(id);
      At(id).machine.Replicate(now_ns);
      DeliverFromRuntime(id);
    }
    std::deque<Letter> kept;
    while (!letters.empty()) {
      const Letter letter = letters.front();
      letters.pop_front();
      if (letter.to == member || letter.from == member)
        kept.push_back(letter);
      else
        Hand(letter);
    }
    letters.insert(letters.end(), kept.begin(), kept.end());
  }
  bool Hears(MessageType type) {
    const bool any = !letters.empty() && letters.front().type() == type;
    return any && DeliverLetter(type);
  }
};

struct AvailableReplicationTest : ReplicationTest {
  AvailableReplicationTest() : ReplicationTest(kAvailable) {}
};

TEST_F(ReplicationTest, OutputLeavesWhenTheReplicaHasWhatItCameFrom) {
  SetAllPlaces({2});
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Process(entry, 0, 1);
  EXPECT_EQ(At(1).machine.source().held(), 1u);
  ASSERT_TRUE(Hears(MessageType::kFull));
  At(2).machine.Replicate(now_ns);
  DeliverFromRuntime(1);
  EXPECT_EQ(vswitch.released, "");
  ASSERT_TRUE(Hears(MessageType::kStored));
  DeliverFromRuntime(1);
  EXPECT_EQ(vswitch.released, "a");

  Process(entry, 1, 1);
  EXPECT_EQ(letters.front().bytes.size(), sizeof(MessageHeader) + sizeof(DeltaRecord) + 1);
  EXPECT_EQ(vswitch.released, "a");
  Settle();
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_EQ(At(2).images[0], "ab");
}

TEST_F(ReplicationTest, TheNextPacketOfADeadOwnersFlowFindsItsReplica) {
  SetAllPlaces({2, 3});
  const uint32_t entry = OpenFlow();
  Send(entry, 1);
  Settle();
  Die(1);
  Send(entry, 2);
  Settle();
  const uint16_t heir = vswitch.machine.entry(entry).owner.id;
  EXPECT_EQ(StateAt(heir, entry), "abc");
  EXPECT_EQ(vswitch.released, "abc");
  EXPECT_EQ(vswitch.machine.counters().state_lost, 0u);
  EXPECT_EQ(vswitch.machine.counters().recovered, 1u);
}

TEST_F(ReplicationTest, TheSweepFindsWhatHasNoPackets) {
  SetAllPlaces({2});
  const uint32_t entry = OpenFlow();
  Die(1);
  Turn();
  Settle();
  EXPECT_EQ(StateAt(2, entry), "a");
  EXPECT_EQ(vswitch.machine.entry(entry).owner.id, 2);
  // Nothing is left of the replica that became the flow, and V knows of nobody dead.
  for (int turns = 0; turns < 100; ++turns) Turn();
  Settle();
  EXPECT_EQ(At(2).machine.replicas().used(), 0u);
  EXPECT_FALSE(vswitch.machine.recovers());
}

TEST_F(ReplicationTest, ASecondFailureIsSurvivedWhenTheFirstWasGotOver) {
  SetAllPlaces({1, 2, 3});
  const uint32_t entry = OpenFlow();
  Die(1);
  Send(entry, 1);
  Settle();
  const uint16_t heir = vswitch.machine.entry(entry).owner.id;
  Die(heir);
  Send(entry, 2);
  Settle();
  const uint16_t last = vswitch.machine.entry(entry).owner.id;
  EXPECT_EQ(StateAt(last, entry), "abc");
  EXPECT_EQ(vswitch.released, "ab");  // Nobody is left to keep a replica.
  EXPECT_EQ(vswitch.machine.counters().state_lost, 0u);
}

// Else what an heir recovers would wait until all of its bucket is at another place.
TEST_F(ReplicationTest, NobodysHeirHasItsReplicasWhereTheDeadOneWas) {
  SetAllPlaces({1, 2, 3});
  std::array<int, kMembers> kept{};
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    for (uint16_t owner : {1, 2, 3}) {
      const auto home_of = [&](uint16_t id) { return At(id).machine.source().home(static_cast<uint8_t>(bucket)).id; };
      const uint16_t heir = home_of(owner);
      ASSERT_NE(heir, 0) << bucket;
      EXPECT_NE(home_of(heir), owner) << bucket;
      ++kept[heir];
    }
  }
  for (uint16_t id : {1, 2, 3}) EXPECT_EQ(kept[id], static_cast<int>(kBuckets)) << id;
}

TEST_F(ReplicationTest, ReplicasAreWhereTheyAreToBeAsLongAsSomebodyIsThere) {
  SetAllPlaces({1, 2, 3});
  const uint32_t entry = OpenFlow();
  const auto homes = [this] {
    std::set<uint16_t> ids;
    for (uint32_t bucket = 0; bucket < kBuckets; ++bucket)
      ids.insert(At(1).machine.source().home(static_cast<uint8_t>(bucket)).id);
    return ids;
  };
  EXPECT_EQ(homes(), (std::set<uint16_t>{2, 3}));
  for (const uint16_t home : {2, 3, 2}) {
    At(1).machine.SetHomes(1u << home, now_ns);
    Settle();
    EXPECT_EQ(homes(), std::set{home});
    EXPECT_EQ(At(home).machine.replicas().used(), 1u);
    EXPECT_EQ(At(home == 2 ? 3 : 2).machine.replicas().used(), 0u);
    EXPECT_TRUE(At(1).machine.source().all_protected());
  }
  // Anywhere is better than nowhere.
  Die(2);
  Settle();
  EXPECT_EQ(homes(), std::set<uint16_t>{3});
  Send(entry, 1);
  Settle();
  EXPECT_EQ(vswitch.released, "ab");
  // It comes back as another, and has them again.
  StartRuntime(2);
  Introduce(2, 12);
  for (const uint16_t other : {1, 3}) At(2).machine.MemberUp(other, other);
  Turn();
  Settle();
  EXPECT_EQ(homes(), std::set<uint16_t>{2});
  At(1).machine.SetHomes(0, now_ns);
  Settle();
  EXPECT_EQ(homes(), (std::set<uint16_t>{2, 3}));
}

TEST_F(ReplicationTest, AnOwnerIsNoHomeOfItsOwnFlows) {
  SetAllPlaces({1, 2});
  At(1).machine.SetHomes(1u << 1 | 1u << kVswitch, now_ns);
  OpenFlow();
  EXPECT_EQ(At(1).machine.source().home(0).id, 2);
  EXPECT_EQ(vswitch.released, "a");
}

TEST_F(ReplicationTest, OutputGoesOnWhileReplicasChangeTheirHomes) {
  SetAllPlaces({2, 3});
  const uint32_t entry = OpenFlow();
  std::string sent = "a";
  for (PacketRef packet = 1; packet < 20; ++packet) {
    At(1).machine.SetHomes(1u << (2 + packet % 2), now_ns);
    Send(entry, packet);
    SettleWithout(packet % 3 == 0 ? 2 : kVswitch);
    Settle();
    sent += static_cast<char>('a' + packet);
  }
  EXPECT_EQ(vswitch.released, sent);
  Die(1);
  Send(entry, 20);
  Settle();
  EXPECT_EQ(StateAt(vswitch.machine.entry(entry).owner.id, entry), sent + static_cast<char>('a' + 20));
}

TEST_F(ReplicationTest, WithoutAReplicaOutputWaits) {
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Process(entry, 0, 1);
  Settle();
  EXPECT_EQ(vswitch.released, "");
  EXPECT_EQ(At(1).machine.source().unprotected(), 1u);
  SetAllPlaces({3});
  EXPECT_EQ(vswitch.released, "a");
  EXPECT_EQ(At(1).machine.source().unprotected(), 0u);
}

TEST_F(AvailableReplicationTest, OrItLeavesAndIsCounted) {
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Process(entry, 0, 1);
  Settle();
  EXPECT_EQ(vswitch.released, "a");
  EXPECT_EQ(At(1).machine.source().counters().unprotected, 1u);
}

TEST_F(AvailableReplicationTest, NotBeforeVKnowsThatThereIsNoReplica) {
  SetAllPlaces({2});
  const uint32_t entry = OpenFlow();
  // The owner hears of the replica's death, V doesn't: it would still look there.
  At(1).machine.MemberDown(2, now_ns);
  letters.clear();
  Process(entry, 1, 1);
  EXPECT_EQ(vswitch.released, "a");
  Turn();
  Settle();
  EXPECT_EQ(vswitch.released, "ab");
}

TEST_F(ReplicationTest, OutputWaitsForBothPlacesWhileVIsTold) {
  SetAllPlaces({2});
  const uint32_t entry = OpenFlow();
  SetPlaces(1, {3});
  for (int round = 0; round < 3; ++round) SettleWithout(kVswitch);
  EXPECT_EQ(At(3).images[0], "a");
  Send(entry, 1);
  SettleWithout(2);
  EXPECT_EQ(At(3).images[0], "ab");
  EXPECT_EQ(vswitch.released, "a");
  Settle();
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_EQ(At(2).machine.replicas().used(), 0u);
}

// Its home takes nothing when it is copied to the next, which then isn't needed.
TEST_F(ReplicationTest, AFlowThatHasNotChangedIsAtItsHomeAsItIs) {
  SetAllPlaces({2});
  const uint32_t first = OpenFlow(), second = OpenFlow();
  Process(first, 1, 1);
  At(1).post.full_to = 2;
  SetPlaces(1, {3});
  Process(second, 2, 1);
  EXPECT_EQ(At(1).machine.source().counters().copies, 4u);
  At(1).post.full_to = kNone;
  SetPlaces(1, {2});
  Settle();
  EXPECT_EQ(vswitch.released, "aabc");
  EXPECT_EQ(At(2).machine.replicas().used(), 2u);
  EXPECT_EQ(At(3).machine.replicas().used(), 0u);
}

TEST_F(ReplicationTest, AMovedFlowHasItsNewReplicaBeforeTheOldOneGoes) {
  SetAllPlaces({3});
  const uint32_t entry = OpenFlow();
  SetPlaces(2, {1});
  Settle();
  ASSERT_TRUE(At(1).machine.MoveOne(1, 2, ActorAt(1, entry), now_ns));
  Settle();
  EXPECT_EQ(Ended(1, 1).moved, 1u);
  EXPECT_EQ(StateAt(2, entry), "a");
  EXPECT_EQ(At(3).machine.replicas().used(), 0u);
  EXPECT_EQ(At(1).machine.replicas().used(), 1u);
  // V hasn't heard that the target has the flow. The source, asked back, has let go: its replica is where V looks then.
  Die(2);
  Turn();
  Settle();
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ab");
  EXPECT_EQ(vswitch.machine.counters().state_lost, 0u);
}

TEST_F(ReplicationTest, AFlowMovesToWhereItsReplicaIs) {
  SetAllPlaces({2, 3});
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Settle();
  ASSERT_TRUE(At(1).machine.MoveOne(1, 2, ActorAt(1, entry), now_ns));
  Settle();
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(2, entry), "ab");
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_EQ(At(2).machine.replicas().used(), 0u);
  EXPECT_EQ(At(3).machine.replicas().used(), 1u);
}

TEST_F(ReplicationTest, ATargetWhoseSourceDiesTakesTheReplica) {
  SetAllPlaces({3});
  const uint32_t entry = OpenFlow();
  SetPlaces(3, {2});
  ASSERT_TRUE(At(1).machine.MoveOne(1, 2, ActorAt(1, entry), now_ns));
  ASSERT_TRUE(DeliverLetter(MessageType::kOpen));
  ASSERT_TRUE(DeliverLetter(MessageType::kOpened));
  ASSERT_TRUE(DeliverLetter(MessageType::kRoute));
  Die(1);  // Before it has heard that V has switched.
  Turn();
  SetPlaces(2, {3});
  Settle();
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(2, entry), "ab");
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_EQ(At(2).machine.counters().state_lost, 0u);
}

TEST_F(ReplicationTest, AFlowThatEndsTakesItsReplicaWithIt) {
  SetAllPlaces({2});
  const uint32_t entry = OpenFlow();
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entry), now_ns));
  Settle();
  EXPECT_EQ(vswitch.machine.entries_used(), 0u);
  EXPECT_EQ(At(1).machine.actors_used(), 0u);
  EXPECT_EQ(At(2).machine.replicas().used(), 0u);
}

struct FullReplicaTest : ReplicationTest {
  FullReplicaTest() : ReplicationTest({.replicas = 1, .held_outputs = 16}) {}
};

TEST_F(FullReplicaTest, WhatAReplicaHasNoRoomForIsNeverSilent) {
  SetAllPlaces({2});
  OpenFlow();
  const uint32_t second = vswitch.machine.Open({}, 1, now_ns);
  Send(second, 1);
  Settle();
  EXPECT_EQ(vswitch.released, "a");
  EXPECT_EQ(At(1).outputs_dropped, "b");
  EXPECT_EQ(At(1).machine.source().counters().dropped_unprotected, 1u);
  EXPECT_EQ(At(2).machine.replicas().counters().refused_room, 1u);
}

constexpr uint32_t kMany = 200, kPromotions = 16;

// Room for many flows.
struct ManyFlowsTest : ReplicationTest {
  ManyFlowsTest()
      : ReplicationTest({.replicas = kMany, .held_outputs = kMany},
                        {.actors = kMany, .entries = kMany, .promotions = kPromotions}) {}
  uint32_t Open(uint32_t number) {
    FlowKey key{};
    key.source_port = static_cast<uint16_t>(number);
    const uint32_t entry = vswitch.machine.Open(key, 1, now_ns);
    Send(entry, 0);
    return entry;
  }
  void OpenMany(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) Open(i);
    Settle();
  }
  // What a runtime says in one poll.
  size_t Updates(uint16_t id) {
    letters.clear();
    At(id).machine.Replicate(now_ns);
    return static_cast<size_t>(std::ranges::count_if(letters, [](const Letter& letter) {
      return letter.type() == MessageType::kFull || letter.type() == MessageType::kDelta;
    }));
  }
};

// Those change without a packet, so nobody waits for them.
TEST_F(ManyFlowsTest, WhatHasTimeIsNotSaidBeforeWhatIsWaitedFor) {
  SetAllPlaces({2});
  OpenMany(kMany - 1);
  ASSERT_EQ(At(2).machine.replicas().used(), kMany - 1);
  for (uint32_t entry = 0; entry < kMany - 1; ++entry) {
    At(1).state[ActorAt(1, entry)] += 'x';
    At(1).machine.Touch(ActorAt(1, entry));
  }
  At(1).post.is_busy = true;
  EXPECT_EQ(Updates(1), 0u);
  Open(kMany);
  DeliverToRuntime(1);
  EXPECT_EQ(Updates(1), 1u);
  EXPECT_EQ(Updates(1), 0u);

  At(1).post.is_busy = false;
  size_t in_turns = 0;
  for (size_t updates = Updates(1); updates != 0; updates = Updates(1)) {
    EXPECT_LT(updates, kMany - 1);  // A turn doesn't take as long as all of them.
    in_turns += updates;
  }
  EXPECT_EQ(in_turns, kMany - 1);
}

// An owner's packets wait behind what it was asked for.
TEST_F(ManyFlowsTest, TheSweepAsksForSomeFlowsAtATime) {
  SetAllPlaces({2});
  OpenMany(kMany);
  Die(1);
  vswitch.machine.Turn(now_ns);
  EXPECT_EQ(vswitch.machine.counters().recovered, kPromotions);
  vswitch.machine.Turn(now_ns);
  EXPECT_EQ(vswitch.machine.counters().recovered, kPromotions);
  // A packet doesn't wait for its turn.
  Send(kMany - 1, 1);
  EXPECT_EQ(vswitch.machine.counters().recovered, kPromotions + 1);
  for (uint32_t round = 0; round < kMany / kPromotions; ++round) {
    Settle();
    vswitch.machine.Turn(now_ns);
  }
  Settle();
  EXPECT_EQ(vswitch.machine.counters().recovered, kMany);
  EXPECT_EQ(At(2).machine.actors_used(), kMany);
  EXPECT_EQ(At(2).state[ActorAt(2, kMany - 1)], "ab");
}

// Where no answer comes, it goes on, if slowly.
TEST_F(ManyFlowsTest, TheSweepDoesNotWaitForEverForAnAnswer) {
  SetAllPlaces({2});
  OpenMany(kMany);
  Die(1);
  for (uint32_t round = 0; round < 2 * kMany / kPromotions; ++round) {
    now_ns += 100'000'000;
    vswitch.machine.Turn(now_ns);
  }
  EXPECT_EQ(vswitch.machine.counters().recovered, kMany);
}

TEST_F(ReplicationTest, ADeadOwnersLateUpdatesAreNotStored) {
  SetAllPlaces({2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);  // On its way when V takes it for dead.
  vswitch.machine.MemberDown(1);
  Turn();
  DeliverToRuntime(2);
  EXPECT_EQ(StateAt(2, entry), "a");
  Settle();
  EXPECT_EQ(StateAt(2, entry), "a");
  EXPECT_EQ(vswitch.released, "a");
  EXPECT_GT(At(2).machine.replicas().counters().sealed, 0u);
}

}  // namespace
}  // namespace nf::proto::test
