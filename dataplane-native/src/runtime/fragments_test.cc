// Fragments go with their datagram's flow; early ones wait, within bounds (docs/packet_path.md, section 5).
#include <gtest/gtest.h>

#include "runtime/test_run.h"

namespace nf::test {
namespace {

using abi::Verdict;

// Fragments of a UDP datagram of client flow `port`.
std::string First(uint16_t id, uint16_t port = 1000, const std::string& data = "12345678") {
  return Ethernet(0x0800, Ipv4({.identification = id, .more_fragments = true}, Udp(port, 53, data, 200)));
}
std::string Later(uint16_t id, uint16_t offset_8, bool more = false) {
  return Ethernet(0x0800, Ipv4({.identification = id, .more_fragments = more, .offset_8 = offset_8},
                               "part " + std::to_string(offset_8)));
}

TEST(FragmentsTest, LaterOnesGoWithTheirFirst) {
  TestRun run;
  run.AddNf({.name = "a"});
  const std::vector<std::string> frames = {First(1), Later(1, 2, true), Later(1, 3)};
  for (const auto& frame : frames) run.Client(frame);
  run.Client(Later(1, 4), 4'000'000);
  run.Run();
  EXPECT_EQ(run.port.sent.size(), 4u);
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].packets[0], 4u);
  EXPECT_EQ(Word(ended[0].states[0], 0), 4u);
  EXPECT_EQ(Word(ended[0].states[0], 4), 1u);
}

