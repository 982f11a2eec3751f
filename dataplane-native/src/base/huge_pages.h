// The kernel's pool of 2 MiB pages. Control threads.
#pragma once

#include <cstddef>

namespace nf {

inline constexpr size_t kHugePageBytes = 2u << 20;

// Pages of the pool that nobody has taken or reserved; 0 where there is no pool.
size_t FreeHugePages();

}  // namespace nf
