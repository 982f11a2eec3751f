// Packets on their way to the two ports of a worker, gathered into bursts. Used by one lcore.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "chain/packet_counters.h"
#include "packet/packet_meta.h"
#include "port/port.h"

namespace nf {

class PortQueues {
 public:
  // `ports` by number; both may be one and the same (a capture file). `claimed`, if it is to be known what a death
  // leaves open: above `sent` by what is being handed to a port just now.
  PortQueues(Port* client, Port* server, PacketCounters* counters, Counter* claimed = nullptr)
      : counters_(*counters), claimed_(claimed), queue_of_{0, static_cast<uint8_t>(client == server ? 0 : 1)} {
    queues_[0].port = client;
    queues_[1].port = server;
  }

  // Through the port that its meta's out_port says.
  void Put(rte_mbuf* mbuf) {
    Queue& queue = queues_[queue_of_[MetaOf(mbuf)->out_port & 1]];
    queue.packets[queue.count++] = mbuf;
    if (queue.count == queue.packets.size()) Transmit(queue);
  }
  // Gives everything to the ports. What they do not take drops as port_full.
  void Flush() {
    for (Queue& queue : queues_) {
      if (queue.count != 0) Transmit(queue);
    }
  }

 private:
  struct Queue {
    Port* port;
    uint32_t count = 0;
    std::array<rte_mbuf*, 64> packets;
  };
  void Transmit(Queue& queue);

  PacketCounters& counters_;
  Counter* claimed_;
  Queue queues_[2];
  uint8_t queue_of_[2];
};

}  // namespace nf