TEST(FragmentsTest, EarlyOnesFollowTheirFirstThroughTheChainAndLeaveInTheirPlace) {
  TestRun run;
  // Takes the offsets in the order in which they are seen.
  run.AddNf({.name = "a", .process_burst = ForEachPacket(R"(
    (local.set $x (i32.load offset=24 (local.get $descriptor)))
    (i64.store (local.get $x) (i64.or (i64.shl (i64.load (local.get $x)) (i64.const 8))
                                      (i64.load8_u offset=21 (i32.load (local.get $descriptor)))))
    (i32.store8 (local.get $result) (i32.const 1)))")});
  run.Client(Later(1, 3));
  run.Client(Later(2, 9));
  run.Client(Later(1, 2));
  run.Client(UdpFrame(1001));
  run.Client(First(1));
  run.Client(Later(1, 4));
  run.Turns();
  EXPECT_EQ(run.worker().counters().held.value(), 1u);
  std::vector<uint64_t> arrivals;
  for (const auto& sent : run.port.sent) arrivals.push_back(sent.arrival);
  EXPECT_EQ(arrivals, (std::vector<uint64_t>{0, 2, 3, 4, 5}));
  run.Run();
  for (const auto& flow : run.ended()) {
    EXPECT_EQ(Word(flow.states[0], 0), flow.key.source_port == 1000 ? 0x00030204u : 0u);
  }
  EXPECT_EQ(run.dropped("shutdown"), 1u);
}

TEST(FragmentsTest, HeldOverPolls) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(Later(1, 2), 0);
  run.Client(Later(1, 3), 1000);
  run.Turns();
  EXPECT_EQ(run.worker().counters().held.value(), 2u);
  EXPECT_EQ(run.worker().flows_opened(), 0u);
  EXPECT_TRUE(run.port.sent.empty());
  run.Client(First(1), 4'900'000);
  run.Turns();
  EXPECT_EQ(run.worker().counters().held.value(), 0u);
  EXPECT_EQ(run.port.sent.size(), 3u);
  EXPECT_EQ(run.port.sent[0].time_ns, TestRun::kStart);
  run.Run();
  EXPECT_EQ(run.ended().at(0).packets[0], 3u);
}

TEST(FragmentsTest, ThoseThatWaitTooLongDrop) {
  for (bool in_time : {true, false}) {
    TestRun run;
    run.Client(Later(1, 2), 0);
    run.Client(Later(1, 3), 2'000'000);  // The entry's time counts, not its own.
    run.Client(Later(2, 2), 2'000'000);
    run.port.script.push_back({.frame = First(1), .time_ns = TestRun::kStart + abi::kFragmentTimeoutNs - in_time});
    run.Turns();
    EXPECT_EQ(run.dropped("fragment_timeout"), in_time ? 0u : 2u);
    EXPECT_EQ(run.port.sent.size(), in_time ? 3u : 1u);
    EXPECT_EQ(run.worker().counters().held.value(), 1u);
    run.Run();
    EXPECT_EQ(run.dropped("shutdown"), 1u);
  }
}

TEST(FragmentsTest, AnEntryEndsAndIsMadeAnewByTheNextFirst) {
  TestRun run;
  run.Client(First(1));
  run.Client(Later(1, 2), 5'000'000);  // Out of time: waits for a first that is to come.
  run.Client(First(1, 1001), 5'100'000);
  run.Client(First(1, 1002), 5'200'000);  // Takes the entry over.
  run.Client(Later(1, 3), 10'150'000);
  run.Run();
  std::map<uint16_t, uint64_t> packets;
  for (const auto& flow : run.ended()) packets[flow.key.source_port] = flow.packets[0];
  EXPECT_EQ(packets, (std::map<uint16_t, uint64_t>{{1000, 1}, {1001, 2}, {1002, 2}}));
}

TEST(FragmentsTest, NoMoreAreHeldPerDatagramThanTheBound) {
  TestRun run;
  for (uint16_t i = 0; i < abi::kFragmentHeldPerDatagramMax + 3; ++i) run.Client(Later(1, i + 1));
  run.Turns();
  EXPECT_EQ(run.worker().counters().held.value(), abi::kFragmentHeldPerDatagramMax);
  EXPECT_EQ(run.dropped("fragment_overflow"), 3u);
  run.Client(First(1), 1000);
  run.Run();
  EXPECT_EQ(run.port.sent.size(), abi::kFragmentHeldPerDatagramMax + 1);
  EXPECT_EQ(run.ended().at(0).packets[0], abi::kFragmentHeldPerDatagramMax + 1);
}

TEST(FragmentsTest, NoMoreAreHeldInAllThanTheBound) {
  TestRun run;
  for (uint16_t i = 0; i < abi::kFragmentHeldMax + 5; ++i) run.Client(Later(i, 1));
  run.Client(First(3));  // Makes room for one.
  run.Client(Later(60'000, 1));
  run.Client(Later(60'001, 1));
  run.Turns();
  EXPECT_EQ(run.worker().counters().held.value(), abi::kFragmentHeldMax);
  EXPECT_EQ(run.dropped("fragment_overflow"), 6u);
  run.Run();
  EXPECT_EQ(run.dropped("shutdown"), abi::kFragmentHeldMax);
}

TEST(FragmentsTest, AFirstWithoutAnEntryPassesAndItsLaterOnesDrop) {
  TestRun run;
  for (uint32_t i = 0; i < abi::kFragmentDatagramsMax; ++i) run.Client(First(static_cast<uint16_t>(i)));
  run.Client(First(50'000));
  run.Client(Later(50'000, 2));
  run.Client(Later(17, 2));
  run.Run();
  EXPECT_EQ(run.dropped("fragment_overflow"), 1u);
  EXPECT_EQ(run.port.sent.size(), abi::kFragmentDatagramsMax + 2);
}

TEST(FragmentsTest, OfFlowsThatHaveEndedOrWereRefusedDrop) {
  TestRun run;
  run.AddNf({.name = "a"});
  const Answer refuse{.verdict = Verdict::kDrop, .flags = abi::kResultFlagCloseFlow};
  run.Client(First(1, 1000, Payload({refuse})));
  run.Client(Later(1, 6), 200);
  run.Client(First(2, 1001, Payload({{.flags = abi::kResultFlagCloseFlow}})), 400);
  run.Client(Later(2, 6), 600);
  run.Client(UdpFrame(1001), 700);  // A new flow of the same key does not take it in.
  run.Client(Later(2, 7), 800);
  run.Run();
  EXPECT_EQ(run.dropped("fragment_no_flow"), 3u);
}

TEST(FragmentsTest, ARefusalInTheSameCallTakesWhatFollows) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(UdpFrame(1000));
  run.Client(First(1, 1000, Payload({{.flags = abi::kResultFlagCloseFlow}})));
  for (uint16_t i = 0; i < 30; ++i) run.Client(UdpFrame(2000 + i));  // The call is full.
  run.Client(Later(1, 6));
  run.Run();
  EXPECT_EQ(run.dropped("fragment_no_flow"), 1u);
}

TEST(FragmentsTest, AFirstThatIsDroppedLeavesNoEntry) {
  TestRun run;
  run.spec.flows_max = 1;
  run.Client(UdpFrame(1000));
  run.Client(Ethernet(0x0800, Ipv4({.identification = 1, .more_fragments = true}, "short")));  // Malformed.
  run.Client(Later(1, 2));
  run.Client(First(2, 1001));  // No room for its flow.
  run.Client(Later(2, 2));
  run.Turns();
  EXPECT_EQ(run.dropped("malformed_fragment"), 1u);
  EXPECT_EQ(run.dropped("flow_table_full"), 1u);
  EXPECT_EQ(run.worker().counters().held.value(), 2u);
  run.Run();
}

TEST(FragmentsTest, OfTheServersSideHaveDirectionOne) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(UdpFrame(1000));
  const auto from_server = [](bool more, uint16_t offset_8, const std::string& data) {
    return Ethernet(
        0x0800,
        Ipv4({.source = kServerAddress, .destination = kClientAddress, .more_fragments = more, .offset_8 = offset_8},
             data));
  };
  run.Server(from_server(false, 2, "rest"), 200);
  run.Server(from_server(true, 0, Udp(53, 1000, "12345678", 24)), 400);
  run.Run();
  EXPECT_EQ(run.ended().at(0).packets[1], 2u);
  EXPECT_EQ(Word(run.ended()[0].states[0], 8), 2u);
  EXPECT_EQ(run.port.sent[2].out_port, 0);
}

TEST(FragmentsTest, Ipv6) {
  const auto fragment = [](uint16_t offset_8, bool more, uint32_t id, const std::string& data) {
    return Ethernet(0x86dd, Ipv6({.next = 44}, Fragment(17, offset_8, more, id, data)));
  };
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(fragment(2, false, 0x10001, "rest"));
  run.Client(fragment(2, false, 0x20001, "of another"));  // All 32 bits of the identification count.
  run.Client(fragment(0, true, 0x10001, Udp(1000, 53, "12345678", 24)));
  run.Client(fragment(0, false, 0x30001, Udp(1000, 53, "whole")));  // Atomic: an ordinary packet.
  run.Run();
  EXPECT_EQ(run.ended().size(), 1u);
  EXPECT_EQ(run.ended()[0].packets[0], 3u);
  EXPECT_EQ(run.dropped("shutdown"), 1u);
}

}  // namespace
}  // namespace nf::test
