// What a vswitch leases: for each NF of the chain that leases, a pool, and by route entry the value that the entry's
// flow has. A value stays with its entry, whatever runtime the flow moves to, until the entry is given up.
// The vswitch's lcore writes; a runtime reads the values of an entry that it was sent a packet of. A runtime in another
// process reads a mirror, which has no pools: what comes with packets is put into it.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "flow/leases.h"

namespace nf {

class LeaseTable {
 public:
  // `sizes` by position in the chain; 0: that NF leases nothing.
  LeaseTable(std::span<const uint32_t> sizes, uint32_t entries, bool is_mirror = false) {
    for (uint32_t size : sizes) {
      pools_.push_back(size != 0 && !is_mirror ? std::make_unique<Leases>(size) : nullptr);
      values_.push_back(size != 0 ? std::make_unique<std::atomic<uint32_t>[]>(entries) : nullptr);
    }
  }

  void Take(uint32_t entry, uint64_t now_ns) {
    for (size_t nf = 0; nf < pools_.size(); ++nf) {
      if (pools_[nf] != nullptr) values_[nf][entry].store(pools_[nf]->Take(now_ns), std::memory_order_relaxed);
    }
  }
  void Return(uint32_t entry, uint64_t now_ns) {
    for (size_t nf = 0; nf < pools_.size(); ++nf) {
      if (pools_[nf] != nullptr) pools_[nf]->Return(values_[nf][entry].exchange(0, std::memory_order_relaxed), now_ns);
    }
  }

  // ---- A vswitch after another one: nothing is offered until all that is in use has been claimed.
  void BeginAgain() {
    for (auto& pool : pools_) {
      if (pool != nullptr) pool->BeginAgain();
    }
  }
  // What the entry's flow has, by position. False, and nothing claimed: another flow has one of them.
  bool Claim(uint32_t entry, std::span<const uint32_t> leases) {
    for (size_t nf = 0; nf < pools_.size(); ++nf) {
      if (pools_[nf] != nullptr && !pools_[nf]->MayClaim(leases[nf])) return false;
    }
    for (size_t nf = 0; nf < pools_.size(); ++nf) {
      if (pools_[nf] == nullptr) continue;
      pools_[nf]->Claim(leases[nf]);
      values_[nf][entry].store(leases[nf], std::memory_order_relaxed);
    }
    return true;
  }
  void OfferOthers(uint64_t rested_ns) {
    for (auto& pool : pools_) {
      if (pool != nullptr) pool->OfferOthers(rested_ns);
    }
  }
  // Of the NFs that lease, by position, and how many they are.
  uint32_t mask() const {
    uint32_t mask = 0;
    for (size_t nf = 0; nf < values_.size(); ++nf) mask |= uint32_t{values_[nf] != nullptr} << nf;
    return mask;
  }
  uint32_t count() const { return static_cast<uint32_t>(std::popcount(mask())); }

  // A mirror: what the vswitch says of this entry and NF.
  void Set(uint32_t entry, uint32_t nf, uint32_t value) { values_[nf][entry].store(value, std::memory_order_relaxed); }

  // Into `out` by position: 1 + index of the value, 0 for none.
  void Read(uint32_t entry, uint32_t* out) const {
    for (size_t nf = 0; nf < values_.size(); ++nf) {
      out[nf] = values_[nf] != nullptr ? values_[nf][entry].load(std::memory_order_relaxed) : 0;
    }
  }

 private:
  std::vector<std::unique_ptr<Leases>> pools_;
  std::vector<std::unique_ptr<std::atomic<uint32_t>[]>> values_;
};

}  // namespace nf
