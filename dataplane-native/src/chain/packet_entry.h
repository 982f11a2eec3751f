// What an NF is told of a packet besides its bytes: the record of its flow and its descriptor, in the call area.
// Written by the lcore for each packet of each call.
#pragma once

#include <algorithm>

#include "chain/chain_nf.h"
#include "flow/flow_actor.h"
#include "packet/packet_meta.h"

namespace nf {

struct PacketEntry {
  uint32_t index;  // Of the packet in the call.
  const PacketMeta* meta;
  const FlowActor* actor;
  uint8_t direction;
  uint16_t flags;  // packet_flag bits.
  uint32_t payload_length;
  uint32_t state;  // Guest address of the slot.
  uint32_t lease;
  uint64_t now_ns;  // Of the poll.

  void Write(const ChainNf::Rights& rights, abi::Descriptor* descriptors, abi::FlowRecord* records) const {
    actor->WriteRecord(&records[index]);
    const ParsedPacket& parsed = meta->parsed;
    // Field by field where it lies: a copy made elsewhere first would be read back before its stores have retired.
    abi::Descriptor& to = descriptors[index];
    to.header = abi::kHeaderAreaAddress + index * abi::kHeaderStride;
    to.payload = rights.view_payload ? abi::kPayloadAreaAddress + index * abi::kPayloadStride : 0;
    to.header_length = parsed.payload_offset;
    to.payload_length = static_cast<uint16_t>(payload_length);
    to.wire_length = meta->wire_length;
    to.l3_offset = parsed.l3_offset;
    to.l4_offset = parsed.l4_offset;
    to.l4_protocol = parsed.l4_protocol;
    to.direction = direction;
    to.flags = flags;
    to.state = state;
    to.flow = abi::kFlowRecordsAddress + index * abi::kFlowRecordBytes;
    to.flow_id = actor->number;
    to.sequence = meta->sequence;
    to.lease = lease;
    to.header_room = rights.reshape ? static_cast<uint16_t>(abi::kHeaderStride) : parsed.payload_offset;
    to.payload_room =
        static_cast<uint16_t>(rights.reshape && rights.edit_payload ? abi::kFrameBytesMax : payload_length);
    const uint64_t after = meta->timestamp_ns > now_ns ? meta->timestamp_ns - now_ns : 0;
    to.after_now_ns = static_cast<uint32_t>(std::min<uint64_t>(after, abi::kPollGapNs));
    std::memset(to.reserved_56, 0, sizeof to.reserved_56);
  }
};

}  // namespace nf
