// How long do packets wait when an NF is replaced by another version with the same layout, and does one get lost? A
// chain of firewall and nat44 under traffic, the firewall is swapped again and again; 32 packets a turn, all flows
// open.
//
// One thread is the lcore, another prepares versions, gives commands and destroys what was replaced, as
// Runtime::Swap does. Every turn of the worker is timed: a turn is the burst boundary and the burst behind it, commands
// included.
//   pause           what the turn with the flip took beyond an ordinary turn (baseline: an ordinary turn)
//   boundary        of that, until the ports are looked at: what the runtime reports itself
//   warm_up         what each of the turns before takes longer, in which the lcore gets the new instance into its
//   caches next_bursts     what the following 8 turns took beyond ordinary ones, together: the new instance is cold
//   slowest_burst   the longest turn while a version is prepared or destroyed (baseline: as long without that)
//   packets_dropped received - sent - held
#include <pthread.h>
#include <rte_cycles.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "bench_report.h"
#include "harness/must.h"
#include "harness/ring_run.h"
#include "harness/shipped_nf.h"

namespace nf {
namespace {

constexpr uint32_t kPacketsPerTurn = 32;
constexpr uint32_t kTurnsAfter = 8;
constexpr uint32_t kOrdinaryTurnsMin = 2048, kOrdinaryTurnsMax = 65536;

double Ns(uint64_t cycles) { return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()); }

void PinTo(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
}

// The control thread's side: one swap each time it is asked.
class Swapper {
 public:
  Swapper(Worker& worker, NfSpec spec) : worker_(worker), spec_(std::move(spec)), thread_([this] { Run(); }) {}
  ~Swapper() {
    stage_.store(Stage::kEnd);
    thread_.join();
  }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;

  void Begin() { stage_.store(Stage::kSwap); }
  bool done() const { return stage_.load(std::memory_order_acquire) == Stage::kIdle; }
  // Of the last swap. The lcore may look at `flipped` and what Flip wrote.
  std::atomic<Command*> command = nullptr;
  double prepare_ms = 0;
  uint64_t given_tsc = 0;

 private:
  enum class Stage { kIdle, kSwap, kEnd };

