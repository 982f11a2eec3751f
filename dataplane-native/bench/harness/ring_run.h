// A runtime's worker driven ring to ring by this thread (rings.h), for benchmarks. One thread, no huge pages needed.
//
//   StartBenchEal();
//   auto engine = Must(Engine::Create({}));
//   RingRun run(*engine, {.chain = ShippedChain(*engine, {"firewall", "nat44"}, 65536),
//                         .traffic = {.flows = 65536, .translated = true}});
//   run.Open();                            // All flows, with their handshakes.
//   double ns = run.Run(1 << 20);          // Steady state: ns a packet.
//   run.worker().counters()…               // Or, by hand: rings().Offer, worker().Turn (a swap between), Collect.
//
// Several runs may live at once and be measured in turns; each has 1023 packets of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/rings.h"
#include "runtime/worker.h"

namespace nf {

class RingRun {
 public:
  struct Options {
    std::vector<NfSpec> chain;
    std::vector<NativeNf*> native;  // By position, in place of the modules; they outlive the run.
    Traffic traffic;
    uint32_t flows_max = 0;  // 0: as many as the traffic has.
    IdleMs idle_ms = {.tcp = 3'600'000, .tcp_opening = 3'600'000, .udp = 3'600'000};
  };
  RingRun(Engine& engine, const Options& options);

  Worker& worker() { return *worker_; }
  Rings& rings() { return rings_; }

  // The packets that open the flows, all of them. ns a packet.
  double Open() { return Run(rings_.opening_packets()); }
  // The next so many packets, in batches. ns a packet, of the worker's turns alone.
  double Run(uint64_t packets) {
    return rings_.Run(packets, [this] { return worker_->Turn(); });
  }

 private:
  Rings rings_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace nf
