// Parses a frame once, every length checked: docs/packet_path.md, sections 2 and 3, to the letter. Pure; any thread.
#pragma once

#include <cstdint>

#include "nf_abi.h"
#include "packet/flow_key.h"

namespace nf {

enum class PacketKind : uint8_t {
  kFlow,           // Belongs to the flow of `key`, which it may open.
  kLaterFragment,  // Belongs to the flow of its first fragment.
  kIcmpError,      // Belongs to the flow of `key` (the inner tuple, reversed: as if the receiver of the error's inner
                   // packet had sent it).
  kNonIp,          // Not IP, or link control: the non-IP policy decides.
};

struct ParsedPacket {
  FlowKey key;  // As this packet shows it: source is the sender. For kIcmpError the reversed inner tuple with the own
                // frame's VLANs.
  uint16_t l3_offset;
  uint16_t l4_offset;
  uint16_t payload_offset;
  uint16_t datagram_end;  // Frame offset where the IP datagram ends; what follows is link padding. At most wire_length.
  uint16_t flags;         // packet_flag bits but FIRST.
  PacketKind kind;
  uint8_t l4_protocol;        // As in the descriptor: for ICMP errors ICMP's own.
  uint8_t tcp_flags;          // 0 when there is no TCP header (ICMP errors, later fragments).
  uint8_t fragment_protocol;  // Part of the fragment entry's key (section 5).
  uint32_t fragment_identification;
  bool more_fragments;
  uint16_t fragment_offset_8;  // In units of 8 bytes.
};

// `captured` bytes at `frame` of `wire_length` on the wire. kNone and a filled `out`, or why the packet drops (`out` is
// then undefined). Never reads beyond `captured`.
abi::DropReason ParsePacket(const uint8_t* frame, uint32_t captured, uint32_t wire_length, ParsedPacket* out);

// The tuple that a frame shows now, whose headers lie where `parsed` says (an NF may have edited addresses and ports
// since): the out tuple of section 7. Of a later fragment only the addresses are new. Not for ICMP errors and non-IP.
FlowKey ReadTuple(const uint8_t* frame, const ParsedPacket& parsed);

}  // namespace nf
