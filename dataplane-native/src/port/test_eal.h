// DPDK's environment for unit tests: ordinary memory, no devices, once per process.
#pragma once

#include "base/check.h"
#include "packet/packet_meta.h"
#include "port/eal.h"

namespace nf {

inline void StartTestEal() {
  const auto info = StartEal({.use_hugepages = false, .memory_mb = 256});
  NF_CHECK(info.has_value(), info ? "" : info.error().message.c_str());
}

// One pool for all tests of a process.
inline rte_mempool* TestPool() {
  StartTestEal();
  static rte_mempool* pool = [] {
    auto made = CreatePacketPool("test_pool", 4095);
    NF_CHECK(made.has_value(), made ? "" : made.error().message.c_str());
    return *made;
  }();
  return pool;
}

}  // namespace nf
