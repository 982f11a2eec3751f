#include "runtime/packet_path.h"

#include "packet/packet_meta.h"
#include "packet/parse.h"
#include "packet/protocols.h"
#include "runtime/burst.h"
#include "runtime/trace_choice.h"

namespace nf {
namespace {

using abi::DropReason;

}  // namespace

PacketPath::PacketPath(const Surroundings& surroundings)
    : chain_(*surroundings.chain),
      flows_(*surroundings.flows),
      joiner_(chain_, flows_),
      fragments_(*surroundings.fragments),
      output_(*surroundings.output),
      counters_(*surroundings.counters),
      non_ip_(surroundings.non_ip) {}

void PacketPath::Process(rte_mbuf** packets, uint32_t count, uint64_t now_ns) {
  now_ns_ = now_ns;
  const FlowTable& table = flows_.table();
  // Three loops before the packets are taken in order, so that memory is waited for in parallel.
  ParsedBurst burst;
  ParseBurst(packets, count, table, &burst);
  for (uint32_t i = 0; i < count; ++i) {
    if (burst.hashes[i] == 0) continue;
    const uint32_t flow = table.Candidate(burst.hashes[i]);
    if (flow == kNoFlow) continue;
    flows_.Prefetch(flow);
  }
  if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]] {
    ChooseForTrace(*tap, packets, count, burst, table,
                   [this](uint32_t flow) -> const FlowKey& { return flows_.actor(flow).key; });
  }
  counters_.received.Add(count);
  counters_.received_bytes.Add(burst.bytes);
  for (uint32_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = packets[i];
    PacketMeta* meta = MetaOf(mbuf);
    if (burst.reasons[i] != DropReason::kNone) [[unlikely]] {
      counters_.Drop(mbuf, burst.reasons[i]);
    } else if (HasFlowKey(meta->parsed.kind)) [[likely]] {
      ProcessFlowPacket(mbuf, meta, burst.hashes[i]);
    } else if (meta->parsed.kind == PacketKind::kLaterFragment) {
      ProcessLaterFragment(mbuf, meta);
    } else {
      ProcessNonIp(mbuf, meta);
    }
  }
}

// The flow that the packet is to join, once the calls that must run before it have run; its flow may be gone then, or
// its key another flow's.
FlowMatch PacketPath::FindFlow(const ParsedPacket& parsed, uint64_t hash) {
  for (;;) {
    const FlowMatch match = flows_.table().Find(parsed.key, hash);
    if (joiner_.MakeWay(match.flow, match.found() ? match.direction : 0)) continue;
    // When it is opened again, the flow ends with what it has in hand, and this packet begins a new one.
    if (!match.found() || !joiner_.Reopens(match.flow, parsed)) [[likely]]
      return match;
  }
}

void PacketPath::ProcessFlowPacket(rte_mbuf* mbuf, PacketMeta* meta, uint64_t hash) {
  const ParsedPacket& parsed = meta->parsed;
  FlowMatch match = FindFlow(parsed, hash);
  if (match.found() && flows_.actor(match.flow).phase == FlowPhase::kRefused) [[unlikely]] {
    counters_.Drop(mbuf, DropReason::kFlowRefused);
    return;
  }
  if (!match.found()) [[unlikely]] {
    if (parsed.kind == PacketKind::kIcmpError) {
      counters_.Drop(mbuf, DropReason::kIcmpErrorNoFlow);
      return;
    }
    match = {.flow = flows_.Open(parsed.key, hash, meta->in_port, now_ns_), .direction = 0};
    if (!match.found()) {
      counters_.Drop(mbuf, DropReason::kFlowTableFull);
      return;
    }
  }
  joiner_.Join(mbuf, meta, match.flow, match.direction, now_ns_);
  if ((parsed.flags & abi::kPacketFlagFragment) != 0) [[unlikely]]
    ReleaseFragments(*meta, match.flow);
}

void PacketPath::ReleaseFragments(const PacketMeta& first, uint32_t flow) {
  const FragmentFlow of{.flow_number = flows_.actor(flow).number, .flow = flow, .direction = first.direction};
  const uint32_t count = fragments_.First(first.parsed, of, now_ns_, released_.data());
  for (uint32_t i = 0; i < count; ++i) {
    PacketMeta* meta = MetaOf(released_[i]);
    meta->poll_index = kNoPollIndex;
    AddFragment(released_[i], meta, of);
  }
}

void PacketPath::ProcessLaterFragment(rte_mbuf* mbuf, PacketMeta* meta) {
  FragmentFlow flow;
  switch (fragments_.Later(meta->parsed, mbuf, now_ns_, &flow)) {
    case FragmentOutcome::kFlow:
      AddFragment(mbuf, meta, flow);
      return;
    case FragmentOutcome::kHeld:
      return;
    case FragmentOutcome::kOverflow:
      counters_.Drop(mbuf, DropReason::kFragmentOverflow);
      return;
  }
}

void PacketPath::AddFragment(rte_mbuf* mbuf, PacketMeta* meta, const FragmentFlow& of) {
  const FlowActor& actor = flows_.actor(of.flow);
  do {
    if (actor.number != of.flow_number || actor.phase == FlowPhase::kRefused) {
      counters_.Drop(mbuf, DropReason::kFragmentNoFlow);
      return;
    }
  } while (joiner_.MakeWay(of.flow, of.direction));
  joiner_.Join(mbuf, meta, of.flow, of.direction, now_ns_);
}

void PacketPath::ProcessNonIp(rte_mbuf* mbuf, PacketMeta* meta) {
  if (non_ip_ == NonIpPolicy::kDrop) {
    counters_.Drop(mbuf, DropReason::kNonIp);
    return;
  }
  meta->out_port = meta->in_port ^ 1;
  output_.Put(mbuf);
}

}  // namespace nf
