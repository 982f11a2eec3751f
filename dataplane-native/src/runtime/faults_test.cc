// Faults: whom they are blamed on, what becomes of the packets around, spares, quarantine (docs/packet_path.md, section
// 6).
#include <gtest/gtest.h>

#include "runtime/test_run.h"

namespace nf::test {
namespace {

using abi::CloseReason;
using abi::FaultKind;
using abi::Verdict;

const Answer kTrap{.op = Answer::kTrap};
const Answer kBadResult{.out_port = 1};

// Frames of flows 1000, 1001, … of which those at `bad` carry `answer` for the first NF.
std::vector<std::string> Burst(uint32_t count, const std::vector<uint32_t>& bad, const Answer& answer) {
  std::vector<std::string> frames;
  for (uint32_t i = 0; i < count; ++i) {
    const bool is_bad = std::find(bad.begin(), bad.end(), i) != bad.end();
    frames.push_back(UdpFrame(static_cast<uint16_t>(1000 + i), Payload({is_bad ? answer : Answer{}})));
  }
  return frames;
}

TEST(FaultsTest, TrapCostsOnePacketAndTheRestIsSeenOnce) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop, .init = CountOne(5)});
  auto frames = Burst(32, {0, 7, 31}, kTrap);
  for (const auto& frame : frames) run.Client(frame);
  run.Run();
  for (uint32_t bad : {31, 7, 0}) frames.erase(frames.begin() + bad);
  EXPECT_EQ(run.sent_frames(), frames);
  EXPECT_EQ(run.dropped("nf_fault"), 3u);
  EXPECT_EQ(run.dropped_by_host(), 3u);
  // The counters of the instances that died are part of the NF's: each packet was seen by exactly one of them.
  EXPECT_EQ(run.counter(0, 0), 32u);
  EXPECT_EQ(run.counter(0, 3), 3u);  // The last packet leaves nothing to be run again.
  EXPECT_EQ(run.counter(0, 5), 4u);  // Each spare was started anew.
  const auto faults = run.faults();
  ASSERT_EQ(faults.size(), 3u);
  EXPECT_EQ(faults[1].entry, "a");
  EXPECT_EQ(faults[1].kind, FaultKind::kUnreachable);
  EXPECT_EQ(faults[1].call, "process-burst");
  ASSERT_TRUE(faults[1].flow.has_value());
  EXPECT_EQ(faults[1].flow->source_port, 1007);
  EXPECT_EQ(faults[1].action, FaultAction::kDrop);
  EXPECT_EQ(faults[2].faults_in_minute, 3u);
  EXPECT_EQ(run.worker().chain().nf(0).faults_total.value(), 3u);
  for (const auto& flow : run.ended()) {
    const bool is_bad = flow.key.source_port == 1000 || flow.key.source_port == 1007 || flow.key.source_port == 1031;
    // What a trap was blamed on has not opened its flow for the NF; no state is shown of it.
    EXPECT_EQ(flow.states[0].size(), is_bad ? 0 : kScriptStateBytes);
    if (is_bad) continue;
    EXPECT_EQ(Word(flow.states[0], 0), 1u);
    EXPECT_EQ(Word(flow.states[0], 4), 1u);
  }
}

// An NF that first counts all packets of the burst and then answers one after the other: what it did for packets behind
// the one it traps on must not count twice where their flow is new.
TEST(FaultsTest, PacketsBehindATrapHaveFirstAgainWithAZeroedSlot) {
  const std::string count_all = ForEachPacket(R"(
    (local.set $x (i32.load offset=24 (local.get $descriptor)))
    (i32.store offset=16 (local.get $x) (i32.add (i32.load offset=16 (local.get $x)) (i32.const 1))))");
  TestRun run;
  run.AddNf({.name = "a",
             .on_fault = OnFault::kDrop,
             .process_burst = count_all + "(local.set $packet (i32.const 0))" + ScriptBody(0)});
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1001, Payload({kTrap})));
  run.Client(UdpFrame(1002));
  run.Client(UdpFrame(1001));
  run.Run();
  EXPECT_EQ(run.port.sent.size(), 3u);
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 3u);
  for (const auto& flow : ended) {
    EXPECT_EQ(Word(flow.states[0], 16), 1u) << flow.key.source_port;
    EXPECT_EQ(Word(flow.states[0], 4), 1u) << flow.key.source_port;
  }
}

