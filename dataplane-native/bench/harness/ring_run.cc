#include "harness/ring_run.h"

#include <rte_cycles.h>
#include <rte_lcore.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "harness/must.h"
#include "port/eal.h"

namespace nf {
namespace {

constexpr uint32_t kPoolPackets = 1023;
constexpr uint32_t kRingPackets = 1024;

}  // namespace

void StartBenchEal() {
  Must(StartEal({.use_hugepages = true, .memory_mb = 512}));
  rte_thread_register();
}

RingRun::RingRun(Engine& engine, const Options& options) : source_(options.traffic) {
  static std::atomic<uint32_t> number = 0;
  pool_ = Must(CreatePacketPool(("bench_" + std::to_string(number++)).c_str(), kPoolPackets));
  for (uint8_t side = 0; side < 2; ++side) {
    auto [inner, outer] = Must(FabricPort::CreatePair(kRingPackets, side));
    inner_[side] = std::move(inner);
    outer_[side] = std::move(outer);
  }
  RuntimeSpec spec;
  spec.input = FabricInput{.client = inner_[0].get(), .server = inner_[1].get(), .pool = pool_};
  spec.flows_max = options.flows_max != 0 ? options.flows_max : options.traffic.flows;
  spec.idle_ms = options.idle_ms;
  spec.chain = options.chain;
  worker_ = Must(Worker::Create(engine, spec, {.native = options.native}));
  spare_.reserve(kPoolPackets);
}

RingRun::~RingRun() {
  worker_.reset();
  for (rte_mbuf* mbuf : spare_) rte_pktmbuf_free(mbuf);
  inner_ = {};
  outer_ = {};
  rte_mempool_free(pool_);
}

void RingRun::Offer(uint32_t packets) {
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
  offered_ += packets;
}

uint64_t RingRun::Turns() {
  const uint64_t begin = rte_rdtsc();
  while (offered_ != 0) offered_ -= worker_->Turn();
  return rte_rdtsc() - begin;
}

void RingRun::Collect() {
  std::array<rte_mbuf*, 64> packets;
  for (uint32_t side = 0; side < 2; ++side) {
    for (;;) {
      const uint32_t count = outer_[side]->RxBurst(packets.data(), packets.size());
      if (count == 0) break;
      for (uint32_t i = 0; i < count; ++i) {
        spare_.push_back(packets[i]);
      }
    }
  }
}

double RingRun::Run(uint64_t packets) {
  uint64_t cycles = 0;
  for (uint64_t left = packets; left != 0;) {
    const auto count = static_cast<uint32_t>(std::min<uint64_t>(left, kBatch));
    Offer(count);
    cycles += Turns();
    Collect();
    left -= count;
  }
  return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()) / static_cast<double>(packets);
}

}  // namespace nf
