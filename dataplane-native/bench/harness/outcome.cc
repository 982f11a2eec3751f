#include "harness/outcome.h"

#include <algorithm>

#include "harness/frame_check.h"
#include "harness/must.h"
#include "runtime/worker.h"

namespace nf {
namespace {

constexpr uint64_t kStartNs = 1'700'000'000'000'000'000;
constexpr uint64_t kGapNs = 5'000;  // From one packet to the next.

// Gives out the traffic, takes what is sent: both ports of a capture.
class TrafficPort : public Port {
 public:
  TrafficPort(const Traffic& traffic, rte_mempool* pool, uint64_t packets)
      : source_(traffic), pool_(pool), left_(source_.opening_packets() + packets) {}

  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override {
    uint32_t taken = 0;
    for (; taken < count && left_ != 0; ++taken, --left_) {
      rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
      Must(mbuf != nullptr, "packets leak");
      PacketMeta* meta = MetaOf(mbuf);
      meta->in_port = source_.Next(mbuf);
      meta->wire_length = mbuf->pkt_len;
      meta->timestamp_ns = kStartNs + arrival_ * kGapNs;
      meta->arrival = arrival_++;
      packets[taken] = mbuf;
    }
    return taken;
  }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    for (uint32_t i = 0; i < count; ++i) {
      digest = FrameDigest(digest + MetaOf(packets[i])->out_port, packets[i]);
      if (!ChecksumsAreRight(packets[i])) ++wrong_checksums;
      rte_pktmbuf_free(packets[i]);
    }
    return count;
  }
  bool at_end() const override { return left_ == 0; }

  uint64_t digest = 0, wrong_checksums = 0;

 private:
  TrafficSource source_;
  rte_mempool* pool_;
  uint64_t left_;
  uint64_t arrival_ = 0;
};

}  // namespace

Outcome RunToOutcome(Engine& engine, const std::vector<NfSpec>& chain, const std::vector<NativeNf*>& native,
                     const Traffic& traffic, uint64_t packets) {
  rte_mempool* pool = Must(CreatePacketPool("bench_outcome", 511));
  Outcome outcome;
  {
    TrafficPort port(traffic, pool, packets);
    RuntimeSpec spec;
    spec.input = FabricInput{.client = &port, .server = &port, .pool = pool, .is_capture = true};
    spec.flows_max = 4 * traffic.flows;  // Replies to blocked flows open flows too.
    spec.chain = chain;
    auto worker = Must(Worker::Create(engine, spec, {.native = native}));
    worker->events().Abandon();
    while (worker->Turn() != 0) {
    }
    const PacketCounters& counters = worker->counters();
    outcome.received = counters.received.value();
    outcome.sent = counters.sent.value();
    outcome.sent_bytes = counters.sent_bytes.value();
    outcome.digest = port.digest;
    outcome.wrong_checksums = port.wrong_checksums;
    for (const Counter& counter : counters.dropped) outcome.dropped.push_back(counter.value());
    for (uint32_t i = 0; i < chain.size(); ++i) {
      ChainNf& nf = worker->chain().nf(i);
      for (const Counter& counter : nf.dropped) outcome.dropped.push_back(counter.value());
      const StateStore& states = nf.states();
      const auto first = states.slot(0);
      outcome.states.emplace_back(first.data(), first.data() + uint64_t{states.stride()} * spec.flows_max);
    }
  }
  rte_mempool_free(pool);
  return outcome;
}

std::string Outcome::DifferenceFrom(const Outcome& other) const {
  if (received != other.received || sent != other.sent || sent_bytes != other.sent_bytes) {
    return "packets sent: " + std::to_string(sent) + " and " + std::to_string(other.sent);
  }
  if (digest != other.digest) return "the bytes of the frames sent";
  if (wrong_checksums != other.wrong_checksums) return "frames with wrong checksums";
  if (dropped != other.dropped) {
    const auto at = std::mismatch(dropped.begin(), dropped.end(), other.dropped.begin()).first - dropped.begin();
    return "packets dropped, place " + std::to_string(at);
  }
  for (size_t nf = 0; nf < states.size(); ++nf) {
    if (states[nf] == other.states[nf]) continue;
    const auto at = std::mismatch(states[nf].begin(), states[nf].end(), other.states[nf].begin()).first;
    return "flow states of NF " + std::to_string(nf) + " at byte " + std::to_string(at - states[nf].begin());
  }
  return "";
}

}  // namespace nf
