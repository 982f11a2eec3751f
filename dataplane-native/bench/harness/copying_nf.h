// A native NF that is shown its packets as a sandboxed one is: headers (and payloads) copied into areas, descriptors
// and flow records filled, edited headers copied back. What it costs more than the NF in it is what the copies cost.
#pragma once

#include <cstring>

#include "chain/burst_area.h"
#include "chain/native_nf.h"
#include "chain/nf_spec.h"
#include "flow/flow_actor.h"
#include "harness/must.h"

namespace nf {

class CopyingNf : public NativeNf {
 public:
  // `is_shown`: the NF before it in the chain was shown the same bytes in the same area, so they are not copied again.
  CopyingNf(NativeNf* inner, const NfRights& rights, bool is_shown)
      : inner_(*inner),
        copies_headers_(rights.edit != Edit::kNone || !is_shown),
        copies_payloads_(rights.view == View::kPayload),
        headers_(Must(HeaderArea::Create())),
        payloads_(Must(PayloadArea::Create())) {}

  void Process(const NativePacket* packets, uint32_t count, uint8_t direction, uint64_t now_ns,
               abi::Result* results) override {
    for (uint32_t i = 0; i < count; ++i) Show(i, packets[i], direction);
    std::memset(call_results_, 0, count * sizeof(abi::Result));
    asm volatile("" : : : "memory");  // Nobody reads what was shown; it is written all the same.
    inner_.Process(packets, count, direction, now_ns, results);
    for (uint32_t i = 0; i < count; ++i) {
      if ((results[i].flags & abi::kResultFlagModifiedHeader) != 0) std::memcpy(back_, headers_.at(i), sizeof back_);
    }
    asm volatile("" : : : "memory");
  }

 private:
  void Show(uint32_t i, const NativePacket& packet, uint8_t direction) {
    const PacketMeta& meta = *packet.meta;
    const ParsedPacket& parsed = meta.parsed;
    if (copies_headers_) headers_.Fill(i, packet.frame, parsed.payload_offset);
    const uint32_t payload = parsed.datagram_end - parsed.payload_offset;
    if (copies_payloads_) payloads_.Fill(i, packet.frame + parsed.payload_offset, payload);
    reinterpret_cast<const FlowActor*>(packet.flow)->WriteRecord(&records_[i]);
    abi::Descriptor& d = descriptors_[i];
    d.header = i * abi::kHeaderStride;
    d.payload = i * abi::kPayloadStride;
    d.header_length = d.header_room = parsed.payload_offset;
    d.payload_length = d.payload_room = static_cast<uint16_t>(payload);
    d.wire_length = meta.wire_length;
    d.l3_offset = parsed.l3_offset;
    d.l4_offset = parsed.l4_offset;
    d.l4_protocol = parsed.l4_protocol;
    d.direction = direction;
    d.flags = parsed.flags;
    d.state = meta.flow;
    d.flow = i;
    d.flow_id = meta.flow;
    d.sequence = meta.sequence;
    d.lease = packet.lease;
  }

  NativeNf& inner_;
  bool copies_headers_, copies_payloads_;
  HeaderArea headers_;
  PayloadArea payloads_;
  abi::Descriptor descriptors_[abi::kBurstPackets] = {};
  abi::FlowRecord records_[abi::kBurstPackets];
  abi::Result call_results_[abi::kBurstPackets];
  uint8_t back_[64];
};

}  // namespace nf
