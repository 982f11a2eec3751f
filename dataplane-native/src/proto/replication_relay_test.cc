// Output that replicas send: when, by which way, and what becomes of it when a replica dies or doesn't store.
#include <algorithm>

#include "proto/test_members.h"

namespace nf::proto::test {
namespace {

constexpr ReplicationConfig kRelay{.mode = ReplicationMode::kRelay, .replicas = 8, .held_outputs = 16};
constexpr ReplicationConfig kRelayAvailable{
    .mode = ReplicationMode::kRelay, .unprotected = Unprotected::kAvailable, .replicas = 8, .held_outputs = 16};

class RelayTest : public MembersTest {
 protected:
  explicit RelayTest(const ReplicationConfig& config = kRelay) : MembersTest(true, config) {}

  void SetPlaces(uint16_t id, std::vector<uint16_t> places) {
    At(id).machine.SetPlaces(places, now_ns);
    Settle();
  }
  // The packet has been processed, and what it changed and caused has been said.
  void Process(uint32_t entry, PacketRef packet, uint16_t id) {
    Send(entry, packet);
    DeliverToRuntime(id);
    At(id).machine.Replicate(now_ns);
  }
  void DeliverLettersTo(uint16_t id) {
    for (std::deque<Letter> all = std::exchange(letters, {}); !all.empty(); all.pop_front())
      all.front().to == id ? Hand(all.front()) : letters.push_back(all.front());
  }
  Letter TakeLetter(MessageType type) {
    const auto found = std::ranges::find(letters, type, &Letter::type);
    EXPECT_NE(found, letters.end());
    Letter letter = *found;
    letters.erase(found);
    return letter;
  }
  // The next update that waits here is one that the replica can't apply.
  void DamageDelta() {
    ASSERT_EQ(letters.front().type(), MessageType::kDelta);
    letters.front().bytes[sizeof(MessageHeader) + offsetof(DeltaRecord, number)] ^= 1;
  }
};

struct AvailableRelayTest : RelayTest {
  AvailableRelayTest() : RelayTest(kRelayAvailable) {}
};

TEST_F(RelayTest, TheReplicaSendsWhatItHasTheStateOf) {
  SetPlaces(1, {2});
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Process(entry, 0, 1);
  EXPECT_TRUE(At(1).to_vswitch.empty());
  ASSERT_TRUE(DeliverLetter(MessageType::kFull));
  EXPECT_TRUE(At(2).to_vswitch.empty());
  ASSERT_TRUE(DeliverLetter(MessageType::kRelay));
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "a");
  EXPECT_EQ(At(1).machine.source().held(), 1u) << "the copy stays until the replica has said so";
  Settle();
  EXPECT_EQ(At(1).machine.source().held(), 0u);
  EXPECT_EQ(At(1).outputs_relayed, "a");
  EXPECT_TRUE(At(1).outputs_dropped.empty());
  EXPECT_EQ(At(1).machine.source().counters().relayed, 1u);
}

TEST_F(RelayTest, WhatAReplicaHadNotSentWhenItDiedGoesByTheNext) {
  SetPlaces(1, {2, 3});
  const uint32_t entry = OpenFlow();
  const uint16_t home = At(1).machine.source().home(BucketOf({})).id;
  const uint16_t other = home == 2 ? 3 : 2;
  Process(entry, 1, 1);
  DeliverLettersTo(home);
  DeliverFromRuntime(home);
  EXPECT_EQ(vswitch.released, "ab");
  Process(entry, 2, 1);
  Die(home);
  Settle();
  // Nobody knows of b whether it has left. It goes once more, and V lets it out once.
  EXPECT_EQ(vswitch.released, "abc");
  EXPECT_EQ(vswitch.dropped, std::vector{GateDrop::kRepeated});
  EXPECT_EQ(At(1).outputs_relayed, "abc");
  EXPECT_EQ(At(other).images[0], "abc");
}

TEST_F(RelayTest, WhatComesFromAnUpdateThatIsNotStoredIsNotSent) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  DamageDelta();
  DeliverLettersTo(2);
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "a");
  Settle();
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_TRUE(vswitch.dropped.empty());
  EXPECT_EQ(At(2).images[0], "ab");
  EXPECT_EQ(At(2).machine.replicas().counters().not_relayed, 1u);
}

