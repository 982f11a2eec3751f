// What became of a runtime's packets. The lcore writes, anybody reads. received + emitted = sent + dropped + held,
// always between polls.
#pragma once

#include <rte_mbuf.h>

#include "base/counter.h"
#include "nf_abi.h"
#include "packet/packet_meta.h"
#include "trace/tap.h"

namespace nf {

struct PacketCounters {
  Counter received, received_bytes;
  Counter sent, sent_bytes;
  Counter emitted;
  Counter held;  // A level, not a count.
  Counter dropped[abi::kDropReasonCount];

  void CountDrop(abi::DropReason reason) { dropped[static_cast<size_t>(reason)].Add(); }
  // Ends the packet's life.
  void Drop(rte_mbuf* mbuf, abi::DropReason reason) {
    if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
      tap->Dropped(mbuf, reason);
    CountDrop(reason);
    rte_pktmbuf_free(mbuf);
  }
};

}  // namespace nf
