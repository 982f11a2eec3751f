// How a packet joins the call in which its flow's NFs see it, and what it changes in its flow (docs/packet_path.md,
// section 4). Used by one lcore.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "chain/chain.h"
#include "flow/flows.h"
#include "packet/packet_meta.h"

namespace nf {

inline constexpr uint8_t kTcpFin = 0x01, kTcpSyn = 0x02, kTcpRst = 0x04, kTcpAck = 0x10;

class FlowJoiner {
 public:
  FlowJoiner(Chain& chain, Flows& flows) : chain_(chain), flows_(flows) {}

  // True when a call had to run before a packet of this flow (or kNoFlow) and direction can join: then the flow may be
  // gone.
  bool MakeWay(uint32_t flow, uint32_t direction) {
    const uint32_t other = direction ^ 1;
    if (flow != kNoFlow && (flows_.actor(flow).pending >> other & 1) != 0) {
      chain_.Run(other);
      return true;
    }
    if (chain_.is_full(direction)) [[unlikely]] {
      chain_.Run(direction);
      return true;
    }
    return false;
  }

  // Whether the packet opens a connection anew whose flow is about to end. Then the flow is ended, or a call has run
  // that it waits for.
  bool Reopens(uint32_t flow, const ParsedPacket& parsed) {
    const FlowActor& actor = flows_.actor(flow);
    if (actor.phase != FlowPhase::kClosing || (parsed.tcp_flags & (kTcpSyn | kTcpAck)) != kTcpSyn) [[likely]]
      return false;
    if (actor.pending != 0) {
      RunPendingOf(actor);
    } else {
      chain_.Close(flow, abi::CloseReason::kFinished);
    }
    return true;
  }

  void Join(rte_mbuf* mbuf, PacketMeta* meta, uint32_t flow, uint32_t direction, uint64_t now_ns);

 private:
  void RunPendingOf(const FlowActor& actor) { chain_.Run((actor.pending & 1) != 0 ? 0 : 1); }
  void MovePhase(FlowActor& actor, uint32_t flow, uint8_t tcp_flags, uint32_t direction);

  Chain& chain_;
  Flows& flows_;
};

inline void FlowJoiner::Join(rte_mbuf* mbuf, PacketMeta* meta, uint32_t flow, uint32_t direction, uint64_t now_ns) {
  FlowActor& actor = flows_.actor(flow);
  meta->flow = flow;
  meta->direction = static_cast<uint8_t>(direction);
  meta->sequence = actor.sequence();
  ++actor.packets[direction];
  actor.bytes[direction] += meta->wire_length;
  actor.last_seen_ns = now_ns;
  if (actor.phase != FlowPhase::kNone && meta->parsed.kind == PacketKind::kFlow) {
    MovePhase(actor, flow, meta->parsed.tcp_flags, direction);
  }
  chain_.Add(mbuf);
}

inline void FlowJoiner::MovePhase(FlowActor& actor, uint32_t flow, uint8_t tcp_flags, uint32_t direction) {
  if (actor.phase == FlowPhase::kOpen && (tcp_flags & (kTcpFin | kTcpRst)) == 0) [[likely]]
    return;
  const FlowPhase before = actor.phase;
  if ((tcp_flags & kTcpFin) != 0) actor.fin_seen |= static_cast<uint8_t>(1u << direction);
  if (actor.phase == FlowPhase::kOpening && direction == 1 && (tcp_flags & kTcpRst) == 0) {
    actor.phase = FlowPhase::kOpen;
  }
  if ((tcp_flags & kTcpRst) != 0 || actor.fin_seen == 3) actor.phase = FlowPhase::kClosing;
  if (actor.phase != before) flows_.Rearm(flow);
}

}  // namespace nf
