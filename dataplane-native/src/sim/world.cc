// Events, links, deaths and the supervisor. What must hold is in checks.cc.
#include "sim/world.h"

#include <algorithm>

#include "sim/sim_runtime.h"
#include "sim/sim_vswitch.h"
#include "sim/text.h"

namespace nf::sim {

using proto::kVswitch;

World::World(const Scenario& scenario, bool logs)
    : scenario_(scenario),
      logs_(logs),
      members_(static_cast<uint16_t>(scenario.conditions.runtimes + 1)),
      random_(scenario.conditions.seed ^ 0x51d),
      model_(scenario.conditions.flows),
      data_links_(size_t{members_} * members_),
      message_links_(size_t{members_} * members_),
      told_ns_(members_),
      paused_until_ns_(members_),
      incarnations_(members_),
      flow_ended_(scenario.conditions.flows),
      lives_(scenario.conditions.flows),
      fenced_(members_),
      runtimes_(members_),
      homes_(members_) {
  vswitch_ = std::make_unique<SimVswitch>(this, term_);
  places_ = (1u << scenario.conditions.places) - 1;
  incarnations_[kVswitch] = term_;
  for (uint16_t id = 1; id < members_; ++id) Restart(id);
  for (uint16_t id = 0; id < members_; ++id) Post(random_.Below(20'000), {.kind = EventKind::kTurn, .to = id});
  for (const Action& action : scenario_.actions) Post(action.time_ns, {.kind = EventKind::kAction, .action = action});
}

World::~World() = default;

void World::Log(std::string line) {
  if (logs_) log_.push_back(Text("%9.3f us  ", static_cast<double>(now_ns_) / 1000) + line);
}

void World::Post(uint64_t time_ns, Event event) {
  event.time_ns = time_ns;
  event.order = posted_++;
  events_.push(std::make_unique<Event>(std::move(event)));
}

uint64_t World::Arrival(Link* link, const LinkFaults& faults) {
  uint64_t at = now_ns_ + random_.Between(faults.delay_min_ns, faults.delay_max_ns);
  if (faults.keeps_order || calm_) at = std::max(at, link->last_ns);
  link->last_ns = at;
  return at;
}

void World::SendData(uint16_t from, uint16_t to, const DataItem& item) {
  const LinkFaults& faults = scenario_.conditions.data;
  Link& link = DataLink(from, to);
  const bool lost = !calm_ && random_.Chance(faults.loss);
  // A link leads to one life of a runtime: V's ring to the dead one is not that of the next.
  const uint32_t life = to == kVswitch ? runtimes_[from]->knows(kVswitch) : vswitch_->endpoint().incarnation_of(to);
  if (lost || life != incarnations_[to]) {
    if (!item.marker) ++(lost ? model_.counters.lost_on_links : model_.counters.lost_in_failure);
    return DataDone(to, item);
  }
  const bool twice = !calm_ && random_.Chance(faults.repeat);
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    if (copy > 0 && !item.marker) to == kVswitch ? model_.CopyOutput(item.number) : model_.CopyPacket(item.number);
    // A repetition may come much later.
    const uint64_t later = copy > 0 && !faults.keeps_order ? random_.Below(500'000) : 0;
    on_data_links_ += item.marker ? 0 : 1;
    Post(Arrival(&link, faults) + later, {.kind = EventKind::kData,
                                          .from = from,
                                          .to = to,
                                          .incarnation = life,
                                          .source_incarnation = incarnations_[kVswitch],
                                          .data = item});
  }
}

void World::DataDone(uint16_t to, const DataItem& item) {
  if (item.marker) return;
  if (to == kVswitch)
    model_.OutputDone(item.number);
  else
    model_.PacketDone(item.number);
}

void World::SendFrame(uint16_t from, uint16_t to, std::span<const uint8_t> frame) {
  const LinkFaults& faults = scenario_.conditions.messages;
  Link& link = MessageLink(from, to);
  if (now_ns_ < link.cut_until_ns || (!calm_ && random_.Chance(faults.loss))) return;
  const bool twice = !calm_ && random_.Chance(faults.repeat);
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    std::vector<uint8_t> bytes(frame.begin(), frame.end());
    if (!calm_ && random_.Chance(faults.damage)) {
      if (random_.Chance(0.3))
        bytes.resize(random_.Below(bytes.size()));
      else
        bytes[random_.Below(bytes.size())] ^= static_cast<uint8_t>(1u << random_.Below(8));
    }
    Post(Arrival(&link, faults), {.kind = EventKind::kFrame, .from = from, .to = to, .frame = std::move(bytes)});
  }
}

void World::MayAnswer(uint32_t output) {
  if (!random_.Chance(scenario_.conditions.answered)) return;
  const uint32_t packet = model_.NewAnswer(output);
  model_.CopyPacket(packet);
  const uint64_t at_ns = now_ns_ + random_.Between(500, scenario_.conditions.answer_max_ns);
  Post(at_ns, {.kind = EventKind::kAnswer, .packet = packet});
}

// The supervisor's word reaches everybody some time; to each in the order in which it was said. It is for a life: who
// begins knows all that was said before, and what is still on its way would come behind what is newer.
void World::Announce(uint16_t member, uint32_t incarnation, uint16_t besides) {
  for (uint16_t id = 0; id < members_; ++id) {
    if (id == besides) continue;
    told_ns_[id] = std::max(told_ns_[id], now_ns_) + random_.Between(1'000, 200'000);
    ++words_to_come_;
    Post(told_ns_[id], {.kind = EventKind::kMembership,
                        .to = id,
                        .incarnation = incarnations_[id],
                        .membership = {member, incarnation}});
  }
}

void World::Kill(uint16_t id) {
  if (runtimes_[id] == nullptr) return;
  Log(Text("runtime %u is dead", id));
  runtimes_[id].reset();
  incarnations_[id] = 0;
  paused_until_ns_[id] = 0;
}

void World::TakeForDead(uint16_t id) {
  fenced_[id] = true;
  Announce(id, 0, members_);
}

void World::Fenced(uint16_t id) {
  Kill(id);
  Post(now_ns_ + random_.Between(10'000, 500'000), {.kind = EventKind::kRestart, .to = id});
}

void World::Restart(uint16_t id) {
  if (runtimes_[id] != nullptr) return;
  // Random in production; what matters is that none comes twice.
  incarnations_[id] = ++incarnation_count_;
  runtimes_[id] = std::make_unique<SimRuntime>(this, id, incarnations_[id]);
  fenced_[id] = false;
  runtimes_[id]->Knows(kVswitch, term_);
  for (uint16_t other = 1; other < members_; ++other)
    if (other != id && runtimes_[other] != nullptr && !fenced_[other])
      runtimes_[id]->Knows(other, incarnations_[other]);
  Log(Text("runtime %u starts, incarnation %u", id, incarnations_[id]));
  runtimes_[id]->Arrive(Action{.kind = ActionKind::kPlaces, .a = places_});
  if (homes_[id] != 0) runtimes_[id]->Arrive(Action{.kind = ActionKind::kHomes, .a = id, .b = homes_[id]});
  Announce(id, incarnations_[id], id);
}

// Under a higher term, knowing only who is there. What was said to the other one is not for this one.
void World::RestartVswitch() {
  stamped_before_ += vswitch_->machine().counters().stamped;
  auto another = std::make_unique<SimVswitch>(this, ++term_);
  std::swap(vswitch_, another);
  if (wakes_after_ns_ != 0) {
    asleep_ = std::move(another);
    Post(now_ns_ + wakes_after_ns_, {.kind = EventKind::kWake});
  }
  vswitch_dead_ = false;
  paused_until_ns_[kVswitch] = 0;
  incarnations_[kVswitch] = term_;
  for (uint16_t id = 1; id < members_; ++id)
    if (runtimes_[id] != nullptr && !fenced_[id]) vswitch_->Knows(id, incarnations_[id]);
  vswitch_->BeginRebuild();
  Log(Text("another V starts, term %u", term_));
  Announce(kVswitch, term_, kVswitch);
}

// Whether whoever dies next, no state will be lost.
bool World::IsProtected() {
  if (words_to_come_ != 0 || vswitch_dead_ || !vswitch_->machine().serves()) return false;
  if (!vswitch_->has_heard_all() || vswitch_->machine().recovers()) return false;
  for (uint16_t id = 1; id < members_; ++id) {
    if (runtimes_[id] == nullptr || vswitch_->endpoint().incarnation_of(id) != incarnations_[id]) return false;
    if (runtimes_[id]->machine().is_reporting() || runtimes_[id]->knows(kVswitch) != term_) return false;
    if (!runtimes_[id]->has_heard_all()) return false;
    if (scenario_.conditions.places != 0 && !runtimes_[id]->machine().source().all_protected()) return false;
    for (uint16_t other = 1; other < members_; ++other)
      if (other != id && runtimes_[id]->knows(other) != incarnations_[other]) return false;
  }
  return true;
}

// V is the only one who knows some things, so its death may meet that of one runtime at most: with all who know that a
// flow is over, it would come back. Nor may what V knows be on its way to another only.
bool World::MayFail(const Action& action) {
  const bool of_vswitch = action.kind == ActionKind::kRestartV;
  // Without replicas nothing comes back; and one V after another may die as long as none of them has begun to serve.
  if (scenario_.conditions.places == 0) return true;
  if (of_vswitch && failed_vswitch_ && !failed_with_vswitch_ && !vswitch_->machine().serves()) return true;
  if (scenario_.conditions.guarded || of_vswitch || failed_vswitch_) {
    const bool is_protected = IsProtected();
    if (is_protected) failed_vswitch_ = failed_with_vswitch_ = failed_talking_ = false;
    const bool must_wait = scenario_.conditions.guarded || of_vswitch || failed_with_vswitch_ || failed_talking_;
    if (!is_protected && must_wait) return false;
  }
  if (of_vswitch) {
    failed_vswitch_ = true;
    const auto talks = [](const auto& runtime) { return runtime != nullptr && !runtime->has_said_all(); };
    failed_talking_ = std::any_of(runtimes_.begin(), runtimes_.end(), talks);
  }
  failed_with_vswitch_ = failed_vswitch_ && !of_vswitch;
  return true;
}

void World::Act(const Action& action) {
  const bool kills =
      action.kind == ActionKind::kCrash || action.kind == ActionKind::kFence || action.kind == ActionKind::kRestartV;
  if (kills && !MayFail(action)) {
    constexpr uint32_t kTries = 100;
    Action later = action;
    if (++later.tries <= kTries) Post(now_ns_ + 50'000, {.kind = EventKind::kAction, .action = later});
    return;
  }
  Log("** " + Describe(action).substr(14));
  switch (action.kind) {
    case ActionKind::kPacket: {
      flow_ended_[action.a] = false;
      const uint32_t packet =
          model_.NewPacket(action.a, static_cast<uint8_t>(action.b), checking_ && !scenario_.conditions.tight);
      model_.CopyPacket(packet);
      return vswitch_->ArriveFromOutside(packet);
    }
    case ActionKind::kEndFlow:
      flow_ended_[action.a] = true;
      return;
    case ActionKind::kMoveOne: {
      // The command goes to the one that V believes to be the owner.
      const uint32_t entry = vswitch_->entry_of(action.a);
      if (entry == kNone) return;
      const uint16_t owner = vswitch_->machine().entry(entry).owner.id;
      if (runtimes_[owner] != nullptr) runtimes_[owner]->Arrive(action);
      return;
    }
    case ActionKind::kRestartV:
      if (vswitch_dead_) return;
      vswitch_dead_ = true;
      wakes_after_ns_ = action.c;
      Log("V is dead");
      return Post(now_ns_ + action.b, {.kind = EventKind::kRestart, .to = kVswitch});
    case ActionKind::kPlaces:
      places_ = action.a;
      for (uint16_t id = 1; id < members_; ++id)
        if (runtimes_[id] != nullptr) runtimes_[id]->Arrive(action);
      return;
    case ActionKind::kHomes:
      homes_[action.a] = action.b;
      if (runtimes_[action.a] != nullptr) runtimes_[action.a]->Arrive(action);
      return;
    case ActionKind::kCrash:
      if (runtimes_[action.a] == nullptr) return;
      Kill(static_cast<uint16_t>(action.a));
      TakeForDead(static_cast<uint16_t>(action.a));
      return Post(now_ns_ + action.b, {.kind = EventKind::kRestart, .to = static_cast<uint16_t>(action.a)});
    case ActionKind::kFence:
      if (runtimes_[action.a] == nullptr) return;
      paused_until_ns_[action.a] = now_ns_ + action.b;
      return TakeForDead(static_cast<uint16_t>(action.a));
    case ActionKind::kPause:
      // Pauses of V don't join: leases rest longer than one of them.
      if (action.a == kVswitch && now_ns_ < paused_until_ns_[kVswitch] + 2 * scenario_.conditions.turn_max_ns) return;
      paused_until_ns_[action.a] = now_ns_ + action.b;
      return;
    case ActionKind::kCut:
      MessageLink(static_cast<uint16_t>(action.a), static_cast<uint16_t>(action.b)).cut_until_ns = now_ns_ + action.c;
      MessageLink(static_cast<uint16_t>(action.b), static_cast<uint16_t>(action.a)).cut_until_ns = now_ns_ + action.c;
      return;
    default:
      if (runtimes_[action.a] != nullptr) runtimes_[action.a]->Arrive(action);
  }
}

void World::Turn(uint16_t id) {
  const Conditions& c = scenario_.conditions;
  Post(now_ns_ + random_.Between(c.turn_min_ns, c.turn_max_ns), {.kind = EventKind::kTurn, .to = id});
  if (now_ns_ < paused_until_ns_[id]) return;
  bool busy = false;
  if (id == kVswitch)
    busy = !vswitch_dead_ && vswitch_->Turn();
  else if (runtimes_[id] != nullptr)
    busy = runtimes_[id]->Turn();
  if (busy) CheckStep();
}

void World::Step(Event* event) {
  ++handled_;
  now_ns_ = event->time_ns;
  const uint16_t to = event->to;
  switch (event->kind) {
    case EventKind::kTurn:
      return Turn(to);
    case EventKind::kAction:
      return Act(event->action);
    case EventKind::kWake:
      if (asleep_ == nullptr) return;
      Log("the V before wakes up");
      // Its lease has run out, which it finds before anything else.
      if (!proto::InForce(proto::Protection::kVswitchLease)) asleep_->Turn();
      asleep_.reset();
      return;
    case EventKind::kAnswer:
      return vswitch_->ArriveFromOutside(event->packet);
    case EventKind::kRestart:
      return to == kVswitch ? RestartVswitch() : Restart(to);
    case EventKind::kMembership:
      --words_to_come_;
      if (event->incarnation != incarnations_[to]) return;
      if (to == kVswitch)
        vswitch_->Arrive(event->membership);
      else if (runtimes_[to] != nullptr)
        runtimes_[to]->Arrive(event->membership);
      return;
    case EventKind::kFrame:
      if (to == kVswitch)
        vswitch_->Arrive(event->from, std::move(event->frame));
      else if (runtimes_[to] != nullptr)
        runtimes_[to]->Arrive(event->from, std::move(event->frame));
      return;
    case EventKind::kData:
      on_data_links_ -= event->data.marker ? 0 : 1;
      if (to == kVswitch && event->incarnation == term_) return vswitch_->Arrive(event->from, event->data);
      if (to != kVswitch && runtimes_[to] != nullptr && incarnations_[to] == event->incarnation)
        return runtimes_[to]->Arrive(event->data, event->source_incarnation);
      if (!event->data.marker) ++model_.counters.lost_in_failure;
      return DataDone(to, event->data);
  }
}

void World::RunUntil(uint64_t time_ns) {
  while (model_.violation().empty() && !events_.empty() && events_.top()->time_ns <= time_ns) {
    // A priority queue hands out const references only.
    const std::unique_ptr<Event> event = std::move(const_cast<std::unique_ptr<Event>&>(events_.top()));
    events_.pop();
    Step(event.get());
  }
  now_ns_ = std::max(now_ns_, time_ns);
}

template <typename Done>
bool World::RunUntilDone(uint64_t at_most_ns, Done done) {
  const uint64_t deadline = now_ns_ + at_most_ns;
  while (now_ns_ < deadline && model_.violation().empty()) {
    if (done()) return true;
    RunUntil(now_ns_ + 100'000);
  }
  return done();
}

bool World::AtRest() {
  const auto rests = [](const auto& runtime) { return runtime != nullptr && runtime->idle(); };
  return operations_ == 0 && on_data_links_ == 0 && !vswitch_dead_ && vswitch_->idle() &&
         std::all_of(runtimes_.begin() + 1, runtimes_.end(), rests);
}

bool World::Empty() {
  const auto empty = [](const auto& runtime) {
    const auto& machine = runtime->machine();
    return machine.actors_used() == 0 && (!machine.replicates() || machine.replicas().used() == 0);
  };
  return AtRest() && vswitch_->machine().entries_used() == 0 && vswitch_->tuples().empty() &&
         std::all_of(runtimes_.begin() + 1, runtimes_.end(), empty);
}

std::string World::WhatIsLeft() const {
  std::string left = Text("V has %u flows", vswitch_->machine().entries_used());
  if (!vswitch_->tuples().empty()) left += " and aliases";
  if (operations_ != 0) left += Text("; %ld operations go on", operations_);
  for (uint16_t id = 1; id < members_; ++id) {
    if (runtimes_[id] == nullptr) continue;
    const auto& machine = runtimes_[id]->machine();
    left += Text("; runtime %u has %u flows", id, machine.actors_used());
    if (machine.replicates()) left += Text(", %u replicas", machine.replicas().used());
    if (!runtimes_[id]->idle()) left += ", work";
  }
  return left;
}

// All live by now. Who has no room, or another layout, keeps nothing wherever it is to be.
bool World::AtHome() const {
  const Conditions& c = scenario_.conditions;
  if (c.places == 0 || c.tight || c.mixed_layouts) return true;
  for (uint16_t id = 1; id < members_; ++id) {
    const uint32_t homes = homes_[id] & ~(1u << (id - 1));
    if (runtimes_[id] == nullptr) return false;
    for (uint32_t bucket = 0; homes != 0 && bucket < proto::kBuckets; ++bucket) {
      const uint16_t home = runtimes_[id]->machine().source().home(static_cast<uint8_t>(bucket)).id;
      if (home == proto::kVswitch || (homes >> (home - 1) & 1) == 0) return false;
    }
  }
  return true;
}

// V tells an owner when output comes to it, and only then: so a flow of which none may leave can't be told to end.
bool World::ConflictsAreOver(uint32_t from) const {
  for (uint32_t flow = 0; flow < scenario_.conditions.flows; ++flow) {
    const uint32_t entry = vswitch_->entry_of(flow);
    if (entry == kNone || !vswitch_->tuples().in_conflict(entry)) continue;
    if (!scenario_.conditions.tight || !model_.IsKeptBack(flow, from)) return false;
  }
  return true;
}

// Faults stop. Everything begun must end, every flow must work, and when all flows have ended nothing may be left.
void World::Ending() {
  calm_ = true;
  Act({.kind = ActionKind::kPlaces, .a = (1u << scenario_.conditions.runtimes) - 1});
  std::ranges::fill(paused_until_ns_, 0);
  constexpr uint64_t kBound = 60'000'000;
  // What was lost, late or on its way settles: a member may still be away, and V ask after quiet flows.
  RunUntil(now_ns_ + 5'000'000);
  if (!RunUntilDone(kBound, [&] { return AtRest(); })) {
    for (uint16_t id = 1; id < members_; ++id)
      if (runtimes_[id] != nullptr) Log(Text("runtime %u %s", id, runtimes_[id]->WhatIsLeft().c_str()));
    model_.Violate("an operation or a message never ended");
  }
  for (uint16_t id = 1; id < members_ && model_.violation().empty(); ++id)
    runtimes_[id]->Arrive(Action{.kind = ActionKind::kUndrain, .a = id});
  RunUntil(now_ns_ + 500'000);
  loud_ = true;
  if (scenario_.conditions.aliases) {
    // A flow whose answers are another's ends with its next packet at the latest.
    const auto none = [&] { return AtRest() && !vswitch_->tuples().any_in_conflict(); };
    const uint32_t first = model_.outputs();
    // Where there is little room a packet, or what it causes, may be dropped.
    for (int round = 0; round == 0 || (scenario_.conditions.tight && round < 3 && !none()); ++round) {
      for (uint32_t flow = 0; flow < scenario_.conditions.flows; ++flow) Act({.kind = ActionKind::kPacket, .a = flow});
      RunUntil(now_ns_ + 1'500'000);  // There and back, on the slowest of links.
      RunUntilDone(kBound, none);
    }
    if (!AtRest() || !ConflictsAreOver(first)) model_.Violate("a flow whose answers are another's never ended");
  }
  checking_ = true;
  for (uint32_t i = 0; i < 2; ++i) {
    for (uint32_t flow = 0; flow < scenario_.conditions.flows; ++flow)
      Act({.kind = ActionKind::kPacket, .a = flow, .b = i});
    RunUntil(now_ns_ + 500'000);
  }
  if (!RunUntilDone(kBound, [&] { return AtRest(); })) model_.Violate("a packet never ended");
  if (!RunUntilDone(kBound, [&] { return AtHome(); })) model_.Violate("replicas are not where they are to be");
  for (uint16_t id = 1; id < members_; ++id)
    if (!vswitch_->machine().accepts(id))
      model_.Violate(Text("the vswitch never heard that runtime %u takes flows", id));
  std::fill(flow_ended_.begin(), flow_ended_.end(), true);
  if (!RunUntilDone(kBound, [&] { return Empty(); })) model_.Violate("something is left in a table: " + WhatIsLeft());
}

Outcome World::Run() {
  RunUntil(scenario_.conditions.end_ns);
  if (model_.violation().empty()) Ending();
  if (model_.violation().empty()) model_.CheckEnd(scenario_.conditions.strict);
  Outcome outcome{.violation = model_.violation(), .counters = model_.counters, .events = handled_};
  for (uint16_t id = 1; id < members_; ++id)
    if (runtimes_[id] != nullptr) outcome.moved += runtimes_[id]->machine().counters().moved_in;
  outcome.returned = vswitch_->machine().counters().returned;
  outcome.recovered = recovered_;
  outcome.vswitches = term_ - 1u;
  outcome.state_lost = vswitch_->machine().counters().state_lost;
  outcome.log = std::move(log_);
  return outcome;
}

}  // namespace nf::sim
