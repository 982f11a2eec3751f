// Several runtimes behind one vswitch, with their threads: flows move while packets go on, and nothing is lost.
#include "runtime/tenant.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "proto/stamp.h"
#include "runtime/ring_queue.h"
#include "runtime/runtime_link.h"
#include "runtime/test_tenant.h"

namespace nf::test {
namespace {

uint16_t PortOf(const FlowSnapshot& flow) { return flow.key.source_port; }

TEST(TenantTest, NewFlowsAreDealtOverTheRuntimesAndComeOutInOrder) {
  TenantWires wires(3);
  wires.AddNf({.name = "a"});
  wires.AddNf({.name = "b"});
  wires.Start();
  NumberedFlows traffic(&wires, 30);
  for (int round = 0; round < 20; ++round) {
    traffic.SendRound();
    ASSERT_TRUE(Eventually([&] { return traffic.AllBack(); })) << traffic.received() << " of " << traffic.sent();
  }
  EXPECT_EQ(traffic.out_of_order(), 0u);
  for (uint16_t runtime : {1, 2, 3}) EXPECT_EQ(wires.status(runtime).flows_open, 10u);
  EXPECT_EQ(wires.status(0).flows_open, 30u);
  const auto flows = wires.flows();
  ASSERT_EQ(flows.size(), 30u);
  for (const FlowSnapshot& flow : flows) {
    const uint32_t packets = traffic.of_flow(static_cast<uint16_t>(PortOf(flow) - 1000));
    EXPECT_EQ(Word(flow.states[0], 0), packets);
    EXPECT_EQ(Word(flow.states[1], 0), packets);
  }
  EXPECT_EQ(wires.flows(2).size(), 10u);
  const CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(counters.received, traffic.sent());
  EXPECT_EQ(counters.sent, traffic.sent());
  EXPECT_TRUE(counters.dropped.empty());
  EXPECT_EQ(counters.flows_ended, 30u);
  EXPECT_EQ(counters.nfs.at(0).counters.at("closes"), 30u);
}

TEST(TenantTest, TheVswitchTellsDelaysOfSomePackets) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  wires.Start();
  const auto samples = [&] {
    const DelayReport delay = wires.status(0).delay.value();
    return std::accumulate(delay.counts.begin(), delay.counts.end(), uint64_t{0});
  };
  uint64_t sent = 0;
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(wires.Send(UdpFrame(static_cast<uint16_t>(1000 + sent % 30), Payload({{}})), 0));
    ++sent;
    EXPECT_TRUE(Eventually([&] { return !wires.Receive(1).empty(); }));
    return samples() >= 20;
  }));
  EXPECT_LE(samples(), sent);
  EXPECT_GT(wires.status(0).delay->sum_ns, 0u);
  EXPECT_FALSE(wires.status(1).delay);
  wires.Stop();
}

