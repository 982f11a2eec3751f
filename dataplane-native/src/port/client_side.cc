#include "port/client_side.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "packet/parse.h"

namespace nf {

Expected<ClientSide> ClientSide::Parse(const std::vector<std::string>& cidrs) {
  ClientSide side;
  for (const std::string& cidr : cidrs) {
    const size_t slash = cidr.find('/');
    const std::string address = cidr.substr(0, slash);
    Prefix prefix{};
    uint32_t bits_max = 0;
    if (inet_pton(AF_INET, address.c_str(), prefix.address) == 1) {
      prefix.ip_version = 4;
      bits_max = 32;
    } else if (inet_pton(AF_INET6, address.c_str(), prefix.address) == 1) {
      prefix.ip_version = 6;
      bits_max = 128;
    }
    uint32_t bits = bits_max;
    bool is_good = bits_max != 0;
    if (slash != std::string::npos) {
      const char* end = cidr.data() + cidr.size();
      const auto [stop, error] = std::from_chars(cidr.data() + slash + 1, end, bits);
      is_good = is_good && error == std::errc() && stop == end && bits <= bits_max;
    }
    if (!is_good) {
      return Fail(ErrorCode::kConfigPrefix,
                  "'" + cidr + "' is no prefix. An address or a prefix is like 10.0.0.0/8 or fd00::/8.");
    }
    prefix.bits = static_cast<uint8_t>(bits);
    side.prefixes_.push_back(prefix);
  }
  return side;
}

uint8_t ClientSide::SideOf(const uint8_t* frame, uint32_t captured, uint32_t wire_length) const {
  if (prefixes_.empty()) return 0;
  ParsedPacket packet;
  if (ParsePacket(frame, captured, wire_length, &packet) != abi::DropReason::kNone) return 0;
  if (packet.kind == PacketKind::kNonIp) return 0;
  // Not from the key: that of an ICMP error is about another packet.
  const uint8_t* source = frame + packet.l3_offset + (packet.key.ip_version == 4 ? 12 : 8);
  const auto contains = [&](const Prefix& prefix) {
    if (prefix.ip_version != packet.key.ip_version) return false;
    const uint32_t bytes = prefix.bits / 8, rest = prefix.bits % 8;
    if (std::memcmp(prefix.address, source, bytes) != 0) return false;
    return rest == 0 || (prefix.address[bytes] ^ source[bytes]) >> (8 - rest) == 0;
  };
  return std::any_of(prefixes_.begin(), prefixes_.end(), contains) ? 0 : 1;
}

}  // namespace nf
