// What a runtime of the simulator keeps of flows, as bytes: its own as they move and are replicated, and replicas of
// others'.
#include <algorithm>

#include "proto/word_delta.h"
#include "sim/sim_runtime.h"
#include "sim/sim_vswitch.h"
#include "sim/text.h"

namespace nf::sim {

namespace {

// A flow's state as it goes over the wire.
struct WireState {
  uint32_t flow;
  uint32_t state;
  uint32_t layout;
  uint32_t tuple;
  uint32_t taught;
  uint32_t filling;  // Bytes behind, each the flow's number.
  uint64_t words[4];
};

}  // namespace

uint32_t SimRuntime::WriteState(uint32_t actor, std::span<uint8_t> out) {
  const uint32_t flow = flow_of(actor);
  WireState wire{.flow = flow,
                 .state = state_of_[actor],
                 .layout = layout_,
                 .tuple = tuple_of_[actor].number,
                 .taught = tuple_of_[actor].taught,
                 .filling = flow * 150,
                 .words = {}};
  std::ranges::copy(words_of_[actor], wire.words);
  std::memcpy(out.data(), &wire, sizeof wire);
  std::memset(out.data() + sizeof wire, static_cast<int>(flow), wire.filling);
  return static_cast<uint32_t>(sizeof wire + wire.filling);
}

// Makes the actor's state what the image says. False: it isn't one.
bool SimRuntime::Take(uint32_t actor, uint32_t flow, std::span<const uint8_t> image) {
  Model& model = world_->model();
  WireState wire;
  if (image.size() < sizeof wire) return false;
  std::memcpy(&wire, image.data(), sizeof wire);
  const auto filling = image.subspan(sizeof wire);
  bool whole = filling.size() == wire.filling && wire.flow == flow && wire.state < model.states() &&
               std::ranges::all_of(filling, [&](uint8_t byte) { return byte == static_cast<uint8_t>(flow); });
  for (uint32_t i = 0; i < kWords && whole; ++i) {
    const uint32_t last = model.Ancestor(wire.state, kWords, i);
    whole = wire.words[i] == (last == kNone ? 0 : last);
  }
  if (!whole) {
    model.Violate(Text("runtime %u was given a damaged state of flow %u", id_, flow));
    return false;
  }
  if (wire.layout != layout_) model.Violate(Text("runtime %u was given a state of another layout", id_));
  state_of_[actor] = wire.state;
  std::ranges::copy(wire.words, words_of_[actor].begin());
  tuple_of_[actor] = {.number = wire.tuple, .taught = wire.taught != 0};
  return true;
}

uint32_t SimRuntime::WriteDelta(uint32_t actor, std::span<uint8_t> out) {
  std::vector<uint8_t> now(machine_.config().max_state_bytes);
  now.resize(WriteState(actor, now));
  const size_t bytes = proto::WriteWordDelta(sent_[actor], now, out);
  return bytes > out.size() ? proto::kNoDelta : static_cast<uint32_t>(bytes);
}

uint32_t SimRuntime::WriteFull(uint32_t actor, std::span<uint8_t> out) { return WriteState(actor, out); }

void SimRuntime::Sent(uint32_t actor) {
  sent_[actor].resize(machine_.config().max_state_bytes);
  sent_[actor].resize(WriteState(actor, sent_[actor]));
}

void SimRuntime::ReleaseOutput(proto::PacketRef packet, const proto::PacketHeader& header) {
  const auto number = static_cast<uint32_t>(packet);
  outputs_.erase(outputs_.find(number));
  if (world_->logs()) {
    const OutputRecord& output = world_->model().output(number);
    FlowKey key{};
    key.source_port = static_cast<uint16_t>(output.flow + 1);
    const uint8_t bucket = proto::BucketOf(key);
    world_->Log(Text("runtime %u releases output %u of flow %u, state %u; bucket %u is at runtime %u", id_, number,
                     output.flow, output.state, bucket, machine_.source().home(bucket).id));
  }
  SendUp({.number = number, .header = header});
}

// Every third is longer than a frame of the channel.
uint32_t SimRuntime::WriteOutput(proto::PacketRef packet, std::span<uint8_t> out) {
  const auto number = static_cast<uint32_t>(packet);
  const uint32_t bytes = number % 3 == 0 ? 700 : 60;
  std::memset(out.data(), static_cast<int>(number), bytes);
  std::memcpy(out.data(), &number, sizeof number);
  return bytes;
}

void SimRuntime::OutputRelayed(proto::PacketRef packet, const proto::PacketHeader&) {
  const auto number = static_cast<uint32_t>(packet);
  outputs_.erase(outputs_.find(number));
  world_->model().OutputDone(number);
}

void SimRuntime::RelayOutput(const proto::PacketHeader& header, std::span<const uint8_t> bytes) {
  Model& model = world_->model();
  uint32_t number;
  std::memcpy(&number, bytes.data(), sizeof number);
  const auto filling = bytes.subspan(sizeof number);
  if (number >= model.outputs() ||
      !std::ranges::all_of(filling, [&](uint8_t byte) { return byte == static_cast<uint8_t>(number); }))
    return model.Violate(Text("runtime %u was given a damaged output", id_));
  if (world_->logs())
    world_->Log(Text("runtime %u relays output %u of flow %u", id_, number, model.output(number).flow));
  model.CopyOutput(number);
  SendUp({.number = number, .header = header});
}

void SimRuntime::DropOutput(proto::PacketRef packet, const proto::PacketHeader&) {
  const auto number = static_cast<uint32_t>(packet);
  Model& model = world_->model();
  const uint32_t flow = model.output(number).flow;
  if (world_->logs()) world_->Log(Text("runtime %u drops output %u of flow %u: no replica", id_, number, flow));
  if (world_->conditions().strict) model.Violate(Text("runtime %u dropped output %u of flow %u", id_, number, flow));
  outputs_.erase(outputs_.find(number));
  model.KeptBack(number);
  ++model.counters.dropped;
  model.OutputDone(number);
}

void SimRuntime::Stored(uint32_t place) {
  WireState wire;
  std::memcpy(&wire, images_[place].data(), sizeof wire);
  if (world_->logs()) world_->Log(Text("runtime %u stores state %u of flow %u", id_, wire.state, wire.flow));
  world_->model().Stored(wire.state);
}

bool SimRuntime::StoreFull(uint32_t place, const FlowKey&, std::span<const uint8_t> bytes) {
  images_[place].assign(bytes.begin(), bytes.end());
  Stored(place);
  return true;
}

bool SimRuntime::StoreDelta(uint32_t place, std::span<const uint8_t> bytes) {
  if (!proto::ApplyWordDelta(bytes, images_[place])) return false;
  Stored(place);
  return true;
}

bool SimRuntime::Promote(uint32_t place, uint32_t actor, const FlowKey& key) {
  const uint32_t flow = key.source_port - 1u;
  if (world_->logs()) world_->Log(Text("runtime %u makes flow %u of its replica", id_, flow));
  world_->Recovered();
  return Take(actor, flow, images_[place]);
}

uint32_t SimRuntime::ReadReplica(uint32_t place, std::span<uint8_t> out) {
  std::ranges::copy(images_[place], out.begin());
  return static_cast<uint32_t>(images_[place].size());
}

uint32_t SimRuntime::WriteReport(uint32_t actor, std::span<uint8_t> out) {
  const Told told{.tuple = tuple_of_[actor].number, .taught = tuple_of_[actor].taught};
  std::memcpy(out.data(), &told, sizeof told);
  return sizeof told;
}

uint32_t SimRuntime::WriteReplicaReport(uint32_t place, std::span<uint8_t> out) {
  WireState wire;
  std::memcpy(&wire, images_[place].data(), sizeof wire);
  const Told told{.tuple = wire.tuple, .taught = wire.taught};
  std::memcpy(out.data(), &told, sizeof told);
  return sizeof told;
}

void SimRuntime::SetPlaces(uint32_t bits) {
  std::vector<uint16_t> places;
  for (uint16_t id = 1; id <= world_->runtimes(); ++id)
    if ((bits >> (id - 1) & 1) != 0) places.push_back(id);
  if (machine_.replicates()) machine_.SetPlaces(places, world_->now_ns());
}

}  // namespace nf::sim
