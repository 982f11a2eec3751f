// Members of a tenant as real processes, with real packets. Needs the right to make network namespaces.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "link/link_frame.h"
#include "nfactord/compile.h"
#include "nfactord/test_processes.h"

namespace nf {
namespace {

using test::Json;

constexpr uint16_t kFlows = 40;

class Processes : public testing::Test {
 protected:
  void SetUp() override {
    network_ = test::TestNetwork::Create();
    if (network_ == nullptr) GTEST_SKIP() << "processes of a tenant: a network namespace can't be made (not root?)";
    tenant_ = std::make_unique<test::TestTenantProcesses>();
  }
  void TearDown() override {
    tenant_.reset();
    network_.reset();
  }

  void Rounds(int count) {
    for (int i = 0; i < count; ++i) {
      network_->SendRound(kFlows);
      std::this_thread::sleep_for(std::chrono::microseconds(500));
      network_->Collect();
    }
  }
  // Waits for something that must come, for 20 s at most.
  bool Eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 4000; ++i) {
      network_->Collect();
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  bool AllBack() {
    return Eventually([this] { return network_->received() == network_->sent(); });
  }
  // Nothing is under way any more.
  bool IsStill() {
    constexpr int kLooks = 40;
    int looks = 0;
    uint64_t received = 0;
    return Eventually([&] {
      looks = network_->received() == received ? looks + 1 : 0;
      received = network_->received();
      return looks == kLooks;
    });
  }
  void ReplicatedFlowsGoOn(const char* mode);
  static uint64_t PacketsInStates(test::TestMember& runtime) {
    uint64_t packets = 0;
    const Json page = runtime.Ask("flows", {{"limit", 1000}})["ok"];
    for (const Json& flow : page["flows"]) {
      const auto hex = flow["states"][0].get<std::string>();  // Little-endian.
      for (int byte = 3; byte >= 0; --byte) {
        packets += std::stoull(hex.substr(static_cast<size_t>(byte) * 2, 2), nullptr, 16) << 8 * byte;
      }
    }
    return packets;
  }

  std::unique_ptr<test::TestNetwork> network_;
  std::unique_ptr<test::TestTenantProcesses> tenant_;
};

TEST_F(Processes, FlowsMoveBetweenThemUnderTraffic) {
  test::TestMember& one = tenant_->StartRuntime(1);
  test::TestMember& two = tenant_->StartRuntime(2);
  Rounds(50);
  const int move = one.Begin("migrate", {{"to", 2}, {"count", kFlows / 2}});
  Rounds(50);
  std::optional<Json> moved;
  ASSERT_TRUE(Eventually([&] { return (moved = one.Answer(move)).has_value(); }));
  EXPECT_EQ((*moved)["ok"]["moved"], kFlows / 2) << *moved;
  EXPECT_EQ((*moved)["ok"]["failed"], 0) << *moved;
  const Json drained = two.Ask("drain", {{"to", Json::array({1})}});
  EXPECT_EQ(drained["ok"]["drained"], true) << drained;
  Rounds(50);
  EXPECT_TRUE(AllBack()) << network_->received() << " of " << network_->sent();
  EXPECT_EQ(network_->out_of_order(), 0u);
  // The states have seen every packet, wherever it was.
  EXPECT_EQ(PacketsInStates(one) + PacketsInStates(two), network_->sent());
  EXPECT_EQ(tenant_->books().lost(), 0);
  EXPECT_EQ(two.Ask("status")["ok"]["members"].size(), 2u);
  EXPECT_EQ(tenant_->vswitch().Ask("runtimes")["ok"]["full"], (Json{{"1", "0"}, {"2", "0"}}));
}

TEST_F(Processes, AKillIsSeenAtOnceAndTheBooksBalance) {
  tenant_->StartRuntime(1);
  tenant_->StartRuntime(2);
  Rounds(50);
  ASSERT_TRUE(AllBack());
  tenant_->runtime(1).Signal(SIGSTOP);
  Rounds(2);  // Under way to it when it dies.
  tenant_->runtime(1).Signal(SIGKILL);
  Rounds(20);
  const Json lost = {{"event", "member_lost"}, {"member", 1}, {"why", "death"}};
  ASSERT_TRUE(tenant_->vswitch().WaitForEvent(lost));
  ASSERT_EQ(tenant_->runtime(1).WaitForEnd(), -1);
  tenant_->Bury(1);
  // Its flows go on elsewhere, without their states.
  Rounds(20);
  ASSERT_TRUE(IsStill());
  const auto missing = [this] { return static_cast<int64_t>(network_->sent() - network_->received()); };
  const auto books = tenant_->books();
  EXPECT_EQ(books.received, network_->sent());
  EXPECT_EQ(missing(), books.lost() + static_cast<int64_t>(books.dropped));
  const int64_t before = missing();
  EXPECT_GT(before, 0) << "nothing was under way";
  // Another life of it takes flows again, and nothing more is missing.
  tenant_->StartRuntime(1);
  EXPECT_TRUE(tenant_->runtime(2).Ask("migrate", {{"to", 1}, {"count", 10}}).contains("ok"));
  Rounds(50);
  ASSERT_TRUE(IsStill());
  EXPECT_EQ(missing(), before);
  EXPECT_EQ(network_->out_of_order(), 0u);
}

void Processes::ReplicatedFlowsGoOn(const char* mode) {
  tenant_->set_replication({{"replicas", 1}, {"mode", mode}, {"unprotected", "strict"}});
  for (uint16_t id : {1, 2, 3}) tenant_->StartRuntime(id);
  const auto states = [this](std::initializer_list<uint16_t> ids) {
    uint64_t packets = 0;
    for (uint16_t id : ids) packets += PacketsInStates(tenant_->runtime(id));
    return packets;
  };
  const auto is_protected = [this](std::initializer_list<uint16_t> ids) {
    return std::ranges::all_of(ids, [this](uint16_t id) {
      const Json status = tenant_->runtime(id).Ask("runtimes")["ok"]["runtimes"][0];
      return status["unprotected"] == 0 && status["replicationLag"] == 0 && status["replicas"] != 0;
    });
  };
  Rounds(50);
  EXPECT_TRUE(AllBack()) << network_->received() << " of " << network_->sent();
  EXPECT_EQ(states({1, 2, 3}), network_->sent());
  // Who is killed next has flows of the one before.
  for (uint16_t dead : {1, 2}) {
    ASSERT_TRUE(Eventually([&] { return is_protected({1, 2, 3}); }));
    tenant_->runtime(dead).Signal(SIGKILL);
    Rounds(20);  // Into its death.
    ASSERT_TRUE(tenant_->vswitch().WaitForEvent({{"event", "member_lost"}, {"member", dead}}));
    ASSERT_EQ(tenant_->runtime(dead).WaitForEnd(), -1);
    tenant_->Bury(dead);
    Rounds(20);
    ASSERT_TRUE(IsStill());
    tenant_->StartRuntime(dead);
  }
  // All that has come out is known, and nothing that never came in.
  const uint64_t known = states({1, 2, 3});
  EXPECT_GE(known, network_->received());
  EXPECT_LE(known, network_->sent());
  EXPECT_GE(network_->received(), kFlows * 90u);
  const auto books = tenant_->books();
  EXPECT_EQ(static_cast<int64_t>(network_->sent() - network_->received()),
            books.lost() + static_cast<int64_t>(books.dropped));
  const Json vswitch = tenant_->vswitch().Ask("runtimes")["ok"]["runtimes"][0];
  EXPECT_EQ(vswitch["stateLost"], "0") << vswitch;
  EXPECT_EQ(vswitch["flowsOpen"], kFlows) << vswitch;
  EXPECT_NE(vswitch["recovered"], "0") << vswitch;
  EXPECT_EQ(network_->out_of_order(), 0u);
}

TEST_F(Processes, ReplicatedFlowsGoOnWithTheirStatesAfterAKill) { ReplicatedFlowsGoOn("hold"); }
TEST_F(Processes, RelayedFlowsGoOnWithTheirStatesAfterAKill) { ReplicatedFlowsGoOn("relay"); }

TEST_F(Processes, WhoFallsSilentIsFencedAndComesBackTooLate) {
  tenant_->StartRuntime(1);
  tenant_->StartRuntime(2);
  Rounds(20);
  ASSERT_TRUE(AllBack());
  tenant_->runtime(1).Signal(SIGSTOP);
  Rounds(20);
  const Json lost = {{"event", "member_lost"}, {"member", 1}, {"why", "silence"}};
  ASSERT_TRUE(tenant_->vswitch().WaitForEvent(lost));
  Rounds(20);
  tenant_->runtime(1).Signal(SIGCONT);
  // It notices, and what it had not yet processed when it was fenced never leaves.
  EXPECT_TRUE(tenant_->runtime(1).WaitForEvent({{"event", "link"}, {"member", 0}, {"up", false}}));
  Rounds(20);
  EXPECT_EQ(network_->out_of_order(), 0u);
  EXPECT_TRUE(tenant_->runtime(1).Ask("status").contains("ok")) << "it can still be spoken to";
}

TEST_F(Processes, AWireCarriesALinkWhateverElseIsOnIt) {
  test::TestMember& one = tenant_->StartRuntime(1, true);
  tenant_->StartRuntime(2);
  Rounds(20);
  // Frames with the right addresses, of both kinds, and noise behind them.
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const auto to_runtime = link::AddressOf(7, 1), to_vswitch = link::AddressOf(7, 0);
    std::string frame(to_runtime.begin(), to_runtime.end());
    frame.append(to_vswitch.begin(), to_vswitch.end());
    frame += i % 2 == 0 ? std::string("\x89\x4f") : std::string("\x88\xb5");
    for (uint32_t bytes = 20 + random() % 200; bytes != 0; --bytes) frame += static_cast<char>(random());
    network_->SendOn("nf-l", frame);
  }
  EXPECT_EQ(one.Ask("migrate", {{"to", 2}, {"count", 10}})["ok"]["moved"], 10);
  Rounds(20);
  EXPECT_TRUE(AllBack()) << network_->received() << " of " << network_->sent();
  EXPECT_EQ(network_->out_of_order(), 0u);
  const Json refused = one.Ask("counters")["ok"]["link"];
  uint64_t count = 0;
  for (const char* which : {"malformed", "unsound", "forged", "wrong_life"})
    count += std::stoull(refused[which].get<std::string>());
  EXPECT_EQ(count, 200u) << refused;
  // No socket breaks: its silence tells.
  one.Signal(SIGKILL);
  EXPECT_TRUE(tenant_->vswitch().WaitForEvent({{"event", "member_lost"}, {"member", 1}, {"why", "silence"}}));
}

TEST_F(Processes, AWireCarriesSeveralLinks) {
  // Flows are placed by turns, so both links carry some, and runtimes say more to each other than anything else there.
  for (const uint16_t id : {1, 2}) tenant_->StartRuntime(id, true);
  Rounds(20);
  const Json moved = tenant_->runtime(1).Ask("migrate", {{"to", 2}, {"count", 10}});
  EXPECT_EQ(moved["ok"]["moved"], 10) << moved << tenant_->vswitch().Ask("counters")
                                      << tenant_->runtime(2).Ask("counters");
  Rounds(20);
  EXPECT_TRUE(AllBack()) << network_->received() << " of " << network_->sent();
  EXPECT_EQ(network_->out_of_order(), 0u);
  for (const uint16_t id : {1, 2}) {
    const Json link = tenant_->runtime(id).Ask("counters")["ok"]["link"];
    for (const char* which : {"unsound", "forged", "replayed", "unknown_member"}) EXPECT_EQ(link[which], "0") << link;
  }
}

TEST_F(Processes, PacketsGoOnWithoutASupervisor) {
  tenant_->StartRuntime(1);
  Rounds(10);
  tenant_->vswitch().Disconnect();
  tenant_->runtime(1).Disconnect();
  Rounds(20);
  EXPECT_TRUE(AllBack());
  for (test::TestMember* member : {&tenant_->vswitch(), &tenant_->runtime(1)}) {
    ASSERT_TRUE(member->Reconnect());
    EXPECT_TRUE(member->WaitForEvent({{"event", "ready"}, {"incarnation", member->spec()["incarnation"]}}));
    EXPECT_EQ(member->Ask("status")["ok"]["members"].size(), 1u);
  }
  const Json stopped = tenant_->vswitch().Ask("stop", {{"drain", true}});
  EXPECT_EQ(stopped["ok"]["report"]["counters"]["sent"], std::to_string(network_->sent())) << stopped;
  EXPECT_EQ(tenant_->vswitch().WaitForEnd(), 0);
  EXPECT_EQ(tenant_->vswitch().counters().ended.value(), 1u);
  // It lives on without the vswitch, for the next one.
  EXPECT_TRUE(tenant_->runtime(1).WaitForEvent({{"event", "link"}, {"up", false}}));
  EXPECT_EQ(tenant_->runtime(1).Ask("status")["ok"]["members"][0]["link"], "waiting");
  tenant_->runtime(1).Signal(SIGTERM);
  EXPECT_EQ(tenant_->runtime(1).WaitForEnd(), 0);
}

TEST_F(Processes, AnotherVswitchHasTheFlowsOfTheOneThatWasKilled) {
  test::TestMember& one = tenant_->StartRuntime(1);
  test::TestMember& two = tenant_->StartRuntime(2);
  Rounds(50);
  ASSERT_TRUE(AllBack());
  const auto flows_of = [](test::TestMember& runtime) {
    std::vector<std::string> ids;
    const Json answer = runtime.Ask("flows", {{"limit", 1000}});
    for (const Json& flow : answer["ok"]["flows"]) ids.push_back(flow["flowId"].get<std::string>());
    std::ranges::sort(ids);
    return ids;
  };
  const auto before = std::pair(flows_of(one), flows_of(two));
  const uint64_t seen = network_->sent();
  tenant_->RestartVswitch();
  // Until it has heard both, what comes waits in its ports.
  tenant_->Introduce(1);
  Rounds(10);
  EXPECT_EQ(tenant_->vswitch().counters().packets.received.value(), 0u);
  tenant_->Introduce(2);
  Rounds(20);
  EXPECT_TRUE(AllBack()) << network_->received() << " of " << network_->sent();
  EXPECT_EQ(network_->out_of_order(), 0u);
  EXPECT_EQ(std::pair(flows_of(one), flows_of(two)), before);
  EXPECT_EQ(PacketsInStates(one) + PacketsInStates(two), network_->sent());
  EXPECT_EQ(tenant_->vswitch().counters().packets.received.value(), network_->sent() - seen);
  EXPECT_EQ(tenant_->books().lost(), 0);
  // And what it has is what it works with.
  EXPECT_EQ(one.Ask("drain", {{"to", Json::array({2})}})["ok"]["drained"], true);
  Rounds(10);
  EXPECT_TRUE(AllBack());
}

TEST_F(Processes, VswitchesThatDieWhileTheyHearTheRuntimesLoseNothing) {
  test::TestMember& one = tenant_->StartRuntime(1);
  test::TestMember& two = tenant_->StartRuntime(2);
  Rounds(20);
  ASSERT_TRUE(AllBack());
  tenant_->RestartVswitch();
  tenant_->Introduce(2);
  tenant_->RestartVswitch();
  tenant_->Introduce(1);
  tenant_->StartRuntime(3);  // Knows nothing, and is told of nothing.
  tenant_->RestartVswitch();
  tenant_->IntroduceAll();
  Rounds(20);
  EXPECT_TRUE(AllBack()) << network_->received() << " of " << network_->sent();
  EXPECT_EQ(PacketsInStates(one) + PacketsInStates(two), network_->sent());
  EXPECT_EQ(tenant_->books().lost(), 0);
}

TEST_F(Processes, WhoDoesNotTellAnotherVswitchOfItsFlowsIsFenced) {
  test::TestMember& one = tenant_->StartRuntime(1);
  tenant_->StartRuntime(2);
  Rounds(20);
  ASSERT_TRUE(AllBack());
  const uint64_t seen_by_dead = PacketsInStates(tenant_->runtime(2));
  tenant_->RestartVswitch({{"reportMs", 300}});
  tenant_->Introduce(1);
  // It has died as well, before it heard of the new one. That has a link for it, and hears nothing.
  test::TestMember& dead = tenant_->runtime(2);
  dead.Signal(SIGKILL);
  Json life = {{"member", 2}, {"incarnation", dead.spec()["incarnation"]}};
  Json to_open = life;
  to_open["link"] = {{"vhost", tenant_->folder() + "/link-nobody"}};
  EXPECT_TRUE(tenant_->vswitch().Ask("link", to_open).contains("ok"));
  EXPECT_TRUE(tenant_->vswitch().WaitForEvent({{"event", "member_lost"}, {"member", 2}, {"why", "report"}}));
  Rounds(30);
  ASSERT_TRUE(IsStill());
  // The flows of the living are as they were; those of the dead have begun anew.
  EXPECT_EQ(PacketsInStates(one) + seen_by_dead, network_->sent());
}

TEST_F(Processes, CommandsThatCannotBeFollowedSayWhy) {
  test::TestMember& runtime = tenant_->StartRuntime(1);
  const auto code = [](const Json& answer) { return answer.value(Json::json_pointer("/error/code"), "ok"); };
  EXPECT_EQ(code(runtime.Ask("dance")), "member.command");
  EXPECT_EQ(code(runtime.Ask("migrate", {{"to", 1}, {"count", 1}})), "runtime.same");
  EXPECT_EQ(code(runtime.Ask("migrate", {{"to", 3}, {"count", 1}})), "runtime.unknown");
  EXPECT_EQ(code(runtime.Ask("migrate", {{"to", 99}, {"count", 1}})), "member.command");
  EXPECT_EQ(code(runtime.Ask("flows", {{"limit", "many"}})), "member.command");
  EXPECT_EQ(code(runtime.Ask("drain", {{"to", Json::array()}})), "runtime.last");
  EXPECT_EQ(code(runtime.Ask("homes", {{"members", {2, 3}}})), "ok");
  EXPECT_EQ(code(runtime.Ask("homes", {{"members", {16}}})), "runtime.spec");
  EXPECT_EQ(code(runtime.Ask("homes", {{"members", 2}})), "runtime.spec");
  EXPECT_EQ(code(runtime.Ask("homes")), "member.command");
  EXPECT_EQ(runtime.Ask("status")["ok"]["homes"], Json({2, 3}));
  EXPECT_EQ(code(tenant_->vswitch().Ask("member_up", {{"member", 2}, {"incarnation", 5}})), "runtime.unknown");
  EXPECT_EQ(code(tenant_->vswitch().Ask("link", {{"member", 2}, {"incarnation", 5}, {"link", Json::object()}})),
            "runtime.spec");
  // Again is as good as once.
  const Json life = {{"member", 1}, {"incarnation", runtime.spec()["incarnation"]}};
  EXPECT_EQ(code(tenant_->vswitch().Ask("member_up", life)), "ok");
  const Json other = {{"member", 1}, {"incarnation", 1}};
  EXPECT_EQ(code(tenant_->vswitch().Ask("member_down", other)), "ok");
  Rounds(5);
  EXPECT_TRUE(AllBack()) << "another life of it is none of its business";
  Json spec = tenant_->Base(9);
  spec["key"] = "short";
  EXPECT_EQ(test::TestMember("runtime", tenant_->folder(), spec).WaitForEnd(), kExitUsage);
}

}  // namespace
}  // namespace nf
