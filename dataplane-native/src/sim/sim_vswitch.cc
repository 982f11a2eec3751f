#include "sim/sim_vswitch.h"

#include <algorithm>
#include <cstring>

#include "sim/text.h"

namespace nf::sim {

using proto::GateDrop;
using proto::GateVerdict;
using proto::PacketHeader;

proto::ChannelConfig SimChannel() {
  return {.frame_bytes = 400,
          .send_frames = 64,
          .max_message_bytes = 4096,
          .first_timeout_ns = 300'000,
          .min_timeout_ns = 20'000};
}

namespace {
proto::VswitchConfig SimConfig(const Conditions& conditions, uint8_t term) {
  return {.entries = kEntries,
          .members = static_cast<uint16_t>(conditions.runtimes + 1),
          .held_packets = conditions.tight ? 4u : 1000u,
          .sweep_entries = 8,
          .term = term,
          .first_sequence = static_cast<uint32_t>(0u - 20u),
          .committed = conditions.places > 0 && !conditions.available,
          .drain_ns = conditions.strict ? 1'000'000'000u : 1'000'000u,
          .probe_ns = 3'000'000};
}
constexpr const char* kGateReasons[] = {"bad stamp",    "stale epoch",   "fenced",  "out of order",
                                        "no hold room", "owner changed", "repeated"};
}  // namespace

SimVswitch::SimVswitch(World* world, uint8_t term)
    : world_(world),
      began_ns_(world->now_ns()),
      endpoint_(proto::kVswitch, static_cast<uint16_t>(world->conditions().runtimes + 1), SimChannel()),
      machine_(SimConfig(world->conditions(), term), &endpoint_, this),
      entry_of_(world->conditions().flows, kNone),
      tuples_(world->conditions(), kEntries) {
  endpoint_.SetOwnIncarnation(term);
}

SimVswitch::~SimVswitch() {
  Model& model = world_->model();
  for (const uint32_t output : inside_) {
    ++model.counters.lost_in_failure;
    model.OutputDone(output);
  }
  for (const Data& data : data_) {
    if (!data.item.marker) ++model.counters.lost_in_failure;
    world_->DataDone(proto::kVswitch, data.item);
  }
  for (const uint32_t packet : outside_) {
    ++model.counters.dropped;
    model.PacketDone(packet);
  }
}

void SimVswitch::Knows(uint16_t member, uint32_t incarnation) {
  machine_.MemberUp(member, incarnation);
  endpoint_.SetPeer(member, incarnation);
}

uint16_t SimVswitch::Place() {
  std::vector<uint16_t> places;
  for (const bool willing : {true, false}) {
    for (uint16_t id = 1; id <= world_->runtimes(); ++id)
      if (willing ? machine_.accepts(id) : machine_.alive(id)) places.push_back(id);
    if (!places.empty()) return places[world_->random().Below(places.size())];
  }
  return 0;
}

void SimVswitch::Forward(uint32_t number) {
  Model& model = world_->model();
  const PacketRecord& packet = model.packet(number);
  uint32_t& entry = entry_of_[packet.flow];
  if (entry == kNone) {
    FlowKey key{};
    key.source_port = static_cast<uint16_t>(packet.flow + 1);
    const uint16_t place = Place();
    if (place != 0) entry = machine_.Open(key, place, world_->now_ns());
    if (entry == kNone) {
      ++model.counters.dropped;
      return model.PacketDone(number);
    }
    if (world_->conditions().guarded && world_->lives(packet.flow) && model.has_left(packet.flow))
      model.Violate(Text("V has forgotten flow %u, though nobody but it died", packet.flow));
    world_->SetLives(packet.flow, true);
    model.NewInstance(packet.flow);
    tuples_.Opened(entry, packet.flow, world_->calm(), world_->now_ns());
  }
  Stamp(number, entry, 0);
}

// A packet that comes by what V has learnt.
void SimVswitch::Answer(uint32_t number) {
  Model& model = world_->model();
  const PacketRecord& packet = model.packet(number);
  const uint32_t entry = tuples_.entry_of(packet.tuple);
  const bool same_life = entry_of_[packet.flow] != kNone && model.instance(packet.flow) == packet.instance;
  if (entry == kNone) {
    if (same_life) model.Violate(Text("an answer to flow %u finds no flow", packet.flow));
    ++model.counters.dropped;
    return model.PacketDone(number);
  }
  const uint32_t flow = machine_.entry(entry).key.source_port - 1u;
  // Only what is leased rests before another flow has it.
  if (tuples_.is_leased(packet.tuple) && (flow != packet.flow || !same_life))
    model.Violate(Text("an answer to flow %u comes to %s", packet.flow,
                       flow != packet.flow ? Text("flow %u", flow).c_str() : "another life of it"));
  model.Readdress(number, flow);
  Stamp(number, entry, proto::kByAlias);
}

void SimVswitch::Stamp(uint32_t number, uint32_t entry, uint8_t flags) {
  Model& model = world_->model();
  const PacketRecord& packet = model.packet(number);
  uint16_t runtime = 0;
  DataItem item{.number = number, .tuple = tuples_.tuple_of(entry)};
  while (machine_.StampPacket(entry, packet.direction, world_->now_ns(), &runtime, &item.header) ==
         proto::StampVerdict::kNeedsRuntime) {
    const uint16_t place = Place();
    if (place == 0 || !machine_.Reopen(entry, place)) {
      ++model.counters.dropped;
      return model.PacketDone(number);
    }
  }
  item.header.flags |= flags;
  model.Stamped(number);
  if (world_->logs())
    world_->Log(Text("V stamps packet %u of flow %u for runtime %u: entry %u epoch %x sequence %d", number, packet.flow,
                     runtime, entry, item.header.stamp.epoch, static_cast<int32_t>(item.header.stamp.sequence)));
  world_->SendData(proto::kVswitch, runtime, item);
}

// Until it serves, what arrives waits where it arrives.
void SimVswitch::TakeOutside() {
  if (!machine_.serves()) return;
  for (; !outside_.empty(); outside_.pop_front()) {
    const uint32_t packet = outside_.front();
    world_->model().packet(packet).tuple != 0 ? Answer(packet) : Forward(packet);
  }
}

void SimVswitch::TakeData() {
  for (; !data_.empty(); data_.pop_front()) {
    const auto& [from, item] = data_.front();
    if (item.marker) {
      const auto marker = proto::DecodeMarker({reinterpret_cast<const uint8_t*>(&item.datagram), sizeof item.datagram});
      if (!marker) continue;
      if (world_->logs())
        world_->Log(Text("V has marker %u of runtime %u: entry %u epoch %x sequence %d",
                         static_cast<unsigned>(marker->type), from, marker->id.entry, marker->id.epoch,
                         static_cast<int32_t>(marker->sequence)));
      machine_.OnMarker(from, *marker, world_->now_ns());
      continue;
    }
    GateDrop reason{};
    switch (machine_.OnOutput(from, item.number, item.header, &reason)) {
      case GateVerdict::kRelease:
        inside_.insert(item.number);
        Release(item.number, item.header);
        break;
      case GateVerdict::kDropped:
        inside_.insert(item.number);
        DropHeld(item.number, item.header, reason);
        break;
      case GateVerdict::kHeld:
        inside_.insert(item.number);
        break;
    }
  }
}

void SimVswitch::TakeFrames() {
  for (; !frames_.empty(); frames_.pop_front())
    endpoint_.Receive(frames_.front().from, frames_.front().bytes, world_->now_ns(), this);
}

bool SimVswitch::Turn() {
  const bool busy = !(outside_.empty() && data_.empty() && frames_.empty() && memberships_.empty());
  for (; !memberships_.empty(); memberships_.pop_front()) {
    const auto [member, incarnation] = memberships_.front();
    if (incarnation == 0)
      machine_.MemberDown(member);
    else
      machine_.MemberUp(member, incarnation);
    endpoint_.SetPeer(member, incarnation);
  }
  // No protocol may depend on which queue is looked at first.
  if (world_->random().Chance(0.5)) {
    TakeOutside();
    TakeData();
    TakeFrames();
  } else {
    TakeFrames();
    TakeData();
    TakeOutside();
  }
  machine_.Turn(world_->now_ns());
  tuples_.Turn();
  endpoint_.Poll(world_->now_ns(), this);
  return busy;
}

bool SimVswitch::idle() const {
  return machine_.serves() && outside_.empty() && data_.empty() && frames_.empty() && endpoint_.idle() &&
         machine_.held() == 0;
}

void SimVswitch::Release(proto::PacketRef packet, const PacketHeader& header) {
  const auto number = static_cast<uint32_t>(packet);
  inside_.erase(inside_.find(number));
  Model& model = world_->model();
  const OutputRecord& output = model.output(number);
  const uint32_t entry = header.stamp.entry;
  // What a replica sends for an owner that has died since is as good as before.
  const bool relayed = (header.flags & proto::kRelayed) != 0;
  if (!relayed && !machine_.Alive({.id = output.runtime, .incarnation = output.incarnation}))
    model.Violate(Text("output %u of runtime %u left, which is dead to V", number, output.runtime));
  if (output.tuple != 0 && output.tuple != tuples_.tuple_of(entry))
    model.Violate(Text("output %u of flow %u left with what belongs to another flow", number, output.flow));
  const bool learns = (header.flags & proto::kLearn) != 0;
  if (learns ? !tuples_.Learn(entry) : tuples_.in_conflict(entry)) {
    const proto::RouteEntry& e = machine_.entry(entry);
    SendMarker(e.owner.id,
               proto::MakeMarker(proto::MarkerType::kAliasConflict, {entry, e.epoch, 0}, e.next_sequence - 1));
  }
  model.OutputDone(number);
  if (tuples_.in_conflict(entry)) {
    if (world_->logs()) world_->Log(Text("V drops output %u of flow %u: alias conflict", number, output.flow));
    ++model.counters.dropped;
    return model.InConflict(number);
  }
  if (world_->logs())
    world_->Log(
        Text("V lets output %u of flow %u (packet %d) out", number, output.flow, static_cast<int32_t>(output.packet)));
  const Conditions& c = world_->conditions();
  if (c.places > 0 && !c.available) model.CheckCommitted(number);
  model.Released(number);
  if (output.tuple != 0) world_->MayAnswer(number);
}

void SimVswitch::DropHeld(proto::PacketRef packet, const PacketHeader& header, GateDrop reason) {
  const auto number = static_cast<uint32_t>(packet);
  inside_.erase(inside_.find(number));
  Model& model = world_->model();
  const OutputRecord& output = model.output(number);
  const char* why = kGateReasons[static_cast<size_t>(reason)];
  if (world_->logs()) world_->Log(Text("V drops output %u of flow %u: %s", number, output.flow, why));
  // A replica that was slow had been given it before, or the next one.
  const bool is_repetition =
      (header.flags & (proto::kRelayed | proto::kAgain)) != 0 && (output.released || output.in_conflict);
  if (world_->conditions().strict && !is_repetition)
    model.Violate(Text("V dropped output %u of flow %u: %s", number, output.flow, why));
  ++model.counters.dropped;
  model.OutputDone(number);
}

void SimVswitch::SendMarker(uint16_t runtime, const proto::Marker& marker) {
  if (world_->logs())
    world_->Log(Text("V sends marker %u to runtime %u: entry %u epoch %x sequence %d new epoch %x",
                     static_cast<unsigned>(marker.type), runtime, marker.id.entry, marker.id.epoch,
                     static_cast<int32_t>(marker.sequence), marker.new_epoch));
  world_->SendData(proto::kVswitch, runtime, {.marker = true, .datagram = proto::EncodeMarker(marker)});
}

void SimVswitch::EntryRemoved(uint32_t entry, bool state_lost) {
  const auto flow = std::ranges::find(entry_of_, entry);
  if (flow == entry_of_.end()) return world_->model().Violate(Text("entry %u was removed twice", entry));
  if (world_->logs())
    world_->Log(Text("V removes flow %u%s", static_cast<uint32_t>(flow - entry_of_.begin()),
                     state_lost ? ", its state is lost" : ""));
  world_->SetLives(static_cast<uint32_t>(flow - entry_of_.begin()), false);
  *flow = kNone;
  tuples_.Removed(entry, world_->now_ns());
}

bool SimVswitch::EntryRebuilt(uint32_t entry, std::span<const uint8_t> told) {
  uint32_t& known = entry_of_[machine_.entry(entry).key.source_port - 1u];
  Told what;
  if (known != kNone || told.size() != sizeof what) return false;
  std::memcpy(&what, told.data(), sizeof what);
  if (!tuples_.Rebuilt(entry, what.tuple, what.taught != 0)) return false;
  known = entry;
  if (world_->logs()) {
    const proto::RouteEntry& e = machine_.entry(entry);
    world_->Log(Text("V has flow %u again: entry %u, runtime %u, epoch %x, sequence %d", e.key.source_port - 1u, entry,
                     e.owner.id, e.epoch, static_cast<int32_t>(e.next_sequence)));
  }
  return true;
}

void SimVswitch::OnMessage(uint16_t peer, std::span<const uint8_t> bytes) {
  const auto message = proto::DecodeMessage(bytes);
  if (!message) return world_->model().Violate(Text("V got a message from %u that can't be read", peer));
  if (world_->logs())
    world_->Log(Text("V has message %u of runtime %u, %u records", static_cast<unsigned>(message->type()), peer,
                     message->count()));
  for (uint32_t i = 0; world_->logs() && message->type() == proto::MessageType::kTarget && i < message->count(); ++i) {
    const auto target = message->At<proto::TargetRecord>(i);
    world_->Log(Text("  bucket %u is at runtime %u, incarnation %u", target.bucket, target.target.id,
                     target.target.incarnation));
  }
  machine_.OnMessage(peer, *message, world_->now_ns());
}

void SimVswitch::SendFrame(uint16_t peer, std::span<const uint8_t> frame) {
  world_->SendFrame(proto::kVswitch, peer, frame);
}

}  // namespace nf::sim
