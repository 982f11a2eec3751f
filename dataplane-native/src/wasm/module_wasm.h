// What a Module is made of; for src/wasm only.
#pragma once

#include <wasmtime.h>

#include <array>
#include <string>

#include "nf_abi.h"
#include "wasm/module.h"

namespace nf {

struct Module::Wasm {
  wasmtime_module_t* module = nullptr;
  uint32_t heap_pages = 0;
  std::array<bool, abi::kExportCount> exports{};

  ~Wasm();
};

// Compares what a module imports and exports with nf_abi.json: names, exact types, the memory's size. Admission has
// done so before and says more about it; this is what calls without type checks rest on. Errors: admission.refused.
Expected<void> CheckInterface(Module::Wasm& module);

}  // namespace nf
