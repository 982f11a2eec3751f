// A runtime's worker driven ring to ring by this thread, for benchmarks: it offers a batch of packets on rings, lets
// the worker take turns until it has taken them, and collects what came out. Only the turns are timed, so making and
// collecting packets costs nothing in the figures; the few packets in flight stay in the caches, as with a card that
// writes there. One thread, no huge pages needed.
//
//   auto engine = Must(Engine::Create({}));
//   RingRun run(*engine, {.chain = ShippedChain(*engine, {"firewall", "nat44"}, 65536),
//                         .traffic = {.flows = 65536, .translated = true}});
//   run.Open();                            // All flows, with their handshakes.
//   double ns = run.Run(1 << 20);          // Steady state: ns a packet.
//   run.worker().counters()…               // Or, by hand: Offer, Turn (a swap between), Collect.
//
// Several runs may live at once and be measured in turns. They need StartBenchEal and 1024 packets each.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "harness/traffic.h"
#include "port/fabric_port.h"
#include "runtime/worker.h"

namespace nf {

// DPDK's environment, with huge pages where enough are free, and this thread registered with it as an lcore is.
void StartBenchEal();

class RingRun {
 public:
  static constexpr uint32_t kBatch = 256;

  struct Options {
    std::vector<NfSpec> chain;
    std::vector<NativeNf*> native;  // By position, in place of the modules; they outlive the run.
    Traffic traffic;
    uint32_t flows_max = 0;  // 0: as many as the traffic has.
    IdleMs idle_ms = {.tcp = 3'600'000, .tcp_opening = 3'600'000, .udp = 3'600'000};
  };
  RingRun(Engine& engine, const Options& options);
  ~RingRun();
  RingRun(const RingRun&) = delete;
  RingRun& operator=(const RingRun&) = delete;

  Worker& worker() { return *worker_; }
  const Traffic& traffic() const { return source_.traffic(); }

  // The packets that open the flows, all of them. ns a packet.
  double Open() { return Run(source_.opening_packets()); }
  // The next so many packets, in batches. ns a packet, of the worker's turns alone.
  double Run(uint64_t packets);

  // What Run does, step by step: at most kBatch packets onto the rings; turns until they are taken, their time in
  // cycles of the TSC; the packets back.
  void Offer(uint32_t packets);
  uint64_t Turns();
  void Collect();

 private:
  TrafficSource source_;
  rte_mempool* pool_;
  // The worker's ends of the rings, and this thread's; by side.
  std::array<std::unique_ptr<FabricPort>, 2> inner_, outer_;
  std::unique_ptr<Worker> worker_;
  std::vector<rte_mbuf*> spare_;  // The packets that are not on their way: the last one back goes first.
  uint32_t offered_ = 0;
};

}  // namespace nf
