// Memory in pages, ordinary ones and those of 2 MiB: the kernel's pool of these, address space that they fit in, and
// pages that are there before anybody touches them. Control threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nf {

inline constexpr size_t kSmallPageBytes = 4096;
inline constexpr size_t kHugePageBytes = 2u << 20;

// `page` is a power of two.
constexpr size_t RoundUpToPages(size_t bytes, size_t page) { return (bytes + page - 1) & ~(page - 1); }

// Pages of the pool that nobody has taken or reserved; 0 where there is no pool.
size_t FreeHugePages();

// Address space of whole pages that begins where a huge page can begin, with nothing behind it: whoever takes it maps
// over it with MAP_FIXED, and unmaps it. Null: there is none.
uint8_t* ReserveAligned(size_t bytes);

// Has all pages there, so that no packet waits for one. False: there is not enough memory. Kernels before 5.14 can't:
// their pages come on first touch.
bool Populate(uint8_t* data, size_t bytes);

}  // namespace nf