TEST(FaultsTest, TrapAfterTheLastAnswerIsBlamedOnTheLastPacket) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop, .process_burst = AllPackets(Verdict::kDrop) + "(unreachable)"});
  for (uint16_t port : {1000, 1001, 1002}) run.Client(UdpFrame(port));
  run.Run();
  EXPECT_EQ(run.dropped("a.drop"), 2u);
  EXPECT_EQ(run.dropped("nf_fault"), 1u);
  EXPECT_EQ(run.faults().at(0).flow->source_port, 1002);
}

TEST(FaultsTest, AnswersBehindTheFirstPendingDoNotCount) {
  // Answers DROP for packet 1 only, then traps; the spare does the same to what is left.
  TestRun run;
  run.AddNf({.name = "a",
             .on_fault = OnFault::kDrop,
             .process_burst = "(i32.store8 (i32.const " + std::to_string(abi::kResultsAddress + 16) +
                              ") (i32.const 2)) (unreachable)"});
  for (uint16_t port : {1000, 1001}) run.Client(UdpFrame(port));
  run.Run();
  EXPECT_EQ(run.dropped("nf_fault"), 2u);
  EXPECT_EQ(run.dropped("a.drop"), 0u);
}

TEST(FaultsTest, RunawayIsStopped) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop});
  for (const auto& frame : Burst(5, {2}, {.op = Answer::kSpin})) run.Client(frame);
  run.Run();
  EXPECT_EQ(run.port.sent.size(), 4u);
  ASSERT_EQ(run.faults().size(), 1u);
  EXPECT_EQ(run.faults()[0].kind, FaultKind::kDeadline);
  EXPECT_EQ(run.faults()[0].flow->source_port, 1002);
}

TEST(FaultsTest, BadResultKeepsTheInstanceAndTheOtherAnswers) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop, .init = CountOne(5)});
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1000, Payload({kBadResult})));
  run.Client(UdpFrame(1000, Payload({{.verdict = Verdict::kDrop}})));
  run.Client(UdpFrame(1000), 200);
  run.Run();
  EXPECT_EQ(run.port.sent.size(), 2u);
  EXPECT_EQ(run.dropped("nf_fault"), 1u);
  EXPECT_EQ(run.dropped("a.drop"), 1u);
  EXPECT_EQ(run.counter(0, 0), 4u);
  EXPECT_EQ(run.counter(0, 3), 2u);
  EXPECT_EQ(run.counter(0, 5), 1u);  // The same instance all the time.
  EXPECT_EQ(run.faults().at(0).sequence, 1u);
}

TEST(FaultsTest, CloseFlowTellsTheOthers) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b", .on_fault = OnFault::kCloseFlow});
  run.AddNf({.name = "c"});
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1000, Payload({{}, kBadResult})), 200);
  run.Client(UdpFrame(1000), 400);        // Refused for a second.
  run.Client(UdpFrame(1000), 2'000'000);  // A new flow.
  run.Run();
  EXPECT_EQ(run.dropped("flow_refused"), 1u);
  const auto ended = run.ended();
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].close_reason, CloseReason::kFault);
  EXPECT_EQ(ended[1].close_reason, CloseReason::kShutdown);
  EXPECT_EQ(run.counter(0, 2), 0x57u);
  EXPECT_EQ(run.counter(1, 2), 0x7u);
  EXPECT_EQ(run.counter(2, 2), 0x57u);
  EXPECT_EQ(run.port.sent.size(), 2u);
}

