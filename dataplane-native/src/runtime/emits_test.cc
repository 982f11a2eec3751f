// Frames that NFs make, and packets that turn: where they go, in which order, and what may not be
// (docs/packet_path.md, section 6).
#include <gtest/gtest.h>

#include "runtime/test_run.h"

namespace nf::test {
namespace {

using abi::FaultKind;
using abi::Verdict;

constexpr NfRights kEmits{.view = View::kPayload, .emits = 2};
constexpr NfRights kReplies{.view = View::kPayload, .reply = true};

Answer Emit(uint8_t direction, uint16_t count = 1) { return {.op = Answer::kEmit, .value = direction, .at = count}; }
const std::string kFrame = UdpFrame(7777, "made");

TEST(EmitsTest, FollowTheirCauseInThePollsOrder) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kEmits});
  const std::string one = UdpFrame(1000, PayloadWith({Emit(0, 2)}, kFrame)), two = UdpFrame(1001, "two");
  run.Client(one, 0);
  run.Client(two, 1);
  run.Client(one, 2);
  run.Run();
  EXPECT_EQ(run.sent_frames(), (std::vector<std::string>{one, kFrame, kFrame, two, one, kFrame, kFrame}));
  for (const auto& sent : run.port.sent) {
    EXPECT_EQ(sent.out_port, 1);
    EXPECT_EQ(sent.emitted, sent.frame == kFrame);
    EXPECT_EQ(sent.wire_length, sent.frame.size());
    EXPECT_EQ(sent.time_ns, TestRun::kStart + sent.arrival * 1000);  // Of the cause.
  }
  EXPECT_EQ(run.worker().counters().emitted.value(), 4u);
  EXPECT_EQ(run.worker().counters().sent.value(), 7u);
}

TEST(EmitsTest, PassTheNfsThatLieAheadOfThem) {
  for (uint8_t direction : {0, 1}) {
    TestRun run;
    run.AddNf({.name = "a"});
    run.AddNf({.name = "b", .rights = kEmits});
    run.AddNf({.name = "c"});
    run.Client(UdpFrame(1000));
    run.Client(UdpFrame(1000, PayloadWith({{}, Emit(direction), {}}, kFrame)));
    run.Run();
    ASSERT_EQ(run.port.sent.size(), 3u);
    EXPECT_EQ(run.port.sent[2].out_port, direction ^ 1);
    EXPECT_EQ(run.counter(0, 0), direction == 1 ? 3u : 2u);
    EXPECT_EQ(run.counter(1, 0), 2u);
    EXPECT_EQ(run.counter(2, 0), direction == 0 ? 3u : 2u);
    // It belongs to its cause's flow, with its sequence, and does not count there.
    const FlowSnapshot flow = run.ended().at(0);
    EXPECT_EQ(flow.packets[0], 2u);
    EXPECT_EQ(flow.packets[1], 0u);
    const auto& state = flow.states[direction == 0 ? 2 : 0];
    EXPECT_EQ(Word(state, 0), 3u);
    EXPECT_EQ(Word(state, 4), 1u);
    EXPECT_EQ(Word(state, 8), direction);
    EXPECT_EQ(Word(state, 12), 1u);
    EXPECT_EQ(run.ended().size(), 1u);
  }
}

TEST(EmitsTest, OfSeveralNfsComeInTheOrderOfTheChain) {
  const std::string of_a = UdpFrame(1, "of a"), of_b = UdpFrame(2, "of b");
  for (bool from_server : {false, true}) {
    TestRun run;
    run.AddNf({.name = "a", .rights = kEmits});
    run.AddNf({.name = "b", .rights = kEmits});
    std::string payload = Payload({Emit(0), Emit(1)}) + of_a + of_b;
    payload.replace(20, 4, std::string("\x40\0", 2) + Byte(of_a.size()) + Byte(0));
    payload.replace(52, 4, Byte(64 + of_a.size()) + Byte(0) + Byte(of_b.size()) + Byte(0));
    const std::string cause = UdpFrame(1000, payload, from_server);
    run.Client(UdpFrame(1000));
    run.Add(cause, from_server, 200);
    run.Run();
    const auto frames = run.sent_frames();
    ASSERT_EQ(frames.size(), 4u);
    EXPECT_EQ(frames[1], cause);
    EXPECT_EQ(frames[2], from_server ? of_b : of_a);
    EXPECT_EQ(frames[3], from_server ? of_a : of_b);
  }
}

