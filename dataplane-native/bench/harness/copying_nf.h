// A native NF that is shown its packets as a sandboxed one is: headers (and payloads) copied into areas, descriptors
// and flow records filled, edited headers copied back. What it costs more than the NF in it is what the copies cost.
#pragma once

#include <cstring>

#include "chain/burst_area.h"
#include "chain/native_nf.h"
#include "chain/nf_spec.h"
#include "chain/packet_entry.h"
#include "flow/flow_actor.h"
#include "harness/must.h"

namespace nf {

class CopyingNf : public NativeNf {
 public:
  // `is_shown`: the NF before it in the chain was shown the same bytes in the same area, so they are not copied again.
  CopyingNf(NativeNf* inner, const NfRights& rights, bool is_shown)
      : inner_(*inner),
        rights_{.edit_header = rights.edit != Edit::kNone, .view_payload = rights.view == View::kPayload},
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
    const PacketEntry entry = {.index = i,
                               .meta = &meta,
                               .actor = reinterpret_cast<const FlowActor*>(packet.flow),  // Its first member.
                               .direction = direction,
                               .flags = parsed.flags,
                               .payload_length = payload,
                               .state = meta.flow,
                               .lease = packet.lease,
                               .now_ns = meta.timestamp_ns};
    entry.Write(rights_, descriptors_, records_);
  }

  NativeNf& inner_;
  ChainNf::Rights rights_;
  bool copies_headers_, copies_payloads_;
  HeaderArea headers_;
  PayloadArea payloads_;
  abi::Descriptor descriptors_[abi::kBurstPackets] = {};
  abi::FlowRecord records_[abi::kBurstPackets];
  abi::Result call_results_[abi::kBurstPackets];
  uint8_t back_[64];
};

}  // namespace nf
