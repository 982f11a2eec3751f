#include "runtime/transit.h"

namespace nf {

int Transit::offset_ = -1;

void Transit::Prepare() {
  if (offset_ >= 0) return;
  const rte_mbuf_dynfield field = {
      .name = "nf_transit", .size = sizeof(Transit), .align = alignof(Transit), .flags = 0};
  offset_ = rte_mbuf_dynfield_register(&field);
  NF_CHECK(offset_ >= 0, "an mbuf has room for 24 bytes");
}

}  // namespace nf
