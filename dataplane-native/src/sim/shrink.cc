#include "sim/shrink.h"

#include <algorithm>

#include "sim/world.h"

namespace nf::sim {
namespace {

class Shrinker {
 public:
  Shrinker(const Scenario& failing, int runs) : best_(failing), runs_(runs) {}

  Scenario Go() {
    DropActions();
    Milder([](Conditions* c) { c->data.loss = 0; });
    Milder([](Conditions* c) { c->data.repeat = 0; });
    Milder([](Conditions* c) { c->data.keeps_order = true; });
    Milder([](Conditions* c) { c->messages.loss = 0; });
    Milder([](Conditions* c) { c->messages.repeat = 0; });
    Milder([](Conditions* c) { c->messages.damage = 0; });
    Milder([](Conditions* c) { c->messages.keeps_order = true; });
    Milder([](Conditions* c) { c->tight = false; });
    Milder([](Conditions* c) { c->aliases = false; });
    Milder([](Conditions* c) { c->places = c->guarded = 0; });
    DropActions();
    return best_;
  }

 private:
  bool Fails(const Scenario& scenario) { return runs_-- > 0 && !World(scenario, false).Run().violation.empty(); }

  // Without ever smaller parts of the list.
  void DropActions() {
    for (size_t part = std::max<size_t>(1, best_.actions.size() / 2);; part /= 2) {
      for (size_t from = 0; from < best_.actions.size();) {
        Scenario without = best_;
        const auto first = without.actions.begin() + static_cast<ptrdiff_t>(from);
        without.actions.erase(first, first + static_cast<ptrdiff_t>(std::min(part, without.actions.size() - from)));
        if (Fails(without))
          best_ = std::move(without);
        else
          from += part;
      }
      if (part <= 1 || runs_ <= 0) return;
    }
  }

  template <typename Change>
  void Milder(Change change) {
    Scenario milder = best_;
    change(&milder.conditions);
    if (Fails(milder)) best_ = std::move(milder);
  }

  Scenario best_;
  int runs_;
};

}  // namespace

Scenario Shrink(const Scenario& failing, int runs) { return Shrinker(failing, runs).Go(); }

}  // namespace nf::sim