TEST(EmitsTest, OfOneNfThoseOfTheCallsDirectionComeFirst) {
  const auto record = [](uint32_t index, uint32_t direction) {
    const auto at = [index](uint32_t offset) {
      return " (i32.const " + std::to_string(abi::kEmitRecordsAddress + index * 16 + offset) + ") ";
    };
    return "(i32.store" + at(0) + "(i32.const " + std::to_string(abi::kEmitAreaAddress + index * abi::kEmitStride) +
           ")) (i32.store16" + at(4) + "(i32.load16_u offset=8 (local.get $descriptor))) (i32.store8" + at(6) +
           "(i32.const " + std::to_string(direction) + "))";
  };
  const std::string copies = "(call $copy (i32.const " + std::to_string(abi::kEmitAreaAddress) +
                             ") (i32.load (local.get $descriptor)) (i32.const 42))" + "(call $copy (i32.const " +
                             std::to_string(abi::kEmitAreaAddress + abi::kEmitStride) +
                             ") (i32.load (local.get $descriptor)) (i32.const 42))";
  for (uint8_t direction : {0, 1}) {
    TestRun run;
    run.AddNf({.name = "a",
               .rights = kEmits,
               .process_burst = ForEachPacket(copies + record(0, direction ^ 1u) + record(1, direction) +
                                              "(i32.store8 (local.get $result) (i32.const 1))")});
    run.Client(UdpFrame(1000));
    run.Turns();
    run.port.sent.clear();
    run.Add(UdpFrame(1000, "", direction == 1), direction, 200);
    run.Run();
    ASSERT_EQ(run.port.sent.size(), 3u);
    EXPECT_EQ(run.port.sent[1].out_port, direction ^ 1);  // Where the packet went.
    EXPECT_EQ(run.port.sent[2].out_port, direction);
  }
}

TEST(EmitsTest, OfADroppedPacketLeave) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kEmits});
  Answer answer = Emit(1);
  answer.verdict = Verdict::kDrop;
  run.Client(UdpFrame(1000, PayloadWith({answer}, kFrame)));
  run.Run();
  EXPECT_EQ(run.sent_frames(), std::vector<std::string>{kFrame});
  EXPECT_EQ(run.port.sent[0].out_port, 0);
  EXPECT_EQ(run.dropped("a.drop"), 1u);
}

TEST(EmitsTest, OfAPacketAtFaultDoNot) {
  for (OnFault policy : {OnFault::kDrop, OnFault::kBypass}) {
    TestRun run;
    run.AddNf({.name = "a", .rights = kEmits, .on_fault = policy});
    Answer answer = Emit(0);
    answer.out_port = 1;
    run.Client(UdpFrame(1000, PayloadWith({answer}, kFrame)));
    run.Run();
    EXPECT_EQ(run.worker().counters().emitted.value(), 0u);
    EXPECT_EQ(run.port.sent.size(), policy == OnFault::kBypass ? 1u : 0u);
  }
}

TEST(EmitsTest, MoreThanABurstComeInSeveralCalls) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kEmits});
  run.AddNf({.name = "b"});
  for (uint16_t i = 0; i < 32; ++i) run.Client(UdpFrame(1000 + i, PayloadWith({Emit(0, 2), {}}, kFrame)));
  run.Run();
  EXPECT_EQ(run.port.sent.size(), 96u);
  EXPECT_EQ(run.counter(1, 0), 96u);
  EXPECT_EQ(run.counter(1, 3), 3u);
}

// The records of the packets before the one that traps are taken, those behind it are made anew by the spare.
TEST(EmitsTest, AroundATrap) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kEmits, .on_fault = OnFault::kDrop});
  const std::string emits = PayloadWith({Emit(0)}, kFrame);
  run.Client(UdpFrame(1000, emits));
  run.Client(UdpFrame(1001, Payload({{.op = Answer::kTrap}})));
  run.Client(UdpFrame(1002, emits));
  run.Run();
  EXPECT_EQ(run.sent_frames(),
            (std::vector<std::string>{UdpFrame(1000, emits), kFrame, UdpFrame(1002, emits), kFrame}));
}

