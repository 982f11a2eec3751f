// What does a packet cost that goes through a vswitch and its gate to a runtime and back, next to a runtime that has
// the ports itself? Frames of 64 bytes, ring to ring, TCP in both directions, 64k flows in random order
// (harness/traffic.h); everything on one thread, so that the parts' shares are exact.
//   packet    from the port to the port, all parts together (baseline: direct mode)
//   vswitch   of that, the vswitch: parse, look up, stamp, both rings' far ends, the gate
//   runtimes  of that, the runtimes (baseline: direct mode, which parses and looks up itself)
#include <memory>
#include <string>
#include <vector>

#include "bench_report.h"
#include "harness/must.h"
#include "harness/ring_run.h"
#include "harness/shipped_nf.h"
#include "harness/switched_run.h"

namespace nf {
namespace {

constexpr uint32_t kFlows = 1 << 16;

struct ChainCase {
  const char* name;
  std::vector<std::string> nfs;

  Traffic TrafficOf(uint32_t flows) const {
    const bool edits = !nfs.empty();
    return {.flows = flows, .translated = edits, .balanced = nfs.size() > 2};
  }
};

const std::vector<ChainCase> kCases = {
    {"no NFs", {}},
    {"firewall, nat44", {"firewall", "nat44"}},
    {"firewall, nat44, load_balancer", {"firewall", "nat44", "load_balancer"}},
};

double Ns(uint64_t cycles) { return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()); }

class Switched {
 public:
  Switched(Engine& engine, const ChainCase& chain, uint16_t runtimes)
      : runtimes_(runtimes),
        rings_(chain.TrafficOf(kFlows)),
        run_(engine, {.chain = ShippedChain(engine, chain.nfs, kFlows),
                      .runtimes = runtimes,
                      .flows_max = kFlows,
                      .client = &rings_.port(0),
                      .server = &rings_.port(1),
                      .pool = rings_.pool()}) {
    Run(rings_.opening_packets());
  }

  void Measure(uint64_t packets) {
    const uint64_t vswitch = run_.vswitch_cycles(), runtimes = run_.runtime_cycles();
    total.push_back(Run(packets));
    const auto count = static_cast<double>(packets);
    of_vswitch.push_back(Ns(run_.vswitch_cycles() - vswitch) / count);
    of_runtimes.push_back(Ns(run_.runtime_cycles() - runtimes) / count);
  }
  std::string name() const { return std::to_string(runtimes_) + (runtimes_ == 1 ? " runtime" : " runtimes"); }

  std::vector<double> total, of_vswitch, of_runtimes;

 private:
  double Run(uint64_t packets) {
    return rings_.Run(packets, [this] { return run_.Round(); });
  }

  uint16_t runtimes_;
  Rings rings_;
  SwitchedRun run_;
};

void Measure(BenchReport* report, Engine& engine, const ChainCase& chain) {
  const std::string what = std::string(chain.name) + ", 64k flows";
  if (!report->Wants(what)) return;
  RingRun direct(engine, {.chain = ShippedChain(engine, chain.nfs, kFlows), .traffic = chain.TrafficOf(kFlows)});
  direct.Open();
  std::vector<std::unique_ptr<Switched>> switched;
  for (uint16_t runtimes : {uint16_t{1}, uint16_t{4}})
    switched.push_back(std::make_unique<Switched>(engine, chain, runtimes));
  std::vector<double> plain;
  const int runs = report->quick() ? 3 : 9;
  const uint64_t packets = report->quick() ? 1 << 16 : 1 << 19;
  for (int run = 0; run < runs; ++run) {
    plain.push_back(direct.Run(packets));
    for (const auto& one : switched) one->Measure(packets);
  }
  const double baseline = BenchReport::Median(plain);
  report->Add(what + ", direct", "packet", "ns", plain);
  for (const auto& one : switched) {
    const std::string name = what + ", " + one->name();
    report->Add(name, "packet", "ns", one->total, baseline);
    report->Add(name, "vswitch", "ns", one->of_vswitch);
    report->Add(name, "runtimes", "ns", one->of_runtimes, baseline);
  }
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("vswitch", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  for (const nf::ChainCase& chain : nf::kCases) nf::Measure(&report, *engine, chain);
}
