#include "harness/replay_wire.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/clock.h"
#include "harness/must.h"
#include "packet/packet_meta.h"

namespace nf {
namespace {

constexpr uint32_t kPoolPackets = 4095;
constexpr uint64_t kLostAfterNs = 20'000'000;

}  // namespace

class ReplayWire::WirePort final : public Port {
 public:
  WirePort(ReplayWire* wire, uint32_t side) : wire_(*wire), side_(side) {}
  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override { return wire_.Give(side_, packets, count); }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    for (uint32_t i = 0; i < count; ++i) rte_pktmbuf_free(packets[i]);
    wire_.received_.fetch_add(count, std::memory_order_release);
    return count;
  }

 private:
  ReplayWire& wire_;
  uint32_t side_;
};

ReplayWire::ReplayWire(const Traffic& traffic) : source_(traffic) {
  static std::atomic<uint32_t> number = 0;
  pool_ = Must(CreatePacketPool(("bench_replay_" + std::to_string(number++)).c_str(), kPoolPackets));
  for (uint32_t side = 0; side < 2; ++side) ports_[side] = std::make_unique<WirePort>(this, side);
  TrafficSource rounds(traffic);
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  for (uint64_t i = 0; i < rounds.opening_packets(); ++i) rounds.Next(mbuf);
  for (uint64_t i = 0; i < 2 * uint64_t{traffic.flows}; ++i) {
    const uint8_t side = rounds.Next(mbuf);
    Must(mbuf->data_len == sizeof(Frame), "a packet of the benchmark has another length");
    std::memcpy(frames_[side].emplace_back().bytes, rte_pktmbuf_mtod(mbuf, const uint8_t*), sizeof(Frame));
  }
  rte_pktmbuf_free(mbuf);
}

ReplayWire::~ReplayWire() {
  rte_pktmbuf_free(opening_);
  rte_mempool_free(pool_);
}

// The packets that open flows are in one order over both sides.
bool ReplayWire::Fill(uint32_t side, rte_mbuf* mbuf) {
  if (opened_ == source_.opening_packets()) [[likely]] {
    const Frame& frame = frames_[side][at_[side]];
    at_[side] = at_[side] + 1 < frames_[side].size() ? at_[side] + 1 : 0;
    mbuf->data_len = sizeof frame;
    mbuf->pkt_len = sizeof frame;
    std::memcpy(rte_pktmbuf_mtod(mbuf, uint8_t*), frame.bytes, sizeof frame);
    return true;
  }
  if (opening_ == nullptr) {
    opening_ = rte_pktmbuf_alloc(pool_);
    opening_side_ = source_.Next(opening_);
  }
  if (opening_side_ != side) return false;
  mbuf->data_len = opening_->data_len;
  mbuf->pkt_len = opening_->pkt_len;
  std::memcpy(rte_pktmbuf_mtod(mbuf, uint8_t*), rte_pktmbuf_mtod(opening_, const uint8_t*), mbuf->data_len);
  if (++opened_ < source_.opening_packets()) opening_side_ = source_.Next(opening_);
  return true;
}

// What is lost makes room for others in the end.
uint32_t ReplayWire::Room(uint64_t now_ns) {
  const uint64_t back = received() + lost();
  const uint64_t under_way = sent() > back ? sent() - back : 0;
  if (back != seen_ || under_way < kInFlight) {
    seen_ = back;
    came_back_ns_ = now_ns;
  } else if (now_ns - came_back_ns_ > kLostAfterNs) {
    lost_.fetch_add(under_way, std::memory_order_release);
  }
  return under_way < kInFlight ? static_cast<uint32_t>(kInFlight - under_way) : 0;
}

uint32_t ReplayWire::Give(uint32_t side, rte_mbuf** packets, uint32_t count) {
  if (!running_.load(std::memory_order_relaxed)) return 0;
  const uint64_t now_ns = ClockNs();
  count = std::min(count, Room(now_ns));
  uint32_t given = 0;
  for (; given < count; ++given) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) break;
    if (!Fill(side, mbuf)) {
      rte_pktmbuf_free(mbuf);
      break;
    }
    PacketMeta* meta = MetaOf(mbuf);
    meta->timestamp_ns = now_ns;
    meta->in_port = static_cast<uint8_t>(side);
    meta->wire_length = mbuf->pkt_len;
    meta->arrival = arrival_++;
    packets[given] = mbuf;
  }
  sent_.fetch_add(given, std::memory_order_release);
  return given;
}

}  // namespace nf
