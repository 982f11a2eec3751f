// The runtime with its thread: start, stop, idle, looking in from outside. Run under ThreadSanitizer too.
#include "runtime/lcore.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "base/clock.h"
#include "runtime/idle.h"
#include "runtime/test_wires.h"

namespace nf::test {
namespace {

TEST(LcoreTest, AGracefulStopTakesWhatThePortsHold) {
  Wires wires;
  wires.AddNf({.name = "a"});
  Runtime& runtime = wires.Make();
  for (uint16_t i = 0; i < 700; ++i) ASSERT_TRUE(wires.Send(UdpFrame(1000 + i % 50), 0));
  for (uint16_t i = 0; i < 300; ++i) ASSERT_TRUE(wires.Send(UdpFrame(1000 + i % 50, "", true), 1));
  ASSERT_TRUE(runtime.Start().has_value());
  runtime.RequestStop(true);
  const RunReport report = runtime.Wait();
  EXPECT_FALSE(report.error.has_value());
  EXPECT_TRUE(runtime.ended());
  EXPECT_EQ(report.counters.received, 1000u);
  EXPECT_EQ(report.counters.sent, 1000u);
  EXPECT_TRUE(report.counters.dropped.empty());
  EXPECT_EQ(report.counters.flows_open, 0u);
  EXPECT_EQ(report.counters.flows_ended, 50u);
  EXPECT_EQ(report.counters.nfs.at(0).counters.at("packets"), 1000u);
  EXPECT_EQ(report.counters.nfs[0].counters.at("closes"), 50u);
  EXPECT_EQ(wires.Receive(1), 700u);
  EXPECT_EQ(wires.Receive(0), 300u);
  EXPECT_EQ(runtime.Wait().counters.sent, 1000u);  // The same again.
}

TEST(LcoreTest, PacketsThatThePortsLostAreCountedButNotReceived) {
  Wires wires;
  Runtime& runtime = wires.Make();
  wires.Miss(3, 0);
  ASSERT_TRUE(runtime.Start().has_value());
  EXPECT_TRUE(Eventually([&] { return runtime.counters().missed == 3; }));
  wires.Miss(4, 1);
  runtime.RequestStop(true);
  const RunReport report = runtime.Wait();
  EXPECT_FALSE(report.error.has_value());
  EXPECT_EQ(report.counters.missed, 7u);
  EXPECT_EQ(report.counters.received, 0u);
}

TEST(LcoreTest, AStopAtOnceLeavesTheRestOnTheWire) {
  Wires wires;
  Runtime& runtime = wires.Make();
  for (uint16_t i = 0; i < 1000; ++i) ASSERT_TRUE(wires.Send(UdpFrame(1000), 0));
  runtime.RequestStop(false);
  ASSERT_TRUE(runtime.Start().has_value());
  const RunReport report = runtime.Wait();
  EXPECT_FALSE(report.error.has_value());
  EXPECT_EQ(report.counters.received, 0u);
  EXPECT_EQ(wires.Receive(1), 0u);
}

TEST(LcoreTest, HeldFragmentsDropAtTheEnd) {
  Wires wires;
  Runtime& runtime = wires.Make();
  ASSERT_TRUE(runtime.Start().has_value());
  ASSERT_TRUE(wires.Send(Ethernet(0x0800, Ipv4({.offset_8 = 2}, "rest")), 0));
  EXPECT_TRUE(Eventually([&] { return runtime.counters().held == 1; }));
  runtime.RequestStop(true);
  const RunReport report = runtime.Wait();
  EXPECT_FALSE(report.error.has_value());
  EXPECT_EQ(report.counters.dropped.at("shutdown"), 1u);
  EXPECT_EQ(report.counters.held, 0u);
}

TEST(LcoreTest, StartsOnceAndMayBeThrownAwayAtAnyTime) {
  Wires never_started;
  never_started.AddNf({.name = "a"});
  EXPECT_EQ(never_started.Make().Wait().counters.received, 0u);
  Wires running;
  running.AddNf({.name = "a"});
  Runtime& runtime = running.Make();
  ASSERT_TRUE(runtime.Start().has_value());
  EXPECT_EQ(runtime.Start().error().code, ErrorCode::kRuntimeBusy);
  ASSERT_TRUE(running.Send(UdpFrame(1000), 0));
}

class TestTask final : public LcoreTask {
 public:
  explicit TestTask(std::function<uint32_t()> turn) : turn_(std::move(turn)) {}
  uint32_t Turn() override {
    turns.fetch_add(1);
    return turn_();
  }
  void End() override {}
  int sleep_ms_max() const override { return 1; }
  std::atomic<uint64_t> turns = 0;

