// What becomes of packets: order, counts, verdicts, drops by reason (docs/packet_path.md, sections 1, 4, 6).
#include <gtest/gtest.h>

#include "runtime/test_run.h"

namespace nf::test {
namespace {

using abi::CloseReason;
using abi::Verdict;

TEST(VerdictsTest, WithoutNfsEverythingLeavesUnchangedInOrder) {
  TestRun run;
  std::vector<std::string> frames;
  for (uint16_t i = 0; i < 100; ++i) {
    frames.push_back(UdpFrame(1000 + i % 7, std::string(i, 'x'), i % 3 == 0));
    run.Add(frames.back(), i % 3 == 0);
  }
  run.Run();
  EXPECT_EQ(run.sent_frames(), frames);
  for (const auto& sent : run.port.sent) EXPECT_EQ(sent.out_port, sent.arrival % 3 == 0 ? 0 : 1);
  EXPECT_EQ(run.worker().counters().received.value(), 100u);
  EXPECT_EQ(run.worker().counters().sent.value(), 100u);
}

TEST(VerdictsTest, OneFlowInBothDirections) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b"});
  run.Client(UdpFrame(1000, "one"));
  run.Server(UdpFrame(1000, "two", true));
  run.Client(UdpFrame(1000, "three"));
  run.Run();
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].packets[0], 2u);
  EXPECT_EQ(ended[0].packets[1], 1u);
  EXPECT_EQ(ended[0].bytes[0], UdpFrame(1000, "one").size() + UdpFrame(1000, "three").size());
  EXPECT_EQ(ended[0].close_reason, CloseReason::kShutdown);
  EXPECT_EQ(ended[0].key.source_port, 1000);
  for (const auto& state : ended[0].states) {
    EXPECT_EQ(Word(state, 0), 3u);   // Packets.
    EXPECT_EQ(Word(state, 4), 1u);   // FIRST came once.
    EXPECT_EQ(Word(state, 8), 1u);   // One of them in direction 1.
    EXPECT_EQ(Word(state, 12), 2u);  // Sequence of the last: order held across directions.
  }
  // Direction 1 had to wait for direction 0 and the other way round: three calls.
  EXPECT_EQ(run.counter(0, 3), 3u);
}

TEST(VerdictsTest, PacketsOfSeveralFlowsShareACall) {
  TestRun run;
  run.AddNf({.name = "a"});
  for (uint16_t i = 0; i < 32; ++i) run.Client(UdpFrame(1000 + i));
  run.Run();
  EXPECT_EQ(run.counter(0, 3), 1u);
  EXPECT_EQ(run.counter(0, 0), 32u);
}

TEST(VerdictsTest, APollEndsBeforeALatePacket) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(UdpFrame(1000), 0);
  run.Client(UdpFrame(1001), 100);
  run.Client(UdpFrame(1002), 101);
  run.Run();
  EXPECT_EQ(run.counter(0, 3), 2u);
}

TEST(VerdictsTest, DropsAreCountedByTheNfsReasons) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b"});
  run.Client(UdpFrame(1000, Payload({{.verdict = Verdict::kDrop}})));
  run.Client(UdpFrame(1000, Payload({{.verdict = Verdict::kDrop, .drop_reason = 128}})));
  run.Client(UdpFrame(1000, Payload({{}, {.verdict = Verdict::kDrop, .drop_reason = 255}})));
  run.Client(UdpFrame(1000, Payload({{}, {}})));
  run.Run();
  EXPECT_EQ(run.dropped("a.drop"), 1u);
  EXPECT_EQ(run.dropped("a.128"), 1u);
  EXPECT_EQ(run.dropped("b.255"), 1u);
  EXPECT_EQ(run.port.sent.size(), 1u);
  EXPECT_EQ(run.counter(1, 0), 2u);  // b saw what a let through.
  EXPECT_EQ(run.dropped_by_host(), 0u);
}

