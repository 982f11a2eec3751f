// What does a packet cost in a chain of sandboxed NFs? Next to the same NFs as native C++ in the same loop (so that the
// ratio is the price of the sandbox), and to the loop without NFs. Frames of 64 bytes, ring to ring, TCP in both
// directions, flows in random order (harness/traffic.h). First it is shown that the native NFs do the same work: the
// same frames sent, the same drops, the same flow states.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bench_report.h"
#include "harness/copying_nf.h"
#include "harness/must.h"
#include "harness/outcome.h"
#include "harness/ring_run.h"
#include "harness/shipped_nf.h"
#include "native_nfs/native_nfs.h"

namespace nf {
namespace {

struct ChainCase {
  const char* name;
  std::vector<std::string> nfs;

  bool Has(const char* nf) const { return std::find(nfs.begin(), nfs.end(), nf) != nfs.end(); }
  // Its packets, of so many flows.
  Traffic TrafficOf(uint32_t flows) const {
    return {.flows = flows, .translated = Has("nat44"), .balanced = Has("load_balancer")};
  }
};

const std::vector<ChainCase> kCases = {
    {"flow_monitor", {"flow_monitor"}},
    {"firewall of 1000 rules", {"firewall"}},
    {"http_parser", {"http_parser"}},
    {"nat44", {"nat44"}},
    {"monitor, firewall, http", {"flow_monitor", "firewall", "http_parser"}},
    {"load_balancer", {"load_balancer"}},
    {"firewall, nat44", {"firewall", "nat44"}},
    {"firewall, nat44, load_balancer", {"firewall", "nat44", "load_balancer"}},
};

using NativeNfs = std::vector<std::unique_ptr<NativeNf>>;

std::vector<NativeNf*> Pointers(const NativeNfs& nfs) {
  std::vector<NativeNf*> pointers;
  for (const auto& nf : nfs) pointers.push_back(nf.get());
  return pointers;
}

// Round the native NFs; the first shows its headers to those behind it that may only read.
NativeNfs Copying(const NativeNfs& inner, const std::vector<NfSpec>& specs) {
  NativeNfs nfs;
  for (size_t i = 0; i < inner.size(); ++i) {
    nfs.push_back(std::make_unique<CopyingNf>(inner[i].get(), specs[i].rights, i != 0));
  }
  return nfs;
}

std::string CaseName(const ChainCase& chain, uint32_t flows) {
  const bool is_million = flows >= 1u << 20;
  return std::string(chain.name) + ", " + std::to_string(flows >> (is_million ? 20 : 10)) + (is_million ? "M" : "k") +
         " flows";
}

// The native NFs, and the same with copies, against the sandboxed ones: with blocked flows and broken packets among the
// good ones.
void CheckSameWork(Engine& engine, const ChainCase& chain) {
  for (uint8_t protocol : {uint8_t{6}, uint8_t{17}}) {
    Traffic traffic = chain.TrafficOf(1024);
    traffic.protocol = protocol;
    traffic.blocked_every = 16;
    traffic.odd_every = 19;
    const auto specs = ShippedChain(engine, chain.nfs, traffic.flows);
    const auto native = NativeChain(chain.nfs, traffic.flows);
    const auto copying = Copying(native, specs);
    constexpr uint64_t kPackets = 1 << 15;
    const Outcome sandboxed = RunToOutcome(engine, specs, {}, traffic, kPackets);
    for (const auto& nfs : {Pointers(native), Pointers(copying)}) {
      const std::string difference = sandboxed.DifferenceFrom(RunToOutcome(engine, specs, nfs, traffic, kPackets));
      Must(difference.empty(), (std::string(chain.name) + ": native and sandboxed NFs differ: " + difference).c_str());
    }
    Must(sandboxed.wrong_checksums == 0, "frames with wrong checksums were sent");
    Must(sandboxed.sent > kPackets / 2, "most packets are dropped");
  }
}

class Bench {
 public:
  Bench(BenchReport& report, Engine& engine) : report_(report), engine_(engine) {}

  void Measure(const ChainCase& chain, uint32_t flows) {
    const std::string what = CaseName(chain, flows);
    const auto specs = ShippedChain(engine_, chain.nfs, flows);
    const auto native_nfs = NativeChain(chain.nfs, flows);
    const auto copying_nfs = Copying(native_nfs, specs);
    const Traffic traffic = chain.TrafficOf(flows);
    RingRun empty(engine_, {.chain = {}, .traffic = {.flows = flows}});
    RingRun native(engine_, {.chain = specs, .native = Pointers(native_nfs), .traffic = traffic});
    RingRun copying(engine_, {.chain = specs, .native = Pointers(copying_nfs), .traffic = traffic});
    RingRun sandboxed(engine_, {.chain = specs, .native = {}, .traffic = traffic});
    constexpr int kKinds = 4;
    RingRun* kinds[kKinds] = {&empty, &native, &copying, &sandboxed};
    std::vector<double> ns[kKinds], copies, without;
    for (RingRun* run : kinds) run->Open();
    const int runs = report_.quick() ? 3 : 7;
    const uint64_t packets = report_.quick() ? 1 << 16 : 1 << 19;
    for (int run = 0; run < runs; ++run) {
      for (int i = 0; i < kKinds; ++i) ns[i].push_back(kinds[i]->Run(packets));
      copies.push_back(ns[2].back() - ns[1].back());
      without.push_back(ns[3].back() - copies.back());
    }
    for (RingRun* run : kinds) {
      const PacketCounters& counters = run->worker().counters();
      Must(counters.sent.value() == counters.received.value(), "packets of the benchmark are dropped");
    }
    const double loop = BenchReport::Median(ns[0]), plain = BenchReport::Median(ns[1]);
    report_.Add(what, "packet", "ns", ns[3], plain);
    report_.Add(what, "packet_without_copies", "ns", without, plain);
    report_.Add(what, "packet_native", "ns", ns[1], loop);
    report_.Add(what, "packet_no_nf", "ns", ns[0]);
  }

 private:
  BenchReport& report_;
  Engine& engine_;
};

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("chain", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  nf::Bench bench(report, *engine);
  for (const nf::ChainCase& chain : nf::kCases) {
    bool is_checked = false;
    for (uint32_t flows : {1u << 10, 1u << 16, 1u << 20}) {
      // A state store holds at most 2,032 MiB: of http_parser's states half a million.
      const bool is_large = flows == 1u << 20 && std::string(chain.name).find("http") != std::string::npos;
      if (is_large) flows /= 2;
      if (!report.Wants(nf::CaseName(chain, flows))) continue;
      if (!is_checked) nf::CheckSameWork(*engine, chain);
      is_checked = true;
      bench.Measure(chain, flows);
    }
  }
}
