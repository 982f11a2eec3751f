// A runtime's way to its vswitch, as the port of its chain: stamps what leaves.
#pragma once

#include "chain/packet_counters.h"
#include "flow/flows.h"
#include "port/port.h"
#include "proto/runtime_machine.h"
#include "runtime/ring_queue.h"
#include "runtime/runtime_link.h"
#include "runtime/transit.h"

namespace nf {

class Uplink final : public Port {
 public:
  Uplink(proto::RuntimeMachine* machine, Flows* flows, RuntimeLink* link, PacketCounters* counters, bool teaches)
      : machine_(*machine), flows_(*flows), queue_(link->up, link->markers), counters_(*counters), teaches_(teaches) {}

  uint32_t RxBurst(rte_mbuf**, uint32_t) override { return 0; }
  // Takes everything; what nobody owns any more, and what finds no room, drops.
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    uint32_t stamped = 0;
    for (uint32_t i = 0; i < count; ++i) {
      if (Stamp(packets[i])) [[likely]]
        packets[stamped++] = packets[i];
      else
        DropUnsent(packets[i], abi::DropReason::kStaleOutput);
    }
    for (uint32_t i = queue_.Put(packets, stamped); i < stamped; ++i)
      DropUnsent(packets[i], abi::DropReason::kPortFull);
    return count;
  }

  void SendMarker(const proto::Marker& marker) { queue_.PutMarker(marker); }
  bool Flush() { return queue_.Flush(); }
  bool is_empty() const { return queue_.is_empty(); }
  bool TakeWrote() { return queue_.TakeWrote(); }
  // The end: what still waits drops.
  void DropBacklog() {
    while (rte_mbuf* mbuf = queue_.TakeBack()) {
      if (Transit::Of(mbuf).is_marker != 0)
        rte_pktmbuf_free(mbuf);
      else
        DropUnsent(mbuf, abi::DropReason::kShutdown);
    }
  }

 private:
  // The caller counts it as sent.
  void DropUnsent(rte_mbuf* mbuf, abi::DropReason reason) {
    counters_.sent.Set(counters_.sent.value() - 1);
    counters_.sent_bytes.Set(counters_.sent_bytes.value() - MetaOf(mbuf)->wire_length);
    counters_.Drop(mbuf, reason);
  }
  bool Stamp(rte_mbuf* mbuf) {
    const PacketMeta* meta = MetaOf(mbuf);
    const auto header = machine_.NextOutput(meta->flow);
    if (!header) [[unlikely]]
      return false;
    Transit& transit = Transit::Of(mbuf);
    transit.header = *header;
    transit.is_marker = 0;
    if (teaches_) [[unlikely]]
      Teach(meta, &transit.header);
    return true;
  }
  // Packets towards the responder tell the vswitch by which key answers come, until one has come so.
  void Teach(const PacketMeta* meta, proto::PacketHeader* header) {
    FlowActor& flow = flows_.actor(meta->flow);
    if (flow.taught || meta->direction != 0 || meta->emitted != 0 || flow.out_tuple == OutTuple::kUnknown ||
        meta->parsed.kind != PacketKind::kFlow)
      return;
    flow.taught = flow.out_tuple != OutTuple::kReverseOfAlias;
    header->flags |= proto::kLearn;
  }

  proto::RuntimeMachine& machine_;
  Flows& flows_;
  RingQueue queue_;
  PacketCounters& counters_;
  bool teaches_;
};

}  // namespace nf
