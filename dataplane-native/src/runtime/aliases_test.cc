// NFs that rewrite what identifies a flow: the way back, colliding keys, packets that leave otherwise than their flow
// (docs/packet_path.md, section 7).
#include <gtest/gtest.h>

#include "runtime/test_run.h"

namespace nf::test {
namespace {

using abi::CloseReason;
using abi::Verdict;

constexpr NfRights kHeaders{.view = View::kPayload, .edit = Edit::kHeaders};
constexpr uint32_t kPublicAddress = 0x0b000001;

TestNf NatNf(uint32_t leases = 0) {
  return {.name = "nat", .rights = kHeaders, .lease_size = leases, .process_burst = NatBody()};
}

std::string Frame(uint32_t source, uint16_t source_port, uint32_t destination, uint16_t destination_port) {
  return Ethernet(0x0800,
                  Ipv4({.source = source, .destination = destination}, Udp(source_port, destination_port, "x")));
}
std::string Out(uint16_t port) { return Frame(kClientAddress, port, kServerAddress, 53); }
std::string Translated(uint16_t port) { return Frame(kPublicAddress, port, kServerAddress, 53); }
std::string Answered(uint16_t port) { return Frame(kServerAddress, 53, kPublicAddress, port); }
std::string Back(uint16_t port) { return Frame(kServerAddress, 53, kClientAddress, port); }

TEST(AliasesTest, TheWayBackFindsTheFlow) {
  TestRun run;
  run.AddNf(NatNf(10));
  run.Client(Out(1000));
  run.Server(Answered(5001), 200);
  run.Client(Out(1000), 200);
  run.Client(Out(1001), 200);
  run.Server(Answered(5002), 400);
  run.Server(Answered(5001), 400);
  run.Run();
  EXPECT_EQ(run.sent_frames(), (std::vector<std::string>{Translated(5001), Back(1000), Translated(5001),
                                                         Translated(5002), Back(1001), Back(1000)}));
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].packets[0], 2u);
  EXPECT_EQ(ended[0].packets[1], 2u);
  EXPECT_EQ(ended[0].key.source_port, 1000);  // As the initiator sends.
}

TEST(AliasesTest, AnAnswerThatOvertakesTheAliasOpensAFlowOfItsOwn) {
  TestRun run;
  run.AddNf(NatNf());
  run.AddNf({.name = "sees", .process_burst = AllPackets(Verdict::kForward)});
  run.Client(Out(1000));
  run.Server(Answered(5000));  // No flow is known by that key before the first packet has passed.
  run.Run();
  // The second opened a flow of its own, which has that key, so the first may not have it.
  EXPECT_EQ(run.dropped("alias_conflict"), 1u);
  EXPECT_EQ(run.ended().size(), 2u);
}

TEST(AliasesTest, TheTranslatedTupleFromTheClientsSideIsDirectionZero) {
  TestRun run;
  run.AddNf(NatNf());
  run.Client(Out(1000));
  run.Client(Translated(5000), 200);
  run.Run();
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].packets[0], 2u);
  EXPECT_EQ(run.sent_frames(), (std::vector<std::string>{Translated(5000), Translated(5000)}));
}

TEST(AliasesTest, ATakenReturnKeyClosesTheNewFlow) {
  TestRun run;
  run.AddNf(NatNf());  // Without leases: all flows to one server collide.
  run.AddNf({.name = "b"});
  run.Client(Out(1000));
  run.Client(Out(1001), 200);
  run.Client(Out(1001), 200);  // In the same call: shares its fate.
  run.Server(Answered(5000), 400);
  run.Run();
  EXPECT_EQ(run.dropped("alias_conflict"), 2u);
  EXPECT_EQ(run.sent_frames(), (std::vector<std::string>{Translated(5000), Back(1000)}));
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].close_reason, CloseReason::kAliasConflict);
  EXPECT_EQ(ended[0].key.source_port, 1001);
  EXPECT_EQ(run.counter(1, 2), 0x67u);  // The chain is told.
}

