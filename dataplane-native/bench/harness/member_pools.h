// Pools for what members of a tenant say to each other: a tenant's.
#pragma once

#include "harness/must.h"
#include "runtime/member_pools.h"

namespace nf {

inline rte_mempool* MessageFramePool() { return Must(CreateFramePool()); }
inline rte_mempool* MarkerPool() { return Must(CreateMarkerPool()); }

}  // namespace nf
