// The end of a link that a process opens.
#pragma once

#include <rte_mempool.h>

#include <memory>
#include <string>
#include <variant>

#include "base/result.h"
#include "port/ethdev_port.h"

namespace nf::link {

// Processes of one machine: the vswitch makes the socket, the runtime connects to it.
struct VhostLink {
  std::string path;
};
// A network interface that carries this link alone.
struct InterfaceLink {
  std::string iface;
};
// Any other device of DPDK.
struct DeviceLink {
  std::string driver, args;
};
using LinkSpec = std::variant<VhostLink, InterfaceLink, DeviceLink>;

enum class LinkSide { kVswitch, kRuntime };

// Received frames come from `pool`. Blocks; control threads. Errors: port.start and those of EthdevPort.
Expected<std::unique_ptr<EthdevPort>> OpenLink(const LinkSpec& spec, LinkSide side, rte_mempool* pool);

}  // namespace nf::link
