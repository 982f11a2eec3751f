// A pool of lease values (docs/packet_path.md, section 4) for one NF: indexes 0 … size - 1, first in, first out. A
// value that comes back rests for a while before it is offered again. Allocated once; used by one lcore.
#pragma once

#include <cstdint>
#include <memory>

#include "nf_abi.h"

namespace nf {

class Leases {
 public:
  static constexpr uint64_t kRestNs = uint64_t{abi::kLeaseQuarantineMs} * 1'000'000;

  explicit Leases(uint32_t size, uint64_t rest_ns = kRestNs)
      : size_(size), available_(size), rest_ns_(rest_ns), ring_(new Free[size]) {
    for (uint32_t i = 0; i < size; ++i) ring_[i] = {.rested_ns = 0, .index = i};
  }

  // 1 + index of the value taken; 0 when there is none or the oldest still rests.
  uint32_t Take(uint64_t now_ns) {
    if (available_ == 0 || now_ns < ring_[head_].rested_ns) return 0;
    const uint32_t lease = ring_[head_].index + 1;
    head_ = Next(head_);
    --available_;
    return lease;
  }

  // `lease` is what Take gave; 0 is nothing.
  void Return(uint32_t lease, uint64_t now_ns) {
    if (lease == 0) return;
    ring_[tail_] = {.rested_ns = now_ns + rest_ns_, .index = lease - 1};
    tail_ = Next(tail_);
    ++available_;
  }

  uint32_t available() const { return available_; }

  // ---- For who begins anew and hears who has which: none is offered until that is known.
  void BeginAgain() {
    head_ = tail_ = available_ = 0;
    claimed_ = std::make_unique<bool[]>(size_);
  }
  bool MayClaim(uint32_t lease) const { return lease == 0 || (lease <= size_ && !claimed_[lease - 1]); }
  void Claim(uint32_t lease) {
    if (lease != 0) claimed_[lease - 1] = true;
  }
  // Which of the others were just given back nobody knows, so all rest until then.
  void OfferOthers(uint64_t rested_ns) {
    for (uint32_t i = 0; i < size_; ++i) {
      if (claimed_[i]) continue;
      ring_[tail_] = {.rested_ns = rested_ns, .index = i};
      tail_ = Next(tail_);
      ++available_;
    }
    claimed_.reset();
  }

 private:
  struct Free {
    uint64_t rested_ns;  // From here on it may be offered.
    uint32_t index;
  };
  uint32_t Next(uint32_t at) const { return at + 1 == size_ ? 0 : at + 1; }

  uint32_t size_;
  uint32_t available_;
  uint64_t rest_ns_;
  uint32_t head_ = 0;
  uint32_t tail_ = 0;
  std::unique_ptr<Free[]> ring_;
  std::unique_ptr<bool[]> claimed_;  // By index, between BeginAgain and OfferOthers.
};

}  // namespace nf