// All flows, round and round, while their packets are on the way.
void MoveEverythingUnderTraffic(uint16_t lcores) {
  constexpr uint16_t kFlows = 60;
  constexpr uint16_t kRuntimes = 3;
  TenantWires wires(kRuntimes, lcores);
  wires.AddNf({.name = "a"});
  wires.AddNf({.name = "b", .timer = true});
  Tenant& tenant = wires.Start();
  NumberedFlows traffic(&wires, kFlows);
  std::atomic<bool> stop{false};
  uint64_t moved = 0;
  std::thread mover([&] {
    std::minstd_rand random(7);
    while (!stop) {
      const auto from = static_cast<uint16_t>(1 + random() % kRuntimes);
      const auto to = static_cast<uint16_t>(1 + (from + random() % (kRuntimes - 1)) % kRuntimes);
      const auto report = tenant.Migrate(from, to, 1 + random() % kFlows);
      if (report) moved += report->moved;
    }
  });
  for (int round = 0; round < 300; ++round) {
    traffic.SendRound();
    traffic.Collect();
    if (round % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop = true;
  mover.join();
  EXPECT_TRUE(Eventually([&] { return traffic.AllBack(); })) << traffic.received() << " of " << traffic.sent();
  EXPECT_EQ(traffic.out_of_order(), 0u);
  EXPECT_GT(moved, 0u);
  const auto flows = wires.flows();
  EXPECT_EQ(flows.size(), kFlows);
  for (const FlowSnapshot& flow : flows) {
    const uint32_t packets = traffic.of_flow(static_cast<uint16_t>(PortOf(flow) - 1000));
    EXPECT_EQ(Word(flow.states[0], 0), packets);
    EXPECT_EQ(Word(flow.states[0], 4), 1u) << "a flow that moved was opened again";
    EXPECT_EQ(flow.packets[0] + flow.packets[1], packets);
  }
  const CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(counters.received, traffic.sent());
  EXPECT_EQ(counters.sent, traffic.sent());
  for (const auto& [reason, count] : counters.dropped) ADD_FAILURE() << count << " dropped: " << reason;
  EXPECT_EQ(counters.flows_opened, kFlows);
  EXPECT_EQ(counters.flows_ended, kFlows);
}

TEST(TenantTest, NothingIsLostOrReorderedWhileEverythingMovesOnOneLcore) { MoveEverythingUnderTraffic(1); }
TEST(TenantTest, NothingIsLostOrReorderedWhileEverythingMovesOnFourLcores) { MoveEverythingUnderTraffic(4); }

TEST(TenantTest, ADrainedRuntimeTakesNoNewFlowsAndGoesAway) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Start();
  NumberedFlows traffic(&wires, 40);
  traffic.SendRound();
  ASSERT_TRUE(Eventually([&] { return traffic.AllBack(); }));
  ASSERT_TRUE(Eventually([&] { return wires.status(1).flows_open == 20; }));

  const auto refused = tenant.RemoveRuntime(1, false);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kRuntimeNotEmpty);

  const auto drained = tenant.Drain(1, {});
  ASSERT_TRUE(drained.has_value()) << drained.error().message;
  EXPECT_EQ(drained->moved, 20u);
  EXPECT_TRUE(drained->drained);
  EXPECT_TRUE(Eventually([&] { return wires.status(2).flows_open == 40 && wires.status(1).flows_open == 0; }));
  EXPECT_TRUE(wires.status(1).draining);

  NumberedFlows more(&wires, 0);
  for (uint16_t port = 5000; port < 5010; ++port) ASSERT_TRUE(wires.Send(UdpFrame(port, Payload({{}}) + Be32(0)), 0));
  EXPECT_TRUE(Eventually([&] { return wires.status(2).flows_open == 50; }));
  EXPECT_EQ(wires.status(1).flows_open, 0u);

  ASSERT_TRUE(tenant.RemoveRuntime(1, false).has_value());
  EXPECT_EQ(tenant.Runtimes().size(), 2u);
  const auto added = tenant.AddRuntime();
  ASSERT_TRUE(added.has_value());
  EXPECT_EQ(*added, 1);
  const auto back = tenant.Migrate(2, 1, 30);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->moved, 30u);
  wires.Receive(0), wires.Receive(1);
  EXPECT_EQ(wires.Stop().flows_ended, 50u);
}

TEST(TenantTest, UndrainEndsADrainThatGoesOn) {
  constexpr uint16_t kFlows = 3000;
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  wires.spec.flows_max = 4 * kFlows;
  wires.spec.switching->migrations = 1;  // So that a drain lasts.
  Tenant& tenant = wires.Start();
  for (uint16_t i = 0; i < kFlows; ++i) {
    ASSERT_TRUE(Eventually([&] { return wires.Send(UdpFrame(static_cast<uint16_t>(1000 + i), Payload({{}})), 0); }));
    if (i % 500 != 0) continue;
    ASSERT_TRUE(Eventually([&] { return wires.status(0).flows_open == i + 1u; }));
  }
  ASSERT_TRUE(Eventually([&] { return wires.status(1).flows_open == kFlows / 2; }));
  OperationReport report;
  uint64_t moved_before = 0;
  // A drain that was through before anybody looked is begun anew.
  for (int attempt = 0; attempt < 10 && !report.undrained; ++attempt) {
    if (attempt > 0) {
      ASSERT_TRUE(tenant.Migrate(2, 1, kFlows / 2).has_value());
    }
    moved_before = wires.status(1).moved_out;
    std::thread drain([&] { report = tenant.Drain(1, {}).value(); });
    ASSERT_TRUE(Eventually([&] { return wires.status(1).moved_out > moved_before; }));
    ASSERT_TRUE(tenant.Undrain(1).has_value());
    drain.join();
  }
  EXPECT_TRUE(report.undrained);
  EXPECT_FALSE(report.drained);
  EXPECT_EQ(report.failed, 0u);
  EXPECT_LT(report.moved, kFlows / 2);
  EXPECT_TRUE(Eventually([&] { return wires.status(1).moved_out == moved_before + report.moved; }));
  EXPECT_FALSE(wires.status(1).draining);
  const uint32_t stayed = wires.status(1).flows_open;
  EXPECT_EQ(stayed + report.moved, kFlows / 2);
  for (uint16_t port = 50'000; port < 50'010; ++port) ASSERT_TRUE(wires.Send(UdpFrame(port, Payload({{}})), 0));
  EXPECT_TRUE(Eventually([&] { return wires.status(1).flows_open == stayed + 5; }));
  EXPECT_EQ(wires.Stop().flows_ended, kFlows + 10u);
}