TEST(EmitsTest, WhatIsNoIpPacketIsEmittedAndDropped) {
  const std::string neighbour = Ethernet(0x86dd, Ipv6({.next = 58, .hop_limit = 255}, Icmp(135, 0, 0, Ipv6Address(2))));
  for (const std::string& frame : {Ethernet(0x0806, "who has"), Ethernet(0x0800, "nonsense"), neighbour}) {
    TestRun run;
    run.AddNf({.name = "a", .rights = kEmits});
    run.Client(UdpFrame(1000, PayloadWith({Emit(0)}, frame)));
    run.Run();
    EXPECT_EQ(run.dropped("emit_invalid"), 1u);
    EXPECT_EQ(run.worker().counters().emitted.value(), 1u);
    EXPECT_EQ(run.port.sent.size(), 1u);
    EXPECT_EQ(run.faults().size(), 0u);
  }
}

TEST(EmitsTest, AnEmptyPoolIsCounted) {
  auto pool = CreatePacketPool("emits_test_pool", 1);
  ASSERT_TRUE(pool.has_value());
  {
    TestRun run;
    run.spec.input = FabricInput{.client = &run.port, .server = &run.port, .pool = *pool, .is_capture = true};
    run.AddNf({.name = "a", .rights = kEmits});
    run.Client(UdpFrame(1000, PayloadWith({Emit(0, 2)}, kFrame)));
    run.Run();
    EXPECT_EQ(run.dropped("no_mbuf"), 1u);
    EXPECT_EQ(run.worker().counters().emitted.value(), 2u);
    EXPECT_EQ(run.port.sent.size(), 2u);
  }
  rte_mempool_free(*pool);
}

// An NF that answers FORWARD and writes one record as it is told.
struct Record {
  uint32_t frame = abi::kEmitAreaAddress;
  uint32_t length = 60, direction = 0, packet = 0, reserved = 0;

  std::string Text() const {
    auto store = [](const char* what, uint32_t offset, uint32_t value) {
      return "(i32." + std::string(what) + " (i32.const " + std::to_string(abi::kEmitRecordsAddress + offset) +
             ") (i32.const " + std::to_string(value) + "))";
    };
    return store("store", 0, frame) + store("store16", 4, length) + store("store8", 6, direction) +
           store("store8", 7, packet) + store("store", 12, reserved) + AllPackets(Verdict::kForward);
  }
};

TEST(EmitsTest, RecordsThatNoNfMayWrite) {
  const std::vector<Record> breaches = {
      {.frame = 0},
      {.frame = abi::kEmitAreaAddress + 1},
      {.frame = abi::kEmitAreaAddress + abi::kEmitsPerBurstMax * abi::kEmitStride},
      {.frame = abi::kModuleBase},
      {.length = 13},
      {.length = abi::kFrameBytesMax + 1},
      {.length = 65535},
      {.direction = 2},
      {.reserved = 1},
      {.reserved = 0x80000000},
  };
  for (size_t i = 0; i < breaches.size(); ++i) {
    TestRun run;
    run.AddNf({.name = "a", .rights = kEmits, .on_fault = OnFault::kDrop, .process_burst = breaches[i].Text()});
    run.Client(UdpFrame(1000));
    run.Client(UdpFrame(1001));
    run.Run();
    EXPECT_EQ(run.dropped("nf_fault"), 1u) << i;
    EXPECT_EQ(run.faults().at(0).kind, FaultKind::kBadResult) << i;
    EXPECT_EQ(run.faults()[0].flow->source_port, 1000) << i;
    EXPECT_EQ(run.worker().counters().emitted.value(), 0u) << i;
  }
}

TEST(EmitsTest, ARecordOfNoPacketIsTheLastPacketsBreach) {
  for (uint32_t packet : {2u, 31u, 32u, 255u}) {
    TestRun run;
    const Record record{.packet = packet};
    run.AddNf({.name = "a", .rights = kEmits, .on_fault = OnFault::kDrop, .process_burst = record.Text()});
    run.Client(UdpFrame(1000));
    run.Client(UdpFrame(1001));
    run.Run();
    ASSERT_EQ(run.faults().size(), 1u);
    EXPECT_EQ(run.faults()[0].flow->source_port, 1001);
  }
}

TEST(EmitsTest, NoMoreThanTheRightSays) {
  for (uint32_t right : {1u, 2u}) {
    TestRun run;
    run.AddNf({.name = "a", .rights = {.view = View::kPayload, .emits = right}, .on_fault = OnFault::kDrop});
    for (uint16_t count : {1, 2, 3}) run.Client(UdpFrame(1000, PayloadWith({Emit(0, count)}, kFrame)));
    run.Run();
    EXPECT_EQ(run.dropped("nf_fault"), 3 - right);
    EXPECT_EQ(run.worker().counters().emitted.value(), right == 1 ? 1u : 3u);
  }
}