TEST(AliasesTest, EndsThatChangePlacesAreTheFlowsOwnKey) {
  TestRun run;
  // Exchanges the ends of direction 0 where the payload begins with x.
  run.AddNf({.name = "turns", .rights = kHeaders, .process_burst = ForEachPacket(R"(
    (i32.store (local.get $result) (i32.const 1))
    (if (i32.and (i32.eqz (i32.load8_u offset=21 (local.get $descriptor)))
                 (i32.eq (i32.load8_u (i32.load offset=4 (local.get $descriptor))) (i32.const 120))) (then
      (i32.store (local.get $result) (i32.const 0x10001))
      (local.set $x (i32.load (local.get $descriptor)))
      (local.set $y (i32.load offset=26 (local.get $x)))
      (i32.store offset=26 (local.get $x) (i32.load offset=30 (local.get $x)))
      (i32.store offset=30 (local.get $x) (local.get $y))
      (i32.store offset=34 (local.get $x) (i32.rotl (i32.load offset=34 (local.get $x)) (i32.const 16))))))")});
  const std::string as_it_came =
      Ethernet(0x0800, Ipv4({.source = kClientAddress, .destination = kServerAddress}, Udp(1000, 53, "y")));
  const std::string answer = Frame(kServerAddress, 53, kClientAddress, 1000);
  run.Client(Out(1000));
  run.Client(Out(1000), 200);
  run.Client(as_it_came, 400);
  run.Server(answer, 600);
  run.Run();
  EXPECT_EQ(run.sent_frames(), (std::vector<std::string>{answer, answer, answer}));
  EXPECT_EQ(run.dropped("key_changed"), 1u);
  EXPECT_EQ(run.ended().size(), 1u);
}

TEST(AliasesTest, AKeyThatAnotherFlowWasOpenedWithIsTakenToo) {
  TestRun run;
  run.AddNf(NatNf());
  run.Server(Answered(5000));  // A flow of the server's own, which the NAT lets out as it is.
  run.Client(Out(1000), 200);
  run.Run();
  EXPECT_EQ(run.dropped("alias_conflict"), 1u);
}

TEST(AliasesTest, AfterTheEndOfItsFlowAKeyIsFree) {
  TestRun run;
  run.AddNf(NatNf());
  run.Client(Out(1000));
  run.Client(Ethernet(0x0806, "time goes by"), 31'000'000);
  run.Client(Out(1001), 31'000'100);
  run.Server(Answered(5000), 31'000'300);
  run.Run();
  EXPECT_EQ(run.dropped_by_host(), 0u);
  EXPECT_EQ(run.sent_frames().back(), Back(1001));
}

// Changes a byte where the packet says so: the source port's low byte or the destination address's.
Answer Change(uint16_t at) {
  return {.flags = abi::kResultFlagModifiedHeader, .op = Answer::kSetHeaderByte, .value = 77, .at = at};
}

TEST(AliasesTest, PacketsMustLeaveAsTheirFlowDoes) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders});
  run.Client(UdpFrame(1000));  // Leaves as it came: so must all others.
  run.Client(UdpFrame(1000, Payload({Change(35)})));
  run.Client(UdpFrame(1000, Payload({Change(33)})));
  run.Client(UdpFrame(1000, Payload({Change(22)})));  // The TTL is no part of the tuple.
  run.Server(UdpFrame(1000, Payload({Change(37)}), true));
  run.Server(UdpFrame(1000, Payload({}), true));
  run.Run();
  EXPECT_EQ(run.dropped("key_changed"), 3u);
  EXPECT_EQ(run.port.sent.size(), 3u);
  EXPECT_EQ(run.ended().size(), 1u);
}

TEST(AliasesTest, OnlyWhatLeavesFixesTheTuple) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders});
  run.AddNf({.name = "b"});
  run.Client(UdpFrame(1000, Payload({Change(35), {.verdict = Verdict::kDrop}})));
  run.Server(UdpFrame(1000, "", true), 200);
  run.Client(UdpFrame(1000), 400);
  run.Client(UdpFrame(1000, Payload({Change(35), {}})), 600);
  run.Run();
  EXPECT_EQ(run.port.sent.size(), 2u);
  EXPECT_EQ(run.dropped("key_changed"), 1u);
}

TEST(AliasesTest, AReplyDoesNotFixTheTupleAndMustFitTheFlow) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders});
  run.AddNf({.name = "b", .rights = {.view = View::kPayload, .reply = true}});
  const Answer reply{.verdict = Verdict::kReply};
  run.Client(UdpFrame(1000, Payload({{}, reply})));            // Leaves as its initiator sent it: no answer to anybody.
  run.Client(UdpFrame(1000, Payload({Change(35), {}})), 200);  // The first that leaves, with another port.
  run.Run();
  EXPECT_EQ(run.dropped("key_changed"), 1u);
  ASSERT_EQ(run.port.sent.size(), 1u);
  EXPECT_EQ(run.port.sent[0].arrival, 1u);
}

TEST(AliasesTest, AReplyToTheServerFixesNothingEither) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders});
  run.AddNf({.name = "b", .rights = {.view = View::kPayload, .reply = true}});
  run.Client(UdpFrame(1000, Payload({{}, {.verdict = Verdict::kDrop}})));
  run.Server(UdpFrame(1000, Payload({{}, {.verdict = Verdict::kReply}}), true), 200);  // Turns to direction 0.
  run.Client(UdpFrame(1000), 400);
  run.Run();
  EXPECT_EQ(run.dropped_by_host(), 0u);
  EXPECT_EQ(run.port.sent.size(), 2u);
}

