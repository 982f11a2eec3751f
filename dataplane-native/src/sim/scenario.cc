#include "sim/scenario.h"

#include <algorithm>

#include "sim/random.h"
#include "sim/text.h"

namespace nf::sim {
namespace {

// With it none of the seeds that docs/simulator.md names is one in which homes change.
constexpr uint64_t kHomesSalt = 1109;

LinkFaults MakeMessageLinks(Random* random) {
  LinkFaults link{.delay_min_ns = 1'000, .delay_max_ns = random->Between(2'000, 100'000)};
  link.keeps_order = random->Chance(0.3);
  if (random->Chance(0.6)) link.loss = static_cast<double>(random->Below(30)) / 100;
  if (random->Chance(0.4)) link.repeat = static_cast<double>(random->Below(20)) / 100;
  if (random->Chance(0.3)) link.damage = static_cast<double>(random->Below(10)) / 100;
  return link;
}

LinkFaults MakeDataLinks(Random* random, bool strict) {
  // Now and then much slower than messages, so that a move overtakes the packets of the one before.
  const uint64_t delay_max_ns =
      random->Chance(0.2) ? random->Between(100'000, 400'000) : random->Between(1'000, 60'000);
  LinkFaults link{.delay_min_ns = 500, .delay_max_ns = delay_max_ns};
  if (strict) return link;
  link.keeps_order = random->Chance(0.6);
  if (random->Chance(0.5)) link.loss = static_cast<double>(random->Below(10)) / 100;
  if (!link.keeps_order && random->Chance(0.5)) link.repeat = static_cast<double>(random->Below(10)) / 100;
  return link;
}

Action MakeAction(Random* random, const Conditions& conditions) {
  const auto flow = static_cast<uint32_t>(random->Below(conditions.flows));
  const auto runtime = static_cast<uint32_t>(random->Between(1, conditions.runtimes));
  // Now and then somebody who doesn't exist, the vswitch, or the same one.
  const auto target = static_cast<uint32_t>(random->Chance(0.05) ? random->Below(conditions.runtimes + 3u)
                                                                 : random->Between(1, conditions.runtimes));
  const auto pause = static_cast<uint32_t>(random->Between(50'000, conditions.strict ? 800'000 : 3'000'000));
  const uint64_t dice = random->Below(conditions.strict ? 84 : 100);
  if (dice < 30) return {.kind = ActionKind::kMoveOne, .a = flow, .b = target};
  if (dice < 50)
    return {.kind = ActionKind::kMove, .a = runtime, .b = target, .c = static_cast<uint32_t>(random->Between(1, 8))};
  if (dice < 64) return {.kind = ActionKind::kEndFlow, .a = flow};
  if (dice < 68) return {.kind = ActionKind::kDrain, .a = runtime};
  if (dice < 72) return {.kind = ActionKind::kUndrain, .a = runtime};
  if (dice < 78) return {.kind = ActionKind::kPause, .a = target % (conditions.runtimes + 1u), .b = pause};
  if (dice < 84) return {.kind = ActionKind::kCut, .a = runtime, .b = target % (conditions.runtimes + 1u), .c = pause};
  if (dice < 93)
    return {.kind = ActionKind::kCrash, .a = runtime, .b = static_cast<uint32_t>(random->Between(200'000, 4'000'000))};
  return {.kind = ActionKind::kFence, .a = runtime, .b = pause};
}

void AddRestarts(Random* random, Scenario* scenario) {
  if (!random->Chance(0.5)) return;
  for (uint64_t count = random->Between(1, 3); count > 0; --count)
    scenario->actions.push_back({.time_ns = random->Below(scenario->conditions.end_ns),
                                 .kind = ActionKind::kRestartV,
                                 .b = static_cast<uint32_t>(random->Between(10'000, 1'500'000)),
                                 .c = static_cast<uint32_t>(random->Chance(0.5) ? random->Below(2'000'000) : 0)});
}

void AddReplication(Random* random, Scenario* scenario) {
  Conditions& c = scenario->conditions;
  c.places = static_cast<uint32_t>(random->Between(1, c.runtimes));
  c.available = c.mixed_layouts || random->Chance(0.25);
  c.guarded = !c.strict && !c.available && !c.tight && random->Chance(0.6);
  if (c.guarded) c.places = c.runtimes;
  for (uint64_t changes = random->Below(4); changes > 0 && !c.guarded; --changes)
    scenario->actions.push_back({.time_ns = random->Below(c.end_ns),
                                 .kind = ActionKind::kPlaces,
                                 .a = static_cast<uint32_t>(random->Below(1u << c.runtimes))});
  if (!c.strict && !c.aliases) AddRestarts(random, scenario);
  c.relay = random->Chance(0.4);
}

// By numbers of their own: all else of a seed is as it would be without.
void AddHomes(Scenario* scenario) {
  const Conditions& c = scenario->conditions;
  if (c.places == 0 || c.runtimes < 3) return;
  Random random(c.seed * 0xbf58476d1ce4e5b9u + kHomesSalt);
  if (!random.Chance(0.25)) return;
  for (uint64_t changes = random.Between(1, 5); changes > 0; --changes)
    scenario->actions.push_back({.time_ns = random.Below(c.end_ns),
                                 .kind = ActionKind::kHomes,
                                 .a = static_cast<uint32_t>(random.Between(1, c.runtimes)),
                                 .b = static_cast<uint32_t>(random.Below(1u << c.runtimes))});
}

}  // namespace

Scenario MakeScenario(uint64_t seed) {
  Random random(seed * 0x9e3779b97f4a7c15u + 1);
  Scenario scenario;
  Conditions& c = scenario.conditions;
  c.seed = seed;
  c.runtimes = static_cast<uint16_t>(random.Between(2, 5));
  c.flows = static_cast<uint32_t>(random.Between(1, 10));
  c.strict = random.Chance(0.4);
  c.tight = !c.strict && random.Chance(0.2);
  c.mixed_layouts = random.Chance(0.2);
  if (random.Chance(0.3)) c.restless = 0.8;
  c.data = MakeDataLinks(&random, c.strict);
  c.messages = MakeMessageLinks(&random);
  c.turn_max_ns = random.Between(10'000, 80'000);
  c.migrations_at_once = static_cast<uint32_t>(random.Between(1, 8));
  c.end_ns = random.Between(3'000'000, 15'000'000);
  const uint64_t packets = random.Between(20, 300);
  const bool hasty = random.Chance(0.3);  // Packets come in bursts.
  uint64_t burst_ns = 0;
  for (uint64_t i = 0; i < packets; ++i) {
    if (!hasty || i % 12 == 0) burst_ns = random.Below(c.end_ns);
    scenario.actions.push_back({.time_ns = burst_ns + random.Below(20'000),
                                .kind = ActionKind::kPacket,
                                .a = static_cast<uint32_t>(random.Below(c.flows)),
                                .b = static_cast<uint32_t>(random.Below(2))});
  }
  const uint64_t others = random.Between(1, 40);
  for (uint64_t i = 0; i < others; ++i) {
    Action action = MakeAction(&random, c);
    action.time_ns = random.Below(c.end_ns);
    scenario.actions.push_back(action);
  }
  std::ranges::stable_sort(scenario.actions, {}, &Action::time_ns);
  c.aliases = random.Chance(0.5);
  c.leases = static_cast<uint32_t>(random.Between(1, 2 * c.flows));
  c.answered = 0.5;
  c.answer_max_ns = random.Between(2'000, 300'000);
  if (!c.strict && random.Chance(0.3)) c.picky = 0.4;
  if (random.Chance(0.5)) AddReplication(&random, &scenario);
  if (!c.strict && (c.aliases || c.places == 0)) AddRestarts(&random, &scenario);
  AddHomes(&scenario);
  std::ranges::stable_sort(scenario.actions, {}, &Action::time_ns);
  return scenario;
}

std::string Describe(const Action& action) {
  const auto& [time_ns, kind, a, b, c, tries] = action;
  const std::string at = Text("%9.3f us  ", static_cast<double>(time_ns) / 1000);
  switch (kind) {
    case ActionKind::kPacket:
      return at + Text("a packet of flow %u, direction %u", a, b);
    case ActionKind::kMove:
      return at + Text("runtime %u is told to move %u flows to %u", a, c, b);
    case ActionKind::kMoveOne:
      return at + Text("flow %u is told to move to %u", a, b);
    case ActionKind::kDrain:
      return at + Text("runtime %u is told to drain", a);
    case ActionKind::kUndrain:
      return at + Text("runtime %u takes flows again", a);
    case ActionKind::kEndFlow:
      return at + Text("flow %u ends", a);
    case ActionKind::kCrash:
      return at + Text("runtime %u dies, back after %u us", a, b / 1000);
    case ActionKind::kPause:
      return at + Text("member %u pauses for %u us", a, b / 1000);
    case ActionKind::kFence:
      return at + Text("runtime %u pauses for %u us and is taken for dead", a, b / 1000);
    case ActionKind::kCut:
      return at + Text("no messages between %u and %u for %u us", a, b, c / 1000);
    case ActionKind::kRestartV:
      return at + Text("the vswitch %s, another starts after %u us", c > 0 ? "is taken for dead" : "dies", b / 1000);
    case ActionKind::kPlaces:
      return at + Text("replicas are at the runtimes %x (bits)", a);
    case ActionKind::kHomes:
      return at + Text("replicas of runtime %u are to be at the runtimes %x (bits)", a, b);
  }
  return at;
}

std::string Describe(const Conditions& c) {
  const auto link = [](const LinkFaults& faults) {
    return Text("loss %.0f %%, repeated %.0f %%, damaged %.0f %%, %.1f to %.1f us, %s", faults.loss * 100,
                faults.repeat * 100, faults.damage * 100, static_cast<double>(faults.delay_min_ns) / 1000,
                static_cast<double>(faults.delay_max_ns) / 1000, faults.keeps_order ? "in order" : "in any order");
  };
  return Text("%u runtimes, %u flows, %s%s%s%s", c.runtimes, c.flows, c.strict ? "nothing may be lost" : "members die",
              c.tight ? ", little room" : "", c.mixed_layouts ? ", two layouts" : "",
              c.restless > 0 ? ", flows move on at once" : "") +
         (c.picky > 0 ? ", targets refuse states" : "") +
         (c.aliases ? Text(", %u leases, answers within %.1f us", c.leases, static_cast<double>(c.answer_max_ns) / 1000)
                    : "") +
         (c.places > 0 ? Text(", replicas at %u%s%s%s", c.places, c.relay ? " that relay" : "",
                              c.available ? ", available" : "", c.guarded ? ", one failure at a time" : "")
                       : "") +
         "\n  data: " + link(c.data) + "\n  messages: " + link(c.messages);
}

}  // namespace nf::sim
