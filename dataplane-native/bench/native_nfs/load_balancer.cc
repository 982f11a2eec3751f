// nf-wasm/load_balancer in C++.
#include <unordered_map>

#include "harness/configs.h"
#include "harness/maglev.h"
#include "native_nfs/checksum_delta.h"
#include "native_nfs/native_nfs.h"
#include "native_nfs/tcp_view.h"

namespace nf {
namespace {

constexpr uint32_t kUnsolicited = 130;
enum Mode : uint8_t { kPass, kBound };

struct Binding {
  uint32_t address[2];
  uint16_t port[2], address_delta[2], l4_delta[2];
  uint8_t mode, checksum_at;
  uint16_t backend_port;
  uint32_t backend_address;
  uint16_t backend, service;
  uint64_t address6[4];  // Of IPv6.
};
static_assert(sizeof(Binding) == 64);

class LoadBalancer : public NativeNf {
 public:
  LoadBalancer() {
    for (const BalancedService& service : BalancedServices()) {
      tables_.emplace_back(service.backends, kBalancerSlots);
      for (uint32_t address : service.addresses) {
        endpoints_.emplace(EndpointOf(address, service.protocol, service.port), static_cast<uint16_t>(tables_.size()));
      }
    }
  }

  void Process(const NativePacket* packets, uint32_t count, uint8_t d, uint64_t, abi::Result* results) override {
    for (uint32_t i = 0; i < count; ++i) {
      const NativePacket& packet = packets[i];
      Binding& s = *reinterpret_cast<Binding*>(packet.state);
      abi::Result& result = results[i];
      if (packet.first) Open(packet, s);
      if (s.mode == kPass) {
        Forward(result);
      } else if (!Translate(packet, s, d)) {
        Drop(result, kUnsolicited);
      } else {
        result.flags |= abi::kResultFlagModifiedHeader;
        Forward(result);
      }
    }
  }

 private:
  static uint64_t EndpointOf(uint32_t address, uint8_t protocol, uint16_t port) {
    return uint64_t{address} << 32 | uint64_t{protocol} << 16 | port;
  }

  void Open(const NativePacket& packet, Binding& s) const {
    const FlowKey& key = *packet.flow;
    if (packet.meta->in_port == 1 || key.ip_version != 4) return;
    const uint32_t service = LoadBe32(key.destination_address + 12);
    const auto found = endpoints_.find(EndpointOf(service, key.protocol, key.destination_port));
    if (found == endpoints_.end()) return;
    const Backend& backend = tables_[found->second - 1].For({.client = LoadBe32(key.source_address + 12),
                                                             .service = service,
                                                             .client_port = key.source_port,
                                                             .service_port = key.destination_port,
                                                             .protocol = key.protocol});
    const uint32_t a = __builtin_bswap32(service), b = __builtin_bswap32(backend.address);
    const uint32_t p = __builtin_bswap16(key.destination_port), q = __builtin_bswap16(backend.port);
    s.address[0] = a;
    s.address[1] = b;
    s.port[0] = static_cast<uint16_t>(p);
    s.port[1] = static_cast<uint16_t>(q);
    s.address_delta[0] = static_cast<uint16_t>(Delta(a, b));
    s.address_delta[1] = static_cast<uint16_t>(Delta(b, a));
    s.l4_delta[0] = static_cast<uint16_t>(Folded(s.address_delta[0] + Delta(p, q)));
    s.l4_delta[1] = static_cast<uint16_t>(Folded(s.address_delta[1] + Delta(q, p)));
    s.backend_address = backend.address;
    s.backend_port = backend.port;
    s.backend = static_cast<uint16_t>(backend.number);
    s.service = found->second;
    s.mode = kBound;
    s.checksum_at = key.protocol == kTcp ? 16 : 6;
  }

  static bool Translate(const NativePacket& packet, const Binding& s, uint32_t d) {
    const ParsedPacket& parsed = packet.meta->parsed;
    const uint32_t o = d ^ 1;
    uint8_t* ip = packet.frame + parsed.l3_offset;
    uint8_t* l4 = packet.frame + parsed.l4_offset;
    uint8_t* address = ip + 12 + (o << 2);
    uint8_t* port = l4 + (o << 1);
    const bool has_ports = (parsed.flags & abi::kPacketFlagLaterFragment) == 0;
    uint32_t shown;
    std::memcpy(&shown, address, sizeof shown);
    if (shown != s.address[d] || (has_ports && Load16(port) != s.port[d])) return false;
    std::memcpy(address, &s.address[o], sizeof s.address[o]);
    AddDelta(ip + 10, s.address_delta[d]);
    if (has_ports) {
      Store16(port, s.port[o]);
      if (s.checksum_at == 6) {
        AddUdpDelta(l4 + 6, s.l4_delta[d]);
      } else {
        AddDelta(l4 + 16, s.l4_delta[d]);
      }
    }
    return true;
  }

  std::vector<MaglevTable> tables_;                   // By service.
  std::unordered_map<uint64_t, uint16_t> endpoints_;  // To the service's number, from 1.
};

}  // namespace

std::unique_ptr<NativeNf> NativeLoadBalancer() { return std::make_unique<LoadBalancer>(); }

}  // namespace nf
