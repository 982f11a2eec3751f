// What the Wasm engine costs: a call, an instance, compilation, a trap, the watchdog. No packets.
#include <time.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include "bench_report.h"
#include "harness/must.h"
#include "wasm/test_modules.h"

namespace nf {
namespace {

int Runs(const BenchReport& report) { return report.quick() ? 3 : 15; }

double NowNs() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double CpuNs(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// ns of one of `times` executions.
double Each(int times, const std::function<void()>& body) {
  double start = NowNs();
  for (int i = 0; i < times; ++i) body();
  return (NowNs() - start) / times;
}

std::unique_ptr<Engine> MakeEngine(bool watchdog) { return Must(Engine::Create({.watchdog = watchdog})); }

std::unique_ptr<Instance> MakeInstance(Engine& engine, const TestModule& module, const TestAreas& areas) {
  return Must(Instance::Create(engine, Must(LoadTest(engine, module)), areas.Plan()));
}

// Reads 16 bytes of each packet's header and adds them up: like a small NF, with a loop and loads to interrupt.
const char* kSmallNf = R"(
  (local.set $x (i32.load (local.get $descriptor)))
  (local.set $y (i32.xor (i32.load (local.get $x)) (i32.load offset=4 (local.get $x))))
  (local.set $y (i32.xor (local.get $y) (i32.load offset=8 (local.get $x))))
  (local.set $y (i32.xor (local.get $y) (i32.load offset=12 (local.get $x))))
  (i32.store8 (local.get $result) (i32.or (i32.const 1) (i32.eqz (local.get $y)))))";

void BenchCalls(BenchReport& report) {
  TestAreas areas;
  auto watched = MakeEngine(true);
  auto unwatched = MakeEngine(false);
  TestModule empty = {.process_burst = ""};
  TestModule small = {.process_burst = ForEachPacket(kSmallNf)};
  auto empty_on = MakeInstance(*watched, empty, areas), empty_off = MakeInstance(*unwatched, empty, areas);
  auto small_on = MakeInstance(*watched, small, areas), small_off = MakeInstance(*unwatched, small, areas);
  for (Instance* instance : {small_on.get(), small_off.get()}) {
    for (uint32_t i = 0; i < abi::kBurstPackets; ++i) {
      instance->descriptors()[i].header = abi::kHeaderAreaAddress + i * abi::kHeaderStride;
    }
  }
  std::vector<double> values[4];
  Instance* instances[] = {empty_on.get(), empty_off.get(), small_on.get(), small_off.get()};
  for (int run = 0; run < Runs(report); ++run) {
    for (int i = 0; i < 4; ++i) {
      uint32_t packets = i < 2 ? 0 : abi::kBurstPackets;
      values[i].push_back(Each(200000, [&] { Must(instances[i]->ProcessBurst(packets), "a call failed"); }));
    }
  }
  for (int i : {2, 3}) {
    for (double& value : values[i]) value /= abi::kBurstPackets;
  }
  report.Add("call, watchdog off", "call", "ns", values[1]);
  report.Add("call, watchdog on", "call", "ns", values[0], BenchReport::Median(values[1]));
  report.Add("small NF, watchdog off", "packet", "ns", values[3]);
  report.Add("small NF, watchdog on", "packet", "ns", values[2], BenchReport::Median(values[3]));
}

// The watchdog's thread beside a core that calls all the time, and beside one that does not.
void BenchWatchdog(BenchReport& report) {
  TestAreas areas;
  std::vector<double> busy, idle;
  auto engine = MakeEngine(true);
  auto instance = MakeInstance(*engine, {}, areas);
  auto others_cpu = [] { return CpuNs(CLOCK_PROCESS_CPUTIME_ID) - CpuNs(CLOCK_THREAD_CPUTIME_ID); };
  for (int run = 0; run < Runs(report); ++run) {
    double cpu = others_cpu(), start = NowNs();
    while (NowNs() - start < 1e8) Must(instance->ProcessBurst(1), "a call failed");
    busy.push_back((others_cpu() - cpu) / (NowNs() - start) * 100);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    cpu = others_cpu(), start = NowNs();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    idle.push_back((others_cpu() - cpu) / (NowNs() - start) * 100);
  }
  report.Add("watchdog's thread, calls run", "cpu", "percent", busy);
  report.Add("watchdog's thread, nothing runs", "cpu", "percent", idle);

  auto module = Must(LoadTest(*engine, {.process_burst = "(loop $forever (br $forever))"}));
  std::vector<double> stopped;
  for (int run = 0; run < 3 * Runs(report); ++run) {
    auto runaway = Must(Instance::Create(*engine, module, areas.Plan()));
    double start = CpuNs(CLOCK_THREAD_CPUTIME_ID);
    Must(!runaway->ProcessBurst(1), "the endless loop ended");
    stopped.push_back((CpuNs(CLOCK_THREAD_CPUTIME_ID) - start) / 1000);
  }
  report.Add("runaway call until it is stopped", "cpu_time", "us", stopped, 1000);
}

void BenchTraps(BenchReport& report) {
  TestAreas areas;
  auto engine = MakeEngine(true);
  auto good = MakeInstance(*engine, {}, areas);
  auto module = Must(LoadTest(*engine, {.process_burst = "(drop (i32.load (i32.const 0)))"}));
  std::vector<double> trapped, returned;
  for (int run = 0; run < Runs(report); ++run) {
    std::vector<std::unique_ptr<Instance>> instances;
    for (int i = 0; i < 100; ++i) instances.push_back(Must(Instance::Create(*engine, module, areas.Plan())));
    size_t next = 0;
    trapped.push_back(Each(100, [&] { Must(!instances[next++]->ProcessBurst(1), "a bad access did not trap"); }) /
                      1000);
    returned.push_back(Each(100000, [&] { Must(good->ProcessBurst(1), "a call failed"); }) / 1000);
  }
  report.Add("bad access, trap described", "call", "us", trapped, BenchReport::Median(returned));
}

// KiB of memory that this process uses, page tables included.
double UsedKib() {
  double used = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    for (const char* field : {"RssAnon:", "RssShmem:", "VmPTE:"}) {
      if (line.starts_with(field)) used += std::atof(line.c_str() + std::strlen(field));
    }
  }
  return used;
}

void BenchInstances(BenchReport& report) {
  TestAreas areas;
  auto engine = MakeEngine(true);
  auto module = Must(LoadTest(*engine, {.process_burst = ""}));
  std::vector<double> created, destroyed, together, used;
  for (int run = 0; run < Runs(report); ++run) {
    std::vector<std::unique_ptr<Instance>> instances;
    created.push_back(Each(200, [&] { instances.push_back(Must(Instance::Create(*engine, module, areas.Plan()))); }) /
                      1000);
    destroyed.push_back(Each(200, [&] { instances.pop_back(); }) / 1000);
    double start = NowNs(), before = UsedKib();
    for (int i = 0; i < 2000; ++i) instances.push_back(Must(Instance::Create(*engine, module, areas.Plan())));
    together.push_back((NowNs() - start) / 1e6);
    used.push_back((UsedKib() - before) / 2000);
  }
  report.Add("make an instance", "instance", "us", created);
  report.Add("destroy an instance", "instance", "us", destroyed);
  report.Add("make 2,000 of them", "instances", "ms", together);
  report.Add("memory and page tables", "instance", "KiB", used);
}

// `functions` functions of some 30 instructions each.
std::vector<uint8_t> LargeModule(int functions) {
  std::string more;
  for (int i = 0; i < functions; ++i) {
    more += "(func (param $a i32) (param $b i32) (result i32)";
    for (int j = 0; j < 8; ++j) {
      more +=
          "(local.set $a (i32.add (i32.mul (local.get $a) (local.get $b)) (i32.const " + std::to_string(i + j) + ")))";
      more += "(if (i32.lt_u (local.get $a) (local.get $b)) (then (local.set $b (i32.load (i32.const 65536)))))";
    }
    more += "(local.get $a))";
  }
  return WasmFromText(TestText({.more = more}));
}

void BenchCompile(BenchReport& report) {
  auto engine = MakeEngine(true);
  std::vector<uint8_t> small = WasmFromText(TestText({.process_burst = ForEachPacket(kSmallNf)}));
  std::vector<uint8_t> large = LargeModule(1000);
  auto native = Must(Module::Compile(*engine, large));
  std::vector<double> values[3];
  for (int run = 0; run < (report.quick() ? 1 : 5); ++run) {
    values[0].push_back(Each(1, [&] { Must(Module::Compile(*engine, small)); }) / 1e6);
    values[1].push_back(Each(1, [&] { Must(Module::Compile(*engine, large)); }) / 1e6);
    values[2].push_back(Each(1, [&] { Must(Module::Load(*engine, native)); }) / 1e6);
  }
  auto size = [](size_t bytes) { return std::to_string((bytes + 512) / 1024) + " KiB"; };
  report.Add("compile a small NF", "module", "ms", values[0]);
  report.Add("compile 1,000 functions, " + size(large.size()), "module", "ms", values[1]);
  report.Add("load them compiled, " + size(native.size()), "module", "ms", values[2], BenchReport::Median(values[1]));
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("engine", argc, argv);
  nf::BenchCalls(report);
  nf::BenchWatchdog(report);
  nf::BenchTraps(report);
  nf::BenchInstances(report);
  nf::BenchCompile(report);
}