TEST(TenantTest, ARuntimeRemovedByForceEndsItsFlowsAndTheirPacketsOpenNewOnes) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Start();
  for (uint16_t port = 1000; port < 1010; ++port) ASSERT_TRUE(wires.Send(UdpFrame(port, Payload({{}})), 0));
  ASSERT_TRUE(Eventually([&] { return wires.status(1).flows_open == 5 && wires.status(2).flows_open == 5; }));
  ASSERT_TRUE(tenant.RemoveRuntime(2, true).has_value());
  for (uint16_t port = 1000; port < 1010; ++port) ASSERT_TRUE(wires.Send(UdpFrame(port, Payload({{}})), 0));
  EXPECT_TRUE(Eventually([&] { return wires.status(1).flows_open == 10; }));
  const CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(counters.flows_opened, 15u);
  EXPECT_EQ(counters.flows_ended, 15u);
  EXPECT_EQ(counters.sent, 20u);
}

void RemoveByForceUnderTraffic(uint16_t lcores) {
  constexpr uint16_t kFlows = 40;
  constexpr uint64_t kMoreAtOnce = 70;  // Of all of them, fewer than there are mbufs, however many wait for runtimes.
  TenantWires wires(3, lcores);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Start();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> may_send{0};
  uint64_t sent = 0;
  std::thread sender([&] {
    while (!stop) {
      if (sent < may_send)
        sent += wires.Send(UdpFrame(static_cast<uint16_t>(1000 + sent % kFlows), Payload({{}})), 0);
      else
        std::this_thread::yield();
    }
  });
  for (int i = 0; i < 20; ++i) {
    may_send += kMoreAtOnce;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    may_send += kMoreAtOnce;
    ASSERT_TRUE(tenant.RemoveRuntime(static_cast<uint16_t>(1 + i % 3), true).has_value());
    ASSERT_TRUE(tenant.AddRuntime().has_value());
    wires.Receive(1);
  }
  stop = true;
  sender.join();
  const CountersSnapshot counters = wires.Stop();  // Which checks the books.
  EXPECT_EQ(counters.received, sent);
  EXPECT_EQ(counters.flows_opened, counters.flows_ended);
}

TEST(TenantTest, TheBooksBalanceWhenRuntimesGoByForceOnOneLcore) { RemoveByForceUnderTraffic(1); }
TEST(TenantTest, TheBooksBalanceWhenRuntimesGoByForceOnTwoLcores) { RemoveByForceUnderTraffic(2); }

// The lcore may lose its core between its look at the ports and what it makes of that.
TEST(TenantTest, AGracefulStopTakesWhatCameAfterTheLastLookAtThePorts) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Make();
  wires.WhenFoundEmpty(1, [&] {
    for (uint8_t side : {0, 1}) ASSERT_TRUE(wires.Send(UdpFrame(1000, Payload({{}}), side == 1), side));
    tenant.RequestStop(true);
  });
  ASSERT_TRUE(tenant.Start().has_value());
  const RunReport report = tenant.Wait();
  EXPECT_FALSE(report.error);
  EXPECT_EQ(report.counters.received, 2u);
  EXPECT_EQ(report.counters.sent, 2u);
}

