// Two fabric ports with packets on them, for benchmarks: this thread offers a batch on the rings, something takes turns
// until it has taken them, and what it sent is collected. Only the turns are timed, so making and collecting packets
// costs nothing in the figures; the few packets in flight stay in the caches, as with a card that writes there.
#pragma once

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "harness/traffic.h"
#include "port/fabric_port.h"

namespace nf {

// DPDK's environment, with huge pages where enough are free, and this thread registered with it as an lcore is.
void StartBenchEal();

class Rings {
 public:
  static constexpr uint32_t kBatch = 256;

  static constexpr uint32_t kPoolPackets = 1023;

  // `pool_packets`: more, so that lcores cache some, for those who take and free packets themselves.
  explicit Rings(const Traffic& traffic, uint32_t pool_packets = kPoolPackets);
  ~Rings();
  Rings(const Rings&) = delete;
  Rings& operator=(const Rings&) = delete;

  const Traffic& traffic() const { return source_.traffic(); }
  uint64_t opening_packets() const { return source_.opening_packets(); }
  rte_mempool* pool() { return pool_; }
  // The ends for whoever is measured, by side.
  FabricPort& port(uint32_t side) { return *inner_[side]; }

  // The next packets onto the rings, at most kBatch.
  void Offer(uint32_t packets);
  // What was sent, back.
  void Collect();
  // The next so many packets; `turn` returns how many it took. ns a packet, of the turns alone.
  template <typename Turn>
  double Run(uint64_t packets, Turn&& turn) {
    uint64_t cycles = 0;
    for (uint64_t left = packets; left != 0;) {
      const auto count = static_cast<uint32_t>(std::min<uint64_t>(left, kBatch));
      Offer(count);
      const uint64_t begin = rte_rdtsc();
      for (uint32_t taken = 0; taken < count;) taken += turn();
      cycles += rte_rdtsc() - begin;
      Collect();
      left -= count;
    }
    return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()) / static_cast<double>(packets);
  }

  // The same, but the rings never run empty: what has left is replaced, so that the last of a batch waits for nobody.
  template <typename Turn>
  double RunFull(uint64_t packets, Turn&& turn) {
    uint64_t cycles = 0, offered = 0;
    for (uint64_t left = 0; left < packets;) {
      if (offered - left <= kBatch && offered < packets) {
        Collect();
        const auto count = static_cast<uint32_t>(std::min<uint64_t>(packets - offered, kBatch));
        Offer(count);
        offered += count;
      }
      const uint64_t begin = rte_rdtsc();
      left += turn();
      cycles += rte_rdtsc() - begin;
    }
    Collect();
    return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()) / static_cast<double>(packets);
  }
  // `burst` packets at a time on empty rings: for each the ns until it is out again.
  template <typename Turn>
  std::vector<double> Latencies(uint64_t packets, uint32_t burst, Turn&& turn) {
    std::vector<double> latencies;
    latencies.reserve(packets);
    latencies_ = &latencies;
    while (latencies.size() + burst <= packets) {
      Offer(burst);
      offered_tsc_ = rte_rdtsc();
      for (const size_t end = latencies.size() + burst; latencies.size() < end; Collect()) turn();
    }
    latencies_ = nullptr;
    return latencies;
  }

 private:
  TrafficSource source_;
  rte_mempool* pool_;
  std::array<std::unique_ptr<FabricPort>, 2> inner_, outer_;
  std::vector<double>* latencies_ = nullptr;  // When set: of what is collected.
  uint64_t offered_tsc_ = 0;
  std::vector<rte_mbuf*> spare_;  // The packets that are not on their way: the last one back goes first.
};

}  // namespace nf
