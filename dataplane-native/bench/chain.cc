// What does a packet cost in a chain of sandboxed NFs? Next to the same loop without NFs. Packets of 64 bytes, ring to
// ring, both directions, flows in random order (harness/traffic.h).
#include <string>
#include <vector>

#include "bench_report.h"
#include "harness/must.h"
#include "harness/ring_run.h"
#include "harness/shipped_nf.h"

namespace nf {
namespace {

struct ChainCase {
  const char* name;
  std::vector<std::string> nfs;
};

const std::vector<ChainCase> kCases = {
    {"flow_monitor", {"flow_monitor"}},
    {"firewall (1000 rules)", {"firewall"}},
    {"http_parser", {"http_parser"}},
    {"nat44", {"nat44"}},
    {"monitor, firewall, http", {"flow_monitor", "firewall", "http_parser"}},
    {"firewall, nat44", {"firewall", "nat44"}},
};

std::string FlowsText(uint32_t flows) {
  return flows >= 1u << 20 ? std::to_string(flows >> 20) + "M" : std::to_string(flows >> 10) + "k";
}

void Measure(BenchReport& report, Engine& engine, const ChainCase& chain, uint32_t flows) {
  const std::string what = std::string(chain.name) + ", " + FlowsText(flows) + " flows";
  if (!report.Wants(what)) return;
  const std::vector<NfSpec> specs = ShippedChain(engine, chain.nfs, flows);
  const bool translates = chain.nfs.back() == "nat44";
  RingRun empty(engine, {.chain = {}, .traffic = {.flows = flows}});
  RingRun wasm(engine, {.chain = specs, .traffic = {.flows = flows, .translated = translates}});
  empty.Open();
  wasm.Open();
  std::vector<double> loop, sandboxed;
  const int runs = report.quick() ? 3 : 7;
  const uint64_t packets = report.quick() ? 1 << 16 : 1 << 20;
  for (int run = 0; run < runs; ++run) {
    loop.push_back(empty.Run(packets));
    sandboxed.push_back(wasm.Run(packets));
  }
  const PacketCounters& counters = wasm.worker().counters();
  Must(counters.sent.value() == counters.received.value(), "packets of the benchmark are dropped");
  report.Add(what + ", no NF", "packet", "ns", loop);
  report.Add(what + ", sandboxed", "packet", "ns", sandboxed, BenchReport::Median(loop));
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("chain", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  for (const nf::ChainCase& chain : nf::kCases) {
    for (uint32_t flows : {1u << 10, 1u << 16, 1u << 20}) {
      // A state store holds at most 2,032 MiB: of http_parser's states half a million.
      const bool is_large = flows == 1u << 20 && std::string(chain.name).find("http") != std::string::npos;
      nf::Measure(report, *engine, chain, is_large ? flows / 2 : flows);
    }
  }
}
