// Packets of a capture, poll by poll: a poll ends before a packet that came much later than its first. Used by one
// lcore.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "nf_abi.h"
#include "packet/packet_meta.h"
#include "port/port.h"

namespace nf {

class ReadAhead {
 public:
  // The packets of the next poll, at most a burst, into `packets`.
  uint32_t Take(Port& port, rte_mbuf** packets) {
    if (count_ < ahead_.size()) count_ += port.RxBurst(ahead_.data() + count_, abi::kBurstPackets - count_);
    if (count_ == 0) return 0;
    const uint64_t first = MetaOf(ahead_[0])->timestamp_ns;
    uint32_t count = 1;
    while (count < count_) {
      const uint64_t next = MetaOf(ahead_[count])->timestamp_ns;
      if (next > first && next - first > abi::kPollGapNs) break;
      ++count;
    }
    std::copy_n(ahead_.begin(), count, packets);
    std::copy(ahead_.begin() + count, ahead_.begin() + count_, ahead_.begin());
    count_ -= count;
    return count;
  }
  // Those read that belong to no poll yet; the caller's from now on.
  std::span<rte_mbuf* const> TakeRest() {
    const uint32_t count = count_;
    count_ = 0;
    return {ahead_.data(), count};
  }
  bool empty() const { return count_ == 0; }

 private:
  std::array<rte_mbuf*, abi::kBurstPackets> ahead_;
  uint32_t count_ = 0;
};

}  // namespace nf
