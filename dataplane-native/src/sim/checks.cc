// What must hold after every step of any member.
#include <numeric>

#include "sim/sim_runtime.h"
#include "sim/sim_vswitch.h"
#include "sim/text.h"
#include "sim/world.h"

namespace nf::sim {

using proto::ActorState;

void World::CheckStep() {
  CheckOwners();
  CheckBooks();
}

// I1 and I6: of the runtimes that V takes for alive, at most one may process packets of a flow with a stamp of V's.
void World::CheckOwners() {
  const proto::VswitchMachine& v = vswitch_->machine();
  uint64_t leased = 0;
  for (uint32_t entry = 0; entry < kEntries; ++entry) {
    const proto::RouteEntry& e = v.entry(entry);
    if (!e.used) continue;
    if (const uint32_t tuple = vswitch_->tuples().tuple_of(entry); vswitch_->tuples().is_leased(tuple)) {
      if ((leased >> tuple & 1) != 0) model_.Violate(Text("lease %u is held by two entries", tuple));
      leased |= uint64_t{1} << tuple;
    }
    int owners = 0;
    for (uint16_t id = 1; id < members_; ++id) {
      if (runtimes_[id] == nullptr || !v.Alive({.id = id, .incarnation = incarnations_[id]})) continue;
      const uint32_t index = runtimes_[id]->machine().actor_of_entry(entry);
      if (index == kNone) continue;
      const proto::Actor& a = runtimes_[id]->machine().actor(index);
      const bool works =
          a.state == ActorState::kActive || a.state == ActorState::kMoving || a.state == ActorState::kClosing;
      const bool stamped = a.epoch == e.epoch || (e.switched && !e.returned && a.epoch == e.previous_epoch);
      if (works && stamped) ++owners;
      // I6: V has gone back to the source, and the target lives on what it was given.
      if (works && e.returned && id != e.owner.id && proto::EpochNewer(a.epoch, e.previous_epoch))
        model_.Violate(Text("the move of entry %u was undone, but runtime %u lives on its state", entry, id));
    }
    if (owners > 1) model_.Violate(Text("entry %u has %d owners", entry, owners));
  }
}

// I2: received = sent + dropped by reason + held, at every member.
void World::CheckBooks() {
  const auto sum = [](const auto& reasons) {
    return std::accumulate(std::begin(reasons), std::end(reasons), uint64_t{0});
  };
  const auto& v = vswitch_->machine();
  if (v.counters().outputs != v.counters().released + sum(v.counters().dropped) + v.held())
    model_.Violate("V's books do not balance");
  if (stamped_before_ + v.counters().stamped != model_.counters.stamped)
    model_.Violate("V has stamped what was not sent");
  if (scenario_.conditions.strict && v.counters().state_lost != 0)
    model_.Violate("V says that a state is lost, though nobody died");
  for (uint16_t id = 1; id < members_; ++id) {
    if (runtimes_[id] == nullptr) continue;
    const auto& machine = runtimes_[id]->machine();
    const auto& c = machine.counters();
    if (c.received != c.processed + sum(c.dropped) + machine.held())
      model_.Violate(Text("the books of runtime %u do not balance", id));
  }
}

}  // namespace nf::sim
