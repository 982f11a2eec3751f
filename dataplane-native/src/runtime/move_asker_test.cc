// NFs that say where their flows should go, and hear of flows that come and go, under traffic: nothing is lost, and
// whatever they answer or do wrong, each flow lives once.
#include "runtime/move_asker.h"

#include <gtest/gtest.h>

#include "runtime/test_tenant.h"

namespace nf::test {
namespace {

constexpr uint32_t kTargetCounter = 6, kArrivedCounter = 7, kLeftCounter = 8;
constexpr const char* kTrap = "(unreachable)";
constexpr const char* kSpin = "(loop $forever (br $forever))";

std::string MigrationTarget(const std::string& body) {
  return "(func (export \"migration-target\") (param $cluster i32) (param $n i32) (param $flow i32) (param $state i32) "
         "(result i32) (local $best i32) (local $least i32) " +
         CountOne(kTargetCounter) + body + ")";
}
std::string FlowArrived(const std::string& body) {
  return "(func (export \"flow-arrived\") (param $flow i32) (param $state i32) (param $reason i32) (result i32) " +
         CountOne(kArrivedCounter) + body + ")";
}
std::string FlowLeft(const std::string& body = {}) {
  return "(func (export \"flow-left\") (param $flow i32) (param $state i32) " + CountOne(kLeftCounter) + body + ")";
}
std::string Number(uint32_t number) { return "(i32.const " + std::to_string(number) + ")"; }

// The runtime with the fewest flows that is not this one, nor draining.
const std::string kFewestFlows = R"(
  (local.set $least (i32.const -1))
  (block $done (loop $next
    (br_if $done (i32.eqz (local.get $n)))
    (if (i32.and (i32.eqz (i32.load16_u offset=10 (local.get $cluster)))
                 (i32.lt_u (i32.load offset=4 (local.get $cluster)) (local.get $least))) (then
      (local.set $least (i32.load offset=4 (local.get $cluster)))
      (local.set $best (i32.load (local.get $cluster)))))
    (local.set $cluster (i32.add (local.get $cluster) (i32.const 16)))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br $next)))
  (local.get $best))";

// What the script at this position does, and then asks with each packet.
std::string AsksAlways(uint32_t position) {
  return ScriptBody(position) + "(local.set $packet (i32.const 0))" +
         ForEachPacket("(i32.store16 offset=2 (local.get $result) " + Number(abi::kResultFlagAskMigrate) + ")");
}

class NfMoves : public testing::Test {
 protected:
  explicit NfMoves(uint16_t runtimes = 2, uint16_t lcores = 1) : wires_(runtimes, lcores) {}

  void AddNf(const TestNf& nf) {
    wires_.AddNf(nf);
    NfSpec& spec = wires_.spec.chain.back();
    for (const char* name : {"targets", "arrived", "left"}) spec.counters.push_back(name);
    for (const char* name : {"migration-target", "flow-arrived", "flow-left"}) {
      if (nf.more.find(name) != std::string::npos) spec.exports.push_back(name);
    }
  }
  // So many flows; their packets have come back.
  void Open(uint16_t flows) {
    traffic_.emplace(&wires_, flows);
    Round();
  }
  void Round() {
    traffic_->SendRound();
    ASSERT_TRUE(Eventually([&] { return traffic_->AllBack(); })) << traffic_->received() << " of " << traffic_->sent();
  }
  // Of both runtimes.
  uint64_t Sum(uint64_t RuntimeStatus::*what) {
    uint64_t sum = 0;
    for (const RuntimeStatus& status : wires_.tenant().Runtimes()) sum += status.*what;
    return sum;
  }
  uint64_t Counted(const CountersSnapshot& counters, size_t nf, const char* name) {
    return counters.nfs.at(nf).counters.at(name);
  }
  uint64_t Faults() { return wires_.tenant().counters().nfs.at(0).faults; }
  void ExpectStates(uint32_t flows) { ExpectStates(flows, wires_.flows()); }
  void ExpectStates(uint32_t flows, const std::vector<FlowSnapshot>& all) {
    EXPECT_EQ(all.size(), flows);
    for (const FlowSnapshot& flow : all) {
      const uint32_t packets = traffic_->of_flow(static_cast<uint16_t>(flow.key.source_port - 1000));
      EXPECT_EQ(flow.packets[0] + flow.packets[1], packets);
      for (const auto& state : flow.states) {
        EXPECT_EQ(Word(state, 0), packets);
        EXPECT_EQ(Word(state, 4), 1u) << "a flow that moved was opened again";
      }
    }
  }
  // What came in was sent, all of it, in order.
  CountersSnapshot StopWithoutLoss() {
    const CountersSnapshot counters = wires_.Stop();
    EXPECT_EQ(traffic_->out_of_order(), 0u);
    EXPECT_EQ(counters.received, traffic_->sent());
    EXPECT_EQ(counters.sent, traffic_->sent());
    for (const auto& [reason, count] : counters.dropped) ADD_FAILURE() << count << " dropped: " << reason;
    EXPECT_EQ(counters.flows_opened, counters.flows_ended);
    return counters;
  }