// After an update that isn't stored the next may be all of the flow, and is stored; the owner hasn't heard of it.
TEST_F(RelayTest, AllOfAFlowIsNotSaidBeforeTheLastUpdateIsAnswered) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  DamageDelta();
  At(1).has_no_deltas = true;
  Process(entry, 2, 1);
  DeliverLettersTo(2);
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "a") << "c has overtaken b";
  Settle();
  EXPECT_EQ(vswitch.released, "abc");
  EXPECT_TRUE(vswitch.dropped.empty());
}

// Both owners of a flow that moves have their replicas at runtime 3, which stores what neither of them says.
TEST_F(RelayTest, AnUpdateOfTheNextOwnerThatIsNotStoredEitherHidesNothing) {
  SetPlaces(1, {3});
  SetPlaces(2, {3});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  DamageDelta();
  ASSERT_TRUE(DeliverLetter(MessageType::kDelta));
  const Letter relay = TakeLetter(MessageType::kRelay);
  ASSERT_TRUE(At(1).machine.MoveOne(1, 2, ActorAt(1, entry), now_ns));
  for (int round = 0; round < 5; ++round) {
    for (uint16_t id : {1, 2}) DeliverToRuntime(id);
    for (uint16_t id : {1, 2}) At(id).machine.Replicate(now_ns);
    for (uint16_t id : {1, 2}) DeliverFromRuntime(id);
    for (uint16_t id : {0, 1, 2}) DeliverLettersTo(id);
  }
  ASSERT_EQ(StateAt(2, entry), "ab");
  Letter full = TakeLetter(MessageType::kFull);
  full.bytes[sizeof(MessageHeader) + offsetof(FullRecord, layout)] ^= 1;
  Hand(full);
  Hand(relay);
  EXPECT_TRUE(At(3).to_vswitch.empty()) << "runtime 3 has not stored what b comes from";
  Settle();
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_TRUE(vswitch.dropped.empty());
}

TEST_F(RelayTest, TheWayChangesWhenAllOnTheOldOneHasCome) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  DeliverLettersTo(2);  // Runtime 2 has sent it, and it is on its way to V.
  At(2).machine.Replicate(now_ns);
  DeliverLettersTo(1);
  At(1).machine.SetPlaces(std::vector<uint16_t>{3}, now_ns);
  for (int round = 0; round < 5; ++round) {
    for (uint16_t id : {1, 3}) At(id).machine.Replicate(now_ns);
    for (uint16_t id : {0, 1, 2, 3}) DeliverLettersTo(id);
  }
  Process(entry, 2, 1);
  DeliverLettersTo(3);
  DeliverFromRuntime(3);
  EXPECT_EQ(vswitch.released, "a") << "c has overtaken b";
  Settle();
  EXPECT_EQ(vswitch.released, "abc");
  EXPECT_TRUE(vswitch.dropped.empty());
  EXPECT_EQ(At(1).machine.source().home(BucketOf({})).id, 3);
}

TEST_F(RelayTest, TheEndOfAFlowIsSaidBehindItsOutput) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  ASSERT_TRUE(At(1).machine.Close(ActorAt(1, entry), now_ns));
  At(1).machine.Replicate(now_ns);
  EXPECT_TRUE(At(1).to_vswitch.empty()) << "it would overtake what the replica sends";
  Settle();
  EXPECT_EQ(vswitch.released, "ab");
  EXPECT_EQ(vswitch.removed.size(), 1u);
  EXPECT_EQ(At(1).machine.actors_used(), 0u);
}

TEST_F(RelayTest, WhatAReplicaHasSentForADeadOwnerLeaves) {
  SetPlaces(1, {2});
  SetPlaces(2, {3});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  Process(entry, 2, 1);
  DeliverLettersTo(2);
  vswitch.machine.MemberDown(1);
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "abc") << "before V has looked for the flow";
  Send(entry, 3);  // V has made runtime 2 the owner.
  Die(1);
  Settle();
  EXPECT_EQ(vswitch.released, "abcd");
  EXPECT_EQ(StateAt(2, entry), "abcd");
}

TEST_F(RelayTest, WhatIsOnTheWayWhenTheReplicaBecomesTheFlowLeavesBeforeItsOwn) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  DeliverLettersTo(2);
  vswitch.machine.MemberDown(1);
  Send(entry, 2);
  DeliverToRuntime(2);
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "ab");
}

