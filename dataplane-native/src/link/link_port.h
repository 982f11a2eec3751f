// The end of a link that a process opens.
#pragma once

#include <rte_mempool.h>

#include <map>
#include <memory>
#include <string>
#include <variant>

#include "base/result.h"
#include "link/link_frame.h"
#include "link/shared_port.h"
#include "port/ethdev_port.h"

namespace nf::link {

// Processes of one machine: the vswitch makes the socket, the runtime connects to it.
struct VhostLink {
  std::string path;
};
// Where the two sides share a page (life_page.h).
inline std::string LifePathOf(const VhostLink& link) { return link.path + ".life"; }
// A network interface, which may carry other links as well: the kernel hands over the frames of this one alone.
struct InterfaceLink {
  std::string iface;
};
// Any other device of DPDK.
struct DeviceLink {
  std::string driver, args;
};
using LinkSpec = std::variant<VhostLink, InterfaceLink, DeviceLink>;

// The end of a runtime at `runtime`. Received frames come from `pool`. Blocks; control threads. Errors: port.start and
// those of EthdevPort.
Expected<std::unique_ptr<EthdevPort>> OpenLink(const LinkSpec& spec, const MacAddress& runtime, rte_mempool* pool);

// The vswitch's ends of all links. Devices that several of them are to use are opened once. Control threads.
class LinkPorts {
 public:
  LinkPorts(uint16_t tenant, rte_mempool* pool) : tenant_(tenant), pool_(pool) {}

  // Errors: port.start and those of EthdevPort.
  Expected<std::unique_ptr<Port>> Open(const LinkSpec& spec, uint16_t member);

 private:
  uint16_t tenant_;
  rte_mempool* pool_;
  std::map<std::string, std::weak_ptr<SharedPort>> shared_;
};

}  // namespace nf::link
