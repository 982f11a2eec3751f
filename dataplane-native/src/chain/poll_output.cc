#include "chain/poll_output.h"

#include <algorithm>

namespace nf {

PollOutput::PollOutput(Port* client, Port* server, PacketCounters* counters)
    : queues_(client, server, counters), extras_(new Extra[kExtrasMax + abi::kBurstPackets]) {}

void PollOutput::PutExtra(rte_mbuf* mbuf) {
  if (extras_count_ == kExtrasMax) Flush();  // Out of all proportion: order within the poll is then given up.
  extras_[extras_count_] = {.arrival = MetaOf(mbuf)->arrival, .order = extras_count_ + 1, .mbuf = mbuf};
  ++extras_count_;
}

void PollOutput::Flush() {
  if (extras_count_ != 0) [[unlikely]] {
    FlushSorted();
  } else {
    for (rte_mbuf*& mbuf : places_) {
      if (mbuf == nullptr) continue;
      queues_.Put(mbuf);
      mbuf = nullptr;
    }
  }
  queues_.Flush();
}

void PollOutput::FlushSorted() {
  uint32_t count = extras_count_;
  for (rte_mbuf*& mbuf : places_) {
    if (mbuf == nullptr) continue;
    extras_[count++] = {.arrival = MetaOf(mbuf)->arrival, .order = 0, .mbuf = mbuf};
    mbuf = nullptr;
  }
  // Emitted frames have the arrival number of their cause and come behind it; whatever else is extra has its own.
  std::sort(extras_.get(), extras_.get() + count, [](const Extra& a, const Extra& b) {
    return a.arrival != b.arrival ? a.arrival < b.arrival : a.order < b.order;
  });
  uint64_t arrival = 0;
  uint32_t rank = 0;
  for (uint32_t i = 0; i < count; ++i) {
    PacketMeta* meta = MetaOf(extras_[i].mbuf);
    if (i == 0 || meta->arrival != arrival) rank = 0;
    arrival = meta->arrival;
    if (meta->emitted) meta->emit_order = static_cast<uint8_t>(std::min(++rank, 255u));
    queues_.Put(extras_[i].mbuf);
  }
  extras_count_ = 0;
}

}  // namespace nf