TEST(FaultsTest, OneFlowCannotQuarantineTheNf) {
  for (const Answer& fault : {kBadResult, kTrap}) {
    TestRun run;
    run.AddNf({.name = "a", .on_fault = OnFault::kCloseFlow});
    run.AddNf({.name = "b"});
    std::vector<std::string> others;
    const auto other = [&](uint16_t port, uint64_t time_us) {
      others.push_back(UdpFrame(port, Payload({{}, {}})));
      run.Client(others.back(), time_us);
    };
    for (uint16_t i = 0; i < 16; ++i) {
      run.Client(UdpFrame(1000, Payload({fault})));
      other(2000 + i % 3, 0);
    }
    for (uint32_t i = 1; i < 20; ++i) run.Client(UdpFrame(1000, Payload({fault})), i * 1000);
    other(2000, 20'000);
    run.Run();
    EXPECT_EQ(run.sent_frames(), others);
    EXPECT_EQ(run.dropped("nf_fault"), 1u);
    EXPECT_EQ(run.dropped("flow_refused"), 34u);
    EXPECT_FALSE(run.worker().chain().nf(0).is_quarantined());
    EXPECT_EQ(run.counter(1, 0), others.size());
  }
}

// A breach of one flow, a trap on its next packet, and another flow's packets around.
TEST(FaultsTest, ATrapBehindABreachOfTheSameFlow) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kCloseFlow});
  for (const Answer& answer : {kBadResult, Answer{}, kTrap, Answer{}}) {
    run.Client(UdpFrame(1000, Payload({answer})));
    run.Client(UdpFrame(1001));
  }
  run.Run();
  EXPECT_EQ(run.dropped("nf_fault"), 2u);
  EXPECT_EQ(run.dropped("flow_refused"), 2u);
  EXPECT_EQ(run.port.sent.size(), 4u);
}

TEST(FaultsTest, BypassLetsTheFlowPassByTheNf) {
  for (const Answer& fault : {kBadResult, kTrap}) {
    TestRun run;
    run.AddNf({.name = "a", .on_fault = OnFault::kBypass});
    run.AddNf({.name = "b"});
    run.Client(UdpFrame(1000, Payload({fault})));
    run.Client(UdpFrame(1001));
    run.Client(UdpFrame(1000), 200);
    run.Server(UdpFrame(1000, "", true), 400);
    run.Client(UdpFrame(1001), 600);
    run.Run();
    EXPECT_EQ(run.port.sent.size(), 5u);
    EXPECT_EQ(run.dropped("nf_fault"), 0u);
    EXPECT_EQ(run.faults().at(0).packets_dropped, 0u);
    EXPECT_EQ(run.faults().at(0).action, FaultAction::kBypass);
    EXPECT_EQ(run.counter(0, 0), 3u);  // One of flow 1000, two of flow 1001.
    EXPECT_EQ(run.counter(1, 0), 5u);
    EXPECT_EQ(run.counter(0, 1), 1u);  // flow-close for the flow that it still sees.
    EXPECT_EQ(run.counter(1, 1), 2u);
    EXPECT_EQ(run.port.sent[0].frame, UdpFrame(1000, Payload({fault})));
  }
}

TEST(FaultsTest, StatesOutliveTheInstance) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop});
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1000, Payload({{.op = Answer::kPoke, .value = 9, .at = 20}})), 200);
  run.Client(UdpFrame(1001, Payload({kTrap})), 400);
  run.Client(UdpFrame(1000), 600);
  run.Run();
  const auto ended = run.ended();
  EXPECT_EQ(Word(ended.at(0).states[0], 0), 3u);
  EXPECT_EQ(Word(ended.at(0).states[0], 4), 1u);
  EXPECT_EQ(Word(ended.at(0).states[0], 20), 9u);
}

