// What do flow actors cost a packet, what does starting a flow cost, and what does ending one by its idle time? NFs are
// native and do next to nothing, so that the rest shows.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench_report.h"
#include "harness/must.h"
#include "harness/plain_loop.h"
#include "harness/ring_run.h"

namespace nf {
namespace {

// Counts in the flow's state.
class CountingNf : public NativeNf {
 public:
  static constexpr uint32_t kStateBytes = 64;

  void Process(const NativePacket* packets, uint32_t count, uint8_t, uint64_t, abi::Result* results) override {
    for (uint32_t i = 0; i < count; ++i) {
      auto* counts = reinterpret_cast<uint64_t*>(packets[i].state);
      ++counts[0];
      counts[1] += packets[i].meta->wire_length;
      results[i].verdict = static_cast<uint8_t>(abi::Verdict::kForward);
    }
  }
};

std::string FlowsText(uint32_t flows) { return std::to_string(flows >> 10) + "k flows"; }

class Bench {
 public:
  Bench(BenchReport& report, Engine& engine)
      : report_(report), engine_(engine), packets_(report.quick() ? 1 << 16 : 1 << 20), runs_(report.quick() ? 3 : 9) {}

  // A chain of so many NFs, against the loop that knows no actors.
  void Layer(uint32_t nfs, uint32_t flows) {
    const std::string what = std::to_string(nfs) + " NF, " + FlowsText(flows);
    if (!report_.Wants(what)) return;
    const Traffic traffic = {.flows = flows};
    RingRun with(engine_, Options(nfs, traffic));
    PlainLoop without(traffic, nfs == 0 ? nullptr : &nf_);
    with.Open();
    without.Open();
    std::vector<double> actors, plain, layer;
    for (int run = 0; run < runs_; ++run) {
      plain.push_back(without.Run(packets_));
      actors.push_back(with.Run(packets_));
      layer.push_back(actors.back() - plain.back());
    }
    report_.Add(what, "packet", "ns", actors, BenchReport::Median(plain));
    report_.Add(what, "actor_layer", "ns", layer);
  }

  // The first packet of a flow against a later one.
  void Start(uint32_t nfs, uint32_t flows) {
    const std::string what = "starting a flow, " + std::to_string(nfs) + " NFs, " + FlowsText(flows);
    if (!report_.Wants(what)) return;
    std::vector<double> first, later, start;
    for (int run = 0; run < runs_; ++run) {
      RingRun ring(engine_, Options(nfs, {.flows = flows, .protocol = 17, .replies = false}));
      first.push_back(ring.Open());
      later.push_back(ring.Run(flows));
      start.push_back(first.back() - later.back());
    }
    report_.Add(what, "first_packet", "ns", first, BenchReport::Median(later));
    report_.Add(what, "flow_start", "ns", start);
  }

  // Flows that end since nothing came for them, three NFs told of each.
  void End(uint32_t nfs, uint32_t flows) {
    const std::string what = "flows expire, " + std::to_string(nfs) + " NFs, " + FlowsText(flows);
    if (!report_.Wants(what)) return;
    constexpr uint32_t kIdleMs = 150;
    std::vector<double> end;
    for (int run = 0; run < runs_; ++run) {
      RingRun::Options options = Options(nfs, {.flows = flows, .protocol = 17, .replies = false});
      options.idle_ms.udp = kIdleMs;
      RingRun ring(engine_, options);
      ring.Open();
      const uint32_t open = ring.worker().flows_open();
      Must(open == flows, "flows of the benchmark ended early");
      std::this_thread::sleep_for(std::chrono::milliseconds(kIdleMs + 5));
      const uint64_t begin = rte_rdtsc();
      while (ring.worker().flows_open() != 0) ring.worker().Turn();
      end.push_back(static_cast<double>(rte_rdtsc() - begin) * 1e9 / static_cast<double>(rte_get_tsc_hz()) / open);
    }
    report_.Add(what, "flow_end", "ns", end);
  }

  // Deadlines come all the time, but each flow has had a packet since: what that costs packets.
  void Rearm(uint32_t flows) {
    const std::string what = "deadlines that move, 1 NF, " + FlowsText(flows);
    if (!report_.Wants(what)) return;
    RingRun::Options options = Options(1, {.flows = flows, .protocol = 17});
    RingRun never(engine_, options);
    options.idle_ms.udp = 100;
    RingRun often(engine_, options);
    never.Open();
    often.Open();
    std::vector<double> quiet, busy;
    for (int run = 0; run < runs_; ++run) {
      quiet.push_back(never.Run(packets_));
      busy.push_back(often.Run(packets_));
    }
    report_.Add(what, "packet", "ns", busy, BenchReport::Median(quiet));
  }

 private:
  RingRun::Options Options(uint32_t nfs, const Traffic& traffic) {
    RingRun::Options options;
    options.traffic = traffic;
    for (uint32_t i = 0; i < nfs; ++i) {
      options.chain.push_back({.entry = "counting_" + std::to_string(i),
                               .name = "counting",
                               .version = "1.0.0",
                               .state_bytes = CountingNf::kStateBytes});
      options.native.push_back(&nf_);
    }
    return options;
  }

  BenchReport& report_;
  Engine& engine_;
  const uint64_t packets_;
  const int runs_;
  CountingNf nf_;
};

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("actor", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  nf::Bench bench(report, *engine);
  for (uint32_t nfs : {0u, 1u}) {
    for (uint32_t flows : {1u << 10, 1u << 16}) bench.Layer(nfs, flows);
  }
  for (uint32_t flows : {1u << 10, 1u << 16}) bench.Start(3, flows);
  bench.End(3, 1u << 16);
  bench.Rearm(1u << 16);
}