 private:
  std::function<uint32_t()> turn_;
};

// How many turns another task gets while one waits that was kept from its CPU for long in the middle of its turn.
uint64_t TurnsOfAnother(const std::function<uint32_t()>& turn_of_another) {
  TestTask another(turn_of_another);
  std::atomic<uint64_t> before = 0, after = 0;
  uint32_t turns = 0;
  TestTask kept([&] {
    if (++turns == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      before = another.turns.load();
    } else if (turns == 2) {
      after = another.turns.load();
    }
    return turns <= 2 ? 1u : 0u;
  });
  Lcore lcore({&kept, &another}, -1, false);
  lcore.Start();
  EXPECT_TRUE(Eventually([&] { return kept.turns >= 3; }));
  return after - before;
}

TEST(LcoreTest, ATaskThatWasKeptFromItsCpuDoesNotWaitForAsLongAsThat) {
  const auto busy = [] {
    for (const uint64_t end = MonotonicNs() + 20'000; MonotonicNs() < end;) {
    }
    return 1u;
  };
  EXPECT_LE(TurnsOfAnother(busy), 200u);  // It would be thousands.
}

// What comes while the lcore sleeps wakes it, and time goes on while nothing comes.
TEST(LcoreTest, AnIdleLcoreWakesForPacketsAndLetsFlowsExpire) {
  Wires wires;
  wires.spec.idle_ms.udp = 20;
  wires.AddNf({.name = "a", .tick = true});
  Runtime& runtime = wires.Make();
  ASSERT_TRUE(runtime.Start().has_value());
  for (uint32_t round = 1; round <= 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    ASSERT_TRUE(wires.Send(UdpFrame(1000), 0));
    EXPECT_TRUE(Eventually([&] { return wires.Receive(1) == 1; }));
    EXPECT_TRUE(Eventually([&] { return runtime.counters().flows_ended == round; }));
  }
  EXPECT_TRUE(Eventually([&] { return runtime.counters().nfs.at(0).counters.at("ticks") >= 2; }));
  runtime.RequestStop(true);
  EXPECT_FALSE(runtime.Wait().error.has_value());
}

TEST(LcoreTest, FlowsAreListedWhilePacketsPass) {
  Wires wires;
  wires.AddNf({.name = "a"});
  Runtime& runtime = wires.Make();
  ASSERT_TRUE(runtime.Start().has_value());
  constexpr uint16_t kFlows = 300;
  for (uint16_t i = 0; i < kFlows; ++i) ASSERT_TRUE(wires.Send(UdpFrame(1000 + i), 0));
  EXPECT_TRUE(Eventually([&] { return wires.Receive(1) == 0 && runtime.counters().flows_open == kFlows; }));
  std::atomic<bool> stop{false};
  std::thread traffic([&] {
    while (!stop) {
      for (uint16_t i = 0; i < 32; ++i) wires.Send(UdpFrame(1000 + i), 0);
      wires.Receive(1);
    }
  });
  for (uint32_t round = 0; round < 20; ++round) {
    std::set<uint64_t> seen;
    for (std::optional<uint32_t> cursor = 0; cursor;) {
      const auto page = runtime.Flows(*cursor, 64);
      ASSERT_TRUE(page.has_value());
      EXPECT_LE(page->flows.size(), 64u);
      for (const FlowSnapshot& flow : page->flows) {
        seen.insert(flow.flow_id);
        EXPECT_EQ(Word(flow.states.at(0), 0), flow.packets[0]);  // Copied between polls: nothing is half done.
      }
      cursor = page->next;
    }
    EXPECT_EQ(seen.size(), kFlows);
  }
  stop = true;
  traffic.join();
  runtime.RequestStop(true);
  EXPECT_FALSE(runtime.Wait().error.has_value());
  EXPECT_TRUE(runtime.Flows(0, 64)->flows.empty());  // All have ended.
  EXPECT_TRUE(runtime.Flows(UINT32_MAX, 64)->flows.empty());
}

// A sleep of a minute ends when it is to: at a Wake before or after it began, or at a descriptor's.
TEST(LcoreIdleTest, WakesEndSleeps) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  Idle idle(std::span(pipe_ends, 1));
  constexpr int kMinuteMs = 60'000;
  const auto begin = std::chrono::steady_clock::now();
  const auto fall_asleep = [&] {
    for (uint32_t i = 0; i < 200; ++i) idle.Wait(0);  // Past the busy turns.
  };
  for (uint32_t i = 0; i < 3; ++i) {
    fall_asleep();
    idle.Wake();
    idle.Wait(kMinuteMs);
  }
  fall_asleep();
  std::thread waker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    idle.Wake();
  });
  idle.Wait(kMinuteMs);
  waker.join();
  fall_asleep();
  ASSERT_EQ(write(pipe_ends[1], "x", 1), 1);
  idle.Wait(kMinuteMs);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(kMinuteMs));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace nf::test
