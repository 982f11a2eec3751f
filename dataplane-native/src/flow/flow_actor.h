// One flow: 128 bytes, two cache lines. The first is what identifies it and never changes while it lives, the second is
// what its packets change. The index of an actor is the index of the flow's slot in every state store of the chain.
// What a flow seldom needs lies in side arrays of Flows. Belongs to one lcore.
#pragma once

#include <cstdint>

#include "flow/flow_phase.h"
#include "nf_abi.h"
#include "packet/flow_key.h"

namespace nf {

// What is known about the tuple with which the flow's packets of direction 0 leave (docs/packet_path.md, section 7).
enum class OutTuple : uint8_t {
  kUnknown,
  kSameAsKey,
  kReversedKey,     // The ends have changed places.
  kReverseOfAlias,  // The responder answers the flow table's alias.
};

struct alignas(128) FlowActor {
  FlowKey key;  // As the initiator sends. First: the flow table reads it here.
  uint64_t start_ns;
  uint64_t seed;

  uint64_t last_seen_ns;
  uint64_t packets[2];  // By direction.
  uint64_t bytes[2];
  uint64_t number;    // Of the flow, from 1; 0: the actor is free.
  uint32_t idle_ms;   // What an NF asked for; 0: by protocol and phase.
  uint16_t opened;    // Bit k: NF k of the chain has seen the flow.
  uint16_t bypassed;  // Bit k: its packets pass by NF k after a fault.
  uint16_t timers;    // Bit k: NF k's timer is armed.
  FlowPhase phase;
  uint8_t side;      // Port its first packet came in on.
  uint8_t fin_seen;  // Bit d: FIN in direction d.
  uint8_t pending;   // Bit d: the pending call of direction d holds packets of it.
  OutTuple out_tuple : 6;
  bool flipped : 1;  // Under a vswitch: its initiator is the responder of the vswitch's entry.
  bool taught : 1;   // Under a vswitch: an output has told it how the responder answers.
  uint8_t closing;   // CloseReason that waits for the end of the call; 0: none.

  uint32_t sequence() const { return static_cast<uint32_t>(packets[0] + packets[1]); }

  // The flow as NFs are shown it.
  void WriteRecord(abi::FlowRecord* out) const {
    std::memcpy(out, this, sizeof *out);  // Key, start and seed lie as they do in the record, but for two bytes.
    out->side = side;
    out->vlan_count = key.vlan_count;
  }
};
static_assert(sizeof(FlowActor) == 128 && offsetof(FlowActor, last_seen_ns) == 64);
static_assert(offsetof(FlowKey, protocol) == offsetof(abi::FlowRecord, protocol) &&
              offsetof(FlowKey, ip_version) == offsetof(abi::FlowRecord, ip_version) &&
              offsetof(FlowKey, source_port) == offsetof(abi::FlowRecord, initiator_port) &&
              offsetof(FlowKey, vlan_outer) == offsetof(abi::FlowRecord, vlan_outer) &&
              offsetof(FlowKey, vlan_inner) == offsetof(abi::FlowRecord, vlan_inner) &&
              offsetof(FlowActor, start_ns) == offsetof(abi::FlowRecord, start_ns) &&
              offsetof(FlowActor, seed) == offsetof(abi::FlowRecord, seed));

// Seeds of the flows' random numbers.
inline uint64_t SplitMix64(uint64_t x) {
  uint64_t z = x + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace nf