  TenantWires wires_;
  std::optional<NumberedFlows> traffic_;
};

class NfMovesOverThree : public NfMoves {
 protected:
  NfMovesOverThree() : NfMoves(3, 2) {}
};

TEST_F(NfMovesOverThree, FlowsForWhichAnNfAsksAllTheTimeMoveUnderTrafficAndLoseNothing) {
  constexpr uint16_t kFlows = 30;
  AddNf({.name = "a", .more = FlowArrived(Number(0)) + FlowLeft()});
  AddNf({.name = "b",
         .timer = true,
         .process_burst = AsksAlways(1),
         .more = MigrationTarget(kFewestFlows) + FlowArrived(Number(0)) + FlowLeft()});
  wires_.spec.keep_ended_flows = 1024;
  wires_.Start();
  traffic_.emplace(&wires_, kFlows);
  for (int round = 0; round < 300; ++round) {
    traffic_->SendRound();
    traffic_->Collect();
    if (round % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(Eventually([&] { return traffic_->AllBack(); })) << traffic_->received() << " of " << traffic_->sent();
  const CountersSnapshot counters = StopWithoutLoss();
  // While they move, a listing may miss one, or show it twice.
  std::vector<FlowSnapshot> ended;
  for (const Event& event : wires_.tenant().DrainEvents()) {
    if (const auto* flow = std::get_if<FlowEndedEvent>(&event)) ended.push_back(flow->flow);
  }
  ExpectStates(kFlows, ended);
  EXPECT_EQ(counters.flows_opened, kFlows);
  const uint64_t moved = Sum(&RuntimeStatus::moved_in);
  EXPECT_GT(moved, 0u);
  EXPECT_EQ(Sum(&RuntimeStatus::nf_moves) - Sum(&RuntimeStatus::nf_moves_failed), moved);
  for (size_t nf : {0, 1}) {
    EXPECT_EQ(Counted(counters, nf, "arrived"), moved);
    EXPECT_EQ(Counted(counters, nf, "left"), moved);
    EXPECT_EQ(Counted(counters, nf, "closes"), kFlows);
  }
}

// By the slow round, without a flag.
TEST_F(NfMoves, AnNfIsShownAllRuntimesOfItsTenant) {
  const std::string keeps = R"(
    (i32.store offset=16 (local.get $state) (local.get $n))
    (i32.store offset=20 (local.get $state) (i32.load (local.get $cluster)))
    (i32.store offset=24 (local.get $state) (i32.or (i32.load16_u offset=10 (local.get $cluster))
                                                    (i32.shl (i32.load16_u offset=26 (local.get $cluster))
                                                             (i32.const 16))))
    (i32.store offset=28 (local.get $state) (i32.load offset=20 (local.get $cluster)))
    (i32.const 0))";
  AddNf({.name = "a", .more = MigrationTarget(keeps)});
  wires_.Start();
  Open(10);
  ASSERT_TRUE(wires_.tenant().Drain(2, {}).has_value());
  ASSERT_TRUE(Eventually([&] { return wires_.status(1).flows_open == 10; }));
  const uint64_t before = wires_.status(1).nf_asked;
  ASSERT_TRUE(Eventually([&] { return wires_.status(1).nf_asked > before + 30; }));
  const auto flows = wires_.flows(1);
  ASSERT_EQ(flows.size(), 10u);
  for (const FlowSnapshot& flow : flows) {
    EXPECT_EQ(Word(flow.states[0], 16), 2u);
    EXPECT_EQ(Word(flow.states[0], 20), 1u);
    EXPECT_EQ(Word(flow.states[0], 24), uint32_t{abi::kRuntimeFlagOwn} | uint32_t{abi::kRuntimeFlagDraining} << 16);
    EXPECT_EQ(Word(flow.states[0], 28), 0u);  // Flows of the second one.
  }
  EXPECT_EQ(Sum(&RuntimeStatus::nf_moves) + Sum(&RuntimeStatus::nf_moves_failed), 0u);
  StopWithoutLoss();
}

TEST_F(NfMoves, ATargetThatIsNoneIsIgnoredAndCounted) {
  for (uint32_t target : {UINT32_MAX, 65537u, 3u, 0x80000000u}) {
    TenantWires wires(2);
    wires.AddNf({.name = "a", .process_burst = AsksAlways(0), .more = MigrationTarget(Number(target))});
    wires.Start();
    ASSERT_TRUE(wires.Send(UdpFrame(1000), 0));
    ASSERT_TRUE(Eventually([&] { return wires.status(1).nf_moves_failed > 2; })) << target;
    EXPECT_EQ(wires.status(1).nf_moves + wires.status(1).moved_out, 0u);
    EXPECT_EQ(wires.status(1).flows_open, 1u);
    EXPECT_EQ(wires.Stop().sent, 1u);
  }
}

TEST_F(NfMoves, ItsOwnNumberMeansStay) {
  AddNf({.name = "a", .process_burst = AsksAlways(0), .more = MigrationTarget(Number(1))});
  wires_.Start();
  Open(4);  // Two of them go to runtime 2, which sends them on.
  ASSERT_TRUE(Eventually([&] { return wires_.status(1).flows_open == 4; }));
  ASSERT_TRUE(Eventually([&] { return wires_.status(1).nf_asked > 20; }));
  EXPECT_EQ(Sum(&RuntimeStatus::moved_out), 2u);
  EXPECT_EQ(Sum(&RuntimeStatus::nf_moves_failed), 0u);
  ExpectStates(4);
  StopWithoutLoss();
}

TEST_F(NfMoves, ARuntimeThatIsDrainedGetsNoneBack) {
  AddNf({.name = "a", .process_burst = AsksAlways(0), .more = MigrationTarget(Number(2))});
  wires_.Start();
  Open(10);
  ASSERT_TRUE(Eventually([&] { return wires_.status(2).flows_open == 10; }));
  const auto drained = wires_.tenant().Drain(2, {});
  ASSERT_TRUE(drained.has_value());
  EXPECT_TRUE(drained->drained);
  const RuntimeStatus before = wires_.status(1);
  ASSERT_TRUE(Eventually([&] { return wires_.status(1).nf_moves_failed > before.nf_moves_failed + 20; }));
  EXPECT_EQ(wires_.status(1).nf_moves, before.nf_moves) << "it is asked in vain";
  EXPECT_EQ(wires_.status(1).flows_open, 10u);
  EXPECT_EQ(wires_.status(2).moved_in, 5u);
  Round();
  ExpectStates(10);
  StopWithoutLoss();
}

TEST_F(NfMoves, AFlowThatAnNfDoesNotTakeStaysWithItsState) {
  AddNf({.name = "a", .more = FlowArrived(Number(0)) + FlowLeft()});
  AddNf({.name = "b", .more = FlowArrived("(i32.store offset=0 (local.get $state) (i32.const 999))" + Number(7))});
  wires_.Start();
  Open(10);
  const auto moved = wires_.tenant().Migrate(1, 2, 5);
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(moved->moved, 0u);
  EXPECT_EQ(moved->failed, 5u);
  EXPECT_EQ(moved->reason, "nf");
  EXPECT_EQ(wires_.status(2).arrivals_refused, 5u);
  EXPECT_EQ(wires_.status(1).flows_open, 5u);
  ASSERT_TRUE(Eventually([&] { return wires_.status(2).flows_open == 5; }));
  for (int round = 0; round < 5; ++round) Round();
  ExpectStates(10);
  const CountersSnapshot counters = StopWithoutLoss();
  EXPECT_EQ(Counted(counters, 0, "arrived"), 5u);
  EXPECT_EQ(Counted(counters, 0, "left"), 5u) << "who took it hears that it went again";
  EXPECT_EQ(Counted(counters, 0, "closes"), 10u);
  EXPECT_EQ(Counted(counters, 1, "closes"), 10u);
}

// Packets that waited for the state where it was refused are the only ones that are lost.
TEST_F(NfMoves, RefusalsUnderTrafficCostOnlyWhatWaited) {
  constexpr uint16_t kFlows = 20;
  AddNf({.name = "a", .process_burst = AsksAlways(0), .more = MigrationTarget(kFewestFlows) + FlowArrived(Number(1))});
  wires_.Start();
  traffic_.emplace(&wires_, kFlows);
  uint64_t sent = 0;
  // No more under way than the queues hold.
  const auto is_under_way = [&] {
    const CountersSnapshot counters = wires_.tenant().counters();
    uint64_t gone = counters.sent;
    for (const auto& [reason, count] : counters.dropped) gone += count;
    return sent - gone;
  };
  for (uint32_t round = 0; round < 200; ++round) {
    ASSERT_TRUE(Eventually([&] { return is_under_way() < 512; }));
    for (uint16_t flow = 0; flow < kFlows; ++flow) {
      sent += wires_.Send(UdpFrame(static_cast<uint16_t>(1000 + flow), Payload({{}})), 0);
    }
    if (round % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    wires_.Receive(1);
  }
  ASSERT_TRUE(Eventually([&] { return Sum(&RuntimeStatus::arrivals_refused) > 0; }));
  const CountersSnapshot counters = wires_.Stop();
  EXPECT_EQ(Sum(&RuntimeStatus::moved_in), 0u);
  EXPECT_EQ(Counted(counters, 0, "arrived"), Sum(&RuntimeStatus::arrivals_refused));
  EXPECT_EQ(counters.flows_opened, kFlows);
  EXPECT_EQ(counters.received, sent);
  uint64_t dropped = 0;
  for (const auto& [reason, count] : counters.dropped) {
    EXPECT_TRUE(reason == "move_abandoned" || reason == "flow_unknown") << reason;
    dropped += count;
  }
  EXPECT_EQ(counters.sent + dropped, sent);
  EXPECT_EQ(Counted(counters, 0, "packets"), counters.sent);
}

struct Broken {
  const char* name;
  std::string body;
};
class NfMovesBroken : public NfMoves, public testing::WithParamInterface<Broken> {
 protected:
  // All runtimes' instances of NF `at` have had faults enough.
  bool IsQuarantined() { return wires_.tenant().counters().nfs.at(0).quarantined; }
};

TEST_P(NfMovesBroken, InMigrationTargetItIsAFaultAndTheFlowStays) {
  AddNf({.name = "a", .quarantine = QuarantineMode::kOpen, .more = MigrationTarget(GetParam().body)});
  wires_.Start();
  // While there is no spare, packets drop.
  for (uint16_t port = 1000; port < 1010; ++port) ASSERT_TRUE(wires_.Send(UdpFrame(port, Payload({{}})), 0));
  ASSERT_TRUE(Eventually([&] { return IsQuarantined(); }));
  EXPECT_EQ(Sum(&RuntimeStatus::nf_moves) + Sum(&RuntimeStatus::moved_out), 0u);
  EXPECT_GE(Sum(&RuntimeStatus::nf_asked), abi::kFaultQuarantineCount);
  const CountersSnapshot counters = wires_.Stop();
  EXPECT_EQ(counters.flows_opened, 10u);
  EXPECT_EQ(counters.flows_ended, 10u);
  for (const auto& [reason, count] : counters.dropped) EXPECT_EQ(reason, "nf_unavailable") << count;
}

TEST_P(NfMovesBroken, InFlowArrivedItIsAFaultAndTheFlowStays) {
  AddNf({.name = "a", .more = FlowArrived(GetParam().body)});
  wires_.Start();
  Open(8);
  const auto moved = wires_.tenant().Migrate(1, 2, 1);
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(moved->failed, 1u);
  EXPECT_EQ(moved->reason, "nf");
  EXPECT_EQ(Faults(), 1u);
  for (const Event& event : wires_.tenant().DrainEvents()) {
    const auto* fault = std::get_if<FaultEvent>(&event);
    EXPECT_TRUE(fault == nullptr || fault->call == "flow-arrived");
  }
  Round();
  EXPECT_EQ(wires_.status(1).flows_open, 4u);
  ExpectStates(8);
  StopWithoutLoss();
}

TEST_P(NfMovesBroken, InFlowLeftItIsAFaultAndTheFlowHasMoved) {
  AddNf({.name = "a", .more = FlowLeft(GetParam().body)});
  wires_.Start();
  Open(8);
  const auto moved = wires_.tenant().Migrate(1, 2, 1);
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(moved->moved, 1u);
  EXPECT_EQ(Faults(), 1u);
  Round();
  EXPECT_EQ(wires_.status(2).flows_open, 5u);
  ExpectStates(8);
  StopWithoutLoss();
}

INSTANTIATE_TEST_SUITE_P(All, NfMovesBroken,
                         testing::Values(Broken{"Trap", kTrap}, Broken{"Spin", kSpin + std::string("(unreachable)")}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace nf::test
