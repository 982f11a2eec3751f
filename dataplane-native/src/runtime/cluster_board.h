// What a tenant's runtimes let others know of themselves: one word each, so that what is read belongs together.
// Written by the runtime's lcore (Take: by the control thread that takes the runtime away, after its end), read by any.
// Members in processes of their own have a board each, on which the words of the others are put as they come.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "nf_abi.h"
#include "runtime/runtime_spec.h"

namespace nf {

class ClusterBoard {
 public:
  struct Standing {
    uint32_t flows = 0;
    uint16_t load_permille = 0;  // Of its lcore's time, lately.
    bool is_draining = false;
    bool is_present = true;
  };
  using Records = std::array<abi::RuntimeRecord, kRuntimesMax>;

  void Post(uint16_t id, const Standing& standing) {
    const uint64_t word = uint64_t{standing.flows} | uint64_t{standing.load_permille} << 32 |
                          (standing.is_draining ? kDraining : 0) | kPresent;
    places_[id].word.store(word, std::memory_order_relaxed);
  }
  void Take(uint16_t id) { places_[id].word.store(0, std::memory_order_relaxed); }

  uint64_t word(uint16_t id) const { return places_[id].word.load(std::memory_order_relaxed); }
  void SetWord(uint16_t id, uint64_t word) { places_[id].word.store(word, std::memory_order_relaxed); }

  Standing Of(uint16_t id) const {
    const uint64_t word = places_[id].word.load(std::memory_order_relaxed);
    return {.flows = static_cast<uint32_t>(word),
            .load_permille = static_cast<uint16_t>(word >> 32),
            .is_draining = (word & kDraining) != 0,
            .is_present = (word & kPresent) != 0};
  }
  // Those that are present, as runtime `own` shows them to its NFs; how many.
  uint32_t Read(uint16_t own, Records* records) const {
    uint32_t count = 0;
    for (uint16_t id = 1; id <= kRuntimesMax; ++id) {
      const Standing standing = Of(id);
      if (!standing.is_present) continue;
      const uint32_t flags =
          (id == own ? abi::kRuntimeFlagOwn : 0u) | (standing.is_draining ? abi::kRuntimeFlagDraining : 0u);
      (*records)[count++] = {.runtime = id,
                             .flows = standing.flows,
                             .load_permille = standing.load_permille,
                             .flags = static_cast<uint16_t>(flags),
                             .reserved_12 = {}};
    }
    return count;
  }

 private:
  static constexpr uint64_t kPresent = uint64_t{1} << 48, kDraining = uint64_t{1} << 49;
  struct alignas(64) Place {
    std::atomic<uint64_t> word{0};
  };
  std::array<Place, kRuntimesMax + 1> places_;
};
static_assert(kRuntimesMax <= abi::kClusterRuntimesMax);

}  // namespace nf
