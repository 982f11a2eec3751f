// An NF as C++ code that works on the mbufs directly: what the sandbox is measured against. Benchmarks only; a runtime
// that somebody uses has none.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "nf_abi.h"
#include "packet/packet_meta.h"

namespace nf {

struct NativePacket {
  uint8_t* frame;
  PacketMeta* meta;
  uint8_t* state;
  const FlowKey* flow;  // As its initiator sends.
  uint32_t lease;
  bool first;
};

class NativeNf {
 public:
  virtual ~NativeNf() = default;
  // As process-burst: one result per packet, all PENDING before. With MODIFIED_HEADER the frame has been changed.
  virtual void Process(const NativePacket* packets, uint32_t count, uint8_t direction, uint64_t now_ns,
                       abi::Result* results) = 0;
};

}  // namespace nf
