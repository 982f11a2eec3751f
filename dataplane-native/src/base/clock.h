// The clock of live packets: ns since the epoch.
#pragma once

#include <cstdint>
#include <ctime>

namespace nf {

inline uint64_t ClockNs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace nf
