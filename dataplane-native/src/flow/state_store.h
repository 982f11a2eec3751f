// The flow states of one NF in one runtime: slots of one size, owned by the host, mapped into the linear memory of each
// instance that uses them. Slot i belongs to the flow of actor i. A snapshot is a copy of bytes.
// Created and destroyed by control threads; slots are touched by the lcore (and by the guest that it calls).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "base/result.h"
#include "base/shared_region.h"
#include "nf_abi.h"

namespace nf {

// Where slots lie in memory, for prefetching.
struct Slots {
  const uint8_t* at = nullptr;
  uint32_t stride = 0;  // 0: no slots.

  // Small slots whole, of large ones the beginning.
  void Prefetch(uint32_t flow) const {
    if (stride == 0) return;
    const uint8_t* slot = at + uint64_t{flow} * stride;
    const uint8_t* last = slot + (stride <= kWhole ? stride : kBeginning) - 1;
    for (; slot < last; slot += 64) __builtin_prefetch(slot, 1);
    __builtin_prefetch(last, 1);
  }

 private:
  static constexpr uint32_t kWhole = 256, kBeginning = 128;
};

class StateStore {
 public:
  // `entry` names the NF in errors. Errors: state.too_large, eal.memory. Without state bytes there is no region.
  static Expected<StateStore> Create(const std::string& entry, uint32_t state_bytes, uint32_t flows_max);

  const SharedRegion* region() const { return state_bytes_ == 0 ? nullptr : &region_; }
  uint32_t state_bytes() const { return state_bytes_; }
  uint32_t stride() const { return stride_; }

  void Clear(uint32_t flow) {
    if (stride_ != 0) std::memset(slots_ + uint64_t{flow} * stride_, 0, stride_);
  }
  std::span<const uint8_t> slot(uint32_t flow) const { return {slots_ + uint64_t{flow} * stride_, state_bytes_}; }
  Slots slots() const { return {slots_, stride_}; }
  uint8_t* data(uint32_t flow) { return slots_ + uint64_t{flow} * stride_; }
  // Guest address of the slot; 0 without state bytes.
  uint32_t address(uint32_t flow) const { return address_ + flow * stride_; }

 private:
  SharedRegion region_;
  uint8_t* slots_ = nullptr;
  uint32_t state_bytes_ = 0;
  uint32_t stride_ = 0;
  uint32_t address_ = 0;
};

}  // namespace nf
