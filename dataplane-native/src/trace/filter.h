// Which packets a trace is of: a protocol and what their ends have to be, in either direction. Of fixed size; made by
// control threads, asked by lcores.
#pragma once

#include <array>
#include <cstdint>

#include "packet/flow_key.h"

namespace nf {

struct TraceFilter {
  static constexpr uint32_t kEndsMax = 8;
  static constexpr int16_t kAnyProtocol = -1;
  static constexpr int32_t kAnyPort = -1;

  // One of the packet's ends has this address and this port.
  struct End {
    uint8_t address[16] = {};  // As in FlowKey: IPv4 mapped.
    uint8_t bits = 0;          // Of it that count, 0 to 128.
    int32_t port = kAnyPort;
  };

  int16_t protocol = kAnyProtocol;
  uint8_t ends_count = 0;
  std::array<End, kEndsMax> ends;  // All of them.

  bool is_everything() const { return protocol == kAnyProtocol && ends_count == 0; }
  bool Matches(const FlowKey& key) const;
};

}  // namespace nf
