// What a control thread asks of the lcore. It belongs to the control thread, which waits until `done`.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "chain/chain_nf.h"
#include "flow/flow_actor.h"

namespace nf {

struct Operation;

struct Command {
  enum class Kind : uint8_t {
    kSwap,
    kFlows,
    kFindFlows,
    kTrace,  // `trace` from now on; null: nothing is traced any more.
    // Of runtimes behind a vswitch, and of the vswitch.
    kMember,     // Somebody joins or leaves.
    kExclude,    // The vswitch places no new flows there (incarnation 0), or does again.
    kMove,       // Flows, whichever.
    kMoveThese,  // Those at `places`, if they still have these `numbers`.
    kDrain,
    kUndrain,
    kHomes,  // Where replicas are to be.
  };
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

  // kFindFlows, kMoveThese: numbers of flows in ascending order, and which actors they are; kNoFlow: none.
  std::vector<uint64_t> numbers;
  std::vector<uint32_t> places;

  class TraceSession* trace = nullptr;

  // kMember: the runtime's number, its life (0: it leaves), and how to reach it.
  uint16_t member = 0;
  uint32_t incarnation = 0;
  class MailBox* mail = nullptr;
  uint32_t frame_bytes = 0;  // That the way there has room for; 0: for all.
  struct RuntimeLink* link = nullptr;
  bool owns_ring = false;  // What lies in the ring to one that leaves is the vswitch's again: nobody else takes it.

  // kMove, kMoveThese, kDrain. The operation outlives its end; null afterwards when it was not begun.
  Operation* operation = nullptr;
  uint32_t flows_wanted = 0;
  std::vector<uint16_t> targets;

  // kHomes: bits by number; 0: any.
  uint32_t homes = 0;

  std::atomic<bool> done{false};
};

}  // namespace nf
