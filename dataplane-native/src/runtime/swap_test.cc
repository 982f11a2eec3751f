// Live swaps while packets pass: nothing is lost, flow states stay, what does not fit is refused and the old version
// goes on. Run under ThreadSanitizer too.
#include <gtest/gtest.h>

#include <map>

#include "runtime/test_wires.h"

namespace nf::test {
namespace {

using abi::Verdict;

constexpr NfRights kPayload{.view = View::kPayload};

TEST(LcoreSwapTest, AHundredSwapsUnderTrafficLoseNothing) {
  Wires wires;
  wires.spec.keep_ended_flows = 64;
  wires.AddNf({.name = "a"});
  wires.AddNf({.name = "b"});
  Runtime& runtime = wires.Make();
  ASSERT_TRUE(runtime.Start().has_value());

  std::atomic<bool> stop{false};
  uint64_t sent[2] = {}, received[2] = {}, out_of_order = 0;
  std::thread traffic([&] {
    constexpr uint32_t kFlows = 16;
    std::map<std::string, uint32_t> next[2];  // By side and the port's bytes: what must come next.
    uint32_t numbers[2][kFlows] = {};
    const auto take = [&](uint8_t side) {
      received[side] += wires.Receive(side ^ 1, [&](const std::string& frame) {
        const std::string key = frame.substr(side == 0 ? 34 : 36, 2);
        uint32_t number;
        std::memcpy(&number, frame.data() + 42, sizeof number);
        out_of_order += next[side][key]++ != number;
      });
    };
    while (!stop) {
      for (uint8_t side : {0, 1}) {
        for (uint32_t i = 0; i < kFlows && sent[side] - received[side] < 512; ++i) {
          uint32_t& number = numbers[side][i];
          const std::string payload(reinterpret_cast<const char*>(&number), sizeof number);
          if (!wires.Send(UdpFrame(static_cast<uint16_t>(1000 + i), payload, side == 1), side)) break;
          ++number;
          ++sent[side];
        }
        take(side);
      }
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while ((received[0] != sent[0] || received[1] != sent[1]) && std::chrono::steady_clock::now() < end) {
      take(0);
      take(1);
    }
  });

  const NfSpec versions[2][2] = {
      {TestRun::Spec({.name = "a", .version = "1.0.0"}, 0), TestRun::Spec({.name = "a", .version = "2.0.0"}, 0)},
      {TestRun::Spec({.name = "b", .version = "1.0.0"}, 1), TestRun::Spec({.name = "b", .version = "2.0.0"}, 1)}};
  for (uint32_t i = 0; i < 100; ++i) {
    const uint32_t nf = i % 3 == 0;
    const auto report = runtime.Swap(nf == 0 ? "a" : "b", versions[nf][(i / 3 + 1) % 2]);
    ASSERT_TRUE(report.has_value()) << report.error().message;
    EXPECT_EQ(report->packets_dropped, 0u);
  }
  stop = true;
  traffic.join();
  runtime.RequestStop(true);
  const RunReport report = runtime.Wait();
  EXPECT_FALSE(report.error.has_value());
  EXPECT_TRUE(report.counters.dropped.empty());
  EXPECT_EQ(received[0], sent[0]);
  EXPECT_EQ(received[1], sent[1]);
  EXPECT_EQ(out_of_order, 0u);
  EXPECT_EQ(report.counters.received, sent[0] + sent[1]);
  // The NFs' own counts go on from version to version, and each flow's state is that of one NF which saw it all.
  for (const NfCounters& nf : report.counters.nfs) EXPECT_EQ(nf.counters.at("packets"), sent[0] + sent[1]);
  uint32_t flows = 0;
  for (const Event& event : runtime.DrainEvents()) {
    const auto* ended = std::get_if<FlowEndedEvent>(&event);
    if (ended == nullptr) continue;
    ++flows;
    for (const auto& state : ended->flow.states) {
      EXPECT_EQ(Word(state, 0), ended->flow.packets[0] + ended->flow.packets[1]);
      EXPECT_EQ(Word(state, 4), 1u);
    }
  }
  EXPECT_EQ(flows, 16u);
}

// A runtime that runs, with one NF, one flow and one packet that has passed.
struct Running : Wires {
  explicit Running(const TestNf& nf) {
    AddNf(nf);
    Make();
    EXPECT_TRUE(runtime->Start().has_value());
    Pass(1);
  }
  void Pass(uint32_t packets) {
    for (uint32_t i = 0; i < packets; ++i) {
      EXPECT_TRUE(Send(UdpFrame(1000), 0));
      EXPECT_TRUE(Eventually([&] { return Receive(1) == 1; }));
    }
  }
  Error Refused(const NfSpec& spec, const std::string& entry = "a") {
    const auto report = runtime->Swap(entry, spec);
    EXPECT_FALSE(report.has_value());
    if (report) return {};
    Pass(1);  // The old version goes on.
    EXPECT_EQ(runtime->counters().nfs.at(0).version, "1.0.0");
    return report.error();
  }
};

TEST(LcoreSwapTest, AnotherLayoutIsRefusedAndSaysHowItDiffers) {
  Running run({.name = "a"});
  NfSpec next = TestRun::Spec({.name = "a", .version = "2.0.0"}, 0);
  next.state_digest = "another layout";
  Error error = run.Refused(next);
  EXPECT_EQ(error.code, ErrorCode::kSwapLayout);
  EXPECT_NE(error.message.find("a (script 2.0.0)"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("1.0.0"), std::string::npos) << error.message;
  next.state_bytes = 40;
  error = run.Refused(next);
  EXPECT_EQ(error.code, ErrorCode::kSwapLayout);
  EXPECT_NE(error.message.find("40 bytes instead of 32"), std::string::npos) << error.message;
  const auto page = run.runtime->Flows(0, 8);
  ASSERT_EQ(page->flows.size(), 1u);
  EXPECT_EQ(Word(page->flows[0].states[0], 0), 3u);
}

TEST(LcoreSwapTest, MoreRightsThanTheEntryWasGrantedAreRefused) {
  Running run({.name = "a", .rights = kPayload});
  const std::vector<NfRights> wanted = {{.view = View::kPayload, .edit = Edit::kHeaders},
                                        {.view = View::kPayload, .edit = Edit::kPayload},
                                        {.view = View::kPayload, .reshape = true},
                                        {.view = View::kPayload, .reply = true},
                                        {.view = View::kPayload, .emits = 1}};
  for (const NfRights& rights : wanted) {
    EXPECT_EQ(run.Refused(TestRun::Spec({.name = "a", .rights = rights}, 0)).code, ErrorCode::kSwapRights);
  }
  EXPECT_EQ(run.Refused(TestRun::Spec({.name = "a", .lease_size = 4}, 0)).code, ErrorCode::kSwapRights);
  // Fewer are none of anybody's business.
  EXPECT_TRUE(run.runtime->Swap("a", TestRun::Spec({.name = "a", .rights = {}, .version = "2.0.0"}, 0)).has_value());
  run.Pass(1);
  EXPECT_EQ(run.runtime->counters().nfs.at(0).version, "2.0.0");
}

TEST(LcoreSwapTest, ExportsMustBeTheSame) {
  Running with({.name = "a", .timer = true});
  EXPECT_EQ(with.Refused(TestRun::Spec({.name = "a"}, 0)).code, ErrorCode::kSwapExports);
  Running without({.name = "a"});
  EXPECT_EQ(without.Refused(TestRun::Spec({.name = "a", .timer = true}, 0)).code, ErrorCode::kSwapExports);
}

TEST(LcoreSwapTest, WhatDoesNotStartIsRefused) {
  Running run({.name = "a"});
  EXPECT_EQ(run.Refused(TestRun::Spec({.name = "a", .init = "(unreachable)"}, 0)).code, ErrorCode::kNfStart);
  EXPECT_EQ(run.Refused(TestRun::Spec({.name = "a", .configure = "(i32.const 7)"}, 0)).code, ErrorCode::kConfigRefused);
  const Error error = run.Refused(TestRun::Spec({.name = "a"}, 0), "b");
  EXPECT_EQ(error.code, ErrorCode::kSwapEntry);
  EXPECT_NE(error.message.find("it has a"), std::string::npos) << error.message;
}

TEST(LcoreSwapTest, BeforeTheStartAndAfterTheEnd) {
  Wires wires;
  wires.AddNf({.name = "a"});
  Runtime& runtime = wires.Make();
  const NfSpec drops = TestRun::Spec({.name = "a", .process_burst = AllPackets(Verdict::kDrop), .version = "2.0.0"}, 0);
  ASSERT_TRUE(runtime.Swap("a", drops).has_value());
  ASSERT_TRUE(wires.Send(UdpFrame(1000), 0));
  ASSERT_TRUE(runtime.Start().has_value());
  runtime.RequestStop(true);
  EXPECT_EQ(runtime.Wait().counters.dropped.at("a.drop"), 1u);
  EXPECT_TRUE(runtime.Swap("a", TestRun::Spec({.name = "a", .version = "3.0.0"}, 0)).has_value());
  EXPECT_EQ(runtime.counters().nfs.at(0).version, "3.0.0");
  EXPECT_FALSE(runtime.Wait().error.has_value());
}

TEST(LcoreSwapTest, CountersGoOnByName) {
  Running run({.name = "a"});
  run.Pass(4);
  NfSpec next = TestRun::Spec({.name = "a", .version = "2.0.0"}, 0);
  next.counters = {"new", "closes", "reasons", "packets"};  // What was counter 0 is counter 3.
  ASSERT_TRUE(run.runtime->Swap("a", next).has_value());
  const auto counters = run.runtime->counters().nfs.at(0).counters;
  EXPECT_EQ(counters.at("packets"), 5u);
  EXPECT_EQ(counters.at("new"), 0u);
  EXPECT_FALSE(counters.contains("ticks"));
}

TEST(LcoreSwapTest, ANewVersionEndsTheQuarantine) {
  Running run({.name = "a", .on_fault = OnFault::kDrop});
  for (uint32_t i = 0; i < abi::kFaultQuarantineCount; ++i) {
    ASSERT_TRUE(run.Send(UdpFrame(1000, Payload({{.out_port = 1}})), 0));
  }
  ASSERT_TRUE(Eventually([&] { return run.runtime->counters().nfs.at(0).quarantined; }));
  ASSERT_TRUE(run.Send(UdpFrame(1000), 0));
  ASSERT_TRUE(Eventually([&] { return run.runtime->counters().dropped.contains("nf_quarantined"); }));
  ASSERT_TRUE(run.runtime->Swap("a", TestRun::Spec({.name = "a", .version = "2.0.0"}, 0)).has_value());
  EXPECT_FALSE(run.runtime->counters().nfs.at(0).quarantined);
  run.Pass(2);
}

TEST(LcoreSwapTest, OneAtATime) {
  Running run({.name = "a"});
  const NfSpec next = TestRun::Spec({.name = "a", .version = "2.0.0"}, 0);
  std::atomic<uint32_t> done{0}, busy{0}, other{0};
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (uint32_t j = 0; j < 10; ++j) {
        const auto report = run.runtime->Swap("a", next);
        ++(report ? done : report.error().code == ErrorCode::kRuntimeBusy ? busy : other);
        run.runtime->counters();
        run.runtime->Flows(0, 8);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done + busy, 40u);
  EXPECT_GT(done, 0u);
  run.Pass(1);
}

}  // namespace
}  // namespace nf::test
