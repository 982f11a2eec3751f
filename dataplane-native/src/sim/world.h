// One run: members on virtual time, links between them, and the events of a scenario. One thread, one queue of events,
// everything from the seed; the same scenario gives the same run.
#pragma once

#include <cstdint>
#include <memory>
#include <queue>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "proto/stamp.h"
#include "sim/model.h"
#include "sim/random.h"
#include "sim/scenario.h"

namespace nf::sim {

class SimRuntime;
class SimVswitch;

// On a data link.
struct DataItem {
  bool marker = false;
  proto::MarkerDatagram datagram{};
  uint32_t number = 0;  // Of the packet (to a runtime) or the output (to V).
  uint32_t tuple = 0;   // To a runtime: what V leases to the flow.
  proto::PacketHeader header{};
};

// What a runtime's report says of a flow besides.
struct Told {
  uint32_t tuple;
  uint32_t taught;
};

// From the supervisor to a member. Incarnation 0: that member is dead.
struct Membership {
  uint16_t member = 0;
  uint32_t incarnation = 0;
};

struct Outcome {
  std::string violation;  // Empty: none.
  ModelCounters counters;
  uint64_t moved = 0;
  uint64_t returned = 0;
  uint64_t state_lost = 0;
  uint64_t recovered = 0;
  uint64_t vswitches = 0;  // That began after another.
  uint64_t events = 0;
  std::vector<std::string> log;
};

class World {
 public:
  World(const Scenario& scenario, bool logs);
  ~World();
  Outcome Run();

  // For members.
  uint64_t now_ns() const { return now_ns_; }
  Model& model() { return model_; }
  Random& random() { return random_; }
  const Conditions& conditions() const { return scenario_.conditions; }
  bool logs() const { return logs_; }
  void Log(std::string line);
  void SendData(uint16_t from, uint16_t to, const DataItem& item);
  void SendFrame(uint16_t from, uint16_t to, std::span<const uint8_t> frame);
  // Somebody outside may answer what has just left.
  void MayAnswer(uint32_t output);
  // Whether V, as far as it said, has the flow.
  bool lives(uint32_t flow) const { return lives_[flow]; }
  void SetLives(uint32_t flow, bool on) { lives_[flow] = on; }
  bool ended(uint32_t flow) const { return flow_ended_[flow]; }
  bool calm() const { return calm_; }
  // Every packet causes output.
  bool loud() const { return loud_; }
  SimVswitch& vswitch() { return *vswitch_; }
  SimRuntime* runtime(uint16_t id) { return runtimes_[id].get(); }
  uint16_t runtimes() const { return scenario_.conditions.runtimes; }
  uint32_t incarnation(uint16_t id) const { return incarnations_[id]; }
  // Learned that it is taken for dead.
  void Fenced(uint16_t id);
  void OperationStarted() { ++operations_; }
  void OperationEnded() { --operations_; }
  // A copy of what was on a data link, or behind it, is no more.
  void DataDone(uint16_t to, const DataItem& item);
  // A target has had the state of the flow whose owner was of this epoch.
  void Installed(uint32_t entry, uint32_t epoch) { installed_.insert({entry, epoch}); }
  void Recovered() { ++recovered_; }
  bool installed(uint32_t entry, uint32_t epoch) const { return installed_.contains({entry, epoch}); }

 private:
  enum class EventKind : uint8_t { kTurn, kData, kFrame, kMembership, kAction, kRestart, kAnswer, kWake };
  struct Event {
    uint64_t time_ns = 0;
    uint64_t order = 0;
    EventKind kind = EventKind::kTurn;
    uint16_t from = 0;
    uint16_t to = 0;
    uint32_t incarnation = 0;
    uint32_t source_incarnation = 0;  // Of V.
    DataItem data;
    std::vector<uint8_t> frame;
    Membership membership;
    Action action;
    uint32_t packet = kNone;
  };
  struct Link {
    uint64_t last_ns = 0;
    uint64_t cut_until_ns = 0;
  };
  struct Later {
    bool operator()(const std::unique_ptr<Event>& a, const std::unique_ptr<Event>& b) const {
      return a->time_ns != b->time_ns ? a->time_ns > b->time_ns : a->order > b->order;
    }
  };

  void Post(uint64_t time_ns, Event event);
  uint64_t Arrival(Link* link, const LinkFaults& faults);
  Link& DataLink(uint16_t from, uint16_t to) { return data_links_[from * members_ + to]; }
  Link& MessageLink(uint16_t from, uint16_t to) { return message_links_[from * members_ + to]; }
  void Step(Event* event);
  void Turn(uint16_t member);
  void Act(const Action& action);
  void Kill(uint16_t runtime);
  void TakeForDead(uint16_t runtime);
  void Restart(uint16_t runtime);
  void RestartVswitch();
  void Announce(uint16_t member, uint32_t incarnation, uint16_t besides);
  void RunUntil(uint64_t time_ns);
  // Runs until `done`, at most so long; false: it never was.
  template <typename Done>
  bool RunUntilDone(uint64_t at_most_ns, Done done);
  void CheckStep();
  void CheckOwners();
  void CheckBooks();
  bool AtRest();
  bool IsProtected();
  bool MayFail(const Action& action);
  bool Empty();
  std::string WhatIsLeft() const;
  // Replicas are where they are to be.
  bool AtHome() const;
  // No flow's answers are another's; or what it causes, from this output on, has found no room to wait or at a replica.
  bool ConflictsAreOver(uint32_t from) const;
  void Ending();

  Scenario scenario_;
  bool logs_;
  uint16_t members_;
  Random random_;
  Model model_;
  uint64_t now_ns_ = 0;
  uint64_t posted_ = 0;
  uint64_t handled_ = 0;
  std::priority_queue<std::unique_ptr<Event>, std::vector<std::unique_ptr<Event>>, Later> events_;
  std::vector<Link> data_links_;
  std::vector<Link> message_links_;
  std::vector<uint64_t> told_ns_;  // When the supervisor's last word reaches a member.
  std::vector<uint64_t> paused_until_ns_;
  std::vector<uint32_t> incarnations_;  // The truth; 0: dead.
  uint32_t incarnation_count_ = 0;
  std::vector<bool> flow_ended_;
  std::vector<bool> lives_;
  std::vector<bool> fenced_;  // Taken for dead, and doesn't know yet.
  uint8_t term_ = 1;
  bool vswitch_dead_ = false;
  bool failed_vswitch_ = false;       // V has died, and not all is made good yet.
  bool failed_with_vswitch_ = false;  // Nor is the death of a runtime since.
  bool failed_talking_ = false;       // It died while messages between runtimes were under way.
  uint64_t stamped_before_ = 0;       // By other Vs.
  std::set<std::pair<uint32_t, uint32_t>> installed_;
  std::unique_ptr<SimVswitch> vswitch_;
  std::unique_ptr<SimVswitch> asleep_;  // Another one has begun meanwhile.
  uint32_t wakes_after_ns_ = 0;
  std::vector<std::unique_ptr<SimRuntime>> runtimes_;
  int64_t operations_ = 0;
  uint32_t on_data_links_ = 0;  // Packets and output; V asks after quiet flows, so there may always be a marker.
  uint64_t recovered_ = 0;
  uint32_t places_ = 0;          // Bits.
  std::vector<uint32_t> homes_;  // By runtime; bits, 0: any.
  uint32_t words_to_come_ = 0;   // The supervisor's.
  bool calm_ = false;            // No more faults.
  bool loud_ = false;
  bool checking_ = false;  // Everything must work.
  std::vector<std::string> log_;
};

}  // namespace nf::sim
