// How long do flows wait when the process of their runtime is killed? A vswitch and three runtimes as processes
// (harness/process_tenant.h), replicating, with NAT and a monitor as their chain; so many flows live on one of them, a
// few on the others. It is killed while packets of all of them come, some 20 a millisecond, and the times are from the
// kill:
//   calm          the longest time in which nothing came out before the kill: what the machine does to traffic anyway
//   latency       of a packet before the kill, its median: what first_packet has in it anyway
//   fenced        until the vswitch's supervisor has read that it has turned away from the dead
//   first_packet  until a packet that was sent after the kill has come out, of a flow of the dead
//   silence       the longest time in which nothing of those flows came out
//   others        the same for flows of the runtimes that live
//   promoted      until every flow of the dead is a living one elsewhere; seen up to 2 ms late
//   protected     until each of them has a replica again; likewise
//   lost          packets that came in during all this and never came out
//   changed       flows whose translation is another than before, or whose state is lost
// Beside it two Linux routers, keepalived and conntrackd, of which one dies (harness/router_pair.h): set up for speed,
// and with as many flows, they are the baseline of first_packet, silence and lost.
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "bench_report.h"
#include "harness/configs.h"
#include "harness/must.h"
#include "harness/process_tenant.h"
#include "harness/router_pair.h"
#include "harness/shipped_nf.h"
#include "harness/veth_traffic.h"
#include "wasm/engine.h"

