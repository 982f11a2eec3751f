#include "sim/model.h"

#include "sim/text.h"

namespace nf::sim {

uint32_t Model::NewPacket(uint32_t flow, uint8_t direction, bool must_leave) {
  packets_.push_back({.flow = flow, .direction = direction, .must_leave = must_leave});
  ++counters.packets;
  return static_cast<uint32_t>(packets_.size() - 1);
}

uint32_t Model::NewAnswer(uint32_t output) {
  const auto& [flow, tuple] = std::pair(outputs_[output].flow, outputs_[output].tuple);
  const uint32_t packet = NewPacket(flow, 1, false);
  packets_[packet].tuple = tuple;
  packets_[packet].instance = flows_[flow].instance;
  return packet;
}

void Model::Stamped(uint32_t packet) {
  packets_[packet].order = ++stamp_count_;
  ++counters.stamped;
}

void Model::Processed(uint32_t packet, bool order_matters) {
  PacketRecord& record = packets_[packet];
  ++counters.processed;
  if (record.processed) Violate(Text("packet %u of flow %u was processed twice", packet, record.flow));
  record.processed = true;
  if (!order_matters) return;
  Flow& flow = flows_[record.flow];
  if (record.order < flow.processed_order)
    Violate(Text("packet %u of flow %u was processed after one that V stamped later", packet, record.flow));
  flow.processed_order = record.order;
}

uint32_t Model::NewRoot(uint32_t flow, bool lost_before) {
  const auto index = static_cast<uint32_t>(states_.size());
  states_.push_back({.flow = flow, .root = index, .instance = flows_[flow].instance, .lost_before = lost_before});
  return index;
}

uint32_t Model::NewState(uint32_t parent, uint32_t flow, uint64_t order) {
  const auto index = static_cast<uint32_t>(states_.size());
  if (states_[parent].flow != flow)
    Violate(Text("a packet of flow %u met the state of flow %u", flow, states_[parent].flow));
  states_.push_back({.flow = flow, .parent = parent, .root = states_[parent].root, .order = order});
  return index;
}

uint32_t Model::NewOutput(uint32_t flow, uint32_t packet, uint32_t state, uint16_t runtime, uint32_t incarnation) {
  const auto index = static_cast<uint32_t>(outputs_.size());
  outputs_.push_back({.flow = flow,
                      .packet = packet,
                      .state = state,
                      .order = states_[state].order,
                      .runtime = runtime,
                      .incarnation = incarnation});
  if (packet != kNone) packets_[packet].output = index;
  ++counters.outputs;
  return index;
}

bool Model::Descends(uint32_t state, uint32_t from) const {
  // A state's number is higher than its parent's.
  while (state != kNone && state > from) state = states_[state].parent;
  return state == from;
}

void Model::Released(uint32_t index) {
  OutputRecord& output = outputs_[index];
  ++counters.released;
  if (output.released) Violate(Text("output %u of flow %u left twice", index, output.flow));
  output.released = true;
  CheckLine(&flows_[output.flow], output, index);
}

void Model::Stored(uint32_t state) {
  if (states_[state].stored) return;
  states_[state].stored = true;
  flows_[states_[state].flow].stored.push_back(state);
}

void Model::CheckCommitted(uint32_t index) {
  const OutputRecord& output = outputs_[index];
  for (const uint32_t stored : flows_[output.flow].stored)
    if (Descends(stored, output.state)) return;
  Violate(Text("output %u of flow %u left before a replica had what it came from", index, output.flow));
}

uint32_t Model::Ancestor(uint32_t state, uint32_t divisor, uint32_t remainder) const {
  while (state != kNone && state % divisor != remainder) state = states_[state].parent;
  return state;
}

bool Model::IsKeptBack(uint32_t flow, uint32_t from) const {
  bool kept_back = false;
  for (uint32_t i = from; i < outputs_.size(); ++i) {
    const OutputRecord& output = outputs_[i];
    if (output.flow != flow) continue;
    if (output.released || output.in_conflict) return false;
    kept_back = kept_back || output.kept_back;
  }
  return kept_back;
}

void Model::CheckLine(Flow* flow, const OutputRecord& output, uint32_t index) {
  const StateRecord& state = states_[output.state];
  if (output.order < flow->released_order ||
      (output.order == flow->released_order && index < flow->released_output && flow->released_state != kNone &&
       states_[flow->released_state].root == state.root)) {
    Violate(Text("output %u of flow %u left after a later one", index, output.flow));
  }
  if (flow->released_state != kNone) {
    const StateRecord& before = states_[flow->released_state];
    if (before.root == state.root) {
      if (!Descends(output.state, flow->released_state))
        Violate(Text("output %u of flow %u comes from a state that does not follow the last one seen: two lines", index,
                     output.flow));
    } else {
      const StateRecord& root = states_[state.root];
      const uint32_t instance_before = states_[before.root].instance;
      const bool declared = root.instance == instance_before && root.lost_before;
      if (state.root < before.root || root.instance < instance_before)
        Violate(Text("output %u of flow %u comes from an earlier life of the flow", index, output.flow));
      else if (root.instance == instance_before && !declared)
        Violate(Text("flow %u began anew without anybody saying that its state was lost", output.flow));
    }
  }
  flow->released_order = output.order;
  flow->released_output = index;
  flow->released_state = output.state;
}

void Model::CheckEnd(bool whole) {
  for (uint32_t i = 0; i < packets_.size(); ++i) {
    const PacketRecord& packet = packets_[i];
    if (packet.copies != 0) Violate(Text("packet %u of flow %u: nobody knows what became of it", i, packet.flow));
    const bool wanted = packet.must_leave || (whole && packet.order != 0);
    if (wanted && !packet.processed) Violate(Text("packet %u of flow %u was not processed", i, packet.flow));
    if (packet.must_leave && (packet.output == kNone || !outputs_[packet.output].released))
      Violate(Text("packet %u of flow %u, sent when all faults were over, did not leave", i, packet.flow));
  }
  for (uint32_t i = 0; i < outputs_.size(); ++i) {
    const OutputRecord& output = outputs_[i];
    if (output.copies != 0) Violate(Text("output %u of flow %u: nobody knows what became of it", i, output.flow));
    if (whole && !output.released && !output.in_conflict)
      Violate(Text("output %u of flow %u did not leave", i, output.flow));
  }
}

}  // namespace nf::sim
