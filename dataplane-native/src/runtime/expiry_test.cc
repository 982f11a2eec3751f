// When flows end, what they had leased goes back, timers and ticks (docs/packet_path.md, sections 1 and 4).
#include <gtest/gtest.h>

#include "runtime/test_run.h"

namespace nf::test {
namespace {

using abi::CloseReason;
using abi::Verdict;

constexpr uint64_t kMs = 1'000'000;
constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

// The first time at which something that was to last for `idle_ms` from `from_ns` on is due.
uint64_t DueNs(uint64_t from_ns, uint64_t idle_ms) {
  return (((from_ns + idle_ms * kMs) >> abi::kExpiryTickShift) + 1) << abi::kExpiryTickShift;
}
// A packet without a flow: only time goes by.
void PassTimeTo(TestRun& run, uint64_t time_ns) {
  run.port.script.push_back({.frame = Ethernet(0x0806, "time"), .time_ns = time_ns});
  run.Turns();
}

std::string Other(uint8_t protocol, std::string_view inner = "12345678") {
  return Ethernet(0x0800, Ipv4({.protocol = protocol}, inner));
}

TEST(ExpiryTest, ByProtocolToTheTick) {
  struct Case {
    std::string frame;
    uint64_t idle_ms;
  };
  const std::vector<Case> cases = {
      {UdpFrame(1000), 30'000},
      {Other(136, Udp(1, 2, "")), 30'000},
      {Other(1, Icmp(8, 0, 1 << 16, "")), 5'000},
      {Ethernet(0x86dd, Ipv6({.next = 58}, Icmp(128, 0, 1 << 16, ""))), 5'000},
      {Other(47), 30'000},
      {Other(132, "123456789012"), 30'000},
      {TcpFrame(1000, kSyn), 30'000},
      {TcpFrame(1000, kRst), 10'000},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    TestRun run;
    run.AddNf({.name = "a"});
    run.Client(cases[i].frame);
    run.Turns();
    const uint64_t due = DueNs(TestRun::kStart, cases[i].idle_ms);
    PassTimeTo(run, due - 1);
    EXPECT_EQ(run.worker().flows_open(), 1u) << i;
    PassTimeTo(run, due);
    EXPECT_EQ(run.worker().flows_open(), 0u) << i;
    const bool is_closing = cases[i].idle_ms == 10'000;
    EXPECT_EQ(run.ended().at(0).close_reason, is_closing ? CloseReason::kFinished : CloseReason::kExpired) << i;
    EXPECT_EQ(run.counter(0, 2), is_closing ? 2u : 1u) << i;
  }
}

TEST(ExpiryTest, EveryPacketRenews) {
  TestRun run;
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1000), 20'000'000);
  run.Server(UdpFrame(1000, "", true), 45'000'000);
  run.Turns();
  const uint64_t due = DueNs(TestRun::kStart + 45'000 * kMs, 30'000);
  PassTimeTo(run, due - 1);
  EXPECT_EQ(run.worker().flows_open(), 1u);
  PassTimeTo(run, due);
  EXPECT_EQ(run.worker().flows_open(), 0u);
}

// How long a TCP flow lives after these segments: {flags, from the server}.
uint64_t IdleAfter(const std::vector<std::pair<uint8_t, bool>>& segments, FlowPhase phase) {
  TestRun run;
  for (const auto& [flags, from_server] : segments) run.Add(TcpFrame(1000, flags, from_server), from_server);
  run.Turns();
  for (uint64_t idle_ms : {10'000, 30'000, 300'000}) {
    PassTimeTo(run, DueNs(TestRun::kStart, idle_ms));
    if (run.worker().flows_open() != 0) continue;
    EXPECT_EQ(run.ended().at(0).phase, phase);
    return idle_ms;
  }
  return 0;
}

TEST(ExpiryTest, TcpPhases) {
  EXPECT_EQ(IdleAfter({{kSyn, false}, {kAck, false}}, FlowPhase::kOpening), 30'000u);
  EXPECT_EQ(IdleAfter({{kSyn, false}, {kSyn | kAck, true}}, FlowPhase::kOpen), 300'000u);
  EXPECT_EQ(IdleAfter({{kSyn, false}, {kRst | kAck, true}}, FlowPhase::kClosing), 10'000u);
  EXPECT_EQ(IdleAfter({{kSyn, false}, {kAck, true}, {kRst, false}}, FlowPhase::kClosing), 10'000u);
  EXPECT_EQ(IdleAfter({{kSyn, false}, {kAck, true}, {kFin, false}}, FlowPhase::kOpen), 300'000u);
  EXPECT_EQ(IdleAfter({{kSyn, false}, {kAck, true}, {kFin, false}, {kFin, false}}, FlowPhase::kOpen), 300'000u);
  EXPECT_EQ(IdleAfter({{kSyn, false}, {kAck, true}, {kFin, false}, {kFin, true}}, FlowPhase::kClosing), 10'000u);
  EXPECT_EQ(IdleAfter({{kFin, false}, {kAck, true}, {kFin, true}, {kAck, false}}, FlowPhase::kClosing), 10'000u);
}

TEST(ExpiryTest, SynOpensAClosingConnectionAnew) {
  for (bool from_server : {false, true}) {
    TestRun run;
    run.AddNf({.name = "a"});
    run.Client(TcpFrame(1000, kSyn));
    run.Server(TcpFrame(1000, kRst | kAck, true));
    run.Server(TcpFrame(1000, kSyn | kAck, true));  // Opens nothing.
    run.Add(TcpFrame(1000, kSyn, from_server), from_server);
    run.Run();
    EXPECT_EQ(run.port.sent.size(), 4u);
    const auto ended = run.ended();
    ASSERT_EQ(ended.size(), 2u);
    EXPECT_EQ(ended[0].close_reason, CloseReason::kFinished);
    EXPECT_EQ(ended[0].packets[0] + ended[0].packets[1], 3u);
    EXPECT_EQ(ended[1].phase, FlowPhase::kOpening);
    EXPECT_EQ(ended[1].key.source_port, from_server ? 80 : 1000);
    EXPECT_EQ(Word(ended[1].states[0], 0), 1u);  // A zeroed slot.
    EXPECT_EQ(run.counter(0, 2), 0x27u);
  }
}

TEST(ExpiryTest, AnNfsTimeoutReplacesTheProtocolsUntilTheFlowCloses) {
  TestRun run;
  run.AddNf({.name = "a"});
  run.Client(UdpFrame(1000, Payload({{.timeout = 100}})));
  run.Client(UdpFrame(1001, Payload({{.verdict = Verdict::kDrop, .timeout = 60'000}})));
  run.Client(TcpFrame(1002, kSyn, false, Payload({{.timeout = 100'000}})));
  run.Client(TcpFrame(1002, kRst));
  run.Turns();
  const auto open_at = [&](uint64_t idle_ms) {
    PassTimeTo(run, DueNs(TestRun::kStart, idle_ms) - 1);
    const uint32_t before = run.worker().flows_open();
    PassTimeTo(run, DueNs(TestRun::kStart, idle_ms));
    return std::pair(before, run.worker().flows_open());
  };
  EXPECT_EQ(open_at(100), std::pair(3u, 2u));
  EXPECT_EQ(open_at(10'000), std::pair(2u, 1u));
  EXPECT_EQ(open_at(30'000), std::pair(1u, 1u));
  EXPECT_EQ(open_at(60'000), std::pair(1u, 0u));
}

TEST(ExpiryTest, InOrderOfDeadlineThenOfNumber) {
  TestRun run;
  run.Client(UdpFrame(1002), 10'000);
  run.Client(UdpFrame(1001), 20'000);
  run.Client(UdpFrame(1000), 20'001);
  run.Client(UdpFrame(1003), 30'000);
  run.Client(UdpFrame(1002), 40'000);
  run.Turns();
  PassTimeTo(run, DueNs(TestRun::kStart, 60'000));
  std::vector<uint16_t> ports;
  for (const auto& flow : run.ended()) ports.push_back(flow.key.source_port);
  EXPECT_EQ(ports, (std::vector<uint16_t>{1001, 1000, 1003, 1002}));
}

TEST(ExpiryTest, AFullTableDropsNewFlowsUntilOneEnds) {
  TestRun run;
  run.spec.flows_max = 2;
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1001));
  run.Client(UdpFrame(1002));
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1002), 31'000'000);
  run.Run();
  EXPECT_EQ(run.dropped("flow_table_full"), 1u);
  EXPECT_EQ(run.port.sent.size(), 4u);
}

// Takes what it leased into its state; refuses flows whose packet has a payload.
const std::string kTakesLease = ForEachPacket(R"(
  (i32.store (i32.load offset=24 (local.get $descriptor)) (i32.load offset=44 (local.get $descriptor)))
  (i32.store (local.get $result) (i32.const 1))
  (if (i32.load16_u offset=10 (local.get $descriptor)) (then (i32.store (local.get $result) (i32.const 0x80002)))))");

std::vector<uint32_t> LeasesOf(TestRun& run) {
  std::map<uint64_t, uint32_t> by_number;
  for (const auto& flow : run.ended()) by_number[flow.flow_id] = Word(flow.states[0], 0);
  std::vector<uint32_t> leases;
  for (const auto& [number, lease] : by_number) leases.push_back(lease);
  return leases;
}

TEST(ExpiryTest, LeasesComeBackWithTheFlowAndRest) {
  TestRun run;
  run.spec.idle_ms.udp = 100;
  run.AddNf({.name = "a", .lease_size = 2, .process_burst = kTakesLease});
  run.Client(UdpFrame(1000));
  run.Client(UdpFrame(1001));
  run.Client(UdpFrame(1002));  // None is left: 0.
  run.Turns();
  const uint64_t freed = DueNs(TestRun::kStart, 100);
  PassTimeTo(run, freed);
  EXPECT_EQ(run.worker().flows_open(), 0u);
  run.port.script.push_back({.frame = UdpFrame(1003), .time_ns = freed + 1000 * kMs - 1});  // They still rest.
  run.port.script.push_back({.frame = UdpFrame(1004), .time_ns = freed + 1000 * kMs + abi::kPollGapNs});
  run.port.script.push_back({.frame = UdpFrame(1005), .time_ns = freed + 1000 * kMs + abi::kPollGapNs});
  run.Run();
  EXPECT_EQ(LeasesOf(run), (std::vector<uint32_t>{1, 2, 0, 0, 1, 2}));
}

TEST(ExpiryTest, ARefusedFlowsLeaseGoesBackAtOnceAndEachNfHasItsOwnPool) {
  TestRun run;
  run.AddNf({.name = "a", .lease_size = 1, .process_burst = kTakesLease});
  run.AddNf({.name = "b", .lease_size = 5, .process_burst = kTakesLease});
  run.Client(UdpFrame(1000, "refuse"));
  run.Client(UdpFrame(1001), 1'100'000);  // The refusal is over, and the lease has rested.
  run.Run();
  EXPECT_EQ(LeasesOf(run), (std::vector<uint32_t>{1, 1}));
  EXPECT_EQ(Word(run.ended().back().states[1], 0), 2u);
}

constexpr uint16_t kArm = abi::kResultFlagArmTimer;

TEST(ExpiryTest, ATimerFiresOnceWhenItIsDue) {
  TestRun run;
  run.AddNf({.name = "a", .timer = true});
  run.Client(UdpFrame(1000, Payload({{.flags = kArm, .timeout = 50}})));
  run.Turns();
  const uint64_t due = DueNs(TestRun::kStart, 50);
  PassTimeTo(run, due - 1);
  EXPECT_EQ(run.counter(0, 4), 0u);
  PassTimeTo(run, due);
  EXPECT_EQ(run.counter(0, 4), 1u);
  PassTimeTo(run, due + 1000 * kMs);
  EXPECT_EQ(run.counter(0, 4), 1u);
  EXPECT_EQ(run.worker().flows_open(), 1u);  // It is not the flow's idle time.
}

TEST(ExpiryTest, TimersMoveAndEnd) {
  TestRun run;
  run.AddNf({.name = "a", .timer = true});
  run.AddNf({.name = "b"});
  const auto arm = [](uint32_t timeout, uint16_t more = 0, Verdict verdict = Verdict::kForward) {
    return Payload({{.verdict = verdict, .flags = static_cast<uint16_t>(kArm | more), .timeout = timeout},
                    {.flags = kArm, .timeout = 1}});  // b has no timers: ignored.
  };
  run.Client(UdpFrame(1000, arm(50)));
  run.Client(UdpFrame(1000, arm(500)));  // Later.
  run.Client(UdpFrame(1001, arm(50)));
  run.Client(UdpFrame(1001, arm(0)));  // Not at all.
  run.Client(UdpFrame(1002, arm(50)));
  run.Client(UdpFrame(1002, arm(20, abi::kResultFlagCloseFlow)));  // Its flow ends.
  run.Client(UdpFrame(1003, arm(60, 0, Verdict::kDrop)));
  run.Turns();
  PassTimeTo(run, DueNs(TestRun::kStart, 100));
  EXPECT_EQ(run.counter(0, 4), 1u);  // That of 1003: the answer counts with DROP too.
  PassTimeTo(run, DueNs(TestRun::kStart, 600));
  EXPECT_EQ(run.counter(0, 4), 2u);
  run.Run();
}

TEST(ExpiryTest, TimersFireBeforeFlowsExpire) {
  TestRun run;
  run.spec.idle_ms.udp = 40;
  run.AddNf({.name = "a", .timer = true});
  run.Client(UdpFrame(1000, Payload({{.flags = kArm, .timeout = 50}})));
  run.Turns();
  PassTimeTo(run, DueNs(TestRun::kStart, 60));
  EXPECT_EQ(run.worker().flows_open(), 0u);
  EXPECT_EQ(run.counter(0, 4), 1u);
}

TEST(ExpiryTest, ATimerSeesItsFlowAndItsSlot) {
  TestRun run;
  // Adds the initiator's port to the slot.
  run.AddNf({.name = "a",
             .timer = true,
             .on_timer = "(i32.store offset=16 (local.get $state) (i32.load16_u offset=32 (local.get $flow)))"});
  for (uint16_t port : {1000, 1001}) run.Client(UdpFrame(port, Payload({{.flags = kArm, .timeout = 5}})));
  run.Client(UdpFrame(1000), 10'000);
  run.Run();
  for (const auto& flow : run.ended()) EXPECT_EQ(Word(flow.states[0], 16), flow.key.source_port);
}

TEST(ExpiryTest, TicksComeAtMostOncePerPollAndNotAtTheFirst) {
  TestRun run;
  run.AddNf({.name = "a", .tick = true});
  const auto ticks_at = [&](uint64_t ms) {
    PassTimeTo(run, TestRun::kStart + ms * kMs);
    return run.counter(0, 5);
  };
  EXPECT_EQ(ticks_at(0), 0u);
  EXPECT_EQ(ticks_at(99), 0u);
  EXPECT_EQ(ticks_at(100), 1u);
  EXPECT_EQ(ticks_at(199), 1u);
  EXPECT_EQ(ticks_at(950), 2u);
  EXPECT_EQ(ticks_at(1000), 2u);
  EXPECT_EQ(ticks_at(1050), 3u);
}

TEST(ExpiryTest, TimeNeverGoesBack) {
  TestRun run;
  run.AddNf({.name = "a",
             .process_burst = ForEachPacket(R"(
    (i64.store (i32.load offset=24 (local.get $descriptor)) (i64.load (i32.const )" +
                                            std::to_string(abi::kBurstHeaderAddress) + R"()))
    (i32.store (local.get $result) (i32.const 1)))")});
  run.Client(UdpFrame(1000), 5'000'000);
  run.Client(UdpFrame(1001), 0);  // Never ends a poll, being earlier.
  run.Turns();
  run.Client(UdpFrame(1002), 1'000'000);
  run.Run();
  for (const auto& flow : run.ended()) {
    uint64_t now;
    std::memcpy(&now, flow.states[0].data(), sizeof now);
    EXPECT_EQ(now, TestRun::kStart + 5'000 * kMs);
    EXPECT_EQ(flow.start_ns, now);
  }
  EXPECT_EQ(run.port.sent[2].time_ns, TestRun::kStart + 1'000 * kMs);
}

}  // namespace
}  // namespace nf::test
