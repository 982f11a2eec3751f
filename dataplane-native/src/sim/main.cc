// nf_sim: runs seeds and says which of them broke what must hold. See docs/simulator.md.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "proto/protection.h"
#include "sim/shrink.h"
#include "sim/text.h"
#include "sim/world.h"

namespace {

using nf::proto::kProtectionNames;
using namespace nf::sim;

struct Options {
  uint64_t seeds = 1000;
  uint64_t first = 1;
  uint64_t stop_after = 1;  // Violations.
  bool json = false;
  bool log = false;
  bool table = false;
  std::string without;
};

constexpr const char* kUsage =
    "usage: nf_sim [--seeds N] [--first S] [--stop-after V] [--without PROTECTION] [--log] [--json] [--table] "
    "[--protections]\n"
    "  --seeds N        how many scenarios to run (1000)\n"
    "  --first S        the first seed (1)\n"
    "  --stop-after V   end after so many violations (1; 0: never)\n"
    "  --without P      take one protection away: the run should find a violation\n"
    "  --log            print what happened in a failing run, event by event; with one seed also in a good one\n"
    "  --json           one line of JSON instead of text\n"
    "  --table          for each protection the first of the seeds that finds a violation without it, as rows of "
    "Markdown\n";

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "nf_sim: %s\n%s", why.c_str(), kUsage);
  std::exit(2);
}

uint64_t Number(const char* name, const char* text) {
  uint64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, value);
  if (error != std::errc() || at != end || text == end) Fail(Text("%s takes a whole number, not '%s'", name, text));
  return value;
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto value = [&]() -> const char* {
      if (i + 1 >= argc) Fail(name + " takes a value");
      return argv[++i];
    };
    if (name == "--seeds")
      options.seeds = Number("--seeds", value());
    else if (name == "--first")
      options.first = Number("--first", value());
    else if (name == "--stop-after")
      options.stop_after = Number("--stop-after", value());
    else if (name == "--without")
      options.without = value();
    else if (name == "--log")
      options.log = true;
    else if (name == "--json")
      options.json = true;
    else if (name == "--table")
      options.table = true;
    else if (name == "--protections") {
      for (const auto& protection : kProtectionNames) std::printf("%s\n", protection.data());
      std::exit(0);
    } else {
      Fail("unknown option '" + name + "'");
    }
  }
  return options;
}

std::string Names() {
  std::string names;
  for (const auto& name : kProtectionNames) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

void TakeAway(const std::string& name) {
  for (size_t i = 0; i < kProtectionNames.size(); ++i) {
    if (kProtectionNames[i] != name) continue;
    nf::proto::removed_protections[i] = true;
    return;
  }
  Fail("there is no protection '" + name + "'; there are: " + Names());
}

struct Totals {
  ModelCounters counters;
  uint64_t moved = 0, returned = 0, state_lost = 0, recovered = 0, vswitches = 0, events = 0, run = 0, violations = 0;
  std::optional<uint64_t> first_failing;
  std::string first_violation;

  void Add(const Outcome& outcome) {
    counters.packets += outcome.counters.packets;
    counters.processed += outcome.counters.processed;
    counters.released += outcome.counters.released;
    counters.dropped += outcome.counters.dropped;
    counters.lost_on_links += outcome.counters.lost_on_links;
    counters.lost_in_failure += outcome.counters.lost_in_failure;
    moved += outcome.moved;
    returned += outcome.returned;
    state_lost += outcome.state_lost;
    recovered += outcome.recovered;
    vswitches += outcome.vswitches;
    events += outcome.events;
    ++run;
  }
};

void Explain(const Scenario& scenario, const Outcome& outcome, const Options& options) {
  const uint64_t seed = scenario.conditions.seed;
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), outcome.violation.c_str());
  const Scenario small = Shrink(scenario, 2000);
  const Outcome again = World(small, true).Run();
  std::printf("  %s\n  %zu of %zu events are enough:\n", Describe(small.conditions).c_str(), small.actions.size(),
              scenario.actions.size());
  for (const Action& action : small.actions) std::printf("    %s\n", Describe(action).c_str());
  std::printf("  then: %s\n", again.violation.c_str());
  if (options.log)
    for (const std::string& line : again.log) std::printf("    %s\n", line.c_str());
  const std::string without = options.without.empty() ? "" : " --without " + options.without;
  std::printf("  again: npm run sim -- --seeds 1 --first %llu%s --log\n", static_cast<unsigned long long>(seed),
              without.c_str());
}

