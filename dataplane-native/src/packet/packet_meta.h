// What the dataplane knows about a packet besides its bytes. Lies in the private area of the packet's mbuf, so every
// pool of packets is made by CreatePacketPool.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "base/result.h"
#include "packet/parse.h"

namespace nf {

inline constexpr uint32_t kNoFlow = UINT32_MAX;
inline constexpr uint8_t kNoPollIndex = UINT8_MAX;

// What the record of a capture said about its packet in its own units, so that a record that nobody changed can be
// written back bit for bit. Emitted frames have their cause's; live packets have none.
struct RecordOrigin {
  uint32_t time_high, time_low;  // Classic: seconds and fraction. pcapng: the count of units.
  uint32_t interface_number;     // pcapng: in its section.
  uint32_t blocks_before;        // pcapng: section and interface blocks of the file before the record.
  uint32_t excess;               // By how much the captured length exceeds the original one, which should not be.
};

struct alignas(64) PacketMeta {
  ParsedPacket parsed;
  uint64_t timestamp_ns;  // Of the capture; live, the time of the poll.
  uint64_t arrival;       // Number of the packet at its input, from 0; emitted frames carry that of their cause.
  uint32_t wire_length;   // Bytes on the wire, of which the mbuf holds the captured ones.
  uint32_t flow;          // Index of the flow's actor, or kNoFlow.
  uint32_t sequence;      // Packets of the flow before this one.
  uint8_t in_port;        // 0 client, 1 server.
  uint8_t out_port;
  uint8_t direction;
  uint8_t emitted;  // 1 when an NF made this frame; then order behind its cause is `emit_order`.
  uint8_t emit_order;
  uint8_t poll_index;  // Place in the poll that took it, below 32; kNoPollIndex for those that come in otherwise.
  uint16_t trace;      // Its number in this member, when it is traced (trace/tap.h); else 0.
  RecordOrigin record;
};
static_assert(sizeof(PacketMeta) == 128);

inline PacketMeta* MetaOf(rte_mbuf* mbuf) { return static_cast<PacketMeta*>(rte_mbuf_to_priv(mbuf)); }
inline const PacketMeta* MetaOf(const rte_mbuf* mbuf) { return reinterpret_cast<const PacketMeta*>(mbuf + 1); }

// A pool of mbufs that hold one frame of up to frame_bytes_max in one segment, with a PacketMeta each. EAL must be up.
Expected<rte_mempool*> CreatePacketPool(const char* name, uint32_t packets);

}  // namespace nf
