// What identifies a flow, as one packet shows it (docs/packet_path.md, section 3). 48 bytes without holes, compared as
// bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace nf {

struct FlowKey {
  uint8_t source_address[16];  // Network order; IPv4 mapped (::ffff:a.b.c.d).
  uint8_t destination_address[16];
  uint16_t source_port;  // Host order; of ICMP see the page.
  uint16_t destination_port;
  uint8_t protocol;
  uint8_t ip_version;  // 4 or 6.
  uint8_t vlan_count;
  uint8_t zero_0;
  uint16_t vlan_outer;  // 12 bits.
  uint16_t vlan_inner;
  uint32_t zero_1;

  // The same flow as its other side sends.
  FlowKey Reversed() const {
    FlowKey key = *this;
    std::memcpy(key.source_address, destination_address, 16);
    std::memcpy(key.destination_address, source_address, 16);
    key.source_port = destination_port;
    key.destination_port = source_port;
    return key;
  }
  bool operator==(const FlowKey& other) const { return std::memcmp(this, &other, sizeof *this) == 0; }
};
static_assert(sizeof(FlowKey) == 48 && std::has_unique_object_representations_v<FlowKey>);

}  // namespace nf