void PrintJson(const Totals& totals, double seconds) {
  const auto print = [](const char* name, uint64_t value) {
    std::printf("\"%s\":%llu,", name, static_cast<unsigned long long>(value));
  };
  std::printf("{");
  print("seeds", totals.run);
  print("violations", totals.violations);
  if (totals.first_failing) {
    print("firstFailingSeed", *totals.first_failing);
    std::printf("\"violation\":\"%s\",", totals.first_violation.c_str());
  }
  print("events", totals.events);
  print("packets", totals.counters.packets);
  print("processed", totals.counters.processed);
  print("released", totals.counters.released);
  print("dropped", totals.counters.dropped);
  print("lostOnLinks", totals.counters.lost_on_links);
  print("lostInFailure", totals.counters.lost_in_failure);
  print("moved", totals.moved);
  print("returned", totals.returned);
  print("stateLost", totals.state_lost);
  print("recovered", totals.recovered);
  print("vswitchesRestarted", totals.vswitches);
  std::printf("\"seconds\":%.3f}\n", seconds);
}

// False: there is a protection that no seed misses.
bool PrintTable(const Options& options) {
  bool all = true;
  for (size_t i = 0; i < kProtectionNames.size(); ++i) {
    nf::proto::removed_protections.fill(false);
    nf::proto::removed_protections[i] = true;
    std::string found;
    uint64_t seed = options.first;
    for (; seed < options.first + options.seeds && found.empty(); ++seed)
      found = World(MakeScenario(seed), false).Run().violation;
    all = all && !found.empty();
    std::printf("| %s | %s | %s |\n", kProtectionNames[i].data(),
                found.empty() ? "-" : std::to_string(seed - 1).c_str(), found.empty() ? "no violation" : found.c_str());
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  if (options.table) return PrintTable(options) ? 0 : 1;
  if (!options.without.empty()) TakeAway(options.without);
  const auto started = std::chrono::steady_clock::now();
  Totals totals;
  for (uint64_t seed = options.first; seed < options.first + options.seeds; ++seed) {
    const Scenario scenario = MakeScenario(seed);
    const Outcome outcome = World(scenario, options.log && options.seeds == 1).Run();
    totals.Add(outcome);
    if (outcome.violation.empty()) {
      for (const std::string& line : outcome.log) std::printf("%s\n", line.c_str());
      continue;
    }
    ++totals.violations;
    if (!totals.first_failing) {
      totals.first_failing = seed;
      totals.first_violation = outcome.violation;
    }
    if (!options.json) Explain(scenario, outcome, options);
    if (options.stop_after != 0 && totals.violations >= options.stop_after) break;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
  if (options.json) {
    PrintJson(totals, seconds.count());
  } else {
    std::printf(
        "%llu packets, %llu processed, %llu left, %llu dropped, %llu lost on links, %llu lost in failure; %llu flows "
        "moved, "
        "%llu came back, %llu recovered, %llu states lost, %llu vswitches restarted; %llu events in %.1f s\n",
        static_cast<unsigned long long>(totals.counters.packets),
        static_cast<unsigned long long>(totals.counters.processed),
        static_cast<unsigned long long>(totals.counters.released),
        static_cast<unsigned long long>(totals.counters.dropped),
        static_cast<unsigned long long>(totals.counters.lost_on_links),
        static_cast<unsigned long long>(totals.counters.lost_in_failure), static_cast<unsigned long long>(totals.moved),
        static_cast<unsigned long long>(totals.returned), static_cast<unsigned long long>(totals.recovered),
        static_cast<unsigned long long>(totals.state_lost), static_cast<unsigned long long>(totals.vswitches),
        static_cast<unsigned long long>(totals.events), seconds.count());
    std::printf("%llu seeds, %llu violations\n", static_cast<unsigned long long>(totals.run),
                static_cast<unsigned long long>(totals.violations));
  }
  return totals.violations == 0 ? 0 : 1;
}
