// The packets of a benchmark, computed one by one: what they say follows from a flow's number, its direction and how
// many went before, so that a million flows need no memory here and two runs see the same packets.
//
// Frames have 60 bytes unless said, 64 on the wire with the checksum that a card adds. TCP connections have whole
// handshakes with window scaling; each side then sends one HTTP message with a body that does not end in the time of a
// benchmark, six bytes a packet, and acknowledges what the other sent. Checksums of IPv4 and L4 are right.
//
// Flow n's client has the address 10.0.0.1 + n / 8, its server one of 198.18.0.0/16, or of 198.19.0.0/16 if the flow is
// to be blocked (configs.h).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>

#include "harness/maglev.h"

namespace nf {

struct Traffic {
  enum class Order : uint8_t {
    kRandom,      // Each round visits every flow once, every round in another order.
    kRoundRobin,  // By number: neighbours in memory.
  };
  uint32_t flows = 1024;  // A power of 2.
  Order order = Order::kRandom;
  uint64_t seed = 1;
  uint8_t protocol = 6;       // Or 17.
  bool replies = true;        // Every second packet of a flow comes from the server; else none does.
  uint32_t in_a_row = 1;      // So many packets of a flow follow each other; a power of 2.
  uint32_t frame_bytes = 60;  // Without the card's checksum, of TCP packets with a body; at most 1500.
  // The server answers the outside address and port that nat44 gives (with Nat44Config, flows opened in their order).
  bool translated = false;
  // Clients use the services of BalancedServices(), and the backend that load_balancer chooses answers.
  bool balanced = false;
  uint32_t blocked_every = 0;  // Every so many flows go where the firewall's rules drop; 0: none.
  uint32_t odd_every = 0;      // Every so many packets are wrong: out of the window, without flags, no UDP checksum.
};

class TrafficSource {
 public:
  explicit TrafficSource(const Traffic& traffic);

  const Traffic& traffic() const { return traffic_; }
  // Packets that open all flows: handshake and first messages, or a datagram of each side that sends. Every flow makes
  // one step, in order of their numbers, then every flow the next.
  uint64_t opening_packets() const { return uint64_t{traffic_.flows} * opening_steps_; }

  // The next packet into an empty mbuf; its side, 0 client, 1 server. First those that open the flows.
  uint8_t Next(rte_mbuf* mbuf);
  // With protocol 17: a datagram of any flow and side into an empty mbuf, whatever went before.
  static constexpr uint32_t kDatagramOffset = 42, kDatagramBytes = 18;  // What it carries.
  void WriteDatagram(uint32_t flow, uint8_t side, rte_mbuf* mbuf) const;

 private:
  struct Packet {
    uint32_t flow;
    uint8_t side;
    uint8_t tcp_flags;
    uint32_t seq, ack;
    bool scales;  // Carries the window scale option.
    bool odd;
    const char* payload;
    uint32_t payload_bytes;
  };
  Packet Opening(uint64_t number) const;
  Packet Steady(uint64_t number) const;
  uint32_t FlowOf(uint64_t round, uint32_t place) const;
  void Write(const Packet& packet, rte_mbuf* mbuf) const;

  Traffic traffic_;
  std::unique_ptr<MaglevTable> backends_;  // With balanced.
  uint32_t opening_steps_;
  uint32_t flow_bits_;
  uint64_t next_ = 0;
};

}  // namespace nf
