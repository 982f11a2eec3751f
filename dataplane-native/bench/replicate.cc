// What does it cost that another runtime has a flow's state before what the flow causes leaves? Frames of 64 bytes,
// ring to ring, TCP in both directions, flows in random order (harness/traffic.h); two runtimes, each with the replicas
// of the other's flows, everything on one thread, so that all of the cost is seen.
//   packet    from the port to the port, all parts together (baseline: without replicas)
//   runtimes  of that, the runtimes: owners and replicas (baseline: likewise)
//   updates   bytes between runtimes for each packet (baseline: 64, the packet's own); with relay the packets, too
#include <memory>
#include <string>
#include <vector>

#include "bench_report.h"
#include "harness/must.h"
#include "harness/rings.h"
#include "harness/shipped_nf.h"
#include "harness/switched_run.h"

namespace nf {
namespace {

constexpr uint32_t kFrameBytes = 64;

struct ChainCase {
  const char* name;
  std::vector<std::string> nfs;
};
const std::vector<ChainCase> kCases = {
    {"flow_monitor", {"flow_monitor"}},
    {"firewall, nat44", {"firewall", "nat44"}},
};

double Ns(uint64_t cycles) { return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()); }

class Run {
 public:
  Run(Engine& engine, const ChainCase& chain, uint32_t flows, const ReplicationSpec& replication)
      : rings_({.flows = flows, .translated = chain.nfs.size() > 1}),
        run_(engine, {.chain = ShippedChain(engine, chain.nfs, flows),
                      .runtimes = 2,
                      .flows_max = flows,
                      .replication = replication,
                      .client = &rings_.port(0),
                      .server = &rings_.port(1),
                      .pool = rings_.pool()}) {
    // Buckets have found their homes when output leaves.
    rings_.Run(rings_.opening_packets(), [this] { return run_.Round(); });
  }

  void Measure(uint64_t packets) {
    const uint64_t cycles = run_.runtime_cycles(), bytes = UpdateBytes();
    total.push_back(rings_.Run(packets, [this] { return run_.Round(); }));
    const auto count = static_cast<double>(packets);
    of_runtimes.push_back(Ns(run_.runtime_cycles() - cycles) / count);
    updates.push_back(static_cast<double>(UpdateBytes() - bytes) / count);
  }

  std::vector<double> total, of_runtimes, updates;

 private:
  uint64_t UpdateBytes() { return run_.runtime(1).update_bytes() + run_.runtime(2).update_bytes(); }

  Rings rings_;
  SwitchedRun run_;
};

void Measure(BenchReport* report, Engine& engine, const ChainCase& chain, uint32_t flows) {
  const std::string what = std::string(chain.name) + ", " + std::to_string(flows >> 10) + "k flows";
  if (!report->Wants(what)) return;
  Run off(engine, chain, flows, {}), hold(engine, chain, flows, {.replicas = 1});
  Run relay(engine, chain, flows, {.replicas = 1, .mode = proto::ReplicationMode::kRelay});
  const int runs = report->quick() ? 3 : 9;
  const uint64_t packets = report->quick() ? 1 << 16 : 1 << 19;
  for (int run = 0; run < runs; ++run) {
    off.Measure(packets);
    hold.Measure(packets);
    relay.Measure(packets);
  }
  report->Add(what + ", off", "packet", "ns", off.total);
  report->Add(what + ", off", "runtimes", "ns", off.of_runtimes);
  for (const auto& [mode, run] : {std::pair(", hold", &hold), std::pair(", relay", &relay)}) {
    report->Add(what + mode, "packet", "ns", run->total, BenchReport::Median(off.total));
    report->Add(what + mode, "runtimes", "ns", run->of_runtimes, BenchReport::Median(off.of_runtimes));
    report->Add(what + mode, "updates", "B", run->updates, kFrameBytes);
  }
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("replicate", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  for (const nf::ChainCase& chain : nf::kCases)
    for (const uint32_t flows : {1u << 10, 1u << 16}) nf::Measure(&report, *engine, chain, flows);
}
