// Clocks in ns.
#pragma once

#include <cstdint>
#include <ctime>

namespace nf {

inline uint64_t ReadClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Of live packets: since the epoch.
inline uint64_t ClockNs() { return ReadClockNs(CLOCK_REALTIME); }
// Of protocols: never jumps.
inline uint64_t MonotonicNs() { return ReadClockNs(CLOCK_MONOTONIC); }

}  // namespace nf
