// A frame as it goes to the runtime that is to send it to the vswitch: what that has to know of it, then its bytes.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>

#include "packet/packet_meta.h"

namespace nf {

struct RelayedFrame {
  uint32_t wire_length;
  uint8_t in_port;
  uint8_t out_port;
  uint8_t emitted;
  uint8_t emit_order;
  // Of a capture.
  uint64_t timestamp_ns;
  uint64_t arrival;
  RecordOrigin record;
  uint8_t is_traced;
  uint8_t zero[3];

  static uint32_t BytesMax();
  // Bytes written, at most BytesMax.
  static uint32_t Write(const rte_mbuf* mbuf, std::span<uint8_t> out);
  // Makes of an empty mbuf of the packet pool what was written. False: it is no such frame.
  static bool Read(std::span<const uint8_t> bytes, rte_mbuf* mbuf);
};
static_assert(sizeof(RelayedFrame) == 48);

}  // namespace nf
