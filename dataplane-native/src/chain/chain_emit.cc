// Frames that NFs make: records read once, checked, copied out of the emit area into mbufs of their own.
#include <cstring>

#include "chain/chain.h"

namespace nf {
namespace {

bool IsSound(const abi::EmitRecord& record) {
  if (record.frame < abi::kEmitAreaAddress) return false;
  const uint32_t offset = record.frame - abi::kEmitAreaAddress;
  if (offset % abi::kEmitStride != 0 || offset / abi::kEmitStride >= abi::kEmitsPerBurstMax) return false;
  if (record.length < 14 || record.length > abi::kFrameBytesMax || record.direction > 1) return false;
  for (uint8_t byte : record.reserved_8) {
    if (byte != 0) return false;
  }
  return true;
}

}  // namespace

void Chain::ReadEmits(ChainNf& nf, const Call& call, uint32_t taken, PacketRole role) {
  std::array<uint8_t, abi::kBurstPackets> of_packet{};
  emit_records_count_ = 0;
  for (uint32_t i = 0; i < abi::kEmitsPerBurstMax; ++i) {
    abi::EmitRecord& record = emit_records_[emit_records_count_];
    std::memcpy(&record, const_cast<const abi::EmitRecord*>(&nf.active()->emit_records()[i]), sizeof record);
    asm volatile("" : "+m"(record));  // The copy is what is judged; the guest's is not looked at again.
    if (record.length == 0) continue;
    if (record.packet >= call.count) {
      emit_breach_ |= 1u << (call.count - 1);
      continue;
    }
    if (record.packet >= taken) continue;  // Behind a trap: not taken.
    if (!IsSound(record) || ++of_packet[record.packet] > nf.rights().emits || role != PacketRole::kPacket) {
      emit_breach_ |= 1u << record.packet;
      continue;
    }
    ++emit_records_count_;
  }
}

void Chain::TakeEmits(ChainNf& nf, const Walk& walk, uint32_t index, rte_mbuf* cause) {
  for (uint32_t i = 0; i < emit_records_count_; ++i) {
    const abi::EmitRecord& record = emit_records_[i];
    if (record.packet != index) continue;
    counters_->emitted.Add();
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) {
      counters_->CountDrop(abi::DropReason::kNoMbuf);
      continue;
    }
    uint8_t* frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
    std::memcpy(frame, nf.active()->emit_area() + (record.frame - abi::kEmitAreaAddress), record.length);
    mbuf->data_len = record.length;
    mbuf->pkt_len = record.length;
    const PacketMeta& of_cause = *MetaOf(cause);
    PacketMeta& meta = *MetaOf(mbuf);
    meta.trace = 0;
    if (ParsePacket(frame, record.length, record.length, &meta.parsed) != abi::DropReason::kNone ||
        meta.parsed.kind == PacketKind::kNonIp) {
      counters_->Drop(mbuf, abi::DropReason::kEmitInvalid);
      continue;
    }
    meta.timestamp_ns = of_cause.timestamp_ns;
    meta.arrival = of_cause.arrival;
    meta.record = of_cause.record;
    meta.wire_length = record.length;
    meta.flow = of_cause.flow;
    meta.sequence = of_cause.sequence;
    meta.in_port = of_cause.in_port;
    meta.out_port = record.direction == walk.direction ? of_cause.in_port ^ 1 : of_cause.in_port;
    meta.direction = record.direction;
    meta.emitted = 1;
    meta.emit_order = 0;
    meta.poll_index = kNoPollIndex;
    if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
      tap->Emitted(mbuf, of_cause, static_cast<uint8_t>(nf.index()));
    emitted_[emitted_count_++] = {.mbuf = mbuf, .nf = static_cast<uint8_t>(nf.index()), .direction = record.direction};
  }
}

}  // namespace nf
