// The owner of one flow, or who is about to be.
#pragma once

#include <cstdint>

#include "packet/flow_key.h"
#include "proto/held_packets.h"
#include "proto/ids.h"
#include "proto/timer_queue.h"

namespace nf::proto {

enum class ActorState : uint8_t {
  kFree,
  kActive,
  kMoving,    // Active, with a migration under way that hasn't taken its state yet.
  kFinal,     // Its state has been sent; kept until the target has it.
  kAwaiting,  // A target without state: packets wait.
  kClosing,   // Active, and V has been asked whether the flow may end.
};

struct Actor {
  uint32_t entry = kNone;
  uint32_t epoch = 0;
  uint32_t expected = 0;  // The next sequence.
  ActorState state = ActorState::kFree;
  uint8_t generation = 0;
  uint8_t last_part = 0;
  uint32_t migration = kNone;  // While kMoving or kFinal.
  // Of the attempt by which it came; epoch 0: it opened here.
  uint32_t came_epoch = 0;
  uint32_t came_attempt = 0;
  uint16_t came_from = 0;
  uint16_t retries = 0;
  uint32_t denied_sequence = 0;  // While kClosing: V has stamped up to here.
  bool denied = false;
  bool no_state = false;  // The state, should one (still) come, is refused: its source died, or one was refused before.
  bool safe = false;      // Nothing is lost if the source frees it: it may be told that the flow is here.
  bool is_bare = false;   // Safe, but for want of room without a replica.
  bool was_seen = false;  // Output of it has left, before its source died.
  uint16_t pulled_from = 0;  // Who was asked for the replica of a source that died; 0: nobody.
  HeldList held;
  TimerLink timer;  // While kAwaiting or kClosing.
  uint32_t next_free = kNone;
  FlowKey key{};
};

}  // namespace nf::proto
