// What ought to be: every packet and every frame that left, by number; every state that a flow ever had, with the one
// it came from. Knows nothing of the protocols: it is told what happened, and says what must not have.
//
// A flow's state is a chain: processing a packet makes a new state out of one. What leaves must follow one line of that
// chain. A line that ends and another that begins are in order only if the flow was closed or its loss was declared.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/ids.h"

namespace nf::sim {

using proto::kNone;

struct PacketRecord {
  uint32_t flow = 0;
  uint8_t direction = 0;
  bool must_leave = false;
  bool processed = false;
  uint64_t order = 0;     // In which V stamped, of all packets; 0: V had no place for it.
  uint32_t tuple = 0;     // By which it comes, if it is an answer.
  uint32_t instance = 0;  // Then: the life of the flow that it answers.
  uint32_t copies = 0;    // On links, in queues, held.
  uint32_t output = kNone;
};

struct OutputRecord {
  uint32_t flow = 0;
  uint32_t packet = kNone;  // That caused it; none: time did.
  uint32_t state = kNone;   // Out of which it came.
  uint64_t order = 0;       // Of the flow's last packet.
  uint16_t runtime = 0;
  uint32_t incarnation = 0;
  uint32_t copies = 0;
  uint32_t tuple = 0;  // By which it is answered; 0: by the flow's key.
  bool released = false;
  bool in_conflict = false;  // It didn't leave, since its answers are another flow's.
  bool kept_back = false;    // Its owner dropped it, for want of a replica.
};

struct StateRecord {
  uint32_t flow = 0;
  uint32_t parent = kNone;
  uint32_t root = kNone;
  uint32_t instance = 0;     // Of the root: which life of the flow at V.
  uint64_t order = 0;        // Of the last packet in it.
  bool lost_before = false;  // Of the root: the flow's earlier state is declared lost.
  bool stored = false;       // Some replica has had it.
};

struct ModelCounters {
  uint64_t packets = 0;
  uint64_t stamped = 0;
  uint64_t processed = 0;
  uint64_t outputs = 0;
  uint64_t released = 0;
  uint64_t dropped = 0;  // By a member, with a reason.
  uint64_t lost_on_links = 0;
  uint64_t lost_in_failure = 0;
};

class Model {
 public:
  explicit Model(uint32_t flows) : flows_(flows) {}

  uint32_t NewPacket(uint32_t flow, uint8_t direction, bool must_leave);
  void Stamped(uint32_t packet);
  // `order_matters`: whoever processed is the owner as far as V knows.
  void Processed(uint32_t packet, bool order_matters);
  uint32_t NewState(uint32_t parent, uint32_t flow, uint64_t order);
  uint32_t NewRoot(uint32_t flow, bool lost_before);
  uint32_t NewOutput(uint32_t flow, uint32_t packet, uint32_t state, uint16_t runtime, uint32_t incarnation);
  void AnsweredBy(uint32_t output, uint32_t tuple) { outputs_[output].tuple = tuple; }
  void Released(uint32_t output);
  // A replica has this state. What a flow causes leaves only out of states that were stored, or led to one that was
  // (I4).
  void Stored(uint32_t state);
  // Whether output of the flow's present life has left.
  bool has_left(uint32_t flow) const {
    const uint32_t state = flows_[flow].released_state;
    return state != kNone && states_[states_[state].root].instance == flows_[flow].instance;
  }
  void CheckCommitted(uint32_t output);
  // The last state before, or this, whose number leaves `remainder` when divided by `divisor`; kNone: there is none.
  uint32_t Ancestor(uint32_t state, uint32_t divisor, uint32_t remainder) const;
  uint32_t outputs() const { return static_cast<uint32_t>(outputs_.size()); }
  uint32_t states() const { return static_cast<uint32_t>(states_.size()); }
  void InConflict(uint32_t output) { outputs_[output].in_conflict = true; }
  void KeptBack(uint32_t output) { outputs_[output].kept_back = true; }
  // Whether the flow's owner has dropped output from this one on, and none of it has come to V.
  bool IsKeptBack(uint32_t flow, uint32_t from) const;
  uint32_t NewAnswer(uint32_t output);
  // The answer has found this flow, which may lawfully have what another had before.
  void Readdress(uint32_t packet, uint32_t flow) { packets_[packet].flow = flow; }
  // V began a life of the flow (again).
  void NewInstance(uint32_t flow) { ++flows_[flow].instance; }
  uint32_t instance(uint32_t flow) const { return flows_[flow].instance; }

  void CopyPacket(uint32_t packet) { ++packets_[packet].copies; }
  void CopyOutput(uint32_t output) { ++outputs_[output].copies; }
  void PacketDone(uint32_t packet) { --packets_[packet].copies; }
  void OutputDone(uint32_t output) { --outputs_[output].copies; }

  // Everything has come to rest. `whole`: nothing may be missing.
  void CheckEnd(bool whole);

  PacketRecord& packet(uint32_t index) { return packets_[index]; }
  OutputRecord& output(uint32_t index) { return outputs_[index]; }
  const StateRecord& state(uint32_t index) const { return states_[index]; }
  // The first thing that was wrong; empty: nothing.
  const std::string& violation() const { return violation_; }
  void Violate(std::string what) {
    if (violation_.empty()) violation_ = std::move(what);
  }

  ModelCounters counters;

 private:
  struct Flow {
    uint32_t instance = 0;
    uint64_t processed_order = 0;
    uint64_t released_order = 0;
    uint32_t released_output = 0;
    uint32_t released_state = kNone;
    std::vector<uint32_t> stored;
  };
  bool Descends(uint32_t state, uint32_t from) const;
  void CheckLine(Flow* flow, const OutputRecord& output, uint32_t number);

  std::vector<Flow> flows_;
  std::vector<PacketRecord> packets_;
  std::vector<OutputRecord> outputs_;
  std::vector<StateRecord> states_;
  uint64_t stamp_count_ = 0;
  std::string violation_;
};

}  // namespace nf::sim
