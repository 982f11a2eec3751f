// What does it cost that another runtime has a flow's state before what the flow causes leaves? Ring to ring, TCP in
// both directions, flows in random order (harness/traffic.h). Few flows come by their number: the rings are full of
// packets, and no answer must overtake what it answers. One runtime owns all flows, the other keeps their replicas;
// they and the vswitch share this thread, so that all of the cost is seen, and each part's of it.
//   packet   from the port to the port, all parts together, with the rings always full
//   source   of that, the owner's task
//   replica  of that, the other runtime's task
//   wire     bytes between the runtimes for each packet, both ways, with the headers of messages and frames
//   p50, p99 from offered to left, of bursts of 32 packets that find nothing else to do
// Baselines are those without replication, measured in turns; of wire, the packet's own bytes.
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

constexpr uint32_t kWireExtra = 4;       // The checksum that a card adds.
constexpr uint32_t kFewFlows = 4096;     // Of as many packets are on their way at once.
constexpr uint32_t kPoolPackets = 2047;  // Copies that wait at the owner are packets too.

struct ChainCase {
  const char* name;
  std::vector<std::string> nfs;
};
const std::vector<ChainCase> kChains = {
    {"flow_monitor", {"flow_monitor"}},
    {"firewall, nat44", {"firewall", "nat44"}},
};

struct Workload {
  const char* name;
  uint32_t flows;
  uint32_t in_a_row;
  uint32_t frame_bytes;
};
constexpr Workload kWorkloads[] = {
    {"1k flows, each packet another", 1 << 10, 1, 60},
    {"64k flows, each packet another", 1 << 16, 1, 60},
    {"64k flows, 8 in a row", 1 << 16, 8, 60},
    {"64k flows, 8 in a row, 1500 bytes", 1 << 16, 8, 1500},
};

struct Mode {
  const char* name;
  ReplicationSpec replication;
};
constexpr Mode kModes[] = {
    {"off", {}},  // The baseline.
    {"hold", {.replicas = 1}},
    {"relay", {.replicas = 1, .mode = proto::ReplicationMode::kRelay}},
};

double Ns(uint64_t cycles) { return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()); }

class Run {
 public:
  Run(Engine& engine, const ChainCase& chain, const Workload& workload, const Mode& mode)
      : rings_({.flows = workload.flows,
                .order = workload.flows > kFewFlows ? Traffic::Order::kRandom : Traffic::Order::kRoundRobin,
                .in_a_row = workload.in_a_row,
                .frame_bytes = workload.frame_bytes,
                .translated = chain.nfs.size() > 1},
               kPoolPackets),
        run_(engine, {.chain = ShippedChain(engine, chain.nfs, workload.flows),
                      .runtimes = 2,
                      .flows_max = workload.flows,
                      .replication = mode.replication,
                      .client = &rings_.port(0),
                      .server = &rings_.port(1),
                      .pool = rings_.pool()}) {
    run_.SetAccepting(kReplica, false);
    // Buckets have found their homes when output leaves.
    rings_.Run(rings_.opening_packets(), [this] { return run_.Round(); });
  }

  void Measure(uint64_t packets) {
    const uint64_t source = run_.runtime_cycles(kSource), replica = run_.runtime_cycles(kReplica);
    const uint64_t bytes = run_.frame_bytes();
    packet.push_back(rings_.RunFull(packets, [this] { return run_.Round(); }));
    const auto count = static_cast<double>(packets);
    of_source.push_back(Ns(run_.runtime_cycles(kSource) - source) / count);
    of_replica.push_back(Ns(run_.runtime_cycles(kReplica) - replica) / count);
    wire.push_back(static_cast<double>(run_.frame_bytes() - bytes) / count);
    std::vector<double> latencies = rings_.Latencies(packets / 16, 32, [this] { run_.Round(); });
    std::ranges::sort(latencies);
    p50.push_back(latencies[latencies.size() / 2] / 1e3);
    p99.push_back(latencies[latencies.size() * 99 / 100] / 1e3);
  }

  std::vector<double> packet, of_source, of_replica, wire, p50, p99;

 private:
  static constexpr uint16_t kSource = 1, kReplica = 2;
  Rings rings_;
  SwitchedRun run_;
};

void Measure(BenchReport* report, Engine& engine, const ChainCase& chain, const Workload& workload) {
  const std::string what = std::string(chain.name) + ", " + workload.name;
  if (!report->Wants(what)) return;
  std::vector<std::unique_ptr<Run>> runs;
  for (const Mode& mode : kModes) runs.push_back(std::make_unique<Run>(engine, chain, workload, mode));
  const int rounds = report->quick() ? 3 : 7;
  const uint64_t packets = report->quick() ? 1 << 16 : 1 << 19;
  for (int round = 0; round < rounds; ++round)
    for (const auto& run : runs) run->Measure(packets);
  const Run& off = *runs[0];
  for (size_t i = 0; i < runs.size(); ++i) {
    const Run& run = *runs[i];
    const std::string name = what + ", " + kModes[i].name;
    const auto add = [&](const char* metric, const char* unit, const std::vector<double>& values,
                         const std::vector<double>& baseline) {
      if (i == 0)
        report->Add(name, metric, unit, values);
      else
        report->Add(name, metric, unit, values, BenchReport::Median(baseline));
    };
    add("packet", "ns", run.packet, off.packet);
    add("source", "ns", run.of_source, off.of_source);
    add("p50", "us", run.p50, off.p50);
    add("p99", "us", run.p99, off.p99);
    if (i == 0) continue;
    report->Add(name, "replica", "ns", run.of_replica);
    report->Add(name, "wire", "B", run.wire, workload.frame_bytes + kWireExtra);
  }
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("replicate", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  for (const nf::ChainCase& chain : nf::kChains)
    for (const nf::Workload& workload : nf::kWorkloads) {
      // The firewall drops what comes before that which it answers, and rings of two sides that are full keep no order.
      if (chain.nfs.size() > 1 && workload.in_a_row > 1) continue;
      nf::Measure(&report, *engine, chain, workload);
    }
}
