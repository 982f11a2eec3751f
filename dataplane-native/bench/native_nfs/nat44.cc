// nf-wasm/nat44 in C++.
#include <algorithm>

#include "harness/configs.h"
#include "native_nfs/checksum_delta.h"
#include "native_nfs/native_nfs.h"
#include "native_nfs/tcp_view.h"

namespace nf {
namespace {

constexpr uint32_t kNoPort = 128, kUnsolicited = 129, kUntranslatable = 130, kSourceInPool = 131;
constexpr uint32_t kTcpMs = 7440000, kTcpOpeningMs = 240000, kUdpMs = 300000;
enum Mode : uint8_t { kPass, kTranslate, kDrop };

struct Mapping {
  uint32_t address[2];
  uint16_t port[2], address_delta[2], l4_delta[2];
  uint8_t mode, reason, checksum_at, is_opening;
  uint16_t outside_port;
  uint32_t outside_address;
};
static_assert(sizeof(Mapping) == 32);

class Nat44 : public NativeNf {
 public:
  explicit Nat44(uint32_t flows) : in_order_(Nat44Addresses(flows)), sorted_(in_order_) {
    std::sort(sorted_.begin(), sorted_.end());
  }

  void Process(const NativePacket* packets, uint32_t count, uint8_t d, uint64_t, abi::Result* results) override {
    for (uint32_t i = 0; i < count; ++i) {
      const NativePacket& packet = packets[i];
      Mapping& s = *reinterpret_cast<Mapping*>(packet.state);
      abi::Result& result = results[i];
      if (packet.first) Open(packet, s, result);
      if (s.mode == kPass) {
        Forward(result);
      } else if (s.mode == kDrop) {
        result.flags |= abi::kResultFlagCloseFlow;
        Drop(result, s.reason);
      } else if (!Translate(packet, s, d)) {
        Drop(result, kUnsolicited);
      } else {
        result.flags |= abi::kResultFlagModifiedHeader;
        if (s.is_opening != 0 && d == 1) Answered(packet, s, result);
        Forward(result);
      }
    }
  }

 private:
  bool InPool(uint32_t address) const { return std::binary_search(sorted_.begin(), sorted_.end(), address); }
  static bool IsLocal(uint32_t source, uint32_t destination) {
    const uint32_t from = source >> 24, to = destination >> 24;
    return from == 0 || from == 127 || from >= 224 || to == 0 || to == 127 || to >= 224 || source >> 16 == 0xa9fe ||
           destination >> 16 == 0xa9fe;
  }
  static void Refuse(Mapping& s, uint32_t reason) {
    s.mode = kDrop;
    s.reason = static_cast<uint8_t>(reason);
  }

  void Open(const NativePacket& packet, Mapping& s, abi::Result& result) const {
    const FlowKey& key = *packet.flow;
    if (key.ip_version != 4) return;
    const uint32_t inside = LoadBe32(key.source_address + 12), server = LoadBe32(key.destination_address + 12);
    if (packet.meta->in_port == 1) return Refuse(s, kUnsolicited);
    if (InPool(inside)) return Refuse(s, kSourceInPool);
    if (InPool(server)) return Refuse(s, kUnsolicited);
    const bool is_tcp = key.protocol == kTcp;
    if ((!is_tcp && key.protocol != kUdp) || IsLocal(inside, server)) return Refuse(s, kUntranslatable);
    const uint32_t lease = packet.lease - 1;
    if (packet.lease == 0 || lease / kPortsPerAddress >= in_order_.size()) return Refuse(s, kNoPort);
    s.outside_address = in_order_[lease / kPortsPerAddress];
    s.outside_port = static_cast<uint16_t>(1024 + lease % kPortsPerAddress);
    const uint32_t a = __builtin_bswap32(inside), b = __builtin_bswap32(s.outside_address);
    const uint32_t p = __builtin_bswap16(key.source_port), q = __builtin_bswap16(s.outside_port);
    s.address[0] = a;
    s.address[1] = b;
    s.port[0] = static_cast<uint16_t>(p);
    s.port[1] = static_cast<uint16_t>(q);
    s.checksum_at = is_tcp ? 16 : 6;
    s.address_delta[0] = static_cast<uint16_t>(Delta(a, b));
    s.address_delta[1] = static_cast<uint16_t>(Delta(b, a));
    s.l4_delta[0] = static_cast<uint16_t>(Folded(s.address_delta[0] + Delta(p, q)));
    s.l4_delta[1] = static_cast<uint16_t>(Folded(s.address_delta[1] + Delta(q, p)));
    s.mode = kTranslate;
    s.is_opening = is_tcp ? 1 : 0;
    result.timeout = is_tcp ? kTcpOpeningMs : kUdpMs;
  }

  static bool Translate(const NativePacket& packet, const Mapping& s, uint32_t d) {
    const ParsedPacket& parsed = packet.meta->parsed;
    uint8_t* ip = packet.frame + parsed.l3_offset;
    uint8_t* address = ip + 12 + (d << 2);
    uint32_t shown;
    std::memcpy(&shown, address, sizeof shown);
    if (shown != s.address[d]) return false;
    if ((parsed.flags & abi::kPacketFlagLaterFragment) == 0) {
      uint8_t* l4 = packet.frame + parsed.l4_offset;
      uint8_t* port = l4 + (d << 1);
      if (Load16(port) != s.port[d]) return false;
      Store16(port, s.port[d ^ 1]);
      if (s.checksum_at == 6) {
        AddUdpDelta(l4 + 6, s.l4_delta[d]);
      } else {
        AddDelta(l4 + 16, s.l4_delta[d]);
      }
    }
    std::memcpy(address, &s.address[d ^ 1], sizeof s.address[d ^ 1]);
    AddDelta(ip + 10, s.address_delta[d]);
    return true;
  }

  static void Answered(const NativePacket& packet, Mapping& s, abi::Result& result) {
    const TcpView tcp(packet);
    if (tcp.at == nullptr || (tcp.flags() & kRst) != 0) return;
    s.is_opening = 0;
    result.timeout = kTcpMs;
  }

  std::vector<uint32_t> in_order_, sorted_;
};

}  // namespace

std::unique_ptr<NativeNf> NativeNat44(uint32_t flows) { return std::make_unique<Nat44>(flows); }

}  // namespace nf