  void Run() {
    PinTo(0);
    for (;;) {
      const Stage stage = stage_.load(std::memory_order_acquire);
      if (stage == Stage::kEnd) return;
      if (stage == Stage::kSwap) {
        Swap();
        Stage expected = Stage::kSwap;
        stage_.compare_exchange_strong(expected, Stage::kIdle);
      }
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  void Swap() {
    ChainNf& nf = worker_.chain().nf(0);
    const uint64_t begin = rte_rdtsc();
    auto version = Must(nf.Prepare(spec_));
    prepare_ms = Ns(rte_rdtsc() - begin) / 1e6;
    commands_.emplace_back(new Command{.kind = Command::Kind::kSwap, .nf = 0, .version = version.get()});
    Command* made = commands_.back().get();
    worker_.events().AddNames(0, version->spec);
    nf.PauseKeeper();
    given_tsc = rte_rdtsc();
    command.store(made);
    Must(worker_.commands().Push(made), "the command ring is full");
    while (!made->done.load(std::memory_order_acquire)) std::this_thread::sleep_for(std::chrono::microseconds(50));
    nf.ResumeKeeper(version.get());
  }

  Worker& worker_;
  NfSpec spec_;
  std::atomic<Stage> stage_ = Stage::kIdle;
  std::vector<std::unique_ptr<Command>> commands_;
  std::thread thread_;
};

class SwapBench {
 public:
  SwapBench(BenchReport& report, Engine& engine, uint32_t flows)
      : report_(report),
        flows_(flows),
        what_(flows >= 1u << 20 ? "1M flows" : std::to_string(flows >> 10) + "k flows"),
        run_(engine, {.chain = ShippedChain(engine, {"firewall", "nat44"}, flows),
                      .traffic = {.flows = flows, .protocol = 17, .replies = false}}),
        swapper_(run_.worker(), ShippedChain(engine, {"firewall"}, flows)[0]) {
    run_.Open();
  }

  void Run() {
    const int swaps = report_.quick() ? 5 : 101;
    const PacketCounters& counters = run_.worker().counters();
    for (int i = -2; i < swaps; ++i) {
      if (i == 0) Forget();
      const uint64_t lost = Lost(counters);
      OneSwap();
      dropped_.push_back(static_cast<double>(Lost(counters) - lost));
    }
    Must(run_.worker().flows_open() == flows_, "flows ended meanwhile");
    report_.Add(what_, "pause", "ns", pause_, BenchReport::Median(ordinary_));
    report_.Add(what_, "boundary", "ns", boundary_);
    if (!warm_up_.empty()) report_.Add(what_, "warm_up", "ns", warm_up_);
    report_.Add(what_, "next_bursts", "ns", next_);
    report_.Add(what_, "slowest_burst", "us", slowest_, BenchReport::Median(slowest_ordinary_));
    report_.Add(what_, "packets_dropped", "packets", dropped_);
    report_.Add(what_, "command_to_flip", "us", to_flip_);
    report_.Add(what_, "prepare", "ms", prepare_);
  }

 private:
  static uint64_t Lost(const PacketCounters& counters) {
    return counters.received.value() - counters.sent.value() - counters.held.value();
  }

  uint64_t Turn() {
    run_.rings().Offer(kPacketsPerTurn);
    const uint64_t begin = rte_rdtsc();
    const uint32_t taken = run_.worker().Turn();
    const uint64_t cycles = rte_rdtsc() - begin;
    Must(taken == kPacketsPerTurn, "a turn takes what is there");
    run_.rings().Collect();
    return cycles;
  }

  void OneSwap() {
    std::vector<double> turns;
    for (uint32_t i = 0; i < ordinary_turns_; ++i) turns.push_back(Ns(Turn()));
    const double ordinary = BenchReport::Median(turns);
    swapper_.command.store(nullptr);
    swapper_.Begin();
    double slowest = 0, flip = 0, next = 0;
    std::vector<double> warming;
    uint32_t after = 0, count = 0;
    for (; !swapper_.done() || after < kTurnsAfter; ++count) {
      const double took = Ns(Turn());
      const Command* command = swapper_.command.load(std::memory_order_acquire);
      if (command == nullptr || !command->flipped) {
        slowest = std::max(slowest, took);
        if (command != nullptr) warming.push_back(took - ordinary);
      } else if (flip == 0) {
        flip = took - ordinary;
        boundary_.push_back(static_cast<double>(command->pause_ns));
        to_flip_.push_back(Ns(command->begin_tsc - swapper_.given_tsc) / 1e3);
      } else if (after < kTurnsAfter) {
        next += took - ordinary;
        ++after;
      } else {
        slowest = std::max(slowest, took);
      }
    }
    ordinary_.push_back(ordinary);
    pause_.push_back(flip);
    next_.push_back(next);
    if (!warming.empty()) warm_up_.push_back(BenchReport::Median(warming));
    slowest_.push_back(slowest / 1e3);
    slowest_ordinary_.push_back(*std::max_element(turns.begin(), turns.end()) / 1e3);
    prepare_.push_back(swapper_.prepare_ms);
    ordinary_turns_ = std::clamp(count, kOrdinaryTurnsMin, kOrdinaryTurnsMax);
  }

  void Forget() {
    for (auto* values : {&ordinary_, &pause_, &boundary_, &warm_up_, &next_, &slowest_, &slowest_ordinary_, &dropped_,
                         &to_flip_, &prepare_}) {
      values->clear();
    }
  }

  BenchReport& report_;
  uint32_t flows_;
  std::string what_;
  RingRun run_;
  Swapper swapper_;
  uint32_t ordinary_turns_ = kOrdinaryTurnsMin;
  std::vector<double> ordinary_, pause_, boundary_, warm_up_, next_, slowest_, slowest_ordinary_, dropped_, to_flip_,
      prepare_;
};

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("swap", argc, argv);
  nf::StartBenchEal();
  auto engine = nf::Must(nf::Engine::Create({}));
  nf::PinTo(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())) - 1);
  for (uint32_t flows : {1u << 10, 1u << 16, 1u << 20}) {
    const std::string what = flows >= 1u << 20 ? "1M flows" : std::to_string(flows >> 10) + "k flows";
    if (report.Wants(what)) nf::SwapBench(report, *engine, flows).Run();
  }
}
