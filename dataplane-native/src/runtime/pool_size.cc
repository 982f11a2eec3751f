#include "runtime/pool_size.h"

#include <rte_eal.h>
#include <rte_memory.h>

namespace nf {
namespace {

// Of one packet with its metadata, a little more than it takes.
constexpr uint64_t kPacketBytes = 10'000;

}  // namespace

uint32_t PoolPacketsIn(uint64_t memory_bytes, uint32_t most) {
  uint32_t packets = most;
  while (packets > kPoolPacketsLeast && packets * kPacketBytes > memory_bytes / 8 * 5) packets /= 2;
  return packets;
}

uint32_t PoolPackets(uint32_t most) {
  return rte_eal_has_hugepages() != 0 ? most : PoolPacketsIn(rte_eal_get_physmem_size(), most);
}

}  // namespace nf
