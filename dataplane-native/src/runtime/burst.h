// What a worker with external ports does first, in direct mode as in front of a vswitch: take packets, and parse them.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "flow/flow_table.h"
#include "packet/packet_meta.h"
#include "packet/parse.h"
#include "runtime/inputs.h"

namespace nf {

inline bool HasFlowKey(PacketKind kind) { return kind == PacketKind::kFlow || kind == PacketKind::kIcmpError; }

struct ParsedBurst {
  std::array<abi::DropReason, abi::kBurstPackets> reasons;
  std::array<uint64_t, abi::kBurstPackets> hashes;  // 0: without a flow key.
  uint64_t bytes = 0;
};

// Fresh packets, at most 32: their metas are filled, and the table's buckets are on their way to the caches.
inline void ParseBurst(rte_mbuf** packets, uint32_t count, const FlowTable& table, ParsedBurst* out) {
  for (uint32_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = packets[i];
    PacketMeta* meta = MetaOf(mbuf);
    meta->flow = kNoFlow;
    meta->emitted = 0;
    meta->emit_order = 0;
    meta->trace = 0;
    meta->poll_index = static_cast<uint8_t>(i);
    out->bytes += meta->wire_length;
    out->reasons[i] =
        ParsePacket(rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len, meta->wire_length, &meta->parsed);
    const bool has_key = out->reasons[i] == abi::DropReason::kNone && HasFlowKey(meta->parsed.kind);
    out->hashes[i] = has_key ? table.Start(meta->parsed.key) : 0;
  }
}

// What both ports hold, a burst each, to `poll(packets, count, now_ns)`; the first at `now_ns`. The clock is read
// for each side: what a packet that the one just sent brought about may come in on the other. Packets taken.
template <typename Poll>
uint32_t TakeFromPorts(const Inputs& inputs, uint64_t now_ns, Poll&& poll) {
  uint32_t taken = 0;
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  Port* const ports[] = {inputs.client, inputs.server};
  for (uint32_t side = 0; side < (ports[0] == ports[1] ? 1u : 2u); ++side) {
    const uint32_t count = ports[side]->RxBurst(packets.data(), abi::kBurstPackets);
    if (count == 0) continue;
    if (taken != 0) now_ns = ClockNs();
    for (uint32_t i = 0; i < count; ++i) MetaOf(packets[i])->timestamp_ns = now_ns;
    taken += count;
    poll(packets.data(), count, now_ns);
  }
  return taken;
}

}  // namespace nf
