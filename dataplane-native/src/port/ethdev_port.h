// A port over one queue pair of a DPDK device. The live host uses af_packet devices: a network interface of the kernel,
// without promiscuous mode.
#pragma once

#include <rte_ethdev.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "port/port.h"

namespace nf {

// Of an interface that is opened; a frame of it, and what stands in front of it on a link, fits into an mbuf.
inline constexpr uint32_t kInterfaceMtuMax = 9256;

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
  // Unknown where the device doesn't tell of its own accord.
  // net_virtio_user tells that its other end is gone when it is asked alone: a control thread looks now and then.
  void LookAtCarrier();
  Carrier carrier() const override { return carrier_.load(std::memory_order_acquire); }

 private:
  EthdevPort(std::string device, uint8_t side) : device_(std::move(device)), side_(side) {}
  Expected<void> Start(rte_mempool* pool);
  static int OnLinkState(uint16_t port, enum rte_eth_event_type, void* self, void*);

  std::string device_;
  uint8_t side_;
  uint16_t port_ = 0;
  bool started_ = false;
  bool watches_ = false;
  std::atomic<Carrier> carrier_{Carrier::kUnknown};
  uint64_t arrival_ = 0;
  uint64_t missed_in_rings_ = 0;
  std::vector<int> fds_;
};

}  // namespace nf