TEST(AliasesTest, AnIcmpErrorAboutTheTranslatedPacketBelongsToItsFlow) {
  TestRun run;
  run.AddNf({.name = "nat", .rights = kHeaders, .process_burst = ForEachPacket(R"(
    (i32.store (local.get $result) (i32.const 0x10001))
    (if (i32.and (i32.load16_u offset=22 (local.get $descriptor)) (i32.const 16)) (then
      (i32.store (local.get $result) (i32.const 1))
      (i32.store (i32.load offset=24 (local.get $descriptor)) (i32.load8_u offset=21 (local.get $descriptor))))
    (else
      (i32.store offset=26 (i32.load (local.get $descriptor)) (i32.const 0x0100000b)))))")});
  run.Client(Out(1000));
  const std::string inner = Ipv4({.source = kPublicAddress, .destination = kServerAddress}, Udp(1000, 53, ""));
  const std::string error = Ethernet(
      0x0800, Ipv4({.protocol = 1, .source = 0x0a0001fe, .destination = kPublicAddress}, Icmp(3, 1, 0, inner)));
  run.Server(error, 200);
  run.Run();
  EXPECT_EQ(run.dropped_by_host(), 0u);
  EXPECT_EQ(run.sent_frames().back(), error);  // Its own tuple is not compared.
  const auto flow = run.ended().at(0);
  EXPECT_EQ(flow.packets[1], 1u);
  EXPECT_EQ(Word(flow.states[0], 0), 1u);  // Direction 1.
}

TEST(AliasesTest, LaterFragmentsMustLeaveFromTheSameAddresses) {
  const auto fragment = [](uint16_t offset_8, bool more, const std::string& data) {
    return Ethernet(0x0800, Ipv4({.more_fragments = more, .offset_8 = offset_8}, data));
  };
  const std::string first = fragment(0, true, Udp(1000, 53, "12345678", 24));
  const std::string later = fragment(2, false, "rest of it");
  for (bool translates : {true, false}) {
    TestRun run;
    run.AddNf({.name = "nat", .rights = kHeaders, .process_burst = NatBody(translates)});
    run.Client(first);
    run.Client(later);
    run.Run();
    EXPECT_EQ(run.dropped("key_changed"), translates ? 0u : 1u);
    ASSERT_EQ(run.port.sent.size(), translates ? 2u : 1u);
    if (!translates) continue;
    EXPECT_EQ(run.port.sent[1].frame.substr(26, 4), Be32(kPublicAddress));
    EXPECT_EQ(run.port.sent[1].frame.substr(34), "rest of it");
  }
}

// A connection opens anew from the server's side while call 0 is full. That call must run first, and in it another flow
// gets the very key: the packet is that flow's.
TEST(AliasesTest, AKeyMayBeTakenWhileAPacketOpensItsFlowAnew) {
  const auto fragment = [](uint16_t offset_8, bool more, const std::string& data) {
    return Ethernet(0x0800, Ipv4({.more_fragments = more, .offset_8 = offset_8}, data));
  };
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders});
  run.Client(TcpFrame(1000, 0x02));
  run.Server(TcpFrame(1000, 0x14, true), 200);
  for (uint16_t i = 0; i < abi::kBurstPackets - 2; ++i) run.Client(fragment(2 + i, true, "12345678"), 300);
  Answer to_port_1000 = Change(35);
  to_port_1000.value = 1000 & 0xff;
  run.Client(TcpFrame((1000 & 0xff00) | 1, 0x02, false, Payload({to_port_1000})), 500);
  run.Client(fragment(0, true, Udp(2000, 53, "12345678", 1000)), 500);  // With those held, call 0 is full.
  run.Server(TcpFrame(1000, 0x02, true), 500);
  run.Run();
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 3u);
  EXPECT_EQ(ended[0].close_reason, CloseReason::kFinished);
  EXPECT_EQ(ended[1].key.source_port, (1000 & 0xff00) | 1);
  EXPECT_EQ(ended[1].packets[0], 1u);
  EXPECT_EQ(ended[1].packets[1], 1u);
}

TEST(AliasesTest, WithoutEditNothingIsCompared) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(UdpFrame(1000));
  run.Server(UdpFrame(1000, "", true));
  run.Run();
  EXPECT_FALSE(run.worker().chain().may_edit());
  EXPECT_EQ(run.port.sent.size(), 2u);
}

}  // namespace
}  // namespace nf::test
