// How many packets a second do 1 to 8 runtimes behind a vswitch carry together, on one lcore and on two? Chain of
// firewall, nat44 and load_balancer, 64-byte datagrams in both directions, 64k flows in random order, as many as come
// back (harness/replay_wire.h); whole tenants with their threads. The baseline is one runtime with the ports, on one
// lcore.
//
// Where there are two cores, two lcores are all that can run at once: what more runtimes show there is what they cost,
// not how far they scale. The vswitch has the first lcore; with one runtime and two lcores, the runtime has the other.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench_report.h"
#include "harness/must.h"
#include "harness/replay_wire.h"
#include "harness/rings.h"
#include "harness/shipped_nf.h"
#include "harness/switched_run.h"
#include "runtime/runtime.h"
#include "runtime/tenant.h"

namespace nf {
namespace {

constexpr uint32_t kFlows = 1 << 16;

class Loaded {
 public:
  // Without runtimes: direct mode.
  Loaded(Engine& engine, uint16_t runtimes, uint16_t lcores)
      : wire_({.flows = kFlows, .protocol = 17, .translated = true, .balanced = true}) {
    RuntimeSpec spec;
    spec.input = FabricInput{.client = &wire_.port(0), .server = &wire_.port(1), .pool = wire_.pool()};
    spec.flows_max = kFlows;
    spec.idle_ms = kIdleNever;
    spec.chain = ShippedChain(engine, {"firewall", "nat44", "load_balancer"}, kFlows);
    if (runtimes == 0) {
      host_ = Must(Runtime::Create(engine, spec, {.cpu = 0}));
    } else {
      spec.switching = SwitchingSpec{.runtimes = runtimes, .lcores = lcores};
      std::vector<int> cpus;
      for (int cpu = 0; cpu < lcores; ++cpu) cpus.push_back(cpu);
      host_ = Must(Tenant::Create(engine, spec, {.cpus = cpus, .native = {}}));
    }
    Must(host_->Start());
    while (!wire_.is_opened()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  // Millions a second.
  double Measure(std::chrono::milliseconds time) {
    using Clock = std::chrono::steady_clock;
    std::this_thread::sleep_for(time / 4);
    const uint64_t before = wire_.received();
    const auto begin = Clock::now();
    std::this_thread::sleep_for(time);
    const uint64_t count = wire_.received() - before;
    const std::chrono::duration<double, std::micro> us = Clock::now() - begin;
    return static_cast<double>(count) / us.count();
  }
  uint64_t lost() const { return wire_.lost(); }

 private:
  ReplayWire wire_;
  std::unique_ptr<ChainHost> host_;
};

struct Case {
  uint16_t runtimes, lcores;
  std::vector<double> rates, lost;

  std::string name() const {
    if (runtimes == 0) return "direct mode, 1 lcore";
    return std::to_string(runtimes) + (runtimes == 1 ? " runtime, " : " runtimes, ") + std::to_string(lcores) +
           (lcores == 1 ? " lcore" : " lcores");
  }
};

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  using namespace nf;
  BenchReport report("scale", argc, argv);
  StartBenchEal();
  auto engine = Must(Engine::Create({}));
  const unsigned cores = std::thread::hardware_concurrency();
  std::fprintf(stderr, "scale    %u cores: rows with more runtimes than that show what they cost, not how they scale\n",
               cores);
  std::vector<Case> cases = {{.runtimes = 0, .lcores = 1}};
  for (uint16_t lcores : {uint16_t{1}, uint16_t{2}}) {
    for (uint16_t runtimes : {uint16_t{1}, uint16_t{2}, uint16_t{4}, uint16_t{8}}) cases.push_back({runtimes, lcores});
  }
  std::erase_if(cases, [&report](const Case& one) { return one.runtimes != 0 && !report.Wants(one.name()); });
  const auto time = std::chrono::milliseconds(report.quick() ? 20 : 150);
  for (int round = 0; round < (report.quick() ? 1 : 3); ++round) {
    for (Case& one : cases) {
      Loaded loaded(*engine, one.runtimes, one.lcores);
      for (int run = 0; run < 3; ++run) {
        const uint64_t lost = loaded.lost();
        one.rates.push_back(loaded.Measure(time));
        one.lost.push_back(static_cast<double>(loaded.lost() - lost));
      }
    }
  }
  const double direct = BenchReport::Median(cases.front().rates);
  for (const Case& one : cases) {
    if (one.runtimes == 0) {
      report.Add(one.name(), "rate", "M/s", one.rates);
      continue;
    }
    report.Add(one.name(), "rate", "M/s", one.rates, direct);
    report.Add(one.name(), "packets_lost", "packets", one.lost);
  }
}
