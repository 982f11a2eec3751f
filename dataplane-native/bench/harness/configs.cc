#include "harness/configs.h"

#include <nlohmann/json.hpp>

namespace nf {
namespace {

// Encoded configurations are MessagePack, every object an array of its fields in their order, nil for the default.
using Json = nlohmann::json;

std::string Address(uint32_t address) {
  return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." +
         std::to_string(address >> 8 & 255) + "." + std::to_string(address & 255);
}

std::string Prefix(uint32_t address, uint32_t bits) {
  return bits == 0 ? "" : Address(address) + "/" + std::to_string(bits);
}

std::string Ports(const FirewallRule& rule) {
  if (rule.low == 0 && rule.high == 65535) return "";
  std::string text = std::to_string(rule.low);
  if (rule.high != rule.low) text.append("-").append(std::to_string(rule.high));
  return text;
}

}  // namespace

std::vector<FirewallRule> FirewallRules(uint32_t count) {
  std::vector<FirewallRule> rules;
  constexpr uint32_t kLast = 3;
  for (uint32_t i = 0; i + kLast < count; ++i) {
    switch (i % 4) {
      case 0:  // A network on the block list.
        rules.push_back({.drops = true,
                         .protocol = 0,
                         .side = 2,
                         .from = 0x64400000 + (i << 8),
                         .from_bits = 24,
                         .to = 0,
                         .to_bits = 0,
                         .low = 0,
                         .high = 65535});
        break;
      case 1:  // A service of one host.
        rules.push_back({.drops = false,
                         .protocol = 6,
                         .side = 0,
                         .from = 0x0a000000,
                         .from_bits = 8,
                         .to = kServerNet + i * 61,
                         .to_bits = 32,
                         .low = 8000,
                         .high = static_cast<uint16_t>(8000 + i % 90)});
        break;
      case 2:  // Administration, from one network.
        rules.push_back({.drops = false,
                         .protocol = 6,
                         .side = 0,
                         .from = 0x0aff0000 + (i % 256 << 8),
                         .from_bits = 24,
                         .to = kServerNet + i * 61,
                         .to_bits = 32,
                         .low = 22,
                         .high = 22});
        break;
      default:  // What nobody may reach.
        rules.push_back({.drops = true,
                         .protocol = 0,
                         .side = 2,
                         .from = 0,
                         .from_bits = 0,
                         .to = kBlockedNet + (i % 256 << 8),
                         .to_bits = 24,
                         .low = 0,
                         .high = 65535});
    }
  }
  for (uint32_t i = 0; i < kLast && i < count; ++i) {
    constexpr uint16_t kService[kLast] = {80, 443, 53};
    rules.push_back({.drops = false,
                     .protocol = static_cast<uint8_t>(i == 2 ? 17 : 6),
                     .side = 0,
                     .from = 0x0a000000,
                     .from_bits = 8,
                     .to = kServerNet,
                     .to_bits = 15,
                     .low = kService[i],
                     .high = kService[i]});
  }
  return rules;
}

std::vector<uint8_t> FirewallConfig(const std::vector<FirewallRule>& rules) {
  Json list = Json::array();
  for (const FirewallRule& rule : rules) {
    const char* protocol = rule.protocol == 6 ? "tcp" : rule.protocol == 17 ? "udp" : "any";
    constexpr const char* kSides[] = {"client", "server", "any"};
    list.push_back(
        Json::array({rule.drops ? "drop" : "allow", protocol, kSides[rule.side], Prefix(rule.from, rule.from_bits),
                     Prefix(rule.to, rule.to_bits), nullptr, Ports(rule), nullptr}));
  }
  return Json::to_msgpack(Json::array({"drop", list, nullptr, nullptr}));
}

std::vector<uint32_t> Nat44Addresses(uint32_t flows) {
  std::vector<uint32_t> addresses;
  for (uint32_t i = 0; i <= (flows - 1) / kPortsPerAddress; ++i) addresses.push_back(kOutsideNet + i);
  return addresses;
}

std::vector<uint8_t> Nat44Config(uint32_t flows) {
  Json addresses = Json::array();
  for (uint32_t address : Nat44Addresses(flows)) addresses.push_back(Address(address));
  return Json::to_msgpack(Json::array({addresses, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr}));
}

uint32_t Nat44Leases(uint32_t flows) { return static_cast<uint32_t>(Nat44Addresses(flows).size()) * kPortsPerAddress; }

std::vector<BalancedService> BalancedServices() {
  std::vector<BalancedService> services;
  uint32_t number = 0;
  for (uint8_t protocol : {uint8_t{6}, uint8_t{17}}) {
    BalancedService service = {.addresses = {}, .protocol = protocol, .port = 80, .backends = {}};
    if (protocol == 17) service.port = 53;
    for (uint32_t i = 0; i < kServiceAddresses; ++i) service.addresses.push_back(kServerNet + 1 + i);
    for (uint32_t i = 0; i < 32; ++i) {
      service.backends.push_back({.address = kServerNet + 0xff01 + i,
                                  .port = static_cast<uint16_t>(protocol == 6 ? 8080 : 53),
                                  .weight = i % 16 == 5 ? 0 : 1 + i % 3,
                                  .number = ++number});
    }
    services.push_back(service);
  }
  return services;
}

std::vector<uint8_t> LoadBalancerConfig() {
  Json services = Json::array();
  for (const BalancedService& service : BalancedServices()) {
    Json addresses = Json::array(), backends = Json::array();
    for (uint32_t address : service.addresses) addresses.push_back(Address(address));
    for (const Backend& backend : service.backends) {
      backends.push_back(Json::array({Address(backend.address), backend.port, backend.weight, nullptr}));
    }
    services.push_back(Json::array({addresses, service.protocol == 6 ? "tcp" : "udp", service.port, backends}));
  }
  return Json::to_msgpack(Json::array({services, nullptr, kBalancerSlots, nullptr}));
}

}  // namespace nf
