// A hash of flow keys that is the same for both directions of a flow and that nobody without the secret can foresee:
// each endpoint is folded by itself, then both are joined by operations that do not care for their order.
#pragma once

#include <sys/random.h>

#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "packet/flow_key.h"

namespace nf {

struct FlowHashSecret {
  uint64_t words[6];

  static FlowHashSecret Random() {
    FlowHashSecret secret;
    NF_CHECK(getrandom(&secret, sizeof secret, 0) == sizeof secret, "the kernel gives random numbers");
    for (uint64_t& word : secret.words) word |= 1;  // Odd, so that multiplying loses nothing.
    return secret;
  }
};

// Both halves of the 128-bit product: every bit of either operand reaches the result.
inline uint64_t FoldedProduct(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t HashFlowKey(const FlowKey& key, const FlowHashSecret& secret) {
  const auto endpoint = [&secret](const uint8_t* address, uint16_t port) {
    uint64_t halves[2];
    std::memcpy(halves, address, sizeof halves);
    return FoldedProduct((halves[0] ^ secret.words[0]) + port * secret.words[1], halves[1] ^ secret.words[2]);
  };
  const uint64_t source = endpoint(key.source_address, key.source_port);
  const uint64_t destination = endpoint(key.destination_address, key.destination_port);
  uint64_t rest;  // Protocol, version, tags.
  std::memcpy(&rest, &key.protocol, sizeof rest);
  return FoldedProduct((source + destination) ^ secret.words[3],
                       ((source ^ destination) + rest * secret.words[4]) ^ secret.words[5]);
}

}  // namespace nf
