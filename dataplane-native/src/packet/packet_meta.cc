#include "packet/packet_meta.h"

#include <rte_errno.h>
#include <rte_mempool.h>

#include "nf_abi.h"

namespace nf {
namespace {

constexpr uint32_t kPerLcoreCache = 256;
// A frame that comes over a link between members has a header in front.
constexpr uint16_t kLinkHeaderBytes = 128;
constexpr uint16_t kDataBytes = RTE_PKTMBUF_HEADROOM + kLinkHeaderBytes + abi::kFrameBytesMax;

}  // namespace

Expected<rte_mempool*> CreatePacketPool(const char* name, uint32_t packets) {
  // The cache holds up to one and a half times its size; a small pool must not end up in it.
  const uint32_t cache = packets >= 8 * kPerLcoreCache ? kPerLcoreCache : 0;
  rte_mempool* pool = rte_pktmbuf_pool_create(name, packets, cache, sizeof(PacketMeta), kDataBytes, SOCKET_ID_ANY);
  if (pool != nullptr) return pool;
  const uint64_t bytes = uint64_t{packets} * (sizeof(rte_mbuf) + sizeof(PacketMeta) + kDataBytes);
  return Fail(ErrorCode::kEalMemory, std::string("no memory for the packet pool ") + name + ": " +
                                         std::to_string(bytes >> 20) + " MiB for " + std::to_string(packets) +
                                         " packets are wanted (" + rte_strerror(rte_errno) +
                                         "). Give DPDK more memory, or reserve hugepages.");
}

}  // namespace nf
