// Between the vswitch and one runtime, inside a process: a ring each way for packets and markers, in order, and what
// each lets the other see.
#pragma once

#include <rte_mempool.h>
#include <rte_ring.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/result.h"

namespace nf {

class Lcore;

struct RuntimeLink {
  static constexpr uint32_t kRingPackets = 512;

  // `markers` is the pool of these. EAL must be up. Errors: eal.memory.
  static Expected<std::unique_ptr<RuntimeLink>> Create(rte_mempool* markers);
  // Frees what is still under way.
  ~RuntimeLink();
  RuntimeLink(const RuntimeLink&) = delete;
  RuntimeLink& operator=(const RuntimeLink&) = delete;

  rte_mempool* markers = nullptr;
  rte_ring* down = nullptr;  // From the vswitch.
  rte_ring* up = nullptr;    // To it.
  Lcore* runtime_lcore = nullptr;
  Lcore* vswitch_lcore = nullptr;

  // From a capture, whose packets carry the time: that of the poll that the packets in `down` belong to, and the number
  // of the last poll of which all packets are in `down`.
  alignas(64) std::atomic<uint64_t> poll_ns{0};
  std::atomic<uint64_t> sealed{0};
  // The runtime: the last poll that is worked off, with all its output in `up`.
  alignas(64) std::atomic<uint64_t> worked_off{0};

 private:
  RuntimeLink() = default;
};

}  // namespace nf
