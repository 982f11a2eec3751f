// How fast do flows move between two runtimes, and what do their packets notice? Chain of firewall, nat44 and
// load_balancer; UDP in both directions, every packet numbered by flow and direction (harness/numbered_wire.h). The
// baseline moves the same flows of the same chain over the same rings as OpenNF does, with a controller in the middle
// (harness/controlled_run.h).
//
// One thread takes all turns: vswitch, both runtimes, controller. So the figures are those of one core, and two
// protocols differ by nothing else. Making and checking packets takes no time on the clock that all figures are of.
//   flow_p50, flow_p99   one flow, nothing else going on, from the command until it lives at the target
//   flows_per_second     all flows of a runtime, so many at once
//   packets_lost, packets_reordered
//   packet_rate          what goes through meanwhile, of as many packets as come back
//   added_delay          of all packets while flows move, beyond those just before: all of these flows move meanwhile
// Rows of `lcores` are a whole tenant with its threads, through its commands.
#include <pthread.h>
#include <rte_lcore.h>
#include <sched.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench_report.h"
#include "harness/controlled_run.h"
#include "harness/flow_mover.h"
#include "harness/rings.h"
#include "harness/switched_run.h"
#include "runtime/tenant.h"

namespace nf {
namespace {

const std::vector<std::string> kNfs = {"firewall", "nat44", "load_balancer"};
// What one core can carry beside the moves.
constexpr double kPacketsPerSecondMax = 1.0e6;

void PinTo(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
}

std::string Count(uint32_t n) { return n % 1000 == 0 ? std::to_string(n / 1000) + "k" : std::to_string(n); }

constexpr uint32_t kDenseFlows = 64;
constexpr int kDenseTimes = 200;

struct Point {
  uint32_t flows;
  Load load;
  uint32_t at_once;

