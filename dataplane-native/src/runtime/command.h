// What a control thread asks of the lcore. It belongs to the control thread, which waits until `done`.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "chain/chain_nf.h"
#include "flow/flow_actor.h"

namespace nf {

struct Command {
  enum class Kind : uint8_t { kSwap, kFlows };
  Kind kind;

  // kSwap: `version` comes back with the old instances.
  uint32_t nf = 0;
  NfVersion* version = nullptr;
  bool flipped = false;
  uint64_t begin_tsc = 0;
  uint64_t drops_before = 0;
  uint64_t pause_ns = 0;
  uint64_t burst_ns = 0;
  uint32_t flows = 0;
  uint64_t drops = 0;

  // kFlows: copies of actors and of all their slots, from `cursor` on; `cursor` is then where to go on, flows_max at
  // the end. The vectors have their full size before.
  uint32_t cursor = 0;
  uint32_t limit = 0;
  uint32_t count = 0;
  std::vector<FlowActor> actors;
  std::vector<uint8_t> states;

  std::atomic<bool> done{false};
};

}  // namespace nf
