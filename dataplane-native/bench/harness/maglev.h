// Maglev hashing as nf-wasm/load_balancer does it, for IPv4: its native twin, and the traffic, whose servers answer as
// the backends that it chooses.
#pragma once

#include <cstdint>
#include <vector>

namespace nf {

struct Backend {
  uint32_t address;  // Host order.
  uint16_t port;
  uint32_t weight;
  uint32_t number;  // In the configuration, from 1.
};

// The five-tuple as the client sends it, host order.
struct BalancedFlow {
  uint32_t client, service;
  uint16_t client_port, service_port;
  uint8_t protocol;
};

class MaglevTable {
 public:
  // At least one backend has a weight; `slots` is a prime.
  MaglevTable(const std::vector<Backend>& backends, uint32_t slots);

  const Backend& For(const BalancedFlow& flow) const;

 private:
  std::vector<Backend> members_;  // Those with weight, by address and port.
  std::vector<uint16_t> slots_;
};

}  // namespace nf
