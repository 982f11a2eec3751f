// For tests: modules that keep to the ABI, written as text with the parts that a test is about filled in, and instances
// of them. Not part of the product.
//
//   auto engine = *Engine::Create({});
//   TestAreas areas;
//   auto module = *LoadTest(*engine, {.process_burst = ForEachPacket("(i32.store8 (local.get $result) (i32.const
//   1))")}); auto instance = *Instance::Create(*engine, module, areas.Plan());
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "wasm/engine.h"
#include "wasm/instance.h"
#include "wasm/module.h"

namespace nf {

// Text for the body of process-burst: `body` once per packet, with $packet (its number), $descriptor and $result (guest
// addresses) set, and $x, $y (i32) free.
std::string ForEachPacket(const std::string& body);
// Every packet gets this verdict.
std::string AllPackets(abi::Verdict verdict);

struct TestModule {
  uint32_t abi_version = abi::kAbiVersion;
  uint32_t state_bytes = 0;
  uint32_t state_version = 1;
  uint32_t heap_pages = 1;
  std::string init;                                                // Body, no result.
  std::string configure = "(i32.const 0)";                         // Body; params $pointer, $length, result i32.
  std::string process_burst = AllPackets(abi::Verdict::kForward);  // Body; param $n.
  std::string flow_close;                                          // Body; params $flow, $state, $reason.
  std::string more;  // Further fields of the module: functions, data, exports.
};

std::string TestText(const TestModule& module);
// Aborts when the text does not parse: a mistake of the test.
std::vector<uint8_t> WasmFromText(const std::string& text);
// Native code, as NfSpec wants it; aborts when it does not compile.
std::vector<uint8_t> NativeTest(Engine& engine, const TestModule& module);
Expected<std::shared_ptr<const Module>> LoadTest(Engine& engine, const TestModule& module);
Expected<std::shared_ptr<const Module>> LoadText(Engine& engine, const std::string& text);

// The areas that a chain shares, and a plan that uses them; set what the test wants otherwise.
struct TestAreas {
  TestAreas();
  InstancePlan Plan() const;
  SharedRegion headers, payloads;
};

}  // namespace nf
