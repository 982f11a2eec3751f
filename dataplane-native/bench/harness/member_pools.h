// Pools for what members of a tenant say to each other, as large as a tenant's.
#pragma once

#include <rte_mbuf.h>

#include <atomic>
#include <string>

#include "harness/must.h"

namespace nf {

inline rte_mempool* PoolOfBytes(const char* what, uint32_t count, uint32_t bytes) {
  static std::atomic<uint32_t> number = 0;
  const std::string name = std::string("bench_") + what + std::to_string(number++);
  rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), count, 64, 0,
                                              static_cast<uint16_t>(RTE_PKTMBUF_HEADROOM + bytes), SOCKET_ID_ANY);
  Must(pool != nullptr, "there is no memory for messages");
  return pool;
}
inline rte_mempool* MessageFramePool() { return PoolOfBytes("frames", 4095, 1536); }
inline rte_mempool* MarkerPool() { return PoolOfBytes("markers", 16383, 64); }

}  // namespace nf