TEST(TenantTest, PacketsThatThePortsLostAreCountedAtTheVswitch) {
  TenantWires wires(2);
  wires.Start();
  wires.Miss(3, 0);
  EXPECT_TRUE(Eventually([&] { return wires.status(0).missed == 3; }));
  EXPECT_EQ(wires.status(1).missed, 0u);
  wires.Miss(4, 1);
  const CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(counters.missed, 7u);
  EXPECT_EQ(counters.received, 0u);
  for (const RuntimeStatus& status : wires.tenant().Runtimes()) EXPECT_EQ(status.refused_messages, 0u);
}

TEST(TenantTest, WhatAFullQueueLosesIsCountedOfItsRuntimeOnThreeLcores) {
  TenantWires wires(2, 3);
  wires.AddNf({.name = "a"});
  wires.Start();
  // Of the first runtime, which is busy with endless loops while more packets come than its queue holds, and fewer
  // than there are mbufs.
  constexpr uint32_t kFlood = RuntimeLink::kRingPackets + RingQueue::kPacketsMax + 400;
  constexpr uint32_t kEndless = 4;
  uint64_t sent = 0;
  const std::string endless = UdpFrame(1000, Payload({{.op = Answer::kSpin}})), next = UdpFrame(1000, Payload({{}}));
  ASSERT_TRUE(Eventually([&] {
    sent += kFlood;
    for (uint32_t i = 0; i < kFlood; ++i) EXPECT_TRUE(wires.Send(i < kEndless ? endless : next, 0));
    EXPECT_TRUE(Eventually([&] {
      wires.Receive(1);
      return wires.status(0).received == sent && wires.status(1).queued == 0;
    }));
    return wires.status(1).runtime_full != 0;
  }));
  ASSERT_TRUE(wires.Send(UdpFrame(1001, Payload({{}})), 0));
  ASSERT_TRUE(Eventually([&] { return wires.status(2).flows_open == 1; }));
  CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(wires.status(1).runtime_full, counters.dropped["runtime_full"]);
  EXPECT_EQ(wires.status(0).runtime_full, counters.dropped["runtime_full"]);
  EXPECT_EQ(wires.status(2).runtime_full, 0u);
}

TEST(TenantTest, ChosenFlowsMoveAndKeepTheirIds) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Start();
  NumberedFlows traffic(&wires, 20);
  traffic.SendRound();
  ASSERT_TRUE(Eventually([&] { return traffic.AllBack(); }));
  const auto before = wires.flows(1);
  ASSERT_EQ(before.size(), 10u);
  const std::vector<uint64_t> ids = {before[3].flow_id, before[7].flow_id, 424242};
  const auto report = tenant.MigrateFlows(1, 2, ids);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->moved, 2u);
  EXPECT_EQ(report->failed, 1u);
  EXPECT_EQ(report->reason, "no_flow");
  uint32_t found = 0;
  for (const FlowSnapshot& flow : wires.flows(2)) {
    for (size_t i : {3, 7}) {
      if (flow.flow_id != before[i].flow_id) continue;
      EXPECT_EQ(flow.key, before[i].key);
      EXPECT_EQ(flow.states, before[i].states);
      ++found;
    }
  }
  EXPECT_EQ(found, 2u);
  wires.Stop();
}

