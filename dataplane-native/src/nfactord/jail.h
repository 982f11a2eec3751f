// The jail in which untrusted modules are compiled: a process gives up what it does not need before it looks at the
// module. Linux on x86-64 and arm64.
#pragma once

#include "base/result.h"

namespace nf {

struct JailLimits {
  unsigned cpu_seconds = 30;
  unsigned wall_seconds = 60;
  size_t memory_bytes = size_t{2} << 30;
  size_t file_bytes = size_t{128} << 20;
};

// For the rest of this process's life: limits as above, no new privileges, no core dump, death with its parent; and of
// all system calls only those for memory, threads that exist already, time, and reading and writing what is open.
// Opening anything fails with EACCES; any other call ends the process with SIGSYS. All threads are bound.
Expected<void> EnterJail(const JailLimits& limits);

}  // namespace nf
