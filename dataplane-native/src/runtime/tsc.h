// Cycles of the time stamp counter as time.
#pragma once

#include <rte_cycles.h>

#include <cstdint>

namespace nf {

inline uint64_t NsFromTsc(uint64_t cycles) {
  return static_cast<uint64_t>(static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()));
}

}  // namespace nf
