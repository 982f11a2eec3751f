#include "sim/sim_runtime.h"

#include <algorithm>

#include "sim/sim_vswitch.h"
#include "sim/text.h"

namespace nf::sim {

using proto::ActorState;
using proto::PacketDrop;
using proto::PacketHeader;
using proto::PacketVerdict;

namespace {

constexpr uint64_t kChainDigest = 7;
constexpr const char* kDropReasons[] = {"bad stamp", "stale epoch", "late",     "no flow",
                                        "no room",   "hold full",   "abandoned"};

proto::RuntimeConfig SimConfig(const Conditions& c, uint16_t id, uint32_t layout) {
  return {.id = id,
          .actors = c.tight ? 3u : 16u,
          .entries = kEntries,
          .members = static_cast<uint16_t>(c.runtimes + 1),
          .migrations = c.migrations_at_once,
          .operations = 8,
          .held_packets = c.tight ? 4u : 1000u,
          .held_packets_of_flow = c.tight ? 3u : 1000u,
          .max_state_bytes = 2048,
          .digests = {.chain = kChainDigest, .layout = layout},
          .retry_ns = 200'000,
          .give_up_ns = c.strict ? 1'000'000'000u : 1'500'000u,
          .ask_after_retries = 4,
          .settle_ns = c.data.keeps_order ? 0 : 2 * c.data.delay_max_ns + 2 * c.turn_max_ns,
          .replication = {.mode = c.relay ? proto::ReplicationMode::kRelay : proto::ReplicationMode::kHold,
                          .unprotected = c.available ? proto::Unprotected::kAvailable : proto::Unprotected::kStrict,
                          .replicas = c.tight ? 3 : 2 * kEntries,
                          .held_outputs = c.tight ? 8u : 4000u,
                          .copies_per_turn = 2,
                          .unreachable_ns = 2'000'000,
                          .refused_ns = 1'000'000}};
}

}  // namespace

SimRuntime::SimRuntime(World* world, uint16_t id, uint32_t incarnation)
    : world_(world),
      id_(id),
      incarnation_(incarnation),
      newest_(world->conditions().runtimes + 1u),
      layout_(world->conditions().mixed_layouts && id == world->conditions().runtimes ? 2 : 1),
      endpoint_(id, static_cast<uint16_t>(world->conditions().runtimes + 1), SimChannel()),
      machine_(SimConfig(world->conditions(), id, layout_), &endpoint_, this,
               world->conditions().places > 0 ? this : nullptr),
      state_of_(machine_.config().actors, kNone),
      words_of_(machine_.config().actors),
      tuple_of_(machine_.config().actors),
      leased_(kEntries),
      sent_(machine_.config().actors),
      images_(machine_.config().replication.replicas) {
  endpoint_.SetOwnIncarnation(incarnation);
}

SimRuntime::~SimRuntime() {
  Model& model = world_->model();
  for (const uint32_t packet : inside_) {
    ++model.counters.lost_in_failure;
    model.PacketDone(packet);
  }
  for (const uint32_t output : outputs_) {
    ++model.counters.lost_in_failure;
    model.OutputDone(output);
  }
  for (const auto& [item, vswitch] : data_) {
    if (!item.marker) ++model.counters.lost_in_failure;
    world_->DataDone(id_, item);
  }
  for (const DataItem& item : up_) {
    if (!item.marker) ++model.counters.lost_in_failure;
    world_->DataDone(proto::kVswitch, item);
  }
  for (size_t i = 0; i < operations_.size(); ++i) world_->OperationEnded();
}

void SimRuntime::Knows(uint16_t member, uint32_t incarnation) {
  if (member == id_) return;
  // What a host owes the machines. Here a later life has a higher incarnation.
  if (incarnation != 0 && incarnation < newest_[member])
    world_->model().Violate(Text("runtime %u hears of a life of member %u behind a later one", id_, member));
  newest_[member] = std::max(newest_[member], incarnation);
  endpoint_.SetPeer(member, incarnation);
  if (incarnation == 0)
    machine_.MemberDown(member, world_->now_ns());
  else
    machine_.MemberUp(member, incarnation, world_->now_ns());
}

bool SimRuntime::IsOwner(uint32_t actor) {
  const proto::VswitchMachine& v = world_->vswitch().machine();
  const proto::Actor& a = machine_.actor(actor);
  const proto::RouteEntry& e = v.entry(a.entry);
  const bool current = e.epoch == a.epoch || (e.switched && e.previous_epoch == a.epoch);
  return e.used && current && v.Alive({.id = id_, .incarnation = incarnation_});
}

void SimRuntime::TakeData() {
  Model& model = world_->model();
  for (; !data_.empty(); data_.pop_front()) {
    const auto [item, vswitch] = data_.front();
    // Nothing of another V counts any more when one has begun: the new one doesn't know of it.
    if (vswitch != knows(proto::kVswitch)) {
      if (!item.marker) ++model.counters.lost_in_failure;
      world_->DataDone(id_, item);
      continue;
    }
    if (item.marker) {
      const auto marker = proto::DecodeMarker({reinterpret_cast<const uint8_t*>(&item.datagram), sizeof item.datagram});
      if (marker && marker->type == proto::MarkerType::kAliasConflict)
        OnConflict(*marker);
      else if (marker)
        machine_.OnMarker(*marker, world_->now_ns());
      continue;
    }
    const PacketRecord& packet = model.packet(item.number);
    FlowKey key{};
    key.source_port = static_cast<uint16_t>(packet.flow + 1);
    const proto::PacketOutcome outcome = machine_.OnPacket(item.number, item.header, key, world_->now_ns());
    if (outcome.verdict != PacketVerdict::kDropped) leased_[item.header.stamp.entry] = item.tuple;
    switch (outcome.verdict) {
      case PacketVerdict::kProcess:
        if ((item.header.flags & proto::kByAlias) != 0) tuple_of_[outcome.actor].taught = true;
        Process(outcome.actor, item.number);
        break;
      case PacketVerdict::kHeld:
        inside_.insert(item.number);
        break;
      case PacketVerdict::kDropped:
        inside_.insert(item.number);
        DropHeld(item.number, item.header, outcome.reason);
        break;
    }
  }
}

void SimRuntime::TakeFrames() {
  for (; !frames_.empty(); frames_.pop_front())
    endpoint_.Receive(frames_.front().from, frames_.front().bytes, world_->now_ns(), this);
}

void SimRuntime::Process(uint32_t actor, uint32_t number) {
  Model& model = world_->model();
  const PacketRecord& packet = model.packet(number);
  if (world_->logs())
    world_->Log(Text("runtime %u processes packet %u of flow %u, epoch %x", id_, number, packet.flow,
                     machine_.actor(actor).epoch));
  // The flow is opened by its packet, and has what came with it.
  if (tuple_of_[actor].number == 0) tuple_of_[actor].number = leased_[machine_.actor(actor).entry];
  if (IsOwner(actor)) world_->SetLives(packet.flow, true);
  model.Processed(number, IsOwner(actor));
  model.PacketDone(number);
  const bool first = model.state(state_of_[actor]).parent == kNone;
  SetState(actor, model.NewState(state_of_[actor], packet.flow, packet.order));
  const uint64_t dice = world_->loud() ? 50 : world_->random().Below(100);
  if (dice >= 10) Emit(actor, number);
  if (dice >= 95) Emit(actor, number);
  if (dice < 10 && first) machine_.ReportOpened(actor);
}

void SimRuntime::Emit(uint32_t actor, uint32_t packet) {
  auto header = machine_.NextOutput(actor);
  if (!header) return;
  Model& model = world_->model();
  const uint32_t number = model.NewOutput(flow_of(actor), packet, state_of_[actor], id_, incarnation_);
  model.CopyOutput(number);
  Tuple& tuple = tuple_of_[actor];
  if (tuple.number != 0 && packet != kNone && model.packet(packet).direction == 0) {
    model.AnsweredBy(number, tuple.number);
    // Output can be lost or dropped: V has learnt when an answer comes by it.
    if (!tuple.taught) header->flags |= proto::kLearn;
    if (!proto::InForce(proto::Protection::kAliasRepeat)) tuple.taught = true;
  }
  if (!machine_.replicates()) return SendUp({.number = number, .header = *header});
  outputs_.insert(number);
  if (!machine_.HoldOutput(actor, number, *header)) DropOutput(number, *header);
}

void SimRuntime::SendUp(const DataItem& item) {
  if (machine_.is_reporting() || !up_.empty())
    up_.push_back(item);
  else
    world_->SendData(id_, proto::kVswitch, item);
}

void SimRuntime::OnConflict(const proto::Marker& marker) {
  const uint32_t actor = machine_.actor_of_entry(marker.id.entry);
  if (actor == kNone || machine_.actor(actor).epoch != marker.id.epoch) return;
  if (machine_.actor(actor).state == ActorState::kActive) tuple_of_[actor].conflict = true;
}

void SimRuntime::Live() {
  Random& random = world_->random();
  for (uint32_t i = 0; i < machine_.config().actors; ++i) {
    const ActorState state = machine_.actor(i).state;
    if (state == ActorState::kFree || state == ActorState::kAwaiting || state == ActorState::kFinal) continue;
    // An NF that has not seen the flow has no timer for it.
    const bool seen = world_->model().state(state_of_[i]).parent != kNone;
    if (seen && !world_->calm() && random.Chance(0.005)) {
      SetState(i, world_->model().NewState(state_of_[i], flow_of(i), world_->model().state(state_of_[i]).order));
      if (machine_.replicates()) machine_.Touch(i);
      Emit(i, kNone);
    }
    const bool over = world_->ended(flow_of(i)) || tuple_of_[i].conflict || (!world_->calm() && random.Chance(0.002));
    if (state != ActorState::kActive || !over) continue;
    // A V that begins now makes no entry of it.
    world_->SetLives(flow_of(i), false);
    machine_.Close(i, world_->now_ns());
  }
}

void SimRuntime::Obey(const Action& action) {
  const uint32_t operation = ++operation_count_;
  bool started = false;
  const auto target = static_cast<uint16_t>(action.b);
  // Before the call: it may end at once.
  operations_.insert(operation);
  world_->OperationStarted();
  switch (action.kind) {
    case ActionKind::kMove:
      started = machine_.Move(operation, target, action.c);
      break;
    case ActionKind::kMoveOne: {
      for (uint32_t i = 0; i < machine_.config().actors && !started; ++i)
        if (machine_.actor(i).state != ActorState::kFree && flow_of(i) == action.a)
          started = machine_.MoveOne(operation, target, i, world_->now_ns());
      break;
    }
    case ActionKind::kDrain: {
      std::vector<uint16_t> targets;
      for (uint16_t id = 1; id <= world_->runtimes(); ++id)
        if (id != id_) targets.push_back(id);
      started = machine_.Drain(operation, targets);
      told_to_drain_ |= started;
      break;
    }
    case ActionKind::kUndrain:
      machine_.Undrain();
      told_to_drain_ = false;
      break;
    case ActionKind::kPlaces:
      SetPlaces(action.a);
      break;
    case ActionKind::kHomes:
      if (machine_.replicates()) machine_.SetHomes(action.b << 1, world_->now_ns());
      break;
    default:
      break;
  }
  if (!started && operations_.erase(operation) != 0) world_->OperationEnded();
}

bool SimRuntime::Turn() {
  bool busy = !(data_.empty() && frames_.empty() && memberships_.empty() && commands_.empty());
  for (; !memberships_.empty(); memberships_.pop_front()) {
    const auto [member, incarnation] = memberships_.front();
    if (member == id_) {
      world_->Fenced(id_);  // This is gone now.
      return true;
    }
    Knows(member, incarnation);
  }
  if (world_->random().Chance(0.5)) {
    TakeData();
    TakeFrames();
  } else {
    TakeFrames();
    TakeData();
  }
  for (const uint32_t flow : sent_on_) {
    const auto target = static_cast<uint32_t>(world_->random().Between(1, world_->runtimes()));
    commands_.push_back({.kind = ActionKind::kMoveOne, .a = flow, .b = target});
  }
  sent_on_.clear();
  for (; !commands_.empty(); commands_.pop_front()) Obey(commands_.front());
  Live();
  machine_.Turn(world_->now_ns());
  if (machine_.replicates()) machine_.Replicate(world_->now_ns());
  if (machine_.draining() != told_to_drain_)
    world_->model().Violate(
        Text("runtime %u %s", id_, told_to_drain_ ? "takes flows though it drains" : "drains unasked"));
  for (; !up_.empty() && !machine_.is_reporting(); up_.pop_front()) world_->SendData(id_, proto::kVswitch, up_.front());
  endpoint_.Poll(world_->now_ns(), this);
  return busy;
}

bool SimRuntime::idle() const {
  return data_.empty() && frames_.empty() && commands_.empty() && up_.empty() && endpoint_.idle() &&
         machine_.held() == 0 && machine_.migrations_used() == 0 && machine_.operations_used() == 0 &&
         (!machine_.replicates() || machine_.source().idle());
}

std::string SimRuntime::WhatIsLeft() const {
  if (idle()) return "is at rest";
  std::string what = Text("has %u packets held, %u moves, %u operations%s", machine_.held(), machine_.migrations_used(),
                          machine_.operations_used(), endpoint_.idle() ? "" : ", unanswered messages");
  if (!machine_.replicates()) return what;
  const proto::ReplicationSource& source = machine_.source();
  return what + Text(", %u outputs held, %u updates not stored, replication %s", source.held(), source.lag(),
                     source.idle() ? "at rest" : "busy");
}

void SimRuntime::StartFresh(uint32_t actor, const FlowKey& key, bool state_lost) {
  tuple_of_[actor] = {};
  words_of_[actor] = {};
  SetState(actor, world_->model().NewRoot(key.source_port - 1u, state_lost));
  if (state_lost && world_->conditions().guarded)
    world_->model().Violate(Text("the state of flow %u is lost, though only one runtime died", key.source_port - 1u));
  if (world_->logs())
    world_->Log(
        Text("runtime %u starts flow %u afresh%s", id_, key.source_port - 1u, state_lost ? ", its state is lost" : ""));
}

void SimRuntime::ProcessHeld(uint32_t actor, proto::PacketRef packet, const PacketHeader& header) {
  const auto number = static_cast<uint32_t>(packet);
  inside_.erase(inside_.find(number));
  if ((header.flags & proto::kByAlias) != 0) tuple_of_[actor].taught = true;
  Process(actor, number);
}

void SimRuntime::DropHeld(proto::PacketRef packet, const PacketHeader& header, PacketDrop reason) {
  const auto number = static_cast<uint32_t>(packet);
  Model& model = world_->model();
  const char* why = kDropReasons[static_cast<size_t>(reason)];
  if (world_->logs())
    world_->Log(Text("runtime %u drops packet %u of flow %u, epoch %x: %s", id_, number, model.packet(number).flow,
                     header.stamp.epoch, why));
  if (world_->conditions().strict)
    model.Violate(Text("runtime %u dropped packet %u of flow %u: %s", id_, number, model.packet(number).flow, why));
  inside_.erase(inside_.find(number));
  ++model.counters.dropped;
  model.PacketDone(number);
}

proto::Refusal SimRuntime::InstallState(uint32_t actor, const FlowKey& key, std::span<const uint8_t> state) {
  const uint32_t flow = key.source_port - 1u;
  if (!Take(actor, flow, state)) return proto::Refusal::kLayout;
  const uint32_t entry = machine_.actor(actor).entry;
  const proto::RouteEntry& e = world_->vswitch().machine().entry(entry);
  const bool is_this_move = e.used && e.switched && e.previous_epoch == machine_.actor(actor).came_epoch;
  if (is_this_move && tuple_of_[actor].number != 0 &&
      tuple_of_[actor].number != world_->vswitch().tuples().tuple_of(entry))
    world_->model().Violate(Text("flow %u has come to runtime %u with what belongs to another", flow, id_));
  if (!world_->calm() && world_->conditions().picky > 0 && world_->random().Chance(world_->conditions().picky)) {
    if (world_->logs()) world_->Log(Text("runtime %u does not take flow %u", id_, flow));
    return proto::Refusal::kNf;
  }
  if (world_->logs()) world_->Log(Text("runtime %u installs flow %u", id_, flow));
  if (!world_->calm() && world_->random().Chance(world_->conditions().restless)) sent_on_.push_back(flow);
  world_->Installed(entry, machine_.actor(actor).came_epoch);
  return proto::Refusal::kNo;
}

void SimRuntime::FreeState(uint32_t actor) {
  const proto::Actor& a = machine_.actor(actor);
  const proto::RouteEntry& e = world_->vswitch().machine().entry(a.entry);
  if (world_->logs()) world_->Log(Text("runtime %u lets go of flow %u, epoch %x", id_, flow_of(actor), a.epoch));
  // A V that began after the target's death doesn't know what that has let out, and has given the state up.
  const bool is_lost = e.confirmed && !world_->vswitch().machine().Alive(e.owner);
  const bool ours = e.used && e.switched && !e.returned && e.previous_epoch == a.epoch && !is_lost;
  if (a.state == ActorState::kFinal && ours && !world_->installed(a.entry, a.epoch))
    world_->model().Violate(Text("runtime %u let go of flow %u, whose state nobody else has", id_, flow_of(actor)));
  if (e.used && e.epoch == a.epoch && world_->vswitch().machine().Alive({.id = id_, .incarnation = incarnation_}))
    world_->model().Violate(Text("runtime %u let go of flow %u, of which it is the owner", id_, flow_of(actor)));
}

void SimRuntime::SendMarker(const proto::Marker& marker) {
  SendUp({.marker = true, .datagram = proto::EncodeMarker(marker)});
}

void SimRuntime::OperationEnded(uint32_t operation, const proto::OperationResult& result) {
  if (operations_.erase(operation) == 0)
    return world_->model().Violate(Text("operation %u of runtime %u ended twice", operation, id_));
  if (world_->logs())
    world_->Log(Text("runtime %u: operation %u has ended, %u moved, %u not (%s)", id_, operation, result.moved,
                     result.failed, RefusalName(result.reason)));
  world_->OperationEnded();
}

void SimRuntime::OnMessage(uint16_t peer, std::span<const uint8_t> bytes) {
  const auto message = proto::DecodeMessage(bytes);
  if (!message) return world_->model().Violate(Text("runtime %u got a message that can't be read", id_));
  if (world_->logs())
    world_->Log(Text("runtime %u has message %u of %u, %u records", id_, static_cast<unsigned>(message->type()), peer,
                     message->count()));
  machine_.OnMessage(peer, *message, world_->now_ns());
}

void SimRuntime::SendFrame(uint16_t peer, std::span<const uint8_t> frame) { world_->SendFrame(id_, peer, frame); }

}  // namespace nf::sim
