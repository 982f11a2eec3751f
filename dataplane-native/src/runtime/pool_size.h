// How many packets a process of a tenant has, by the memory that it was given. Control threads.
#pragma once

#include <cstdint>

namespace nf {

// A power of 2 less one. Fewer do not do: what a runtime may hold for its replicas is nearly half of them.
inline constexpr uint32_t kPoolPacketsLeast = 4095;

// `most`, or with less memory as many as leave three eighths of it to everything else; kPoolPacketsLeast at least.
uint32_t PoolPacketsIn(uint64_t memory_bytes, uint32_t most);

// The same by EAL's memory, which has to be up. Of hugepages there are enough, or they are not used.
uint32_t PoolPackets(uint32_t most);

}  // namespace nf
