#include "wasm/engine.h"

#include "wasm/engine_wasm.h"
#include "wasm/linear_memory.h"

namespace nf {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

// Everything that abi.md does not list is off, by name, so that a new version of Wasmtime cannot switch it on. What
// this build of the C API has no switch for (threads, GC, exceptions, components) was not compiled into it.
void RestrictFeatures(wasm_config_t* config) {
  wasmtime_config_wasm_multi_value_set(config, true);
  wasmtime_config_wasm_tail_call_set(config, false);
  wasmtime_config_wasm_simd_set(config, false);
  wasmtime_config_wasm_relaxed_simd_set(config, false);
  wasmtime_config_wasm_relaxed_simd_deterministic_set(config, true);
  wasmtime_config_wasm_bulk_memory_set(config, false);
  wasmtime_config_wasm_multi_memory_set(config, false);
  wasmtime_config_wasm_memory64_set(config, false);
  wasmtime_config_wasm_wide_arithmetic_set(config, false);
  wasmtime_config_wasm_branch_hinting_set(config, false);
  wasmtime_config_wasm_custom_page_sizes_set(config, false);
  wasmtime_config_wasm_stack_switching_set(config, false);
  wasmtime_config_shared_memory_set(config, false);
  wasmtime_config_gc_support_set(config, false);
}

void Harden(wasm_config_t* config, const EngineOptions& options) {
  wasmtime_config_strategy_set(config, WASMTIME_STRATEGY_CRANELIFT);
  wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
  wasmtime_config_cranelift_nan_canonicalization_set(config, true);
  wasmtime_config_cranelift_debug_verifier_set(config, false);
  wasmtime_config_debug_info_set(config, false);
  wasmtime_config_profiler_set(config, WASMTIME_PROFILING_STRATEGY_NONE);
  wasmtime_config_consume_fuel_set(config, false);
  wasmtime_config_epoch_interruption_set(config, options.watchdog);
  wasmtime_config_signals_based_traps_set(config, true);
  wasmtime_config_native_unwind_info_set(config, true);
  wasmtime_config_max_wasm_stack_set(config, kStackBytes);
  LinearMemory::Configure(config);
}

}  // namespace

Engine::Wasm::~Wasm() {
  watchdog.reset();
  if (engine != nullptr) wasm_engine_delete(engine);
}

Expected<std::unique_ptr<Engine>> Engine::Create(const EngineOptions& options) {
  if (options.tick_us == 0 || options.call_budget_us == 0 || options.start_budget_us == 0) {
    return Fail(ErrorCode::kInternal, "the watchdog's times must not be 0");
  }
  wasm_config_t* config = wasm_config_new();
  RestrictFeatures(config);
  Harden(config, options);
  std::unique_ptr<Engine> engine(new Engine);
  engine->options_ = options;
  engine->wasm_ = std::make_unique<Wasm>();
  engine->wasm_->engine = wasm_engine_new_with_config(config);
  if (engine->wasm_->engine == nullptr) return Fail(ErrorCode::kInternal, "Wasmtime refuses its configuration");
  if (options.watchdog) {
    engine->wasm_->watchdog = std::make_unique<Watchdog>(engine->wasm_->engine, options.tick_us);
  }
  return engine;
}

Engine::~Engine() = default;

const char* Engine::WasmtimeVersion() { return WASMTIME_VERSION; }

std::string TakeMessage(wasmtime_error_t* error) {
  wasm_name_t text;
  wasmtime_error_message(error, &text);
  std::string message;
  for (size_t i = 0; i < text.size && text.data[i] != '\0'; ++i) {
    bool blank = static_cast<unsigned char>(text.data[i]) <= ' ';
    if (!blank) message.push_back(text.data[i]);
    if (blank && !message.empty() && message.back() != ' ') message.push_back(' ');
  }
  wasm_byte_vec_delete(&text);
  wasmtime_error_delete(error);
  return message;
}

}  // namespace nf
