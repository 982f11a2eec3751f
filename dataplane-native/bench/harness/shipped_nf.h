// The NFs of nf-wasm as specifications of a chain's entries: what `nfactor build` made of them, compiled to native
// code. Needs them built (`npm run build`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chain/nf_spec.h"
#include "wasm/engine.h"

namespace nf {

// `config` is encoded (configs.h), empty for an NF that takes none. Ends the process when the artifact is missing or
// does not compile. Compiled once per process.
NfSpec ShippedNf(Engine& engine, const std::string& name, const std::vector<uint8_t>& config = {},
                 uint32_t lease_size = 0);

// By name, with configurations that fit the traffic of so many flows: nat44 gets its addresses and leases, the firewall
// 1,000 rules, the load balancer two services.
inline constexpr uint32_t kFirewallRules = 1000;
std::vector<NfSpec> ShippedChain(Engine& engine, const std::vector<std::string>& names, uint32_t flows);

}  // namespace nf
