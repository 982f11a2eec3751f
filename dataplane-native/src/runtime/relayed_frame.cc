#include "runtime/relayed_frame.h"

#include <cstring>

#include "nf_abi.h"
#include "packet/parse.h"

namespace nf {

uint32_t RelayedFrame::BytesMax() { return sizeof(RelayedFrame) + abi::kFrameBytesMax; }

uint32_t RelayedFrame::Write(const rte_mbuf* mbuf, std::span<uint8_t> out) {
  const PacketMeta* meta = MetaOf(mbuf);
  const RelayedFrame head{.wire_length = meta->wire_length,
                          .in_port = meta->in_port,
                          .out_port = meta->out_port,
                          .emitted = meta->emitted,
                          .emit_order = meta->emit_order,
                          .timestamp_ns = meta->timestamp_ns,
                          .arrival = meta->arrival,
                          .record = meta->record,
                          .is_traced = meta->trace != 0,
                          .zero = {}};
  std::memcpy(out.data(), &head, sizeof head);
  std::memcpy(out.data() + sizeof head, rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len);
  return static_cast<uint32_t>(sizeof head + mbuf->data_len);
}

bool RelayedFrame::Read(std::span<const uint8_t> bytes, rte_mbuf* mbuf) {
  RelayedFrame head;
  if (bytes.size() < sizeof head || bytes.size() > BytesMax()) return false;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.in_port > 1 || head.out_port > 1 || head.emitted > 1 || head.is_traced > 1) return false;
  const auto frame = bytes.subspan(sizeof head);
  char* to = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
  if (to == nullptr) return false;
  std::memcpy(to, frame.data(), frame.size());
  PacketMeta* meta = MetaOf(mbuf);
  // What it can't read the vswitch learns nothing from.
  if (ParsePacket(frame.data(), static_cast<uint32_t>(frame.size()), head.wire_length, &meta->parsed) !=
      abi::DropReason::kNone)
    meta->parsed.kind = PacketKind::kNonIp;
  meta->timestamp_ns = head.timestamp_ns;
  meta->arrival = head.arrival;
  meta->wire_length = head.wire_length;
  meta->flow = kNoFlow;
  meta->in_port = head.in_port;
  meta->out_port = head.out_port;
  meta->emitted = head.emitted;
  meta->emit_order = head.emit_order;
  meta->poll_index = kNoPollIndex;
  meta->trace = head.is_traced;
  meta->record = head.record;
  return true;
}

}  // namespace nf