TEST(TenantTest, CommandsThatCannotBeSayWhy) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Make();
  EXPECT_EQ(tenant.Migrate(1, 2, 1).error().code, ErrorCode::kRuntimeEnded);
  ASSERT_TRUE(tenant.Start().has_value());
  EXPECT_EQ(tenant.Migrate(1, 1, 1).error().code, ErrorCode::kRuntimeSame);
  EXPECT_EQ(tenant.Migrate(1, 7, 1).error().code, ErrorCode::kRuntimeUnknown);
  EXPECT_EQ(tenant.Migrate(7, 1, 1).error().message, "there is no runtime 7; there are 1, 2");
  EXPECT_EQ(tenant.Drain(3, {}).error().code, ErrorCode::kRuntimeUnknown);
  EXPECT_EQ(tenant.RemoveRuntime(9, true).error().code, ErrorCode::kRuntimeUnknown);
  ASSERT_TRUE(tenant.RemoveRuntime(2, false).has_value());
  EXPECT_EQ(tenant.RemoveRuntime(1, true).error().code, ErrorCode::kRuntimeLast);
  EXPECT_EQ(tenant.Drain(1, {}).error().code, ErrorCode::kRuntimeLast);
  for (uint16_t id = 2; id <= kRuntimesMax; ++id) ASSERT_TRUE(tenant.AddRuntime().has_value());
  EXPECT_EQ(tenant.AddRuntime().error().code, ErrorCode::kRuntimeLimit);
  wires.Stop();
  EXPECT_EQ(tenant.Migrate(1, 2, 1).error().code, ErrorCode::kRuntimeEnded);
  EXPECT_EQ(tenant.AddRuntime().error().code, ErrorCode::kRuntimeEnded);
}

// Members talk over rings that no port leads to: whatever comes from outside is a packet, and is treated as one.
TEST(TenantTest, ControlFramesFromOutsideArePacketsAndMoveNothing) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  wires.spec.non_ip = NonIpPolicy::kDrop;
  wires.Start();
  NumberedFlows traffic(&wires, 10);
  traffic.SendRound();
  ASSERT_TRUE(Eventually([&] { return traffic.AllBack(); }));
  const auto bytes = [](const auto& value) { return std::string(reinterpret_cast<const char*>(&value), sizeof value); };
  uint32_t sent = 0;
  for (uint8_t type = 1; type <= static_cast<uint8_t>(proto::kLastMarkerType); ++type) {
    for (uint32_t entry = 0; entry < 10; ++entry) {
      const proto::MigrationId id{.entry = entry, .epoch = proto::MakeEpoch(1, 1), .attempt = 1};
      const auto marker =
          proto::EncodeMarker(proto::MakeMarker(static_cast<proto::MarkerType>(type), id, 0, id.epoch + 1));
      // A Network Service Header, an EtherType of nobody's, and the bare datagram where a frame should be.
      sent += wires.Send(Ethernet(0x894f, bytes(marker)), 0) + wires.Send(Ethernet(0x88b5, bytes(marker)), 1) +
              wires.Send(bytes(marker), 0);
    }
  }
  ASSERT_TRUE(Eventually([&] { return wires.tenant().counters().dropped["non_ip"] == sent; }));
  for (int round = 0; round < 5; ++round) traffic.SendRound();
  ASSERT_TRUE(Eventually([&] { return traffic.AllBack(); }));
  EXPECT_EQ(traffic.out_of_order(), 0u);
  for (uint16_t runtime : {1, 2}) {
    EXPECT_EQ(wires.status(runtime).flows_open, 5u);
    EXPECT_EQ(wires.status(runtime).moved_in + wires.status(runtime).moved_out, 0u);
  }
  const CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(counters.flows_opened, 10u);
  EXPECT_EQ(counters.sent, traffic.sent());
}

TEST(TenantTest, FlowsThatExpireOrAreClosedLeaveTheVswitchToo) {
  TenantWires wires(2);
  wires.AddNf({.name = "a"});
  wires.spec.idle_ms.udp = 20;
  wires.Start();
  for (uint16_t port = 1000; port < 1020; ++port) ASSERT_TRUE(wires.Send(UdpFrame(port, Payload({{}})), 0));
  ASSERT_TRUE(Eventually([&] { return wires.Receive(1).size() > 0; }));
  EXPECT_TRUE(Eventually([&] { return wires.status(0).flows_open == 0; }));
  const Answer closes{.flags = abi::kResultFlagCloseFlow};
  for (uint16_t port = 1000; port < 1020; ++port) ASSERT_TRUE(wires.Send(UdpFrame(port, Payload({closes})), 0));
  EXPECT_TRUE(Eventually([&] { return wires.tenant().counters().flows_ended == 40; }));
  EXPECT_TRUE(Eventually([&] { return wires.status(0).flows_open == 0; }));
  const CountersSnapshot counters = wires.Stop();
  EXPECT_EQ(counters.sent, 40u);
}

}  // namespace
}  // namespace nf::test