TEST(FaultsTest, TrapsInCallbacksAreFaultsWithoutAPacket) {
  TestRun run;
  run.AddNf({.name = "close", .on_close = "(unreachable)"});
  run.AddNf({.name = "timer", .timer = true, .on_timer = "(unreachable)"});
  run.AddNf({.name = "tick", .tick = true, .on_tick = "(unreachable)"});
  const Answer arm{.flags = abi::kResultFlagArmTimer, .timeout = 10};
  run.Client(UdpFrame(1000, Payload({{}, arm, {}})));
  run.Client(UdpFrame(1000), 150'000);  // Timer and tick.
  run.Client(UdpFrame(1000), 150'200);  // And all goes on.
  run.Run();
  EXPECT_EQ(run.port.sent.size(), 3u);
  EXPECT_EQ(run.dropped_by_host(), 0u);
  const auto faults = run.faults();
  ASSERT_EQ(faults.size(), 3u);
  const std::vector<std::string> calls = {faults[0].call, faults[1].call, faults[2].call};
  EXPECT_EQ(calls, (std::vector<std::string>{"flow-timer", "tick", "flow-close"}));
  for (const auto& fault : faults) {
    EXPECT_FALSE(fault.flow.has_value());
    EXPECT_EQ(fault.action, FaultAction::kNone);
  }
  for (uint32_t nf = 0; nf < 3; ++nf) EXPECT_EQ(run.counter(nf, 0), 3u);
}

// Ten faults of which the last comes `last_us` after the first.
void TenFaults(TestRun& run, uint64_t last_us) {
  for (uint32_t i = 0; i < 9; ++i) run.Client(UdpFrame(1000, Payload({{}, kBadResult})), i * 200);
  run.Client(UdpFrame(1000, Payload({{}, kBadResult})), last_us);
}

TEST(FaultsTest, TenFaultsWithinASecondQuarantine) {
  for (const auto& [last_us, quarantined] : {std::pair{999'999, true}, std::pair{1'000'000, false}}) {
    TestRun run;
    run.AddNf({.name = "a"});
    run.AddNf({.name = "b", .on_fault = OnFault::kDrop});
    TenFaults(run, static_cast<uint64_t>(last_us));
    run.Client(UdpFrame(1000), 1'100'000);
    run.Client(UdpFrame(1001), 1'100'000);
    run.Run();
    EXPECT_EQ(run.dropped("nf_fault"), 10u);
    EXPECT_EQ(run.dropped("nf_quarantined"), quarantined ? 2u : 0u);
    EXPECT_EQ(run.port.sent.size(), quarantined ? 0u : 2u);
    EXPECT_EQ(run.worker().chain().nf(1).is_quarantined(), quarantined);
    EXPECT_EQ(run.counter(0, 0), 12u);  // NFs before it go on.
    EXPECT_EQ(run.counter(1, 0), quarantined ? 10u : 12u);
    EXPECT_EQ(run.counter(1, 1), quarantined ? 0u : 2u);  // Not even flow-close.
    std::vector<QuarantineEvent> events;
    for (const Event& event : run.events()) {
      if (const auto* notice = std::get_if<QuarantineEvent>(&event)) events.push_back(*notice);
    }
    ASSERT_EQ(events.size(), quarantined ? 1u : 0u);
    if (!quarantined) continue;
    EXPECT_EQ(events[0].entry, "b");
    EXPECT_EQ(events[0].faults, 10u);
    EXPECT_EQ(events[0].mode, QuarantineMode::kClosed);
  }
}

TEST(FaultsTest, QuarantinedOpenIsPassedBy) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.AddNf({.name = "b", .on_fault = OnFault::kDrop, .quarantine = QuarantineMode::kOpen, .tick = true});
  run.AddNf({.name = "c"});
  TenFaults(run, 2000);
  run.Client(UdpFrame(1000), 10'000);
  run.Server(UdpFrame(1000, "", true), 10'200);
  run.Client(UdpFrame(1001), 500'000);
  run.Run();
  EXPECT_EQ(run.dropped("nf_quarantined"), 0u);
  EXPECT_EQ(run.port.sent.size(), 3u);
  EXPECT_EQ(run.counter(1, 0), 10u);
  EXPECT_EQ(run.counter(1, 5), 0u);  // No ticks either.
  EXPECT_EQ(run.counter(2, 0), 3u);
  EXPECT_EQ(run.counter(2, 1), 2u);
}

TEST(FaultsTest, QuarantineInTheMiddleOfACallTakesTheRestOfIt) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop});
  std::vector<uint32_t> all(32);
  for (uint32_t i = 0; i < 32; ++i) all[i] = i;
  for (const auto& frame : Burst(32, all, kTrap)) run.Client(frame);
  run.Run();
  EXPECT_EQ(run.dropped("nf_fault"), 10u);
  EXPECT_EQ(run.dropped("nf_quarantined"), 22u);
  EXPECT_EQ(run.dropped("nf_unavailable"), 0u);  // From a capture the host waits for spares.
}

// init traps once flow 1's slot says so.
const std::string kStartsUntilPoked =
    "(if (i32.load8_u (i32.const " + std::to_string(abi::kStateAreaAddress + 20) + ")) (then unreachable))";

TEST(FaultsTest, WithoutASpareTheNfIsUnavailable) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop, .init = kStartsUntilPoked});
  run.AddNf({.name = "b"});
  run.Client(UdpFrame(1000, Payload({{.op = Answer::kPoke, .value = 1, .at = 20}, {}})));
  run.Client(UdpFrame(1001, Payload({kTrap, {}})), 200);  // Takes the spare; there will be no other.
  run.Client(UdpFrame(1001), 400);
  run.Client(UdpFrame(1001, Payload({kTrap, {}})), 600);
  run.Client(UdpFrame(1002), 600);
  run.Client(UdpFrame(1003), 800);
  run.Run();
  EXPECT_EQ(run.dropped("nf_fault"), 2u);
  EXPECT_EQ(run.dropped("nf_unavailable"), 2u);
  EXPECT_EQ(run.port.sent.size(), 2u);
  EXPECT_EQ(run.counter(0, 1), 0u);
  EXPECT_EQ(run.counter(1, 1), 2u);  // Others are told that flows close.
}

