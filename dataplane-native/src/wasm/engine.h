// Wasmtime, configured once per process as docs/threat_model.md says, with the watchdog's clock.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"

namespace nf {

struct EngineOptions {
  // Step of the watchdog while a call is under suspicion.
  uint32_t tick_us = 100;
  // CPU time that a call into a guest may take, from the first step that the watchdog sees of it, before it is stopped
  // as `deadline`; with the defaults a runaway call ends between 0.5 and 1 ms.
  uint32_t call_budget_us = 500;
  // The same for init and configure, which run off the packet path.
  uint32_t start_budget_us = 1000000;
  // Off for measuring what it costs; guests of unknown origin are not run then. Native code of one kind of engine does
  // not load into the other.
  bool watchdog = true;
};

class Engine {
 public:
  static Expected<std::unique_ptr<Engine>> Create(const EngineOptions& options);
  // Instances and modules are gone by then. Control threads, both.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  static const char* WasmtimeVersion();

  struct Wasm;
  Wasm& wasm() { return *wasm_; }
  const EngineOptions& options() const { return options_; }

 private:
  Engine() = default;
  std::unique_ptr<Wasm> wasm_;
  EngineOptions options_;
};

}  // namespace nf
