// What leaves in one poll, put in order: that of arrival, each packet followed by what it made NFs emit
// (docs/packet_path.md, section 7). Packets of the poll have a place each, so that the usual case sorts nothing. Used
// by one lcore.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <memory>

#include "chain/packet_counters.h"
#include "chain/port_queues.h"
#include "packet/packet_meta.h"

namespace nf {

class PollOutput {
 public:
  // `ports` by number; both may be one and the same (a capture file).
  PollOutput(Port* client, Port* server, PacketCounters* counters);

  // The packet leaves through its meta's out_port.
  void Put(rte_mbuf* mbuf) {
    const PacketMeta* meta = MetaOf(mbuf);
    if (meta->poll_index < places_.size()) [[likely]] {
      places_[meta->poll_index] = mbuf;
    } else {
      PutExtra(mbuf);
    }
  }

  // Gives everything to the ports. What they do not take drops as port_full.
  void Flush();

 private:
  static constexpr uint32_t kExtrasMax = 2048;
  struct Extra {
    uint64_t arrival;
    uint32_t order;  // As it was put; behind the packet of the same arrival when it was emitted.
    rte_mbuf* mbuf;
  };

  void PutExtra(rte_mbuf* mbuf);
  void FlushSorted();

  PortQueues queues_;
  std::array<rte_mbuf*, abi::kBurstPackets> places_{};
  std::unique_ptr<Extra[]> extras_;
  uint32_t extras_count_ = 0;
};

}  // namespace nf
