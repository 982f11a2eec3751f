// What a chain makes of packets, down to each byte: for showing that two chains do the same work. Time is that of the
// packets, so it is the same in every run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chain/native_nf.h"
#include "chain/nf_spec.h"
#include "harness/traffic.h"
#include "wasm/engine.h"

namespace nf {

struct Outcome {
  uint64_t received, sent, sent_bytes;
  uint64_t digest;                           // Of the frames sent, in order, with their sides.
  uint64_t wrong_checksums;                  // Frames sent whose IPv4 or L4 checksum is wrong.
  std::vector<uint64_t> dropped;             // By the host's reasons, then by those of each NF.
  std::vector<std::vector<uint8_t>> states;  // By NF: all slots.

  // What differs, for a person; empty when nothing does.
  std::string DifferenceFrom(const Outcome& other) const;
};

// Opens the flows of `traffic`, then sends so many packets. Chain and `native` as in RingRun::Options.
Outcome RunToOutcome(Engine& engine, const std::vector<NfSpec>& chain, const std::vector<NativeNf*>& native,
                     const Traffic& traffic, uint64_t packets);

}  // namespace nf