TEST_F(RelayTest, WhatHasLeftIsNotLostThoughItsOwnerHadSaidThatThereIsNoFlow) {
  SetPlaces(1, {2});
  const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
  Send(entry, 0);
  vswitch.to_runtime[1].clear();
  now_ns += 60'000'000;
  vswitch.machine.Turn(now_ns);  // Which asks for the flow.
  Process(entry, 1, 1);
  ASSERT_EQ(At(1).to_vswitch.front().what.type, MarkerType::kGone);
  DeliverLettersTo(2);
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "b");
  Settle();
  Send(entry, 2);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "bc");
  EXPECT_EQ(vswitch.released, "bc");
  EXPECT_EQ(vswitch.machine.counters().state_lost, 0u);
}

TEST_F(RelayTest, OnlyWhoIsMadeTheFlowSendsForADeadOwner) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  DeliverLettersTo(2);
  ASSERT_EQ(At(2).to_vswitch.size(), 1u);
  const OnData item = At(2).to_vswitch.front();
  vswitch.machine.MemberDown(1);
  GateDrop reason{};
  EXPECT_EQ(vswitch.machine.OnOutput(3, item.packet, item.header, &reason), GateVerdict::kDropped);
  EXPECT_EQ(reason, GateDrop::kFenced);
  EXPECT_EQ(vswitch.machine.OnOutput(2, item.packet, item.header, &reason), GateVerdict::kRelease);
}

// Runtime 2 has sent b, and is silent before it says so, and before c has come to it.
TEST_F(AvailableRelayTest, WhatAHomeSaysWhenItIsGivenUpComesTooLate) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  DeliverLettersTo(2);
  At(2).machine.Replicate(now_ns);
  const std::deque<Letter> late = std::exchange(letters, {});
  ASSERT_EQ(late.front().type(), MessageType::kStored);
  Process(entry, 2, 1);
  letters.clear();
  At(1).machine.SetPlaces({}, now_ns);
  now_ns += kRelayAvailable.unreachable_ns;
  At(1).machine.Turn(now_ns);
  for (const Letter& letter : late) Hand(letter);
  EXPECT_EQ(At(1).machine.source().held(), 2u);
  for (uint16_t id : {0, 1}) DeliverLettersTo(id);
  At(1).machine.Replicate(now_ns);
  DeliverFromRuntime(1);
  EXPECT_EQ(vswitch.released, "abc");
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "abc");
  EXPECT_EQ(vswitch.dropped, std::vector{GateDrop::kRepeated});
}

// Runtime 2 has sent b. Then there is more that it doesn't store than it can tell.
TEST_F(AvailableRelayTest, WhatAHomeHasSentThatStoresNoMoreComesBeforeWhatTheOwnerSends) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  for (int round = 0; round < 3; ++round) {
    for (uint16_t id : {1, 2}) DeliverLettersTo(id);
    for (uint16_t id : {1, 2}) At(id).machine.Replicate(now_ns);
  }
  EXPECT_EQ(At(1).machine.source().held(), 0u);
  ASSERT_EQ(At(2).to_vswitch.size(), 1u);
  const uint32_t actor = ActorAt(1, entry);
  for (int update = 0; update < 70; ++update) {
    At(1).state[actor] += 'x';
    At(1).machine.Touch(actor);
    At(1).machine.Replicate(now_ns);
  }
  DamageDelta();
  Process(entry, 2, 1);
  for (int round = 0; round < 3; ++round) {
    for (uint16_t id : {0, 1, 2}) DeliverLettersTo(id);
    for (uint16_t id : {1, 2}) At(id).machine.Replicate(now_ns);
    DeliverFromRuntime(1);
  }
  EXPECT_EQ(vswitch.released, "a") << "c has overtaken b";
  DeliverFromRuntime(2);
  EXPECT_EQ(vswitch.released, "ab");
  Settle();
  Turn();
  Settle();
  EXPECT_EQ(vswitch.released, "abc");
  EXPECT_TRUE(vswitch.dropped.empty());
}

TEST_F(AvailableRelayTest, WithoutAHomeTheOwnerSendsItself) {
  SetPlaces(1, {2});
  const uint32_t entry = OpenFlow();
  Process(entry, 1, 1);
  Die(2);
  Settle();
  Turn();
  Settle();
  EXPECT_EQ(vswitch.released, "ab");
  Process(entry, 2, 1);
  Settle();
  EXPECT_EQ(vswitch.released, "abc");
  EXPECT_EQ(At(1).machine.source().counters().unprotected, 2u);
  // And back.
  SetPlaces(1, {3});
  Process(entry, 3, 1);
  EXPECT_TRUE(At(1).to_vswitch.empty());
  Settle();
  EXPECT_EQ(vswitch.released, "abcd");
  EXPECT_TRUE(vswitch.dropped.empty());
}

}  // namespace
}  // namespace nf::proto::test
