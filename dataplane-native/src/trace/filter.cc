#include "trace/filter.h"

#include <cstring>

namespace nf {
namespace {

bool IsInside(const uint8_t (&address)[16], const TraceFilter::End& end) {
  const uint32_t whole = end.bits / 8, rest = end.bits % 8;
  if (std::memcmp(address, end.address, whole) != 0) return false;
  return rest == 0 || ((address[whole] ^ end.address[whole]) >> (8 - rest)) == 0;
}

bool IsThis(const uint8_t (&address)[16], uint16_t port, const TraceFilter::End& end) {
  return (end.port == TraceFilter::kAnyPort || end.port == port) && IsInside(address, end);
}

}  // namespace

bool TraceFilter::Matches(const FlowKey& key) const {
  if (protocol != kAnyProtocol && protocol != key.protocol) return false;
  for (uint32_t i = 0; i < ends_count; ++i) {
    const End& end = ends[i];
    if (!IsThis(key.source_address, key.source_port, end) &&
        !IsThis(key.destination_address, key.destination_port, end))
      return false;
  }
  return true;
}

}  // namespace nf
