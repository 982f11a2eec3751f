// The shipped NFs as native C++ that works on the mbuf: what the sandbox is measured against. Each does what its
// AssemblyScript twin in nf-wasm does, on a flow state of the same layout, so that `bench_chain` can compare what both
// have sent and kept, byte by byte. IPv4 only, and no ICMP: benchmarks send neither.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chain/native_nf.h"

namespace nf {

std::unique_ptr<NativeNf> NativeFlowMonitor();
// With FirewallRules(kFirewallRules), looked at when a flow begins.
std::unique_ptr<NativeNf> NativeFirewall();
std::unique_ptr<NativeNf> NativeHttpParser();
// With the addresses of Nat44Config(flows).
std::unique_ptr<NativeNf> NativeNat44(uint32_t flows);

// With BalancedServices().
std::unique_ptr<NativeNf> NativeLoadBalancer();

// By name, configured as ShippedChain does.
std::vector<std::unique_ptr<NativeNf>> NativeChain(const std::vector<std::string>& names, uint32_t flows);

}  // namespace nf
