// What rides with a packet between the vswitch and a runtime: the protocol's header, in the packet's mbuf.
#pragma once

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "base/check.h"
#include "proto/stamp.h"
#include "trace/tap.h"

namespace nf {

struct Transit {
  proto::PacketHeader header;
  uint32_t is_marker;  // The mbuf holds a MarkerDatagram instead of a packet.

  // Registers the field; before any other use, by a control thread. EAL must be up.
  static void Prepare();
  static Transit& Of(rte_mbuf* mbuf) { return *RTE_MBUF_DYNFIELD(mbuf, offset_, Transit*); }

 private:
  static int offset_;
};
static_assert(sizeof(Transit) == 24);

inline TraceTap::Stamp TraceStampOf(const proto::PacketHeader& header) {
  return {header.stamp.entry, header.stamp.epoch, header.stamp.sequence, header.part};
}

}  // namespace nf
