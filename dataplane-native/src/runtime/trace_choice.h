// Which packets of a burst are traced, where they come in: before anything else becomes of them, and only while
// somebody traces. One lcore.
#pragma once

#include "runtime/burst.h"
#include "trace/tap.h"

namespace nf {

// A packet is traced when it, or its flow as its initiator sends, is what the filter wants: so an answer to an address
// that an NF has given is found by the address of whom it is for. `key_of(flow)` is that key.
template <typename KeyOf>
void ChooseForTrace(TraceTap& tap, rte_mbuf** packets, uint32_t count, const ParsedBurst& burst, const FlowTable& table,
                    KeyOf&& key_of) {
  if (!tap.chooses() || !tap.HasBudget(MonotonicNs())) return;
  for (uint32_t i = 0; i < count; ++i) {
    const ParsedPacket& parsed = MetaOf(packets[i])->parsed;
    bool matches = tap.MatchesEverything(), is_new = false;
    if (burst.hashes[i] != 0) {
      const FlowMatch match = table.Find(parsed.key, burst.hashes[i]);
      is_new = !match.found();
      matches = matches || tap.Matches(parsed.key) || (match.found() && tap.Matches(key_of(match.flow)));
    } else if (burst.reasons[i] == abi::DropReason::kNone && parsed.kind == PacketKind::kLaterFragment) {
      matches = matches || tap.Matches(parsed.key);
    }
    if (matches && tap.HasBudget(0)) tap.Choose(packets[i], is_new);
  }
}

}  // namespace nf
