#include "harness/shipped_nf.h"

#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/configs.h"
#include "harness/must.h"
#include "wasm/module.h"

namespace nf {
namespace {

using Json = nlohmann::json;

// What is used of a component: its core module, and the sections of metadata behind it.
struct Artifact {
  std::vector<uint8_t> core;
  Json manifest, state;
};

Artifact ReadArtifact(const std::string& name) {
  const std::string path = NFACTOR_ROOT "/nf-wasm/" + name + "/build/" + name + ".wasm";
  std::ifstream file(path, std::ios::binary);
  Must(file.good(), ("there is no " + path + "; `npm run build` makes it").c_str());
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  size_t at = 8;
  auto number = [&] {
    size_t value = 0;
    for (uint32_t shift = 0; at < bytes.size(); shift += 7) {
      const uint8_t byte = bytes[at++];
      value |= size_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  };
  Artifact artifact;
  while (at < bytes.size()) {
    const uint8_t id = bytes[at++];
    const size_t length = number();
    const size_t end = at + length;
    Must(end <= bytes.size(), (path + " is cut short").c_str());
    if (id == 1) artifact.core.assign(bytes.begin() + static_cast<long>(at), bytes.begin() + static_cast<long>(end));
    if (id == 0) {
      const size_t name_bytes = number();
      const std::string section(bytes.begin() + static_cast<long>(at),
                                bytes.begin() + static_cast<long>(at + name_bytes));
      const std::string text(bytes.begin() + static_cast<long>(at + name_bytes),
                             bytes.begin() + static_cast<long>(end));
      if (section == "nfactor.manifest") artifact.manifest = Json::parse(text);
      if (section == "nfactor.state") artifact.state = Json::parse(text);
    }
    at = end;
  }
  Must(!artifact.core.empty() && artifact.manifest.is_object() && artifact.state.is_object(),
       (path + " is no artifact of an NF").c_str());
  return artifact;
}

NfSpec Read(Engine& engine, const std::string& name) {
  const Artifact artifact = ReadArtifact(name);
  const Json& manifest = artifact.manifest;
  const Json& rights = manifest.at("rights");
  NfSpec spec;
  spec.entry = spec.name = name;
  spec.version = manifest.at("version");
  spec.digest = std::string(64, '0');
  spec.native = Must(Module::Compile(engine, artifact.core));
  spec.state_bytes = artifact.state.at("bytes");
  spec.state_digest = artifact.state.value("digest", "");
  spec.rights.view = rights.at("view") == "payload" ? View::kPayload : View::kHeaders;
  spec.rights.edit = rights.at("edit") == "payload"   ? Edit::kPayload
                     : rights.at("edit") == "headers" ? Edit::kHeaders
                                                      : Edit::kNone;
  spec.rights.lease = rights.at("lease");
  spec.heap_pages = manifest.at("heap_pages");
  spec.on_fault = manifest.at("on_fault") == "drop" ? OnFault::kDrop : OnFault::kCloseFlow;
  const Json reasons = manifest.value("drop_reasons", Json::object());
  for (const auto& [reason, text] : reasons.items()) {
    spec.drop_reasons[static_cast<uint8_t>(std::stoul(reason))] = text;
  }
  spec.counters = manifest.value("counters", std::vector<std::string>());
  return spec;
}

}  // namespace

NfSpec ShippedNf(Engine& engine, const std::string& name, const std::vector<uint8_t>& config, uint32_t lease_size) {
  static std::map<std::string, NfSpec> read;
  auto found = read.find(name);
  if (found == read.end()) found = read.emplace(name, Read(engine, name)).first;
  NfSpec spec = found->second;
  spec.config = config;
  spec.lease_size = lease_size;
  return spec;
}

std::vector<NfSpec> ShippedChain(Engine& engine, const std::vector<std::string>& names, uint32_t flows) {
  std::vector<NfSpec> chain;
  for (const std::string& name : names) {
    if (name == "firewall") {
      chain.push_back(ShippedNf(engine, name, FirewallConfig(FirewallRules(kFirewallRules))));
    } else if (name == "nat44") {
      chain.push_back(ShippedNf(engine, name, Nat44Config(flows), Nat44Leases(flows)));
    } else if (name == "load_balancer") {
      chain.push_back(ShippedNf(engine, name, LoadBalancerConfig()));
    } else {
      chain.push_back(ShippedNf(engine, name));
    }
  }
  return chain;
}

}  // namespace nf
