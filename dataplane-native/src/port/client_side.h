// Which side of a capture a packet comes from: the client's if its source address lies in one of the given prefixes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace nf {

class ClientSide {
 public:
  // Addresses or prefixes of either family, like 10.0.0.0/8; none: everything comes from the client. Errors:
  // config.prefix.
  static Expected<ClientSide> Parse(const std::vector<std::string>& cidrs);

  // 0 client, 1 server. Frames that don't parse, are no IP or control the link come from the client.
  uint8_t SideOf(const uint8_t* frame, uint32_t captured, uint32_t wire_length) const;

 private:
  struct Prefix {
    uint8_t ip_version;
    uint8_t bits;
    uint8_t address[16];
  };
  std::vector<Prefix> prefixes_;
};

}  // namespace nf
