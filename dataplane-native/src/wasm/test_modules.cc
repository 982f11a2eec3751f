#include "wasm/test_modules.h"

#include <wasmtime.h>

#include "base/check.h"
#include "wasm/engine_wasm.h"

namespace nf {

std::string ForEachPacket(const std::string& body) {
  return R"(
    (loop $next
      (if (i32.lt_u (local.get $packet) (local.get $n)) (then
        (local.set $descriptor
          (i32.add (i32.const )" +
         std::to_string(abi::kDescriptorsAddress) + R"() (i32.shl (local.get $packet) (i32.const 6))))
        (local.set $result
          (i32.add (i32.const )" +
         std::to_string(abi::kResultsAddress) + R"() (i32.shl (local.get $packet) (i32.const 4))))
        )" +
         body + R"(
        (local.set $packet (i32.add (local.get $packet) (i32.const 1)))
        (br $next)))))";
}

std::string AllPackets(abi::Verdict verdict) {
  return ForEachPacket("(i32.store8 (local.get $result) (i32.const " + std::to_string(static_cast<int>(verdict)) +
                       "))");
}

std::string TestText(const TestModule& module) {
  auto constant = [](const char* name, uint32_t value) {
    return "(func (export \"" + std::string(name) + "\") (result i32) (i32.const " + std::to_string(value) + "))\n";
  };
  std::string pages = std::to_string(abi::kBasePages + module.heap_pages);
  return "(module\n(memory (export \"memory\") " + pages + " " + pages + ")\n" +
         constant("abi-version", module.abi_version) + constant("state-bytes", module.state_bytes) +
         constant("state-version", module.state_version) +  //
         "(func (export \"init\") " + module.init + ")\n" +
         "(func (export \"configure\") (param $pointer i32) (param $length i32) (result i32) " + module.configure +
         ")\n" +
         "(func (export \"process-burst\") (param $n i32) (local $packet i32) (local $descriptor i32) (local $result "
         "i32) (local $x i32) (local $y i32) " +
         module.process_burst + ")\n" +
         "(func (export \"flow-close\") (param $flow i32) (param $state i32) (param $reason i32) " + module.flow_close +
         ")\n" + module.more + ")";
}

std::vector<uint8_t> WasmFromText(const std::string& text) {
  wasm_byte_vec_t bytes;
  wasmtime_error_t* error = wasmtime_wat2wasm(text.data(), text.size(), &bytes);
  if (error != nullptr) NF_CHECK(false, (TakeMessage(error) + "\n" + text).c_str());
  std::vector<uint8_t> wasm(bytes.data, bytes.data + bytes.size);
  wasm_byte_vec_delete(&bytes);
  return wasm;
}

std::vector<uint8_t> NativeTest(Engine& engine, const TestModule& module) {
  auto native = Module::Compile(engine, WasmFromText(TestText(module)));
  if (!native) NF_CHECK(false, native.error().message.c_str());
  return *native;
}

Expected<std::shared_ptr<const Module>> LoadTest(Engine& engine, const TestModule& module) {
  return LoadText(engine, TestText(module));
}

Expected<std::shared_ptr<const Module>> LoadText(Engine& engine, const std::string& text) {
  auto native = Module::Compile(engine, WasmFromText(text));
  if (!native) return std::unexpected(native.error());
  return Module::Load(engine, *native);
}

TestAreas::TestAreas() {
  auto make = [](const char* name, size_t bytes) {
    auto region = SharedRegion::Create(name, bytes);
    NF_CHECK(region.has_value(), name);
    return std::move(*region);
  };
  headers = make("headers", abi::kHeaderAreaBytes);
  payloads = make("payloads", abi::kPayloadAreaBytes);
}

InstancePlan TestAreas::Plan() const { return {.headers = &headers, .payloads = &payloads}; }

}  // namespace nf
