#include "nfactord/run.h"

#include <signal.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "nfactord/compile.h"
#include "nfactord/report_json.h"
#include "nfactord/spec_json.h"
#include "runtime/runtime.h"
#include "wasm/engine.h"

namespace nf {
namespace {

volatile sig_atomic_t signals = 0;

int Say(const Error& error, int exit_code) {
  std::fprintf(stderr, "%s: %s\n", ErrorCodeName(error.code), error.message.c_str());
  return exit_code;
}

void Watch(Runtime& runtime) {
  int heard = 0;
  while (!runtime.ended()) {
    if (signals > heard) runtime.RequestStop(++heard == 1);
    std::vector<Event> events = runtime.DrainEvents();
    for (const Event& event : events) std::fprintf(stderr, "%s\n", ToJson(event).c_str());
    if (events.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (std::vector<Event> events = runtime.DrainEvents(); !events.empty(); events = runtime.DrainEvents()) {
    for (const Event& event : events) std::fprintf(stderr, "%s\n", ToJson(event).c_str());
  }
}

}  // namespace

int RunSpecFile(const std::string& path) {
  auto spec = ReadRunSpec(path);
  if (!spec) return Say(spec.error(), kExitUsage);
  struct sigaction action = {};
  action.sa_handler = [](int) { signals = signals + 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  if (auto eal = StartEal(spec->eal); !eal) return Say(eal.error(), kExitRefused);
  auto engine = Engine::Create({});
  if (!engine) return Say(engine.error(), kExitRefused);
  auto runtime = Runtime::Create(**engine, spec->runtime);
  if (!runtime) return Say(runtime.error(), kExitRefused);
  if (auto started = (*runtime)->Start(); !started) return Say(started.error(), kExitRefused);
  Watch(**runtime);
  RunReport report = (*runtime)->Wait();
  std::printf("%s\n", ToJson(report).c_str());
  return report.error ? kExitRefused : kExitDone;
}

}  // namespace nf
