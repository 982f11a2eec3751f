#include "native_nfs/native_nfs.h"

#include "harness/must.h"

namespace nf {

std::vector<std::unique_ptr<NativeNf>> NativeChain(const std::vector<std::string>& names, uint32_t flows) {
  std::vector<std::unique_ptr<NativeNf>> chain;
  for (const std::string& name : names) {
    if (name == "flow_monitor") {
      chain.push_back(NativeFlowMonitor());
    } else if (name == "firewall") {
      chain.push_back(NativeFirewall());
    } else if (name == "http_parser") {
      chain.push_back(NativeHttpParser());
    } else if (name == "load_balancer") {
      chain.push_back(NativeLoadBalancer());
    } else {
      Must(name == "nat44", "there is no native NF of this name");
      chain.push_back(NativeNat44(flows));
    }
  }
  return chain;
}

}  // namespace nf
