#include "runtime/member_pools.h"

#include <rte_errno.h>
#include <rte_mbuf.h>

#include <atomic>
#include <string>

#include "proto/stamp.h"

namespace nf {
namespace {

constexpr uint32_t kFrames = 2047;
constexpr uint32_t kMarkers = 4095;
constexpr uint32_t kMarkerBytes = proto::kMarkersPerDatagramMax * sizeof(proto::Marker) + sizeof(uint32_t);

Expected<rte_mempool*> Create(const char* what, uint32_t count, uint32_t bytes) {
  static std::atomic<uint32_t> number = 0;
  const std::string name = std::string("nf_") + what + "_" + std::to_string(number++);
  rte_mempool* pool = rte_pktmbuf_pool_create(
      name.c_str(), count, 64, 0, static_cast<uint16_t>(RTE_PKTMBUF_HEADROOM + bytes + kLinkTailBytes), SOCKET_ID_ANY);
  if (pool != nullptr) return pool;
  return Fail(ErrorCode::kEalMemory,
              "no memory for " + std::to_string(count) + " " + what + ": " + rte_strerror(rte_errno));
}

}  // namespace

Expected<rte_mempool*> CreateFramePool() { return Create("frames", kFrames, kFrameBytesMax); }

Expected<rte_mempool*> CreateMarkerPool() { return Create("markers", kMarkers, kMarkerBytes); }

}  // namespace nf
