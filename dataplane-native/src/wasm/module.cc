#include "wasm/module.h"

#include "wasm/engine_wasm.h"
#include "wasm/module_wasm.h"

namespace nf {

Module::Wasm::~Wasm() {
  if (module != nullptr) wasmtime_module_delete(module);
}

Module::~Module() = default;

Expected<std::shared_ptr<const Module>> Module::Load(Engine& engine, std::span<const uint8_t> native) {
  std::shared_ptr<Module> module(new Module);
  module->wasm_ = std::make_unique<Wasm>();
  wasmtime_error_t* error =
      wasmtime_module_deserialize(engine.wasm().engine, native.data(), native.size(), &module->wasm_->module);
  if (error != nullptr) {
    return Fail(ErrorCode::kNfCompile, "this native code does not fit this build or machine: " + TakeMessage(error) +
                                           " Compile the NF again.");
  }
  if (auto checked = CheckInterface(*module->wasm_); !checked) return std::unexpected(checked.error());
  return module;
}

Expected<std::vector<uint8_t>> Module::Compile(Engine& engine, std::span<const uint8_t> wasm) {
  Wasm compiled;
  wasmtime_error_t* error = wasmtime_module_new(engine.wasm().engine, wasm.data(), wasm.size(), &compiled.module);
  if (error != nullptr) return Fail(ErrorCode::kNfCompile, TakeMessage(error));
  if (auto checked = CheckInterface(compiled); !checked) return std::unexpected(checked.error());
  wasm_byte_vec_t bytes;
  error = wasmtime_module_serialize(compiled.module, &bytes);
  if (error != nullptr) return Fail(ErrorCode::kNfCompile, TakeMessage(error));
  std::vector<uint8_t> native(bytes.data, bytes.data + bytes.size);
  wasm_byte_vec_delete(&bytes);
  return native;
}

}  // namespace nf