TEST(VerdictsTest, DirectionOneGoesThroughTheChainBackwards) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b"});
  run.Client(UdpFrame(1000));
  run.Server(UdpFrame(1000, Payload({{.verdict = Verdict::kDrop}, {.verdict = Verdict::kDrop}}), true));
  run.Run();
  EXPECT_EQ(run.dropped("b.drop"), 1u);
  EXPECT_EQ(run.dropped("a.drop"), 0u);
}

TEST(VerdictsTest, MalformedAndNonIpPackets) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client("short");
  run.Client(Ethernet(0x0806, "who has"));
  run.Client(Ethernet(0x0800, Ipv4({.version_ihl = 0x41}, Udp(1, 2, ""))));
  run.Run();
  EXPECT_EQ(run.dropped("malformed_ethernet"), 1u);
  EXPECT_EQ(run.dropped("malformed_ipv4"), 1u);
  EXPECT_EQ(run.port.sent.size(), 1u);
  EXPECT_EQ(run.counter(0, 0), 0u);
}

TEST(VerdictsTest, NonIpMayBeDropped) {
  TestRun run;
  run.spec.non_ip = NonIpPolicy::kDrop;
  run.Client(Ethernet(0x0806, "who has"));
  run.Run();
  EXPECT_EQ(run.dropped("non_ip"), 1u);
}

TEST(VerdictsTest, WhatThePortDoesNotTakeIsCounted) {
  TestRun run;
  run.port.room = 0;
  run.Client(UdpFrame(1000));
  run.Run();
  EXPECT_EQ(run.dropped("port_full"), 1u);
  EXPECT_EQ(run.worker().counters().sent.value(), 0u);
  EXPECT_EQ(run.worker().counters().sent_bytes.value(), 0u);
}

TEST(VerdictsTest, RefusedFlowIsRememberedAndOthersAreTold) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b"});
  const Answer refuse{.verdict = Verdict::kDrop, .flags = abi::kResultFlagCloseFlow};
  run.Client(UdpFrame(1000, Payload({{}, refuse})));
  run.Client(UdpFrame(1000), 200);
  run.Server(UdpFrame(1000, "", true), 400);
  // Refusals end by themselves; then the flow may open anew.
  run.Client(UdpFrame(1000), 2'000'000);
  run.Run();
  EXPECT_EQ(run.dropped("flow_refused"), 2u);
  EXPECT_EQ(run.counter(0, 2), uint64_t{0x37});  // a: REFUSED, then SHUTDOWN of the new flow.
  EXPECT_EQ(run.counter(1, 2), uint64_t{0x7});   // b refused it itself.
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].close_reason, CloseReason::kRefused);
  EXPECT_EQ(ended[0].phase, FlowPhase::kRefused);
  EXPECT_EQ(Word(ended[0].states[1], 0), 1u);
  EXPECT_EQ(ended[1].flow_id, 2u);
}

TEST(VerdictsTest, CloseFlowWithoutRefusal) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1000, Payload({{.verdict = Verdict::kDrop, .flags = abi::kResultFlagCloseFlow}})), 200);
  run.Client(UdpFrame(1000, Payload({{.flags = abi::kResultFlagCloseFlow}})), 400);
  run.Client(UdpFrame(1000), 600);
  run.Run();
  EXPECT_EQ(run.ended().size(), 3u);
  EXPECT_EQ(run.counter(0, 2), uint64_t{0x227});
  EXPECT_EQ(run.dropped("flow_refused"), 0u);
}

TEST(VerdictsTest, TwoPacketsInOneCallAreNoRefusal) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(UdpFrame(1000, Payload({{.verdict = Verdict::kDrop, .flags = abi::kResultFlagCloseFlow}})));
  run.Client(UdpFrame(1000));
  run.Run();
  EXPECT_EQ(run.ended()[0].close_reason, CloseReason::kFinished);
  EXPECT_EQ(run.port.sent.size(), 1u);
}

