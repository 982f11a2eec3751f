// Moves all flows of one runtime to the other and back, while numbered packets go through them. `Run` is a SwitchedRun
// or a ControlledRun, driven by this thread.
#pragma once

#include <algorithm>
#include <vector>

#include "harness/must.h"
#include "harness/numbered_wire.h"
#include "harness/shipped_nf.h"
#include "runtime/switched_runtime.h"

namespace nf {

inline double NsOfCycles(uint64_t cycles) {
  return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz());
}

// Packets a second and flow.
struct Load {
  static constexpr double kSaturating = -1;
  double rate = 0;

  void Put(NumberedWire* wire) const {
    if (rate == kSaturating)
      wire->Saturate();
    else if (rate > 0)
      wire->Pace(rate);
  }
};

struct MoveFigures {
  std::vector<double> flows_per_second, lost, reordered;
  std::vector<double> added_delay_p50, added_delay_p99;  // us.
  std::vector<double> packet_rate;                       // Millions a second, while flows move.
};

template <typename Run>
class FlowMover {
 public:
  FlowMover(Engine& engine, const std::vector<NfSpec>& chain, uint32_t flows, uint32_t at_once)
      : wire_({.flows = flows}),
        run_(engine, {.chain = chain,
                      .runtimes = 2,
                      .flows_max = flows,
                      .migrations = at_once,
                      .client = &wire_.port(0),
                      .server = &wire_.port(1),
                      .pool = wire_.pool()}) {
    if constexpr (requires { run_.SetAccepting(2, false); }) run_.SetAccepting(2, false);
    for (uint32_t side : {0u, 1u}) {
      wire_.OpenFrom(side);
      while (!wire_.is_opened()) run_.Round();
      Settle();
    }
    Must(wire_.received() == 2 * uint64_t{flows}, "a flow of the benchmark does not open");
  }

  // All flows, so many times there and back in turn, under the same traffic.
  void Measure(const Load& load, MoveFigures* figures, int times = 1) {
    const uint64_t lost = wire_.lost(), reordered = wire_.out_of_order();
    load.Put(&wire_);
    RoundsFor(kWarmUpNs);
    wire_.TakeDelays();
    RoundsFor(kBeforeNs);
    const auto before = wire_.TakeDelays();
    const uint64_t received = wire_.received();
    double ns = 0;
    for (int i = 0; i < times; ++i) {
      if (i != 0) RoundsFor(kApartNs);
      ns += Move(wire_.flows());
    }
    if (times == 1) figures->packet_rate.push_back(static_cast<double>(wire_.received() - received) / ns * 1e3);
    const auto during = wire_.TakeDelays();
    Settle();
    figures->flows_per_second.push_back(static_cast<double>(wire_.flows()) * times / ns * 1e9);
    figures->lost.push_back(static_cast<double>(wire_.lost() - lost));
    figures->reordered.push_back(static_cast<double>(wire_.out_of_order() - reordered));
    figures->added_delay_p50.push_back(Us(during, 0.5) - Us(before, 0.5));
    figures->added_delay_p99.push_back(Us(during, 0.99) - Us(before, 0.99));
  }

  // Nothing else goes on. ns from the command until the operation has ended.
  double Move(uint32_t flows) {
    Operation operation;
    const uint64_t begin = wire_.Clock();
    run_.Move(from_, static_cast<uint16_t>(3 - from_), flows, &operation);
    while (!operation.done.load(std::memory_order_acquire)) run_.Round();
    const double ns = NsOfCycles(wire_.Clock() - begin);
    Must(operation.result.moved == flows, "flows of the benchmark do not move");
    from_ = static_cast<uint16_t>(3 - from_);
    return ns;
  }
  void RoundsFor(double ns) {
    for (const uint64_t begin = wire_.Clock(); NsOfCycles(wire_.Clock() - begin) < ns;) run_.Round();
  }
  Run& run() { return run_; }

 private:
  static constexpr double kWarmUpNs = 5e6, kBeforeNs = 20e6, kSettleNs = 5e6, kGiveUpNs = 100e6;
  static constexpr double kApartNs = 100'000;  // Until the last move is over for everybody.

  static double Us(std::vector<uint32_t> cycles, double quantile) {
    if (cycles.empty()) return 0;
    const auto at = cycles.begin() + static_cast<ptrdiff_t>(quantile * static_cast<double>(cycles.size() - 1));
    std::nth_element(cycles.begin(), at, cycles.end());
    return NsOfCycles(*at) / 1e3;
  }
  // No more packets: all that were sent come out, or won't any more.
  void Settle() {
    wire_.Stop();
    RoundsFor(kSettleNs);
    for (const uint64_t begin = wire_.Clock(); wire_.has_under_way() && NsOfCycles(wire_.Clock() - begin) < kGiveUpNs;)
      run_.Round();
    wire_.GiveUp();
  }

  NumberedWire wire_;
  Run run_;
  uint16_t from_ = 1;
};

}  // namespace nf
