// Flows whose states are at another runtime: what becomes of them, and of what they cause, when their own one goes
// without a word.
#include <gtest/gtest.h>

#include <set>

#include "runtime/test_tenant.h"

namespace nf::test {
namespace {

uint16_t PortOf(const FlowSnapshot& flow) { return flow.key.source_port; }

class ReplicatedTenant : public TenantWires {
 public:
  ReplicatedTenant(uint16_t runtimes, uint16_t lcores, proto::Unprotected unprotected = proto::Unprotected::kStrict,
                   proto::ReplicationMode mode = proto::ReplicationMode::kHold)
      : TenantWires(runtimes, lcores) {
    spec.switching->replication = {.replicas = 1, .mode = mode, .unprotected = unprotected};
  }
  ReplicatedTenant(uint16_t runtimes, uint16_t lcores, proto::ReplicationMode mode)
      : ReplicatedTenant(runtimes, lcores, proto::Unprotected::kStrict, mode) {}
  template <typename Value>
  uint64_t Sum(Value RuntimeStatus::*value) const {
    uint64_t sum = 0;
    for (const RuntimeStatus& status : tenant().Runtimes()) sum += status.runtime != 0 ? status.*value : 0;
    return sum;
  }
  bool IsProtected(uint32_t flows) const {
    return Sum(&RuntimeStatus::unprotected) == 0 && Sum(&RuntimeStatus::replicas) == flows &&
           Sum(&RuntimeStatus::replication_lag) == 0;
  }
};

// The states of all flows say what their packets say.
void ExpectStates(ReplicatedTenant* wires, NumberedFlows* traffic, uint32_t flows) {
  const auto all = wires->flows();
  EXPECT_EQ(all.size(), flows);
  for (const FlowSnapshot& flow : all) {
    const uint32_t packets = traffic->of_flow(static_cast<uint16_t>(PortOf(flow) - 1000));
    EXPECT_EQ(Word(flow.states[0], 0), packets) << PortOf(flow);
    EXPECT_EQ(Word(flow.states[0], 4), 1u) << "it was opened again";
    EXPECT_EQ(flow.packets[0] + flow.packets[1], packets);
  }
}

constexpr auto kHold = proto::ReplicationMode::kHold, kRelay = proto::ReplicationMode::kRelay;

void FlowsOutliveTheirRuntimes(uint16_t runtimes, uint16_t lcores, proto::ReplicationMode mode = kHold) {
  constexpr uint16_t kFlows = 60;
  ReplicatedTenant wires(runtimes, lcores, mode);
  wires.AddNf({.name = "a"});
  wires.AddNf({.name = "b", .timer = true});
  Tenant& tenant = wires.Start();
  NumberedFlows traffic(&wires, kFlows);
  for (uint16_t removed = 1; removed <= runtimes; ++removed) {
    for (int round = 0; round < 20; ++round) traffic.SendRound();
    ASSERT_TRUE(Eventually([&] { return traffic.AllBack(); })) << traffic.received() << " of " << traffic.sent();
    ASSERT_TRUE(Eventually([&] { return wires.IsProtected(kFlows); }));
    std::set<uint64_t> ids;
    for (const FlowSnapshot& flow : wires.flows()) ids.insert(flow.flow_id);
    ASSERT_TRUE(tenant.RemoveRuntime(removed, true).has_value());
    // Nobody sends anything: the sweep finds them.
    ASSERT_TRUE(Eventually([&] { return wires.Sum(&RuntimeStatus::flows_open) == kFlows; }));
    ExpectStates(&wires, &traffic, kFlows);
    for (const FlowSnapshot& flow : wires.flows()) EXPECT_EQ(ids.count(flow.flow_id), 1u);
    ASSERT_TRUE(tenant.AddRuntime().has_value());
  }
  for (int round = 0; round < 20; ++round) traffic.SendRound();
  ASSERT_TRUE(Eventually([&] { return traffic.AllBack(); })) << traffic.received() << " of " << traffic.sent();
  EXPECT_EQ(traffic.out_of_order(), 0u);
  ExpectStates(&wires, &traffic, kFlows);
  EXPECT_GT(wires.status(0).recovered, 0u);
  EXPECT_EQ(wires.status(0).state_lost, 0u);
  const CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(counters.sent, traffic.sent());
  EXPECT_EQ(counters.flows_opened, kFlows);
  EXPECT_EQ(counters.flows_ended, kFlows);
  EXPECT_EQ(counters.nfs.at(0).counters.at("closes"), kFlows);
}

TEST(TenantReplicationTest, FlowsOutliveTheirRuntimesOnOneLcore) { FlowsOutliveTheirRuntimes(3, 1); }
TEST(TenantReplicationTest, FlowsOutliveTheirRuntimesOnFourLcores) { FlowsOutliveTheirRuntimes(3, 4); }
TEST(TenantReplicationTest, RelayedFlowsOutliveTheirRuntimesOnOneLcore) { FlowsOutliveTheirRuntimes(3, 1, kRelay); }
TEST(TenantReplicationTest, RelayedFlowsOutliveTheirRuntimesOnFourLcores) { FlowsOutliveTheirRuntimes(3, 4, kRelay); }
TEST(TenantReplicationTest, TwoRuntimesAreEnough) { FlowsOutliveTheirRuntimes(2, 2); }

// What has left is in the state that goes on: packets that were under way in the runtime are lost, no other's.
void NothingThatLeftIsForgotten(uint16_t lcores, proto::ReplicationMode mode = kHold) {
  constexpr uint16_t kFlows = 40;
  ReplicatedTenant wires(3, lcores, mode);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Start();
  NumberedFlows traffic(&wires, kFlows);
  uint32_t removed = 0;
  for (int round = 0; round < 400; ++round) {
    traffic.SendRoundAnyway();
    traffic.Collect();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (round % 100 != 50) continue;
    ASSERT_TRUE(Eventually([&] { return wires.Sum(&RuntimeStatus::unprotected) == 0; }));
    ASSERT_TRUE(tenant.RemoveRuntime(static_cast<uint16_t>(1 + removed++ % 3), true).has_value());
    ASSERT_TRUE(tenant.AddRuntime().has_value());
  }
  const auto is_quiet = [&] {
    return mode == kHold ? wires.tenant().counters().held == 0
                         : wires.Sum(&RuntimeStatus::held) == 0 && wires.Sum(&RuntimeStatus::queued) == 0;
  };
  ASSERT_TRUE(Eventually(is_quiet));
  traffic.Collect();
  const auto flows = wires.flows();
  EXPECT_EQ(flows.size(), kFlows);
  for (const FlowSnapshot& flow : flows) {
    const auto number = static_cast<uint16_t>(PortOf(flow) - 1000);
    EXPECT_GE(Word(flow.states[0], 0), traffic.back_of_flow(number));
    EXPECT_LE(Word(flow.states[0], 0), traffic.of_flow(number));
    EXPECT_EQ(Word(flow.states[0], 4), 1u) << "it was opened again";
  }
  EXPECT_EQ(traffic.went_back(), 0u);
  EXPECT_EQ(wires.status(0).state_lost, 0u);
  const CountersSnapshot counters = wires.Stop();  // Which checks the books.
  traffic.Collect();
  EXPECT_EQ(counters.received, traffic.sent());
  EXPECT_EQ(counters.sent, traffic.received());
  EXPECT_EQ(counters.flows_opened, kFlows);
}

TEST(TenantReplicationTest, NothingThatLeftIsForgottenOnOneLcore) { NothingThatLeftIsForgotten(1); }
TEST(TenantReplicationTest, NothingThatLeftIsForgottenOnThreeLcores) { NothingThatLeftIsForgotten(3); }

TEST(TenantReplicationTest, NothingThatWasRelayedIsForgottenOnOneLcore) { NothingThatLeftIsForgotten(1, kRelay); }
TEST(TenantReplicationTest, NothingThatWasRelayedIsForgottenOnThreeLcores) { NothingThatLeftIsForgotten(3, kRelay); }

void ReplicatedFlowsMoveUnderTraffic(uint16_t lcores, proto::ReplicationMode mode) {
  constexpr uint16_t kFlows = 60;
  ReplicatedTenant wires(3, lcores, mode);
  wires.AddNf({.name = "a"});
  wires.AddNf({.name = "b", .timer = true});
  Tenant& tenant = wires.Start();
  NumberedFlows traffic(&wires, kFlows);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> moved{0};
  std::thread mover([&] {
    for (uint32_t i = 0; !stop; ++i) {
      const auto report =
          tenant.Migrate(static_cast<uint16_t>(1 + i % 3), static_cast<uint16_t>(1 + (i + 1) % 3), kFlows / 2);
      if (report) moved += report->moved;
    }
  });
  for (int round = 0; round < 200 || (moved == 0 && round < 100'000); ++round) {
    traffic.SendRound();
    if (round % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop = true;
  mover.join();
  EXPECT_TRUE(Eventually([&] { return traffic.AllBack(); })) << traffic.received() << " of " << traffic.sent();
  EXPECT_EQ(traffic.out_of_order(), 0u);
  ExpectStates(&wires, &traffic, kFlows);
  EXPECT_TRUE(Eventually([&] { return wires.IsProtected(kFlows); }));
  const CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(counters.sent, traffic.sent());
  for (const auto& [reason, count] : counters.dropped) ADD_FAILURE() << count << " dropped: " << reason;
}

TEST(TenantReplicationTest, ReplicatedFlowsMoveUnderTraffic) { ReplicatedFlowsMoveUnderTraffic(2, kHold); }
TEST(TenantReplicationTest, RelayedFlowsMoveUnderTraffic) { ReplicatedFlowsMoveUnderTraffic(2, kRelay); }

// Flows that had replicas, of two runtimes of which the second has gone.
void LeaveOne(ReplicatedTenant* wires, NumberedFlows* traffic, uint32_t flows) {
  traffic->SendRound();
  ASSERT_TRUE(Eventually([&] { return traffic->AllBack(); }));
  ASSERT_TRUE(Eventually([&] { return wires->IsProtected(flows); }));
  ASSERT_TRUE(wires->tenant().RemoveRuntime(2, true).has_value());
}

TEST(TenantReplicationTest, TheLastRuntimeKeepsWhatNobodyElseHas) {
  ReplicatedTenant wires(2, 1);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Start();
  NumberedFlows traffic(&wires, 10);
  ASSERT_NO_FATAL_FAILURE(LeaveOne(&wires, &traffic, 10));
  const uint64_t before = traffic.received();
  traffic.SendRound();
  ASSERT_TRUE(Eventually([&] { return wires.status(1).held == traffic.sent() - before; }));
  EXPECT_TRUE(Eventually([&] { return wires.status(1).unprotected == 10; }));
  EXPECT_FALSE(traffic.AllBack());
  // Until there is somebody.
  ASSERT_TRUE(tenant.AddRuntime().has_value());
  EXPECT_TRUE(Eventually([&] { return traffic.AllBack(); }));
  EXPECT_EQ(traffic.out_of_order(), 0u);
  ExpectStates(&wires, &traffic, 10);
  wires.Stop();
}

TEST(TenantReplicationTest, WhereAvailabilityComesFirstTheLastRuntimeGoesOnAlone) {
  for (const proto::ReplicationMode mode : {kHold, kRelay}) {
    ReplicatedTenant wires(2, 1, proto::Unprotected::kAvailable, mode);
    wires.AddNf({.name = "a"});
    Tenant& tenant = wires.Start();
    NumberedFlows traffic(&wires, 10);
    ASSERT_NO_FATAL_FAILURE(LeaveOne(&wires, &traffic, 10));
    for (int round = 0; round < 10; ++round) traffic.SendRound();
    EXPECT_TRUE(Eventually([&] { return traffic.AllBack(); }));
    EXPECT_EQ(traffic.out_of_order(), 0u);
    EXPECT_TRUE(Eventually([&] { return wires.status(1).unprotected == 10u; }));
    ExpectStates(&wires, &traffic, 10);
    ASSERT_TRUE(tenant.AddRuntime().has_value());
    EXPECT_TRUE(Eventually([&] { return wires.IsProtected(10); }));
    wires.Stop();
  }
}

// Translations, and the keys by which answers come, are those of before.
TEST(TenantReplicationTest, AnswersToTranslatedFlowsFindThemAfterwards) {
  constexpr uint16_t kFlows = 20;
  ReplicatedTenant wires(3, 2);
  wires.AddNf({.name = "nat",
               .rights = {.view = View::kPayload, .edit = Edit::kHeaders},
               .lease_size = 100,
               .process_burst = NatBody()});
  Tenant& tenant = wires.Start();
  const auto port_at = [](const std::string& frame, size_t at) {
    return static_cast<uint16_t>(static_cast<uint8_t>(frame[at]) << 8 | static_cast<uint8_t>(frame[at + 1]));
  };
  const auto receive = [&wires](uint8_t side) {
    std::vector<std::string> frames;
    EXPECT_TRUE(Eventually([&] {
      for (const std::string& frame : wires.Receive(side)) frames.push_back(frame);
      return frames.size() >= kFlows;
    })) << frames.size();
    return frames;
  };
  const auto translated = [&] {
    for (uint16_t i = 0; i < kFlows; ++i) EXPECT_TRUE(wires.Send(UdpFrame(static_cast<uint16_t>(1000 + i)), 0));
    std::set<uint16_t> ports;
    for (const std::string& frame : receive(1)) ports.insert(port_at(frame, 34));
    return ports;
  };
  const std::set<uint16_t> ports = translated();
  ASSERT_EQ(ports.size(), kFlows);
  ASSERT_TRUE(Eventually([&] { return wires.IsProtected(kFlows); }));
  ASSERT_TRUE(tenant.RemoveRuntime(2, true).has_value());
  for (const uint16_t port : ports) {
    EXPECT_TRUE(wires.Send(
        Ethernet(0x0800, Ipv4({.source = kServerAddress, .destination = 0x0b000001}, Udp(53, port, "x"))), 1));
  }
  std::set<uint16_t> back;
  for (const std::string& frame : receive(0)) back.insert(port_at(frame, 36));
  EXPECT_EQ(back.size(), kFlows);
  EXPECT_EQ(*back.begin(), 1000);
  EXPECT_EQ(translated(), ports);
  EXPECT_EQ(wires.Stop().flows_opened, kFlows);
}

TEST(TenantReplicationTest, MoreThanOneReplicaIsRefused) {
  TenantWires wires(2);
  wires.spec.switching->replication.replicas = 2;
  const auto refused = Tenant::Create(TestRun::engine(), wires.spec);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kRuntimeSpec);
}

}  // namespace
}  // namespace nf::test
