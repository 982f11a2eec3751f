// A packet loop as one might write it for one native NF without flow actors: the same ports, parser and flow table as
// the runtime's, keys and flow states in arrays, and nothing else that is kept of a flow: no counts, no times, no
// expiry, no phases; no order across directions, no tuple checks, no fragments. What a runtime's worker costs more is
// what its actors and all that rests on them cost.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "chain/native_nf.h"
#include "flow/flow_table.h"
#include "harness/must.h"
#include "harness/rings.h"
#include "packet/parse.h"

namespace nf {

class PlainLoop {
 public:
  // `nf` may be null. States have 64 bytes.
  PlainLoop(const Traffic& traffic, NativeNf* nf)
      : rings_(traffic),
        nf_(nf),
        keys_(traffic.flows),
        states_(traffic.flows),
        table_(Must(FlowTable::Create(
            {.flows_max = traffic.flows, .with_aliases = false, .keys = keys_.data(), .key_stride = sizeof(Key)}))) {}

  double Open() { return Run(rings_.opening_packets()); }
  double Run(uint64_t packets) {
    return rings_.Run(packets, [this] { return Turn(); });
  }

 private:
  struct alignas(64) Key {
    FlowKey key;
  };
  struct alignas(64) State {
    uint8_t bytes[64];
  };
  using Burst = std::array<rte_mbuf*, abi::kBurstPackets>;

  uint32_t Turn() {
    uint32_t taken = 0;
    for (uint32_t side = 0; side < 2; ++side) {
      Burst packets;
      const uint32_t count = rings_.port(side).RxBurst(packets.data(), abi::kBurstPackets);
      if (count == 0) continue;
      Process(packets, count);
      Must(rings_.port(side ^ 1).TxBurst(packets.data(), count) == count, "a ring is full");
      taken += count;
    }
    return taken;
  }

  void Process(Burst& packets, uint32_t count) {
    std::array<uint64_t, abi::kBurstPackets> hashes;
    for (uint32_t i = 0; i < count; ++i) {
      PacketMeta* meta = MetaOf(packets[i]);
      Must(ParsePacket(rte_pktmbuf_mtod(packets[i], const uint8_t*), packets[i]->data_len, meta->wire_length,
                       &meta->parsed) == abi::DropReason::kNone,
           "a packet of the benchmark is malformed");
      hashes[i] = table_.Start(meta->parsed.key);
    }
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t flow = table_.Candidate(hashes[i]);
      if (flow != kNoFlow) __builtin_prefetch(&states_[flow], 1);
    }
    // The packets of both directions in one call, since nothing here depends on it.
    std::array<NativePacket, abi::kBurstPackets> natives;
    std::array<abi::Result, abi::kBurstPackets> results = {};
    for (uint32_t i = 0; i < count; ++i) {
      PacketMeta* meta = MetaOf(packets[i]);
      FlowMatch match = table_.Find(meta->parsed.key, hashes[i]);
      const bool first = !match.found();
      if (first) [[unlikely]] {
        Must(opened_ < keys_.size(), "more flows than the benchmark has");
        match.flow = opened_++;
        keys_[match.flow].key = meta->parsed.key;
        table_.Insert(match.flow, hashes[i]);
      }
      meta->flow = match.flow;
      natives[i] = {.frame = rte_pktmbuf_mtod(packets[i], uint8_t*),
                    .meta = meta,
                    .state = states_[match.flow].bytes,
                    .flow = &keys_[match.flow].key,
                    .lease = 0,
                    .first = first};
    }
    if (nf_ != nullptr) nf_->Process(natives.data(), count, 0, MetaOf(packets[0])->timestamp_ns, results.data());
  }

  Rings rings_;
  NativeNf* nf_;
  std::vector<Key> keys_;
  std::vector<State> states_;
  FlowTable table_;
  uint32_t opened_ = 0;
};

}  // namespace nf
