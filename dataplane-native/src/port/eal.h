// DPDK's environment: once per process, for ever. Control threads.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace nf {

struct EalOptions {
  bool use_hugepages = true;  // Where enough of them are free; ordinary memory else.
  uint32_t memory_mb = 256;   // For packets and tables, MiB.
};

struct EalInfo {
  bool hugepages;
  uint32_t memory_mb;
};

// Starts the environment on a thread of its own, since it pins its caller. A second call gives the first one's result,
// whatever its options: DPDK can neither be started again nor be changed. Errors: eal.init.
Expected<EalInfo> StartEal(const EalOptions& options);

}  // namespace nf
