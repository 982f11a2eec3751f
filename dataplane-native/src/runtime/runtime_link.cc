#include "runtime/runtime_link.h"

#include <rte_errno.h>
#include <rte_mbuf.h>

#include <string>

namespace nf {
namespace {

rte_ring* MakeRing() {
  static std::atomic<uint32_t> number = 0;
  const std::string name = "nf_link_" + std::to_string(number++);
  return rte_ring_create(name.c_str(), RuntimeLink::kRingPackets, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

}  // namespace

Expected<std::unique_ptr<RuntimeLink>> RuntimeLink::Create(rte_mempool* markers) {
  std::unique_ptr<RuntimeLink> link(new RuntimeLink);
  link->markers = markers;
  link->down = MakeRing();
  link->up = MakeRing();
  if (link->down == nullptr || link->up == nullptr) {
    return Fail(ErrorCode::kEalMemory, std::string("no rings for a runtime could be made: ") + rte_strerror(rte_errno));
  }
  return link;
}

RuntimeLink::~RuntimeLink() {
  for (rte_ring* ring : {down, up}) {
    if (ring == nullptr) continue;
    rte_mbuf* mbuf;
    while (rte_ring_sc_dequeue(ring, reinterpret_cast<void**>(&mbuf)) == 0) rte_pktmbuf_free(mbuf);
    rte_ring_free(ring);
  }
}

}  // namespace nf
