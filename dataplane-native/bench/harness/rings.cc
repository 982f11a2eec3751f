#include "harness/rings.h"

#include <rte_lcore.h>

#include <atomic>
#include <string>

#include "harness/must.h"
#include "packet/packet_meta.h"
#include "port/eal.h"

namespace nf {
namespace {

constexpr uint32_t kRingPackets = 1024;

}  // namespace

void StartBenchEal() {
  Must(StartEal({.use_hugepages = true, .memory_mb = 512}));
  rte_thread_register();
}

Rings::Rings(const Traffic& traffic, uint32_t pool_packets) : source_(traffic) {
  static std::atomic<uint32_t> number = 0;
  pool_ = Must(CreatePacketPool(("bench_" + std::to_string(number++)).c_str(), pool_packets));
  for (uint8_t side = 0; side < 2; ++side) {
    auto [inner, outer] = Must(FabricPort::CreatePair(kRingPackets, side));
    inner_[side] = std::move(inner);
    outer_[side] = std::move(outer);
  }
  spare_.reserve(pool_packets);
}

Rings::~Rings() {
  for (rte_mbuf* mbuf : spare_) rte_pktmbuf_free(mbuf);
  inner_ = {};
  outer_ = {};
  rte_mempool_free(pool_);
}

void Rings::Offer(uint32_t packets) {
  std::array<rte_mbuf*, kBatch> queues[2];
  uint32_t counts[2] = {};
  for (uint32_t i = 0; i < packets; ++i) {
    rte_mbuf* mbuf;
    if (spare_.empty()) {
      mbuf = rte_pktmbuf_alloc(pool_);
      Must(mbuf != nullptr, "packets leak");
    } else {
      mbuf = spare_.back();
      spare_.pop_back();
    }
    const uint8_t side = source_.Next(mbuf);
    queues[side][counts[side]++] = mbuf;
  }
  for (uint32_t side = 0; side < 2; ++side) {
    Must(outer_[side]->TxBurst(queues[side].data(), counts[side]) == counts[side], "a ring is full");
  }
}

void Rings::Collect() {
  std::array<rte_mbuf*, 64> packets;
  for (const auto& port : outer_) {
    for (;;) {
      const uint32_t count = port->RxBurst(packets.data(), packets.size());
      if (count == 0) break;
      if (latencies_ != nullptr) {
        const auto cycles = static_cast<double>(rte_rdtsc() - offered_tsc_);
        latencies_->insert(latencies_->end(), count, cycles * 1e9 / static_cast<double>(rte_get_tsc_hz()));
      }
      spare_.insert(spare_.end(), packets.begin(), packets.begin() + count);
    }
  }
}

}  // namespace nf
