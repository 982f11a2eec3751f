// What does it cost a packet that vswitch and runtime are processes of their own? Frames of 64 bytes, ring to ring, TCP
// in both directions, 64k flows in random order (harness/traffic.h); everything on one thread, so that the parts'
// shares are exact. The baseline is a vswitch with one runtime inside one process.
//   packet   from the port to the port, all parts together
//   link     of that, the link both ways: headers, the devices with their copies, the second parse
#include <memory>
#include <string>
#include <vector>

#include "bench_report.h"
#include "harness/linked_run.h"
#include "harness/must.h"
#include "harness/rings.h"
#include "harness/shipped_nf.h"
#include "harness/switched_run.h"

namespace nf {
namespace {

constexpr uint32_t kFlows = 1 << 16;
constexpr uint32_t kPacketsOfLink = 8191;

struct ChainCase {
  const char* name;
  std::vector<std::string> nfs;

  Traffic traffic() const { return {.flows = kFlows, .translated = !nfs.empty(), .balanced = nfs.size() > 2}; }
};

const std::vector<ChainCase> kCases = {
    {"no NFs", {}},
    {"firewall, nat44", {"firewall", "nat44"}},
    {"firewall, nat44, load_balancer", {"firewall", "nat44", "load_balancer"}},
};

void Measure(BenchReport* report, Engine& engine, const ChainCase& chain) {
  const std::string what = std::string(chain.name) + ", 64k flows";
  if (!report->Wants(what)) return;
  Rings inside(chain.traffic()), between(chain.traffic(), kPacketsOfLink);
  SwitchedRun one(engine, {.chain = ShippedChain(engine, chain.nfs, kFlows),
                           .runtimes = 1,
                           .flows_max = kFlows,
                           .client = &inside.port(0),
                           .server = &inside.port(1),
                           .pool = inside.pool()});
  LinkedRun two(engine, {.chain = ShippedChain(engine, chain.nfs, kFlows),
                         .flows_max = kFlows,
                         .client = &between.port(0),
                         .server = &between.port(1),
                         .pool = between.pool()});
  const auto run_one = [&](uint64_t packets) { return inside.Run(packets, [&] { return one.Round(); }); };
  const auto run_two = [&](uint64_t packets) { return between.Run(packets, [&] { return two.Round(); }); };
  run_one(inside.opening_packets());
  run_two(between.opening_packets());
  std::vector<double> in_one, in_two, of_link;
  const int runs = report->quick() ? 3 : 9;
  const uint64_t packets = report->quick() ? 1 << 16 : 1 << 19;
  for (int run = 0; run < runs; ++run) {
    in_one.push_back(run_one(packets));
    const uint64_t before = two.link_cycles();
    in_two.push_back(run_two(packets));
    of_link.push_back(static_cast<double>(two.link_cycles() - before) * 1e9 / static_cast<double>(rte_get_tsc_hz()) /
                      static_cast<double>(packets));
  }
  report->Add(what + ", one process", "packet", "ns", in_one);
  report->Add(what + ", two processes", "packet", "ns", in_two, BenchReport::Median(in_one));
  report->Add(what + ", two processes", "link", "ns", of_link);
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("processes", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  for (const nf::ChainCase& chain : nf::kCases) nf::Measure(&report, *engine, chain);
}
