// What happens in one run: the conditions, and a list of events from outside. Made from a seed; a failing one is made
// smaller by leaving events out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nf::sim {

struct LinkFaults {
  double loss = 0;
  double repeat = 0;
  double damage = 0;
  uint64_t delay_min_ns = 1'000;
  uint64_t delay_max_ns = 5'000;
  bool keeps_order = true;
};

struct Conditions {
  uint64_t seed = 0;
  uint16_t runtimes = 2;
  uint32_t flows = 4;
  // Nothing may be lost: data links are sound, nobody dies, there is room for all. Messages may still get lost.
  bool strict = true;
  // Tables and buffers are small: reaching a bound is allowed.
  bool tight = false;
  // One runtime has another state layout.
  bool mixed_layouts = false;
  // How often a flow that has just arrived is sent on at once.
  double restless = 0;
  // How often a target does not take a flow, its state seen. What waits for it there is lost.
  double picky = 0;
  LinkFaults data;
  LinkFaults messages;
  uint64_t turn_min_ns = 5'000;
  uint64_t turn_max_ns = 40'000;
  uint32_t migrations_at_once = 8;
  // NFs change what responders see of a flow: V leases values, and learns by what the answers come.
  bool aliases = false;
  uint32_t leases = 1;
  double answered = 0;  // How often an output is.
  uint64_t answer_max_ns = 100'000;
  // Flows are replicated; replicas are at first at so many runtimes. 0: they aren't.
  uint32_t places = 0;
  bool available = false;  // Output leaves also without a replica.
  bool relay = false;      // Replicas send what flows cause.
  // Nobody dies before the last failure has been got over: then no state may be lost.
  bool guarded = false;
  uint64_t end_ns = 20'000'000;
};

enum class ActionKind : uint8_t {
  kPacket,    // a: flow, b: direction
  kMove,      // a: runtime, b: target, c: flows
  kMoveOne,   // a: flow, b: target
  kDrain,     // a: runtime
  kUndrain,   // a: runtime
  kEndFlow,   // a: flow
  kCrash,     // a: runtime, b: ns until it is back
  kPause,     // a: member, b: ns
  kFence,     // a: runtime, b: ns that it is paused; it is taken for dead meanwhile
  kCut,       // a, b: members, c: ns without messages between them
  kRestartV,  // b: ns until another V starts, c: ns after which the first wakes up, or 0: it is dead
  kPlaces,    // a: bits of the runtimes where replicas may be
  kHomes,     // a: runtime, b: bits of the runtimes where its replicas are to be, 0: any
};

struct Action {
  uint64_t time_ns = 0;
  ActionKind kind = ActionKind::kPacket;
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t tries = 0;  // It was put off, since what came before isn't made good yet.
};

struct Scenario {
  Conditions conditions;
  std::vector<Action> actions;  // By time.
};

Scenario MakeScenario(uint64_t seed);
std::string Describe(const Action& action);
std::string Describe(const Conditions& conditions);

}  // namespace nf::sim
