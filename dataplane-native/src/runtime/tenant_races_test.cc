// Control threads that meet each other and the end of the run: nothing is lost, and nobody waits for ever.
#include <gtest/gtest.h>

#include <future>
#include <set>

#include "runtime/tenant.h"
#include "runtime/test_tenant.h"

namespace nf::test {
namespace {

// The vswitch has an entry before the runtime has the flow: both are waited for.
void OpenFlows(TenantWires* wires, uint16_t flows) {
  const auto are_open = [&](uint64_t wanted) {
    uint64_t open = 0;
    for (const RuntimeStatus& status : wires->tenant().Runtimes())
      if (status.runtime != 0) open += status.flows_open;
    return open == wanted && wires->status(0).flows_open == wanted;
  };
  for (uint16_t i = 0; i < flows; ++i) {
    ASSERT_TRUE(Eventually([&] { return wires->Send(UdpFrame(static_cast<uint16_t>(1000 + i), Payload({{}})), 0); }));
    if (i % 256 != 0) continue;
    ASSERT_TRUE(Eventually([&] { return are_open(i + 1u); }));
  }
  ASSERT_TRUE(Eventually([&] { return are_open(flows); }));
}

TEST(TenantRacesTest, ARuntimeThatTakesANumberAgainGivesNoIdOfAFlowASecondTime) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Start();
  OpenFlows(&wires, 20);
  ASSERT_TRUE(tenant.Drain(1, {}).has_value());
  ASSERT_TRUE(Eventually([&] { return wires.status(1).flows_open == 0; }));
  ASSERT_TRUE(tenant.RemoveRuntime(1, false).has_value());
  ASSERT_EQ(tenant.AddRuntime().value(), 1);
  for (uint16_t port = 5000; port < 5020; ++port) ASSERT_TRUE(wires.Send(UdpFrame(port, Payload({{}})), 0));
  ASSERT_TRUE(Eventually([&] { return wires.status(0).flows_open == 40; }));
  ASSERT_TRUE(Eventually([&] { return wires.status(1).flows_open == 10; }));
  std::set<uint64_t> ids;
  for (const FlowSnapshot& flow : wires.flows()) ids.insert(flow.flow_id);
  EXPECT_EQ(ids.size(), 40u);
  wires.Stop();
}

TEST(TenantRacesTest, AStopInTheMiddleOfMovesEndsEachFlowOnce) {
  constexpr uint16_t kFlows = 600;
  for (int round = 0; round < 10; ++round) {
    TenantWires wires(3, 2);
    wires.AddNf({.name = "a"});
    Tenant& tenant = wires.Start();
    OpenFlows(&wires, kFlows);
    std::thread mover([&] {
      for (uint16_t from = 1; tenant.Migrate(from, static_cast<uint16_t>(from % 3 + 1), kFlows).has_value();)
        from = static_cast<uint16_t>(from % 3 + 1);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(2 + round));
    tenant.RequestStop(false);
    const CountersSnapshot counters = tenant.Wait().counters;
    mover.join();
    EXPECT_EQ(counters.flows_opened, kFlows);
    EXPECT_EQ(counters.flows_ended, kFlows);
    EXPECT_EQ(counters.nfs.at(0).counters.at("closes"), kFlows);
  }
}

TEST(TenantRacesTest, OperationsThatMeetTheEndOfTheRunEndToo) {
  constexpr uint16_t kFlows = 3000;
  for (int round = 0; round < 5; ++round) {
    TenantWires wires(2);
    wires.AddNf({.name = "a"});
    wires.spec.flows_max = 200'000;
    Tenant& tenant = wires.Start();
    OpenFlows(&wires, kFlows);
    std::vector<std::future<void>> askers;
    for (uint16_t from : {1, 2, 1, 2}) {
      askers.push_back(std::async(std::launch::async, [&tenant, from] {
        while (tenant.Migrate(from, static_cast<uint16_t>(3 - from), 1).has_value()) {
        }
      }));
    }
    tenant.RequestStop(false);
    tenant.Wait();
    for (auto& asker : askers) {
      if (asker.wait_for(std::chrono::seconds(20)) == std::future_status::ready) continue;
      std::fprintf(stderr, "an operation never ended\n");
      std::abort();
    }
  }
}

}  // namespace
}  // namespace nf::test
