// Where new flows go: by turns (the paper's way), or to the runtime with the least to do.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "runtime/runtime_spec.h"

namespace nf {

class Placing {
 public:
  explicit Placing(Placement policy) : policy_(policy) {}

  // What runtime `id` has to do as of now. Work that waits says most, then how busy it is; what differs less than a
  // step of either is chance, and flows decide.
  void SetLoad(uint16_t id, uint32_t queued, uint32_t load_permille, uint32_t flows) {
    load_[id] = uint64_t{queued / kQueuedStep} << 48 | uint64_t{load_permille / kPermilleStep} << 32 | flows;
  }

  // One of `ids` for which `accepts(id)` holds; 0: none.
  template <typename Accepts>
  uint16_t Choose(std::span<const uint16_t> ids, Accepts&& accepts) {
    uint16_t chosen = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      const uint16_t id = ids[(next_ + i) % ids.size()];
      if (!accepts(id)) continue;
      if (policy_ == Placement::kRoundRobin) {
        next_ = (next_ + i + 1) % ids.size();
        return id;
      }
      if (chosen == 0 || load_[id] < load_[chosen]) chosen = id;
    }
    // Its load shows what it has got only after a while.
    if (chosen != 0) ++load_[chosen];
    return chosen;
  }

 private:
  static constexpr uint32_t kQueuedStep = 32, kPermilleStep = 50;

  Placement policy_;
  size_t next_ = 0;
  std::array<uint64_t, kRuntimesMax + 1> load_{};
};

}  // namespace nf