namespace nf {
namespace {

constexpr uint32_t kOthers = 2000;
constexpr uint64_t kCalmNs = 300'000'000;
constexpr uint64_t kTickNs = 100'000;  // Two packets, one of each kind.
constexpr uint64_t kPatienceNs = 30'000'000'000;
constexpr uint32_t kWindow = 512;

double Ms(uint64_t from, uint64_t to) { return to > from ? static_cast<double>(to - from) / 1e6 : 0; }

struct Mapping {
  uint32_t address = 0;
  uint16_t port = 0;
  bool operator==(const Mapping&) const = default;
};

// One packet of each of these flows, again for those of which none comes; what they are translated to.
void SendEach(VethTraffic* traffic, uint32_t first, uint32_t count, std::vector<Mapping>* mappings) {
  mappings->resize(std::max<size_t>(mappings->size(), first + count));
  std::fill_n(mappings->begin() + first, count, Mapping{});
  const uint64_t end = MonotonicNs() + kPatienceNs;
  const auto receive = [&] {
    for (const VethTraffic::Came& came : traffic->Receive())
      if (came.flow < mappings->size()) (*mappings)[came.flow] = {came.address, came.port};
  };
  for (bool missing = true; missing && MonotonicNs() < end;) {
    missing = false;
    const uint64_t lost = traffic->sent() - traffic->received();
    for (uint32_t flow = first; flow < first + count; ++flow) {
      if ((*mappings)[flow].address != 0) continue;
      missing = true;
      traffic->Put(flow);
      for (int wait = 0; traffic->sent() - traffic->received() > lost + kWindow && wait < 1000; ++wait) {
        receive();
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      }
    }
    traffic->Flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    receive();
  }
}

// The longest time between packets that came out, around the kill.
struct Silence {
  uint64_t last_ns = 0, longest_ns = 0;
  void Came(uint64_t now_ns) {
    if (last_ns != 0 && now_ns > last_ns) longest_ns = std::max(longest_ns, now_ns - last_ns);
    last_ns = now_ns;
  }
};

struct Recovery {
  std::vector<double> calm, latency, fenced, first_packet, silence, others, promoted, protected_, lost, changed;
};

uint64_t Sum(ProcessTenant& tenant, std::initializer_list<uint16_t> ids, Counter link::CounterFileLayout::*which) {
  uint64_t sum = 0;
  for (uint16_t id : ids) sum += (tenant.runtime(id).counters().*which).value();
  return sum;
}

void Measure(Engine& engine, uint32_t flows, VethTraffic* traffic, Recovery* result) {
  const uint32_t all = flows + kOthers;
  ProcessTenant tenant({.chain = ShippedChain(engine, {"nat44", "flow_monitor"}, all),
                        .flows_max = all + all / 4,
                        .runtimes = 3,
                        .replicates = true});
  std::vector<Mapping> before, after;
  tenant.PlaceAt({1});
  SendEach(traffic, 0, flows, &before);
  tenant.PlaceAt({2, 3});
  SendEach(traffic, flows, kOthers, &before);
  tenant.PlaceAt({1, 2, 3});
  tenant.WaitUntilProtected(all);
  Must(tenant.runtime(1).counters().flows_open.value() == flows, "flows are not where they were placed");

  using Layout = link::CounterFileLayout;
  const test::Json lost_event = {{"event", "member_lost"}, {"member", 1}};
  std::mt19937 random(flows);
  Silence calm, silence, others;
  const uint64_t sent_before = traffic->sent(), received_before = traffic->received();
  std::vector<double> latencies;
  uint64_t killed = 0, fenced = 0, first = 0, promoted = 0, is_protected = 0, end = 0;
  const uint64_t begin = MonotonicNs();
  for (uint64_t tick = begin;;) {
    traffic->Put(random() % flows);
    traffic->Put(flows + random() % kOthers);
    traffic->Flush();
    for (const VethTraffic::Came& came : traffic->Receive()) {
      const bool is_of_dead = came.flow < flows;
      (killed == 0 ? calm : is_of_dead ? silence : others).Came(came.came_ns);
      if (killed == 0 && came.sent_ns > begin) latencies.push_back(Ms(came.sent_ns, came.came_ns));
      if (is_of_dead && killed != 0 && first == 0 && came.sent_ns > killed) first = came.came_ns;
    }
    const uint64_t now = MonotonicNs();
    if (killed == 0) {
      if (now - begin > kCalmNs) {
        silence.last_ns = others.last_ns = killed = MonotonicNs();
        tenant.runtime(1).Signal(SIGKILL);
      }
    } else if (fenced == 0) {
      if (const auto when = tenant.vswitch().Look(lost_event)) {
        fenced = *when;
        tenant.TellDead(1);
      }
    } else if (promoted == 0) {
      if (Sum(tenant, {2, 3}, &Layout::recovered) >= flows) promoted = now;
    } else if (is_protected == 0) {
      const uint64_t waiting = Sum(tenant, {2, 3}, &Layout::unprotected);
      if (waiting == 0 && Sum(tenant, {2, 3}, &Layout::replicas) == all) is_protected = end = now;
    } else if (first != 0 && now > end + 50'000'000) {
      break;
    }
    Must(now < killed + kPatienceNs || killed == 0,
         ("no recovery: " + std::to_string(Sum(tenant, {2, 3}, &Layout::recovered)) + " flows recovered, " +
          std::to_string(Sum(tenant, {2, 3}, &Layout::replicas)) + " replicas, " +
          std::to_string(Sum(tenant, {2, 3}, &Layout::unprotected)) + " unprotected, fenced " +
          std::to_string(fenced != 0))
             .c_str());
    tick = std::max(tick + kTickNs, now);
    std::this_thread::sleep_for(std::chrono::nanoseconds(tick - now));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  traffic->Receive();
  // What was sent before and has come since counts against what is missing.
  const auto missing = static_cast<int64_t>((traffic->sent() - sent_before) - (traffic->received() - received_before));
  SendEach(traffic, 0, all, &after);
  uint64_t changed = 0;
  for (uint32_t flow = 0; flow < all; ++flow) changed += after[flow] != before[flow] ? 1 : 0;
  const uint64_t states_lost =
      tenant.vswitch().counters().state_lost.value() + Sum(tenant, {2, 3}, &Layout::state_lost);
  result->calm.push_back(static_cast<double>(calm.longest_ns) / 1e6);
  result->latency.push_back(BenchReport::Median(latencies));
  result->fenced.push_back(Ms(killed, fenced));
  result->first_packet.push_back(Ms(killed, first));
  result->silence.push_back(static_cast<double>(silence.longest_ns) / 1e6);
  result->others.push_back(static_cast<double>(others.longest_ns) / 1e6);
  result->promoted.push_back(Ms(killed, promoted));
  result->protected_.push_back(Ms(killed, is_protected));
  result->lost.push_back(std::max(0.0, static_cast<double>(missing)));
  result->changed.push_back(static_cast<double>(changed + states_lost));
}

std::string Short(uint32_t flows) {
  return flows % 1'000'000 == 0 ? std::to_string(flows / 1'000'000) + "M" : std::to_string(flows / 1000) + "k";
}

using Baseline = std::optional<double>;

// `routers`: what they took, if they were measured.
void MeasureTenant(BenchReport* report, Engine& engine, uint32_t flows, const Recovery* routers) {
  const std::string what = "nfactor, " + Short(flows) + " flows";
  if (!report->Wants(what)) return;
  VethTraffic traffic("nf-c1", "nf-s1");
  Recovery recovery;
  for (int run = 0; run < (report->quick() ? 1 : 5); ++run) Measure(engine, flows, &traffic, &recovery);
  const auto of_routers = [routers](std::vector<double> Recovery::*which) -> Baseline {
    if (routers == nullptr) return {};
    return BenchReport::Median(routers->*which);
  };
  report->Add(what, "calm", "ms", recovery.calm);
  report->Add(what, "latency", "ms", recovery.latency);
  report->Add(what, "fenced", "ms", recovery.fenced);
  report->Add(what, "first_packet", "ms", recovery.first_packet, of_routers(&Recovery::first_packet));
  report->Add(what, "silence", "ms", recovery.silence, of_routers(&Recovery::silence));
  report->Add(what, "others", "ms", recovery.others);
  report->Add(what, "promoted", "ms", recovery.promoted);
  report->Add(what, "protected", "ms", recovery.protected_);
  report->Add(what, "lost", "packets", recovery.lost, of_routers(&Recovery::lost));
  report->Add(what, "changed", "flows", recovery.changed);
}

// The same with two routers: all connections are those of the one that dies.
void MeasureRouters(const RouterPair::Options& options, uint32_t flows, Recovery* result) {
  RouterPair routers(options);
  VethTraffic traffic("nf-rc1", "nf-rs1");
  routers.WaitUntilServing(&traffic);
  std::vector<Mapping> before, after;
  SendEach(&traffic, 0, flows, &before);
  if (!routers.WaitUntilTold(flows)) std::fprintf(stderr, "bench: the other router was not told of all connections\n");
  std::mt19937 random(flows);
  Silence silence;
  const uint64_t sent_before = traffic.sent(), received_before = traffic.received();
  uint64_t killed = 0, first = 0;
  const uint64_t begin = MonotonicNs();
  for (uint64_t tick = begin;;) {
    routers.Follow(&traffic);
    for (int i = 0; i < 2; ++i) traffic.Put(random() % flows);
    traffic.Flush();
    for (const VethTraffic::Came& came : traffic.Receive()) {
      if (killed != 0) silence.Came(came.came_ns);
      if (killed != 0 && first == 0 && came.sent_ns > killed) first = came.came_ns;
    }
    const uint64_t now = MonotonicNs();
    if (killed == 0 && now - begin > kCalmNs) {
      silence.last_ns = killed = MonotonicNs();
      routers.Kill();
    }
    if (first != 0 && now > first + 2'000'000'000) break;
    Must(killed == 0 || now < killed + kPatienceNs, "the other router does not take over");
    tick = std::max(tick + kTickNs, now);
    std::this_thread::sleep_for(std::chrono::nanoseconds(tick - now));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  traffic.Receive();
  const auto missing = static_cast<int64_t>((traffic.sent() - sent_before) - (traffic.received() - received_before));
  SendEach(&traffic, 0, flows, &after);
  uint64_t changed = 0;
  for (uint32_t flow = 0; flow < flows; ++flow) changed += after[flow] != before[flow] ? 1 : 0;
  result->first_packet.push_back(Ms(killed, first));
  result->silence.push_back(static_cast<double>(silence.longest_ns) / 1e6);
  result->lost.push_back(std::max(0.0, static_cast<double>(missing)));
  result->changed.push_back(static_cast<double>(changed));
}

std::optional<Recovery> MeasureRouters(BenchReport* report, const char* name, const RouterPair::Options& options,
                                       uint32_t flows) {
  const std::string what = name + (", " + Short(flows) + " flows");
  if (!report->Wants(what)) return {};
  if (const std::string missing = RouterPair::Missing(); !missing.empty()) {
    std::fprintf(stderr, "bench recover: %s is left out: %s not installed\n", what.c_str(), missing.c_str());
    return {};
  }
  Recovery recovery;
  for (int run = 0; run < (report->quick() ? 1 : 3); ++run) MeasureRouters(options, flows, &recovery);
  report->Add(what, "first_packet", "ms", recovery.first_packet);
  report->Add(what, "silence", "ms", recovery.silence);
  report->Add(what, "lost", "packets", recovery.lost);
  report->Add(what, "changed", "flows", recovery.changed);
  return recovery;
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("recover", argc, argv);
  prctl(PR_SET_TIMERSLACK, 1000);
  nf::EnterBenchNetwork();
  auto engine = nf::Must(nf::Engine::Create({}));
  std::vector<uint32_t> sizes = {1000, 10'000, 100'000};
  if (report.quick()) sizes = {1000};
  if (report.full()) sizes.push_back(1'000'000);
  std::map<uint32_t, std::optional<nf::Recovery>> fast;
  for (const uint32_t flows : sizes) {
    // More than the kernel's limit on connections is not compared.
    if (flows == 1'000'000) continue;
    fast[flows] = nf::MeasureRouters(&report, "routers, 10 ms adverts, no external cache",
                                     {.advert_s = 0.01, .has_external_cache = false}, flows);
  }
  nf::MeasureRouters(&report, "routers, 1 s adverts, as they come", {.advert_s = 1, .has_external_cache = true},
                     report.quick() ? 1000 : 10'000);
  for (const uint32_t flows : sizes) nf::MeasureTenant(&report, *engine, flows, fast[flows] ? &*fast[flows] : nullptr);
}
