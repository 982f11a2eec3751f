// Turns for tasks on this thread as an lcore gives them: who took longer than its share waits until the others had as
// much.
#pragma once

#include <rte_cycles.h>

#include <cstdint>

#include "runtime/lcore_task.h"

namespace nf {

class Turns {
 public:
  struct Share {
    int64_t deficit = 0;
    uint64_t cycles = 0;  // That it has used.
  };

  void Serve(LcoreTask& task, Share* share) const {
    const uint64_t begin = rte_rdtsc();
    uint64_t now = begin;
    for (share->deficit += quantum_; share->deficit > 0;) {
      const uint32_t work = task.Turn();
      const uint64_t after = rte_rdtsc();
      share->deficit -= static_cast<int64_t>(after - now);
      now = after;
      if (work != 0) continue;
      share->deficit = 0;
      break;
    }
    share->cycles += now - begin;
  }

 private:
  static constexpr uint64_t kQuantumNs = 10'000;  // An lcore's.
  int64_t quantum_ = static_cast<int64_t>(rte_get_tsc_hz() * kQuantumNs / 1'000'000'000);
};

}  // namespace nf
