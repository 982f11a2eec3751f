// Asks the NFs of a runtime where its flows should go, and begins the moves that they want: soon for flows for which
// one set ASK_MIGRATE, and in a slow round for all (docs/packet_path.md, section 10). Bounded in work and in moves, so
// that what NFs want leaves room for packets and for what operators want. One lcore.
#pragma once

#include <cstdint>

#include "base/counter.h"
#include "chain/chain.h"
#include "flow/flows.h"
#include "proto/runtime_machine.h"
#include "runtime/cluster_board.h"

namespace nf {

class MoveAsker {
 public:
  struct Parts {
    Chain* chain;
    const Flows* flows;
    proto::RuntimeMachine* machine;
    const ClusterBoard* board;
  };
  explicit MoveAsker(const Parts& parts) : parts_(parts) {}

  // ---- The lcore, between polls.
  void Turn(uint64_t mono_ns);
  bool is_asked() const { return !parts_.chain->asks().empty(); }

  // ---- Any thread.
  uint64_t asked() const { return asked_.value(); }      // How often for a flow.
  uint64_t begun() const { return begun_.value(); }      // Moves.
  uint64_t ignored() const { return ignored_.value(); }  // Answers that began none.

 private:
  void GoRound(uint64_t mono_ns);
  void Ask(uint32_t flow, uint64_t mono_ns);
  bool Begin(uint32_t flow, uint32_t target, uint64_t mono_ns);

  Parts parts_;
  ClusterBoard::Records cluster_;
  uint32_t cluster_count_ = 0;  // In this turn; 0: not read yet.
  uint64_t heard_ns_ = 0, round_ns_ = 0;
  uint32_t cursor_ = 0;
  Counter asked_, begun_, ignored_;
};

}  // namespace nf
