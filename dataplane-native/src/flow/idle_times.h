// How long a flow may be idle: docs/packet_path.md, section 4. The native twin of the `idleMs` of a runtime's
// specification.
#pragma once

#include <cstdint>

namespace nf {

struct IdleMs {
  uint32_t tcp = 300000, tcp_opening = 30000, tcp_closing = 10000, udp = 30000, icmp = 5000, other = 30000;
};

}  // namespace nf
