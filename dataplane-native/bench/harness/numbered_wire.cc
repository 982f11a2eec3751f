#include "harness/numbered_wire.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <string>

#include "base/clock.h"
#include "harness/must.h"
#include "packet/packet_meta.h"

namespace nf {
namespace {

// About the golden ratio of all flows, so that neighbours in time are far apart, and it visits all.
uint32_t StrideOf(uint32_t flows) {
  auto stride = static_cast<uint32_t>(flows * 0.618);
  while (stride > 1 && std::gcd(stride, flows) != 1) --stride;
  return std::max(stride, 1u);
}

}  // namespace

class NumberedWire::WirePort final : public Port {
 public:
  WirePort(NumberedWire* wire, uint32_t side) : wire_(*wire), side_(side) {}
  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override { return wire_.Give(side_, packets, count); }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    wire_.Take(side_ ^ 1, packets, count);
    return count;
  }

 private:
  NumberedWire& wire_;
  uint32_t side_;
};

NumberedWire::NumberedWire(const Options& options)
    : options_(options),
      source_({.flows = std::bit_ceil(options.flows),
               .protocol = 17,
               .translated = options.translated,
               .balanced = options.balanced}),
      stride_(StrideOf(options.flows)) {
  static std::atomic<uint32_t> number = 0;
  pool_ = Must(CreatePacketPool(("bench_wire_" + std::to_string(number++)).c_str(), kPoolPackets));
  for (uint32_t side = 0; side < 2; ++side) {
    ports_[side] = std::make_unique<WirePort>(this, side);
    numbers_[side].resize(options.flows);
    expected_[side].resize(options.flows);
  }
  delays_.reserve(kDelaysMax);
}

NumberedWire::~NumberedWire() { rte_mempool_free(pool_); }

void NumberedWire::OpenFrom(uint32_t side) {
  open_side_.store(side, std::memory_order_relaxed);
  opened_.store(0, std::memory_order_relaxed);
  mode_.store(Mode::kOpen, std::memory_order_release);
}

void NumberedWire::Pace(double packets_per_flow) {
  per_cycle_.store(packets_per_flow * options_.flows / 2 / static_cast<double>(rte_get_tsc_hz()));
  since_.store(Clock());
  mode_.store(Mode::kPace, std::memory_order_release);
}

std::vector<uint32_t> NumberedWire::TakeDelays() {
  std::vector<uint32_t> taken;
  taken.reserve(kDelaysMax);
  std::swap(taken, delays_);
  return taken;
}

// What is lost makes room for others in the end, or traffic would dry up.
uint32_t NumberedWire::Room() {
  const uint64_t overdue = overdue_.load(std::memory_order_relaxed);
  const auto under_way = static_cast<int64_t>(sent() - received() - lost() - overdue);
  if (under_way < kInFlight) return static_cast<uint32_t>(std::min<int64_t>(kInFlight - under_way, kInFlight));
  const uint64_t clock = Clock();
  if (came_back_ == 0) came_back_ = clock;
  if (clock - came_back_ > rte_get_tsc_hz() * kLostAfterNs / 1'000'000'000) {
    came_back_ = clock;
    overdue_.store(overdue + static_cast<uint64_t>(under_way), std::memory_order_relaxed);
  }
  return 0;
}

void NumberedWire::GiveUp() {
  lost_.store(sent() - received(), std::memory_order_release);
  overdue_.store(0, std::memory_order_relaxed);
}

uint32_t NumberedWire::Due(uint32_t side, uint32_t count) {
  const Mode mode = mode_.load(std::memory_order_acquire);
  if (mode == Mode::kNone) return 0;
  if (mode == Mode::kPace) {
    const uint64_t since = since_.load(std::memory_order_relaxed);
    if (since != paced_since_) {
      paced_since_ = since;
      paced_ = {};
    }
    const auto due =
        static_cast<uint64_t>(per_cycle_.load(std::memory_order_relaxed) * static_cast<double>(Clock() - since));
    return static_cast<uint32_t>(std::min<uint64_t>(count, due > paced_[side] ? due - paced_[side] : 0));
  }
  const uint32_t room = Room();
  if (mode == Mode::kSaturate) return std::min(count, room);
  if (side != open_side_.load(std::memory_order_relaxed)) return 0;
  return std::min({count, room, options_.flows - opened_.load(std::memory_order_relaxed)});
}

uint32_t NumberedWire::NextFlow(uint32_t side) {
  if (mode_.load(std::memory_order_relaxed) == Mode::kOpen) {
    const uint32_t flow = opened_.load(std::memory_order_relaxed);
    opened_.store(flow + 1, std::memory_order_release);
    return flow;
  }
  ++paced_[side];
  const uint32_t flow = at_[side];
  at_[side] = static_cast<uint32_t>((uint64_t{flow} + stride_) % options_.flows);
  return flow;
}

uint32_t NumberedWire::Give(uint32_t side, rte_mbuf** packets, uint32_t count) {
  const uint64_t begin = rte_rdtsc();
  const uint64_t clock = Clock();
  count = Due(side, count);
  uint32_t given = 0;
  for (; given < count; ++given) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) {
      late_.fetch_add(1, std::memory_order_relaxed);
      break;
    }
    const uint32_t flow = NextFlow(side);
    source_.WriteDatagram(flow, static_cast<uint8_t>(side), mbuf);
    uint8_t* frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
    const Tag tag{.flow = flow, .number = numbers_[side][flow]++, .clock = clock};
    std::memcpy(frame + TrafficSource::kDatagramOffset, &tag, sizeof tag);
    std::memset(frame + TrafficSource::kDatagramOffset - 2, 0, 2);  // No checksum.
    PacketMeta* meta = MetaOf(mbuf);
    meta->in_port = static_cast<uint8_t>(side);
    meta->wire_length = mbuf->pkt_len;
    meta->arrival = arrival_++;
    packets[given] = mbuf;
  }
  sent_.fetch_add(given, std::memory_order_release);
  outside_.fetch_add(rte_rdtsc() - begin, std::memory_order_relaxed);
  return given;
}

void NumberedWire::Take(uint32_t side, rte_mbuf** packets, uint32_t count) {
  const uint64_t begin = rte_rdtsc();
  const uint64_t clock = Clock();
  came_back_ = clock;
  uint64_t out_of_order = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Tag tag;
    std::memcpy(&tag, rte_pktmbuf_mtod(packets[i], const uint8_t*) + TrafficSource::kDatagramOffset, sizeof tag);
    rte_pktmbuf_free(packets[i]);
    Must(tag.flow < options_.flows, "a packet was damaged");
    uint32_t& expected = expected_[side][tag.flow];
    if (tag.number < expected)
      ++out_of_order;
    else
      expected = tag.number + 1;
    if (delays_.size() < kDelaysMax) delays_.push_back(static_cast<uint32_t>(clock - tag.clock));
  }
  out_of_order_.fetch_add(out_of_order, std::memory_order_relaxed);
  received_.fetch_add(count, std::memory_order_release);
  outside_.fetch_add(rte_rdtsc() - begin, std::memory_order_relaxed);
}

}  // namespace nf
