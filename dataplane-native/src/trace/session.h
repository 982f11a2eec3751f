// One trace in one member: what is wanted, and what was recorded. Made and destroyed by a control thread while no lcore
// has it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/counter.h"
#include "nf_abi.h"
#include "trace/filter.h"
#include "trace/ring.h"

namespace nf {

// Where frames are kept. Without them a hop is recorded all the same.
struct TracePoint {
  enum Kind : uint8_t {
    kAll,    // As it came in, and wherever it is another one than before.
    kPort,   // As they are at the external port `which`: 0 client, 1 server.
    kNfIn,   // As the NF at place `which` gets them.
    kNfOut,  // As it lets them go.
  } kind = kAll;
  uint8_t which = 0;
};

struct TraceSpec {
  uint32_t id = 0;
  TraceFilter filter;
  bool chooses = false;        // Has external ports.
  uint64_t until_ns = 0;       // CLOCK_MONOTONIC: nothing is chosen after that.
  uint32_t frame_bytes = 256;  // Of a frame that are kept.
  TracePoint point;
};

class TraceSession {
 public:
  static constexpr uint32_t kRingBytes = 4 << 20;
  // Room that a packet needs for its way through a member, without its frames.
  static constexpr uint32_t kHopsMax = 2 * abi::kChainNfsMax + 4;

  // `packets`: to be chosen at most.
  TraceSession(const TraceSpec& spec, uint32_t packets, uint32_t ring_bytes = kRingBytes)
      : spec_(spec),
        before_(new uint8_t[size_t{abi::kBurstPackets} * spec.frame_bytes]),
        budget_(packets),
        ring_(ring_bytes) {}

  const TraceSpec& spec() const { return spec_; }

  // ---- Any thread.
  uint32_t budget() const { return budget_.load(std::memory_order_relaxed); }
  uint64_t chosen() const { return chosen_.value(); }
  // Packets that would have been chosen, had the ring had room; records that found none.
  uint64_t missed() const { return missed_.value(); }
  uint64_t lost() const { return lost_.value(); }

  // ---- The control thread.
  void set_budget(uint32_t packets) { budget_.store(packets, std::memory_order_relaxed); }
  TraceRing& ring() { return ring_; }

 private:
  friend class TraceTap;

  const TraceSpec spec_;
  std::unique_ptr<uint8_t[]> before_;  // The lcore's: frames of a burst before an NF saw them.
  std::atomic<uint32_t> budget_;
  Counter chosen_, missed_, lost_;
  TraceRing ring_;
};

}  // namespace nf
