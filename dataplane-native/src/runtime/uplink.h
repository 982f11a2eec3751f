// A runtime's way to its vswitch, as the port of its chain: stamps what leaves.
#pragma once

#include <array>

#include "chain/packet_counters.h"
#include "flow/flows.h"
#include "port/port.h"
#include "proto/runtime_machine.h"
#include "runtime/relayed_frame.h"
#include "runtime/ring_queue.h"
#include "runtime/runtime_link.h"
#include "runtime/transit.h"

namespace nf {

class Uplink final : public Port {
 public:
  // `pool`: of packets, for those that this runtime sends for others.
  Uplink(proto::RuntimeMachine* machine, Flows* flows, RuntimeLink* link, PacketCounters* counters, rte_mempool* pool,
         bool teaches)
      : machine_(*machine),
        flows_(*flows),
        queue_(link->up, link->markers),
        pool_(pool),
        counters_(*counters),
        teaches_(teaches),
        holds_(machine->replicates()) {}

  uint32_t RxBurst(rte_mbuf**, uint32_t) override { return 0; }
  // Takes everything; what nobody owns any more, and what finds no room, drops.
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    uint32_t stamped = 0;
    for (uint32_t i = 0; i < count; ++i) {
      if (!Stamp(packets[i])) [[unlikely]]
        DropUnsent(packets[i], abi::DropReason::kStaleOutput);
      else if (holds_) [[unlikely]]
        Hold(packets[i]);
      else
        packets[stamped++] = packets[i];
    }
    for (uint32_t i = queue_.Put(packets, stamped); i < stamped; ++i)
      DropUnsent(packets[i], abi::DropReason::kPortFull);
    return count;
  }

  // What was held until a replica has its flow's state; or never will leave.
  void Release(rte_mbuf* mbuf, const proto::PacketHeader& header) {
    Transit::Of(mbuf).header = header;
    counters_.held.Set(counters_.held.value() - 1);
    counters_.sent.Add();
    counters_.sent_bytes.Add(MetaOf(mbuf)->wire_length);
    released_[released_count_++] = mbuf;
    if (released_count_ == released_.size()) PutReleased();
  }
  void DropHeld(rte_mbuf* mbuf, abi::DropReason reason) {
    counters_.held.Set(counters_.held.value() - 1);
    counters_.Drop(mbuf, reason);
  }

  // What another runtime has sent instead.
  void Relayed(rte_mbuf* mbuf) {
    if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
      tap->Left(mbuf, TraceHop::kRelayed, TraceStampOf(Transit::Of(mbuf).header));
    counters_.held.Set(counters_.held.value() - 1);
    counters_.sent.Add();
    counters_.sent_bytes.Add(MetaOf(mbuf)->wire_length);
    rte_pktmbuf_free(mbuf);
  }
  // Sends what another runtime's flow has caused. It has been received from there.
  void Relay(const proto::PacketHeader& header, std::span<const uint8_t> bytes) {
    counters_.received.Add();
    relayed_.Add();
    PutReleased();
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr || !RelayedFrame::Read(bytes, mbuf)) [[unlikely]] {
      rte_pktmbuf_free(mbuf);
      return counters_.CountDrop(abi::DropReason::kNoMbuf);
    }
    counters_.received_bytes.Add(MetaOf(mbuf)->wire_length);
    Transit& transit = Transit::Of(mbuf);
    transit.header = header;
    transit.is_marker = 0;
    if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
      tap->Arrived(mbuf, TraceHop::kRelayed, TraceStampOf(header));
    if (queue_.Put(&mbuf, 1) == 0) return counters_.Drop(mbuf, abi::DropReason::kPortFull);
    counters_.sent.Add();
    counters_.sent_bytes.Add(MetaOf(mbuf)->wire_length);
  }
  // Any thread: packets received from other runtimes.
  uint64_t relayed() const { return relayed_.value(); }

  // Behind what was released before.
  void SendMarker(const proto::Marker& marker) {
    PutReleased();
    queue_.PutMarker(marker);
  }
  bool Flush() {
    PutReleased();
    return queue_.Flush();
  }
  bool is_empty() const { return released_count_ == 0 && queue_.is_empty(); }
  bool TakeWrote() { return queue_.TakeWrote(); }
  // The end: what still waits drops.
  void DropBacklog() {
    PutReleased();
    while (rte_mbuf* mbuf = queue_.TakeBack()) {
      if (Transit::Of(mbuf).is_marker != 0)
        rte_pktmbuf_free(mbuf);
      else
        DropUnsent(mbuf, abi::DropReason::kShutdown);
    }
  }

 private:
  void PutReleased() {
    if (released_count_ == 0) return;
    for (uint32_t i = queue_.Put(released_.data(), released_count_); i < released_count_; ++i)
      DropUnsent(released_[i], abi::DropReason::kPortFull);
    released_count_ = 0;
  }
  // The caller counts it as sent.
  void Unsend(rte_mbuf* mbuf) {
    counters_.sent.Set(counters_.sent.value() - 1);
    counters_.sent_bytes.Set(counters_.sent_bytes.value() - MetaOf(mbuf)->wire_length);
  }
  void DropUnsent(rte_mbuf* mbuf, abi::DropReason reason) {
    Unsend(mbuf);
    counters_.Drop(mbuf, reason);
  }
  void Hold(rte_mbuf* mbuf) {
    const auto packet = reinterpret_cast<proto::PacketRef>(mbuf);
    if (!machine_.HoldOutput(MetaOf(mbuf)->flow, packet, Transit::Of(mbuf).header))
      return DropUnsent(mbuf, abi::DropReason::kReplicaBufferFull);
    Unsend(mbuf);
    counters_.held.Add();
    if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
      tap->Waits(mbuf, TraceWait::kReplica);
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
    if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
      tap->Left(mbuf, TraceHop::kStamped, TraceStampOf(transit.header));
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
  rte_mempool* pool_;
  PacketCounters& counters_;
  bool teaches_;
  std::array<rte_mbuf*, abi::kBurstPackets> released_;  // They go into the queue together.
  uint32_t released_count_ = 0;
  bool holds_;  // Until replicas have what it comes from.
  Counter relayed_;
};

}  // namespace nf
