// A capture through several runtimes: what comes out is what direct mode makes of it, frame by frame.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "runtime/snapshot.h"
#include "runtime/tenant.h"
#include "runtime/test_run.h"

namespace nf::test {
namespace {

struct Outcome {
  std::vector<std::string> frames;
  std::map<std::string, uint64_t> dropped;
  uint64_t opened, ended;
  std::multiset<std::string> flows;  // Keys and states of the ended.

  static std::string KeyOf(const FlowSnapshot& flow) {
    return {reinterpret_cast<const char*>(&flow.key), sizeof flow.key};
  }
  void Take(const std::vector<Event>& events) {
    for (const Event& event : events) {
      const auto* ended_flow = std::get_if<FlowEndedEvent>(&event);
      if (ended_flow == nullptr) continue;
      std::string flow = KeyOf(ended_flow->flow);
      for (const auto& state : ended_flow->flow.states) flow.append(state.begin(), state.end());
      flows.insert(std::move(flow));
    }
  }
};

RuntimeSpec SpecFor(ScriptPort* port, const std::vector<TestNf>& nfs) {
  RuntimeSpec spec;
  spec.input = FabricInput{.client = port, .server = port, .pool = TestPool(), .is_capture = true};
  spec.flows_max = 512;
  spec.keep_ended_flows = 4096;
  spec.idle_ms = {.tcp = 50, .udp = 30};
  for (const TestNf& nf : nfs) spec.chain.push_back(TestRun::Spec(nf, static_cast<uint32_t>(spec.chain.size())));
  return spec;
}

Outcome RunDirect(const std::vector<TestNf>& nfs, const std::deque<Packet>& script) {
  TestRun run;
  run.spec = SpecFor(&run.port, nfs);
  run.port.script = script;
  run.Run();
  Outcome outcome{
      .frames = run.sent_frames(), .dropped = {}, .opened = run.worker().flows_opened(), .ended = 0, .flows = {}};
  CountersSnapshot snapshot;
  AddFates(run.worker().counters(), &snapshot);
  AddChain(run.worker().chain(), &snapshot);
  outcome.dropped = snapshot.dropped;
  outcome.ended = snapshot.flows_ended;
  outcome.Take(run.events());
  return outcome;
}

Outcome RunSwitched(const std::vector<TestNf>& nfs, const std::deque<Packet>& script, uint16_t runtimes,
                    uint16_t lcores, uint64_t* moved = nullptr) {
  StartTestEal();
  ScriptPort port;
  port.script = script;
  RuntimeSpec spec = SpecFor(&port, nfs);
  spec.switching = SwitchingSpec{.runtimes = runtimes, .lcores = lcores};
  auto tenant = Tenant::Create(TestRun::engine(), spec);
  NF_CHECK(tenant.has_value(), tenant ? "" : tenant.error().message.c_str());
  NF_CHECK((*tenant)->Start().has_value(), "it starts once");
  Outcome outcome{};
  std::vector<std::thread> movers;
  std::atomic<uint64_t> moved_in_all = 0;
  for (uint16_t from = 1; moved != nullptr && from <= runtimes; ++from) {
    movers.emplace_back([&tenant, &moved_in_all, from, to = static_cast<uint16_t>(from % runtimes + 1)] {
      while (const auto report = (*tenant)->Migrate(from, to, 20)) moved_in_all += report->moved;
    });
  }
  while (!(*tenant)->ended()) outcome.Take((*tenant)->DrainEvents());
  const RunReport report = (*tenant)->Wait();
  for (std::thread& mover : movers) mover.join();
  if (moved != nullptr) *moved = moved_in_all;
  EXPECT_FALSE(report.error.has_value()) << report.error->message;
  outcome.Take((*tenant)->DrainEvents());
  for (const auto& sent : port.sent) outcome.frames.push_back(sent.frame);
  outcome.dropped = report.counters.dropped;
  outcome.opened = report.counters.flows_opened;
  outcome.ended = report.counters.flows_ended;
  return outcome;
}

// All kinds of packets of some flows: TCP that opens and closes and opens again, UDP that pauses beyond its idle time,
// fragments before and after their first one, other things; drops, closes and emitted frames by NFs. Flows with
// fragments are not closed by NFs: whether a later fragment then goes to the flow of that key that is no more, or to
// the next one, is where a vswitch may differ (docs/packet_path.md).
std::deque<Packet> Script(uint32_t seed) {
  std::minstd_rand random(seed);
  const auto below = [&random](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  std::deque<Packet> script;
  uint64_t time = TestRun::kStart;
  for (int i = 0; i < 3000; ++i) {
    time += below(20) == 0 ? below(40'000'000) : below(100'000);
    const auto port = static_cast<uint16_t>(1000 + below(40));
    const bool answers = below(2) != 0;
    std::vector<Answer> answer(2);
    if (below(12) == 0) answer[0].verdict = abi::Verdict::kDrop;
    if (below(25) == 0) answer[1].flags = abi::kResultFlagCloseFlow;
    if (below(10) == 0) answer[1].op = Answer::kEmit, answer[1].value = answers;
    std::string frame;
    if (below(8) == 0) {
      const auto id = static_cast<uint16_t>(below(6));
      const bool first = below(2) != 0;
      const std::vector<Answer> plain(2);  // A later fragment shows NFs what it has.
      frame = Ethernet(
          0x0800,
          Ipv4({.identification = id, .more_fragments = first, .offset_8 = static_cast<uint16_t>(first ? 0 : 12)},
               first ? Udp(static_cast<uint16_t>(2000 + id), 53, Payload(plain)) : Payload(plain)));
    } else if (below(30) == 0) {
      frame = Ethernet(0x0806, std::string(28, 'a'));
    } else if (below(2) != 0) {
      answer[1].op = Answer::kNothing;  // Emitting takes more room than a frame of this kind has.
      const uint8_t flags[] = {0x02, 0x10, 0x10, 0x10, 0x11, 0x04};
      frame = TcpFrame(port, flags[below(6)], answers, Payload(answer));
    } else {
      const std::string udp = UdpFrame(port, PayloadWith(answer, UdpFrame(port, "emitted", answers)), answers);
      frame = udp;
    }
    script.push_back({frame, static_cast<uint8_t>(answers), time, 0});
  }
  return script;
}

void ExpectSame(const Outcome& switched, const Outcome& direct) {
  EXPECT_EQ(switched.dropped, direct.dropped);
  EXPECT_EQ(switched.opened, direct.opened);
  EXPECT_EQ(switched.ended, direct.ended);
  EXPECT_TRUE(switched.flows == direct.flows);
  ASSERT_EQ(switched.frames.size(), direct.frames.size());
  for (size_t i = 0; i < direct.frames.size(); ++i) ASSERT_EQ(switched.frames[i], direct.frames[i]) << "frame " << i;
}

TEST(TenantCaptureTest, WhatComesOutIsTheSameForAnyNumberOfRuntimes) {
  const std::vector<TestNf> nfs = {{.name = "a"}, {.name = "b", .rights = {.view = View::kPayload, .emits = 1}}};
  for (uint32_t seed : {1u, 2u, 3u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto script = Script(seed);
    const Outcome direct = RunDirect(nfs, script);
    EXPECT_GT(direct.frames.size(), 1000u);
    EXPECT_GT(direct.ended, 100u);
    for (const auto& [runtimes, lcores] : {std::pair{1, 1}, {3, 1}, {4, 3}}) {
      SCOPED_TRACE(std::to_string(runtimes) + " runtimes on " + std::to_string(lcores) + " lcores");
      ExpectSame(RunSwitched(nfs, script, static_cast<uint16_t>(runtimes), static_cast<uint16_t>(lcores)), direct);
    }
  }
}

// In each second round the time of all flows has passed, wherever they are just then; they have timers, too.
TEST(TenantCaptureTest, WhatExpiresOnItsWayEndsWhereItWouldHave) {
  constexpr uint32_t kRounds = 400, kFlows = 40;
  // When its timer fired is in the flow's state.
  const std::string note_time = "(i64.store offset=16 (local.get $state) (local.get $now))";
  const std::vector<TestNf> nfs = {{.name = "a"}, {.name = "b", .timer = true, .on_timer = note_time}};
  std::deque<Packet> script;
  uint64_t time = TestRun::kStart;
  for (uint32_t round = 0; round < kRounds; ++round) {
    time += round % 2 == 0 ? 40'000'000 : 20'000'000;
    for (uint32_t flow = 0; flow < kFlows; ++flow) {
      const std::vector<Answer> answers = {{}, {.flags = abi::kResultFlagArmTimer, .timeout = 10}};
      script.push_back({UdpFrame(static_cast<uint16_t>(1000 + flow), Payload(answers)), 0, time, 0});
    }
  }
  const Outcome direct = RunDirect(nfs, script);
  EXPECT_EQ(direct.opened, kRounds / 2 * kFlows);
  for (uint16_t lcores : {1, 3}) {
    SCOPED_TRACE(std::to_string(lcores) + " lcores");
    uint64_t moved = 0;
    ExpectSame(RunSwitched(nfs, script, 3, lcores, &moved), direct);
    EXPECT_GT(moved, 0u);
  }
}

}  // namespace
}  // namespace nf::test
