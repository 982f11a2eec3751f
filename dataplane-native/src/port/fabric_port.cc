#include "port/fabric_port.h"

#include <rte_errno.h>
#include <rte_lcore.h>

#include <atomic>
#include <cstring>
#include <string>

#include "port/arrivals.h"

namespace nf {
namespace {

rte_ring* MakeRing(uint32_t packets) {
  static std::atomic<uint32_t> number = 0;
  const std::string name = "nf_fabric_" + std::to_string(number++);
  return rte_ring_create(name.c_str(), packets, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

}  // namespace

Expected<std::pair<std::unique_ptr<FabricPort>, std::unique_ptr<FabricPort>>> FabricPort::CreatePair(uint32_t packets,
                                                                                                     uint8_t side) {
  rte_ring* there = MakeRing(packets);
  rte_ring* back = MakeRing(packets);
  if (there == nullptr || back == nullptr) {
    const int why = rte_errno;
    rte_ring_free(there);
    rte_ring_free(back);
    return Fail(ErrorCode::kEalMemory,
                "no rings of " + std::to_string(packets) + " packets could be made: " + std::strerror(why));
  }
  return std::pair(std::unique_ptr<FabricPort>(new FabricPort(back, there, side)),
                   std::unique_ptr<FabricPort>(new FabricPort(there, back, side)));
}

FabricPort::~FabricPort() {
  // Each end owns the ring it receives from.
  rte_mbuf* packet;
  while (rte_ring_sc_dequeue(rx_, reinterpret_cast<void**>(&packet)) == 0) rte_pktmbuf_free(packet);
  rte_ring_free(rx_);
}

uint32_t FabricPort::RxBurst(rte_mbuf** packets, uint32_t count) {
  const uint32_t n = rte_ring_sc_dequeue_burst(rx_, reinterpret_cast<void**>(packets), count, nullptr);
  if (n != 0) StampArrivals(packets, n, side_, &arrival_);
  return n;
}

uint32_t FabricPort::TxBurst(rte_mbuf** packets, uint32_t count) {
  return rte_ring_sp_enqueue_burst(tx_, reinterpret_cast<void**>(packets), count, nullptr);
}

}  // namespace nf