TEST(VerdictsTest, ReplyGoesBackThroughWhatItHasPassed) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b", .rights = {.view = View::kPayload, .reply = true}});
  run.AddNf({.name = "c"});
  run.Client(UdpFrame(1000, Payload({{}, {.verdict = Verdict::kReply}, {}})));
  run.Client(UdpFrame(1001));
  run.Run();
  ASSERT_EQ(run.port.sent.size(), 2u);
  EXPECT_EQ(run.port.sent[0].out_port, 0);  // Where it came from, in its place.
  EXPECT_EQ(run.port.sent[1].out_port, 1);
  EXPECT_EQ(run.counter(0, 0), 3u);  // a saw it twice.
  EXPECT_EQ(run.counter(1, 0), 2u);
  EXPECT_EQ(run.counter(2, 0), 1u);
  EXPECT_EQ(Word(run.ended()[0].states[0], 8), 1u);  // The second time in direction 1.
}

TEST(VerdictsTest, ReplyNeedsTheRightAndTurnsOnce) {
  TestRun run;
  run.AddNf({.name = "a", .rights = {.view = View::kPayload, .reply = true}, .on_fault = OnFault::kDrop});
  run.AddNf({.name = "b", .rights = {.view = View::kPayload, .reply = true}});
  run.AddNf({.name = "c", .on_fault = OnFault::kDrop});
  run.Client(UdpFrame(1000, Payload({{}, {}, {.verdict = Verdict::kReply}})));
  run.Run();
  ASSERT_EQ(run.faults().size(), 1u);
  EXPECT_EQ(run.faults()[0].entry, "c");
  EXPECT_EQ(run.faults()[0].kind, abi::FaultKind::kBadResult);

  TestRun twice;
  twice.AddNf({.name = "a",
               .rights = {.view = View::kPayload, .reply = true},
               .on_fault = OnFault::kDrop,
               .process_burst = ForEachPacket(R"((i32.store8 (local.get $result)
                 (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.load8_u offset=21 (local.get $descriptor))))))")});
  twice.AddNf({.name = "b", .rights = {.view = View::kPayload, .reply = true}});
  twice.Client(UdpFrame(1000, Payload({{}, {.verdict = Verdict::kReply}})));
  twice.Run();
  EXPECT_EQ(twice.dropped("nf_fault"), 1u);
  EXPECT_EQ(twice.faults()[0].entry, "a");
}

TEST(VerdictsTest, ResultsThatNoNfMayGive) {
  const std::vector<Answer> breaches = {
      {.verdict = Verdict::kPending},
      {.verdict = Verdict::kConsume},
      {.verdict = static_cast<Verdict>(99)},
      {.drop_reason = 130},
      {.verdict = Verdict::kDrop, .drop_reason = 127},
      {.flags = 0x40},
      {.flags = 0x8000},
      {.flags = abi::kResultFlagModifiedHeader},
      {.flags = abi::kResultFlagModifiedPayload},
      {.flags = abi::kResultFlagReshaped, .header_length = 42},
      {.header_length = 42},
      {.payload_length = 1},
      {.out_port = 1},
      {.verdict = Verdict::kReply},
  };
  for (size_t i = 0; i < breaches.size(); ++i) {
    TestRun run;
    run.AddNf({.name = "a", .on_fault = OnFault::kDrop});
    run.Client(UdpFrame(1000));
    run.Client(UdpFrame(1000, Payload({breaches[i]})));
    run.Client(UdpFrame(1000));
    run.Run();
    EXPECT_EQ(run.dropped("nf_fault"), 1u) << i;
    EXPECT_EQ(run.port.sent.size(), 2u) << i;
    ASSERT_EQ(run.faults().size(), 1u) << i;
    EXPECT_EQ(run.faults()[0].kind, abi::FaultKind::kBadResult) << i;
    EXPECT_EQ(run.faults()[0].sequence, 1u) << i;
  }
}

}  // namespace
}  // namespace nf::test
