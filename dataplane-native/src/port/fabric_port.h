// A port inside one process: a ring each way, and no copy. The other end is another FabricPort on the same rings.
#pragma once

#include <rte_ring.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "base/result.h"
#include "port/port.h"

namespace nf {

class FabricPort : public Port {
 public:
  // Two ends of one wire. `packets` is a power of 2: room of each ring, less one. What comes in at `a` has in_port
  // `side`. EAL must be up. Errors: eal.memory.
  static Expected<std::pair<std::unique_ptr<FabricPort>, std::unique_ptr<FabricPort>>> CreatePair(uint32_t packets,
                                                                                                  uint8_t side);
  ~FabricPort() override;

  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override;
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override;

 private:
  FabricPort(rte_ring* rx, rte_ring* tx, uint8_t side) : rx_(rx), tx_(tx), side_(side) {}

  rte_ring* rx_;  // Owned, with the packets in it.
  rte_ring* tx_;
  uint8_t side_;
  uint64_t arrival_ = 0;
};

}  // namespace nf