  std::string name() const {
    std::string with = "no traffic";
    if (load.rate == Load::kSaturating)
      with = "saturating traffic";
    else if (load.rate > 0)
      with = std::to_string(static_cast<int>(load.rate)) + " packets/s each";
    return Count(flows) + " flows, " + with + ", " + Count(at_once) + " at once";
  }
  // Few flows with several packets under way each: only these can get out of order, so they move again and again.
  bool is_dense() const { return flows <= kDenseFlows && load.rate == Load::kSaturating; }
  bool is_possible() const { return load.rate * flows <= kPacketsPerSecondMax && at_once <= flows; }
};

// The axes of the paper's figures 6 and 7, each by itself.
std::vector<Point> Points(bool full) {
  constexpr uint32_t kAtOnce = 1000;  // The paper's.
  const std::vector<double> rates = {0, 10, 50, 100, Load::kSaturating};
  std::vector<Point> points;
  if (full) {
    for (uint32_t flows : {1'000u, 10'000u, 100'000u, 600'000u}) {
      for (uint32_t at_once : {1u, 10u, 100u, 1'000u, 4'000u}) {
        for (double rate : rates) points.push_back({flows, {rate}, at_once});
      }
    }
  } else {
    for (uint32_t flows : {1'000u, 100'000u, 600'000u}) points.push_back({flows, {0}, kAtOnce});
    for (double rate : rates) points.push_back({10'000, {rate}, kAtOnce});
    points.push_back({600'000, {Load::kSaturating}, kAtOnce});
    points.push_back({kDenseFlows, {Load::kSaturating}, kDenseFlows});
    points.push_back({kDenseFlows, {Load::kSaturating}, 1});
    for (uint32_t at_once : {1u, 10u, 100u, 1'000u, 4'000u}) points.push_back({6'000, {50}, at_once});
  }
  std::erase_if(points, [](const Point& point) { return !point.is_possible(); });
  return points;
}

class MigrateBench {
 public:
  MigrateBench(BenchReport& report, Engine& engine) : report_(report), engine_(engine) {}

  void OneFlow();
  void OneFlowOnTwoLcores();
  void OneFlowByCommand();
  void Bulk(const Point& point);
  void BulkOnLcores(uint32_t flows, uint16_t lcores);

 private:
  static constexpr uint32_t kFlowsAround = 1000;  // That are open, but quiet.

  std::vector<NfSpec> Chain(uint32_t flows) { return ShippedChain(engine_, kNfs, flows); }
  int runs() const { return report_.quick() ? 3 : 15; }
  int moves() const { return report_.quick() ? 50 : 500; }
  void AddOne(const std::string& what, const std::vector<std::vector<double>>& ours,
              const std::vector<std::vector<double>>& theirs = {});

  BenchReport& report_;
  Engine& engine_;
};

double Quantile(std::vector<double> values, double quantile) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(quantile * static_cast<double>(values.size() - 1))];
}

void MigrateBench::AddOne(const std::string& what, const std::vector<std::vector<double>>& ours,
                          const std::vector<std::vector<double>>& theirs) {
  for (const auto& [metric, quantile] : {std::pair("flow_p50", 0.5), {"flow_p99", 0.99}}) {
    const auto of = [quantile = quantile](const std::vector<std::vector<double>>& runs) {
      std::vector<double> values;
      for (const auto& run : runs) values.push_back(Quantile(run, quantile));
      return values;
    };
    std::optional<double> baseline;
    if (!theirs.empty()) baseline = BenchReport::Median(of(theirs));
    report_.Add(what, metric, "us", of(ours), baseline);
  }
}

void MigrateBench::OneFlow() {
  const std::string what = "one flow, all on one lcore";
  if (!report_.Wants(what)) return;
  constexpr double kApartNs = 20'000;  // Until everybody has forgotten the last move.
  FlowMover<SwitchedRun> ours(engine_, Chain(kFlowsAround), kFlowsAround, 1);
  FlowMover<ControlledRun> theirs(engine_, Chain(kFlowsAround), kFlowsAround, 1);
  std::vector<std::vector<double>> us, controlled_us;
  const auto measure = [&](auto& mover, auto& into) {
    std::vector<double>& run = into.emplace_back();
    for (int i = 0; i < moves(); ++i) {
      run.push_back(mover.Move(1) / 1e3);
      mover.RoundsFor(kApartNs);
    }
  };
  for (int run = 0; run < runs(); ++run) {
    measure(ours, us);
    measure(theirs, controlled_us);
  }
  AddOne(what, us, controlled_us);
}

// Vswitch and source on this lcore, the target on the other, which has nothing else to do and polls.
void MigrateBench::OneFlowOnTwoLcores() {
  const std::string what = "one flow, target on another lcore";
  if (!report_.Wants(what)) return;
  FlowMover<SwitchedRun> mover(engine_, Chain(kFlowsAround), kFlowsAround, 1000);
  SwitchedRun& run = mover.run();
  std::atomic<bool> stop = false;
  std::thread other([&] {
    PinTo(1);
    rte_thread_register();
    while (!stop.load(std::memory_order_relaxed)) run.runtime(2).Turn();
    rte_thread_unregister();
  });
  PinTo(0);
  const auto turns_until = [&run](auto&& holds) {
    while (!holds()) {
      run.vswitch().Turn();
      run.runtime(1).Turn();
    }
  };
  const auto is_done = [](const Operation& operation) { return operation.done.load(std::memory_order_acquire); };
  std::vector<std::vector<double>> us;
  for (int i = 0; i < runs(); ++i) {
    std::vector<double>& moved = us.emplace_back();
    for (int flow = 0; flow < moves(); ++flow) {
      Operation operation;
      const uint64_t begin = rte_rdtsc();
      run.Move(1, 2, 1, &operation);
      turns_until([&] { return is_done(operation); });
      const uint64_t end = rte_rdtsc();
      moved.push_back(NsOfCycles(end - begin) / 1e3);
      turns_until([end] { return NsOfCycles(rte_rdtsc() - end) > 20'000; });
    }
    // All back, for the next run.
    Operation operation;
    Command command{.kind = Command::Kind::kMove};
    command.targets = {1};
    command.flows_wanted = kFlowsAround;
    command.operation = &operation;
    Must(run.runtime(2).commands().Push(&command), "the command ring is full");
    turns_until([&] { return is_done(operation); });
    const uint64_t end = rte_rdtsc();
    turns_until([end] { return NsOfCycles(rte_rdtsc() - end) > 1e6; });
  }
  stop = true;
  other.join();
  AddOne(what, us);
}

// A tenant with its threads, all flows in runtime 1.
class TenantOnWire {
 public:
  TenantOnWire(Engine& engine, const std::vector<NfSpec>& chain, uint32_t flows, uint16_t lcores)
      : wire_({.flows = flows}) {
    RuntimeSpec spec;
    spec.input = FabricInput{.client = &wire_.port(0), .server = &wire_.port(1), .pool = wire_.pool()};
    spec.flows_max = flows;
    spec.idle_ms = kIdleNever;
    spec.chain = chain;
    spec.switching = SwitchingSpec{.runtimes = 1, .lcores = lcores};
    std::vector<int> cpus;
    for (int cpu = 0; cpu < lcores; ++cpu) cpus.push_back(cpu);
    tenant_ = Must(Tenant::Create(engine, spec, {.cpus = cpus, .native = {}}));
    Must(tenant_->Start());
    for (uint32_t side : {0u, 1u}) {
      wire_.OpenFrom(side);
      while (!wire_.is_opened() || wire_.has_under_way()) Sleep();
    }
    wire_.Stop();
    Must(Must(tenant_->AddRuntime()) == 2, "a runtime has another number");
  }

  NumberedWire& wire() { return wire_; }
  Tenant& tenant() { return *tenant_; }
  static void Sleep() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

  void Measure(const Load& load, MoveFigures* figures) {
    const uint64_t lost = wire_.lost(), reordered = wire_.out_of_order();
    load.Put(&wire_);
    for (int i = 0; i < 20; ++i) Sleep();
    const uint16_t to[] = {static_cast<uint16_t>(3 - from_)};
    const OperationReport report = Must(tenant_->Drain(from_, to));
    Must(report.drained && report.moved == wire_.flows(), "flows of the benchmark do not move");
    wire_.Stop();
    for (int i = 0; i < 100 && wire_.has_under_way(); ++i) Sleep();
    wire_.GiveUp();
    Must(tenant_->Undrain(from_));
    from_ = to[0];
    figures->flows_per_second.push_back(report.moved / static_cast<double>(report.duration_ns) * 1e9);
    figures->lost.push_back(static_cast<double>(wire_.lost() - lost));
    figures->reordered.push_back(static_cast<double>(wire_.out_of_order() - reordered));
  }

 private:
  NumberedWire wire_;
  std::unique_ptr<Tenant> tenant_;
  uint16_t from_ = 1;
};

void MigrateBench::OneFlowByCommand() {
  const std::string what = "one flow, as a command, 1 lcore";
  if (!report_.Wants(what)) return;
  TenantOnWire tenant(engine_, Chain(kFlowsAround), kFlowsAround, 1);
  std::vector<std::vector<double>> us;
  for (int run = 0; run < runs(); ++run) {
    std::vector<double>& moved = us.emplace_back();
    for (int i = 0; i < moves() / 5; ++i) {
      const auto from = static_cast<uint16_t>(1 + i % 2);
      const OperationReport report = Must(tenant.tenant().Migrate(from, static_cast<uint16_t>(3 - from), 1));
      Must(report.moved == 1, "a flow does not move");
      moved.push_back(static_cast<double>(report.duration_ns) / 1e3);
    }
  }
  AddOne(what, us);
}

void MigrateBench::Bulk(const Point& point) {
  const std::string what = point.name();
  if (!report_.Wants(what)) return;
  const auto chain = Chain(point.flows);
  MoveFigures ours, theirs;
  FlowMover<SwitchedRun> switched(engine_, chain, point.flows, point.at_once);
  FlowMover<ControlledRun> controlled(engine_, chain, point.flows, point.at_once);
  const int runs = report_.quick() ? 2 : point.flows > 100'000 ? 3 : 5;
  for (int run = 0; run < runs; ++run) {
    const int times = !point.is_dense() ? 1 : report_.quick() ? 20 : kDenseTimes;
    switched.Measure(point.load, &ours, times);
    controlled.Measure(point.load, &theirs, times);
  }
  const auto add = [&](const char* metric, const char* unit, std::vector<double> MoveFigures::*figure) {
    report_.Add(what, metric, unit, ours.*figure, BenchReport::Median(theirs.*figure));
  };
  add("flows_per_second", "flows/s", &MoveFigures::flows_per_second);
  if (point.load.rate == 0) return;
  add("packets_lost", "packets", &MoveFigures::lost);
  add("packets_reordered", "packets", &MoveFigures::reordered);
  add("added_delay_p50", "us", &MoveFigures::added_delay_p50);
  add("added_delay_p99", "us", &MoveFigures::added_delay_p99);
  if (point.load.rate == Load::kSaturating && !point.is_dense()) add("packet_rate", "M/s", &MoveFigures::packet_rate);
}

void MigrateBench::BulkOnLcores(uint32_t flows, uint16_t lcores) {
  const std::string what = Count(flows) + " flows, saturating traffic, 1k at once, " + std::to_string(lcores) +
                           (lcores == 1 ? " lcore" : " lcores");
  if (!report_.Wants(what)) return;
  TenantOnWire tenant(engine_, Chain(flows), flows, lcores);
  MoveFigures figures;
  for (int run = 0; run < (report_.quick() ? 2 : 4); ++run) tenant.Measure({Load::kSaturating}, &figures);
  report_.Add(what, "flows_per_second", "flows/s", figures.flows_per_second);
  report_.Add(what, "packets_lost", "packets", figures.lost);
  report_.Add(what, "packets_reordered", "packets", figures.reordered);
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("migrate", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  nf::MigrateBench bench(report, *engine);
  bench.OneFlow();
  bench.OneFlowOnTwoLcores();
  bench.OneFlowByCommand();
  for (const nf::Point& point : nf::Points(report.full())) bench.Bulk(point);
  for (uint16_t lcores : {uint16_t{1}, uint16_t{2}}) bench.BulkOnLcores(600'000, lcores);
}