TEST(EmitsTest, WithoutTheRightRecordsAreNotRead) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(UdpFrame(1000, Payload({{.op = Answer::kEmitBadFrame}})));
  run.Run();
  EXPECT_EQ(run.port.sent.size(), 1u);
  EXPECT_TRUE(run.faults().empty());
  EXPECT_EQ(run.worker().counters().emitted.value(), 0u);
}

TEST(EmitsTest, AnEmittedFrameMayNeitherReplyNorEmit) {
  for (const Answer& answer : {Answer{.verdict = Verdict::kReply}, Emit(0)}) {
    TestRun run;
    run.AddNf({.name = "a", .rights = kEmits});
    run.AddNf({.name = "b", .rights = {.view = View::kPayload, .reply = true, .emits = 2}, .on_fault = OnFault::kDrop});
    run.Client(UdpFrame(1000, PayloadWith({Emit(0), {}}, UdpFrame(1, Payload({{}, answer})))));
    run.Run();
    ASSERT_EQ(run.faults().size(), 1u);
    EXPECT_EQ(run.faults()[0].entry, "b");
    EXPECT_EQ(run.port.sent.size(), 1u);
    EXPECT_EQ(run.dropped("nf_fault"), 1u);
    EXPECT_EQ(run.worker().counters().emitted.value(), 1u);
  }
}

TEST(EmitsTest, AReplyMayNotEmit) {
  TestRun run;
  // Emits in direction 1 only: the packet comes by here twice, the second time turned.
  run.AddNf({.name = "a",
             .rights = kEmits,
             .on_fault = OnFault::kDrop,
             .process_burst = "(if (i32.load8_u offset=12 (i32.const " + std::to_string(abi::kBurstHeaderAddress) +
                              ")) (then " + Record{}.Text() + ") (else " + AllPackets(Verdict::kForward) + "))"});
  run.AddNf({.name = "b", .rights = kReplies});
  run.Client(UdpFrame(1000, Payload({{}, {.verdict = Verdict::kReply}})));
  run.Run();
  EXPECT_EQ(run.faults().at(0).entry, "a");
  EXPECT_EQ(run.dropped("nf_fault"), 1u);
  EXPECT_EQ(run.worker().counters().emitted.value(), 0u);
}

TEST(EmitsTest, RepliesRunAfterThePacketsAndNfByNf) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b", .rights = kReplies});
  run.AddNf({.name = "c", .rights = kReplies});
  const Answer reply{.verdict = Verdict::kReply};
  run.Client(UdpFrame(1000, Payload({{}, {}, reply})));
  run.Client(UdpFrame(1001, Payload({{}, reply, {}})));
  run.Client(UdpFrame(1002, Payload({{}, {}, reply})));
  run.Client(UdpFrame(1003));
  run.Run();
  // In their packets' places, through the port they came in on.
  ASSERT_EQ(run.port.sent.size(), 4u);
  for (const auto& sent : run.port.sent) EXPECT_EQ(sent.out_port, sent.arrival == 3 ? 1 : 0);
  for (uint32_t i = 0; i < 4; ++i) EXPECT_EQ(run.port.sent[i].arrival, i);
  // a: the packets, the one that turned at b, the two that turned at c. b: the packets, and those two, which it may not
  // turn again: it answered FORWARD.
  EXPECT_EQ(run.counter(0, 3), 3u);
  EXPECT_EQ(run.counter(0, 0), 7u);
  EXPECT_EQ(run.counter(1, 3), 2u);
  EXPECT_EQ(run.counter(1, 0), 6u);
  EXPECT_EQ(run.counter(2, 3), 1u);
}

TEST(EmitsTest, ReplyFromTheServersSidePassesTheRestOfTheChain) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b", .rights = kReplies});
  run.AddNf({.name = "c"});
  run.Client(UdpFrame(1000));
  run.Server(UdpFrame(1000, Payload({{}, {.verdict = Verdict::kReply}, {}}), true), 200);
  run.Run();
  EXPECT_EQ(run.port.sent.at(1).out_port, 1);
  EXPECT_EQ(run.counter(0, 0), 1u);
  EXPECT_EQ(run.counter(2, 0), 3u);
  EXPECT_EQ(Word(run.ended().at(0).states[2], 8), 1u);  // Direction 1, then turned to 0.
}

}  // namespace
}  // namespace nf::test
