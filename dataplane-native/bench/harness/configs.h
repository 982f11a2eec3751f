// Configurations of the shipped NFs for the traffic of traffic.h, both as the NFs take them and as rules that a native
// NF can use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/maglev.h"

namespace nf {

inline constexpr uint32_t kServerNet = 0xc6120000;   // 198.18.0.0/16
inline constexpr uint32_t kBlockedNet = 0xc6130000;  // 198.19.0.0/16
inline constexpr uint32_t kOutsideNet = 0xcb007101;  // 203.0.113.1 and those behind it.
inline constexpr uint32_t kPortsPerAddress = 64512;  // nat44 uses ports 1,024 to 65,535.

struct FirewallRule {
  bool drops;
  uint8_t protocol;  // 0: any.
  uint8_t side;      // 0 client, 1 server, 2 any.
  uint32_t from, from_bits;
  uint32_t to, to_bits;
  uint16_t low, high;  // Ports of the service.
};

// So many rules as an edge firewall might have them, the default is drop: source networks on a block list, services of
// single hosts, ranges that nobody may reach; the last rules allow HTTP and DNS of clients to 198.18.0.0/15.
std::vector<FirewallRule> FirewallRules(uint32_t count);
std::vector<uint8_t> FirewallConfig(const std::vector<FirewallRule>& rules);

// Outside addresses for so many flows; its lease pool has Nat44Leases values.
std::vector<uint8_t> Nat44Config(uint32_t flows);
std::vector<uint32_t> Nat44Addresses(uint32_t flows);
uint32_t Nat44Leases(uint32_t flows);

// HTTP and DNS of eight addresses, on 32 backends of unequal weights; two of them get nothing.
struct BalancedService {
  std::vector<uint32_t> addresses;
  uint8_t protocol;
  uint16_t port;
  std::vector<Backend> backends;
};
inline constexpr uint32_t kServiceAddresses = 8;  // The first of kServerNet, from 198.18.0.1.
inline constexpr uint32_t kBalancerSlots = 4093;
std::vector<BalancedService> BalancedServices();
std::vector<uint8_t> LoadBalancerConfig();

}  // namespace nf
