// What a live port says of the packets that it takes.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "base/clock.h"
#include "packet/packet_meta.h"

namespace nf {

// They have come now. `arrivals` counts them.
inline void StampArrivals(rte_mbuf** packets, uint32_t count, uint8_t in_port, uint64_t* arrivals) {
  const uint64_t now_ns = ClockNs();
  for (uint32_t i = 0; i < count; ++i) {
    PacketMeta* meta = MetaOf(packets[i]);
    meta->timestamp_ns = now_ns;
    meta->wire_length = rte_pktmbuf_pkt_len(packets[i]);
    meta->in_port = in_port;
    meta->arrival = (*arrivals)++;
  }
}

}  // namespace nf
