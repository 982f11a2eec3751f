// A port over one queue pair of a DPDK device. The live host uses af_packet devices: a network interface of the kernel,
// without promiscuous mode.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "port/port.h"

namespace nf {

class EthdevPort : public Port {
 public:
  // Opens interface `iface` through net_af_packet. Received packets come from `pool` and have in_port `side`. EAL must
  // be up. Errors: port.missing, host.permission, port.start.
  static Expected<std::unique_ptr<EthdevPort>> OpenAfPacket(const std::string& iface, rte_mempool* pool, uint8_t side);
  // Opens any virtual device: `driver` like "net_null", `devargs` its options. Errors: port.start.
  static Expected<std::unique_ptr<EthdevPort>> OpenDevice(const std::string& driver, const std::string& devargs,
                                                          rte_mempool* pool, uint8_t side);
  // Stops the device and takes it out again.
  ~EthdevPort() override;

  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override;
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override;
  std::span<const int> wait_fds() const override { return fds_; }
  uint64_t missed() override;

 private:
  EthdevPort(std::string device, uint8_t side) : device_(std::move(device)), side_(side) {}
  Expected<void> Start(rte_mempool* pool);

  std::string device_;
  uint8_t side_;
  uint16_t port_ = 0;
  bool started_ = false;
  uint64_t arrival_ = 0;
  uint64_t missed_in_rings_ = 0;
  std::vector<int> fds_;
};

}  // namespace nf
