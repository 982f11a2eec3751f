// What an Engine is made of; for src/wasm only.
#pragma once

#include <wasmtime.h>

#include <memory>
#include <string>

#include "wasm/engine.h"
#include "wasm/watchdog.h"

namespace nf {

struct Engine::Wasm {
  wasm_engine_t* engine = nullptr;
  std::unique_ptr<Watchdog> watchdog;  // Null when off.

  ~Wasm();
};

// The message of an error of Wasmtime, on one line; deletes the error.
std::string TakeMessage(wasmtime_error_t* error);

}  // namespace nf