// Live, the lcore does not wait: what comes before the next spare is lost and counted, and then all is well again.
TEST(FaultsTest, LiveTheNextSpareIsTakenWhenItIsThere) {
  TestRun run;
  run.spec.input = FabricInput{.client = &run.port, .server = &run.port, .pool = TestPool(), .is_capture = false};
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop});
  for (uint16_t i = 0; i < 3; ++i) run.Client(UdpFrame(1000, Payload({kTrap})));
  run.Turns();
  EXPECT_GE(run.dropped("nf_fault"), 2u);
  EXPECT_EQ(run.dropped("nf_fault") + run.dropped("nf_unavailable"), 3u);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (run.port.sent.empty() && std::chrono::steady_clock::now() < end) {
    run.Client(UdpFrame(1000));
    run.Turns();
  }
  EXPECT_FALSE(run.port.sent.empty());
  run.Run();
}

TEST(FaultsTest, TheBlamedPacketOfARunningFlowKeepsWhatItsFlowHad) {
  TestRun run;
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop});
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1000, Payload({kTrap})));
  run.Client(UdpFrame(1000));
  run.Run();
  const auto flow = run.ended().at(0);
  EXPECT_EQ(flow.packets[0], 3u);
  EXPECT_EQ(Word(flow.states[0], 4), 1u);  // FIRST once: its packet was done before the trap.
  EXPECT_EQ(run.faults().at(0).sequence, 1u);
}

}  // namespace
}  // namespace nf::test
