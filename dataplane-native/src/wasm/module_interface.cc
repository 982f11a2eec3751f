// The interface of a module: no imports, the exports of nf_abi.json, one memory.
#include <cstring>

#include "wasm/module_wasm.h"

namespace nf {
namespace {

std::unexpected<Error> Refuse(const std::string& what) {
  return Fail(ErrorCode::kAdmissionRefused, "the module " + what);
}

bool IsType(const wasm_valtype_t* type, abi::WasmType wanted) {
  wasm_valkind_t kind = wasm_valtype_kind(type);
  return (wanted == abi::WasmType::kI32 && kind == WASM_I32) || (wanted == abi::WasmType::kI64 && kind == WASM_I64);
}

bool Fits(const wasm_functype_t* type, const abi::ExportSpec& spec) {
  const wasm_valtype_vec_t* params = wasm_functype_params(type);
  const wasm_valtype_vec_t* results = wasm_functype_results(type);
  if (params->size != spec.param_count) return false;
  for (size_t i = 0; i < params->size; ++i) {
    if (!IsType(params->data[i], spec.params[i])) return false;
  }
  if (spec.result == abi::WasmType::kNone) return results->size == 0;
  return results->size == 1 && IsType(results->data[0], spec.result);
}

Expected<void> CheckMemory(const wasm_externtype_t* external, Module::Wasm& module) {
  const wasm_memorytype_t* type = wasm_externtype_as_memorytype_const(external);
  if (type == nullptr) return Refuse("exports something else than its memory as memory");
  uint64_t most = 0;
  uint64_t least = wasmtime_memorytype_minimum(type);
  bool bounded = wasmtime_memorytype_maximum(type, &most);
  bool ordinary = !wasmtime_memorytype_is64(type) && !wasmtime_memorytype_isshared(type) &&
                  wasmtime_memorytype_page_size(type) == abi::kPageBytes;
  uint64_t heap = least - abi::kBasePages;
  if (!ordinary || !bounded || most != least || least <= abi::kBasePages || heap > abi::kHeapPagesMax) {
    return Refuse("has a memory of " + std::to_string(least) + " pages that " +
                  (bounded && most == least ? "does not grow" : "may grow") + "; a fixed size of " +
                  std::to_string(abi::kBasePages + 1) + " to " + std::to_string(abi::kBasePages + abi::kHeapPagesMax) +
                  " pages is wanted");
  }
  module.heap_pages = static_cast<uint32_t>(heap);
  return {};
}

Expected<void> CheckExport(const wasm_exporttype_t* exported, Module::Wasm& module) {
  const wasm_name_t* name = wasm_exporttype_name(exported);
  std::string_view text(name->data, name->size);
  const wasm_externtype_t* external = wasm_exporttype_type(exported);
  if (text == abi::kMemoryExport) return CheckMemory(external, module);
  for (size_t i = 0; i < abi::kExportCount; ++i) {
    if (text != abi::kExports[i].name) continue;
    const wasm_functype_t* function = wasm_externtype_as_functype_const(external);
    if (function == nullptr || !Fits(function, abi::kExports[i])) {
      return Refuse("exports " + std::string(abi::kExports[i].name) + " with another type than the ABI's");
    }
    module.exports[i] = true;
  }
  return {};  // Other exports are never called.
}

}  // namespace

Expected<void> CheckInterface(Module::Wasm& module) {
  wasm_importtype_vec_t imports;
  wasmtime_module_imports(module.module, &imports);
  bool has_imports = imports.size != 0;
  wasm_importtype_vec_delete(&imports);
  if (has_imports) return Refuse("has imports; an NF has none");

  wasm_exporttype_vec_t exports;
  wasmtime_module_exports(module.module, &exports);
  Expected<void> done;
  for (size_t i = 0; i < exports.size && done; ++i) done = CheckExport(exports.data[i], module);
  wasm_exporttype_vec_delete(&exports);
  if (!done) return done;
  if (module.heap_pages == 0) return Refuse("does not export its memory as memory");
  for (size_t i = 0; i < abi::kExportCount; ++i) {
    if (abi::kExports[i].is_required && !module.exports[i]) {
      return Refuse("lacks the export " + std::string(abi::kExports[i].name));
    }
  }
  return {};
}

}  // namespace nf
