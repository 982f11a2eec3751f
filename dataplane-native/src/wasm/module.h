// An NF's code, compiled: shared by its instances. Control threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace nf {

class Engine;

class Module {
 public:
  // Native code made by Compile of the same build. The caller has authenticated the bytes: a forged artifact is native
  // code execution. Errors: nf.compile when the code is of another engine version, setting or machine.
  static Expected<std::shared_ptr<const Module>> Load(Engine& engine, std::span<const uint8_t> native);
  // Compiles an admitted core module; runs in `nfactord compile`, in a jailed child. Errors: nf.compile.
  static Expected<std::vector<uint8_t>> Compile(Engine& engine, std::span<const uint8_t> wasm);
  ~Module();

  struct Wasm;
  const Wasm& wasm() const { return *wasm_; }

 private:
  Module() = default;
  std::unique_ptr<Wasm> wasm_;
};

}  // namespace nf
