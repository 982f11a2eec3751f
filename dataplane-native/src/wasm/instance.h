// One instantiation of an NF's module in one runtime: its linear memory with the areas of docs/abi.md, and its exports.
//
// Made and destroyed by control threads (mapping costs milliseconds); called by one lcore at a time. The host fills the
// call area through its own mapping, calls, and reads results through its own mapping, each value once. An instance
// that has trapped is dead: it is destroyed off the lcore.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/shared_region.h"
#include "base/warm_up.h"
#include "nf_abi.h"

union wasmtime_val_raw;

namespace nf {

class Engine;
class Module;

enum class Access : uint8_t { kNone, kRead, kWrite };

// What an instance's linear memory is made of besides its own call, result and emit areas. The regions outlive the
// instance.
struct InstancePlan {
  const SharedRegion* headers = nullptr;  // kHeaderAreaBytes; shared by the chain.
  Access header_access = Access::kRead;
  const SharedRegion* payloads = nullptr;  // kPayloadAreaBytes; shared by the chain.
  Access payload_access = Access::kNone;
  bool emits = false;
  std::span<const uint8_t> config;      // MessagePack, copied.
  const SharedRegion* state = nullptr;  // The state store; null when state-bytes is 0.
  uint32_t state_bytes = 0;             // As admitted; compared with the export.
  uint32_t heap_pages = 1;              // As admitted; compared with the module's memory.
};

// What is known about a trap, copied out of the guest: fixed size, so that an lcore can keep it.
struct FaultInfo {
  abi::FaultKind kind;
  const char* call;  // The export that was running, a literal.
  uint32_t line;     // From the fault record; 0 when abort did not write one.
  uint32_t column;
  uint16_t message_bytes;  // UTF-16LE, untrusted.
  uint16_t file_bytes;
  uint8_t message[abi::kFaultTextBytesMax];
  uint8_t file[abi::kFaultTextBytesMax];
  uint32_t backtrace_size;
  uint32_t backtrace[16];  // Offsets into the core module, innermost first.
  uint64_t cpu_ns;         // CPU time of the call since the watchdog first saw it, where the kind is deadline.
};

// Optional exports that a module may have.
enum class OptionalExport : uint8_t {
  kMigrationTarget,
  kFlowArrived,
  kFlowLeft,
  kMigrateState,
  kFlowTimer,
  kTick,
  kCount
};

class Instance {
 public:
  // Maps the memory, instantiates, compares abi-version, state-bytes and export types, runs init and configure (each
  // under the watchdog). Errors: nf.start (message names the fault, with the text of abort), config.refused
  // (configure's code, then what the NF logged, a line each), config.too_large, state.too_large, eal.memory, internal.
  static Expected<std::unique_ptr<Instance>> Create(Engine& engine, std::shared_ptr<const Module> module,
                                                    const InstancePlan& plan);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // The host's own view of the areas; always writable. burst_header()->config_length is set; the rest of it, and every
  // descriptor, is the caller's to fill before each call.
  abi::BurstHeader* burst_header() const { return burst_header_; }
  abi::Descriptor* descriptors() const { return descriptors_; }    // kBurstPackets
  abi::FlowRecord* flow_records() const { return flow_records_; }  // kBurstPackets
  abi::RuntimeRecord* cluster() const { return cluster_; }         // kClusterRuntimesMax
  abi::Result* results() const { return results_; }                // kBurstPackets; guest-written: read once.
  abi::EmitRecord* emit_records() const { return emit_records_; }  // kEmitsPerBurstMax; guest-written.
  uint8_t* emit_area() const { return emit_area_; }                // Null without the right. Guest-written.
  // The state store where the guest sees it, for prefetching: the host's own mapping would leave the translation of
  // these addresses to the guest. Null without state.
  const uint8_t* states() const { return states_; }
  uint64_t* counters() const { return counters_; }              // kCountersMax; guest-written.
  abi::LogRing* log_ring() const { return log_ring_; }          // Guest-written.
  abi::LogRecord* log_records() const { return log_records_; }  // kLogRecords; guest-written.
  uint32_t state_version() const { return state_version_; }
  bool has(OptionalExport which) const { return optional_[static_cast<size_t>(which)]; }
  bool dead() const { return dead_; }

  // What the first calls will touch: code, heap, areas.
  void AddTo(WarmUp& warm_up) const;

  // Calls of the lcore. True when the guest returned; false after a trap or deadline: then fault() says what, and the
  // instance is dead (a call of a dead one is false at once). Arguments are guest addresses of docs/abi.md. Calls of
  // optional exports do nothing where the module has none. A successful call neither allocates nor locks.
  bool ProcessBurst(uint32_t count) noexcept;
  bool FlowClose(uint32_t flow, uint32_t state, abi::CloseReason reason) noexcept;
  bool FlowTimer(uint32_t flow, uint32_t state, uint64_t now_ns) noexcept;
  // These three have an answer where there is such an export, else 0; it is the guest's, any number.
  bool MigrationTarget(uint32_t runtimes, uint32_t flow, uint32_t state, uint32_t* answer) noexcept;
  bool FlowArrived(uint32_t flow, uint32_t state, abi::ArrivalReason reason, uint32_t* answer) noexcept;
  bool FlowLeft(uint32_t flow, uint32_t state) noexcept;
  bool Tick(uint64_t now_ms) noexcept;
  const FaultInfo& fault() const { return fault_; }

 private:
  struct Wasm;  // Wasmtime's objects; only instance.cc knows them.
  Instance();

  static Expected<void> CheckPlan(const Module& module, const InstancePlan& plan);
  void FindAreas(const InstancePlan& plan);
  Expected<void> Start(const InstancePlan& plan);
  Expected<uint32_t> Ask(abi::Export which, uint32_t first = 0, uint32_t second = 0);
  bool Call(abi::Export which, wasmtime_val_raw* values, size_t count) noexcept;

  std::unique_ptr<Wasm> wasm_;
  abi::BurstHeader* burst_header_ = nullptr;
  abi::Descriptor* descriptors_ = nullptr;
  abi::FlowRecord* flow_records_ = nullptr;
  abi::RuntimeRecord* cluster_ = nullptr;
  abi::Result* results_ = nullptr;
  abi::EmitRecord* emit_records_ = nullptr;
  uint8_t* emit_area_ = nullptr;
  const uint8_t* states_ = nullptr;
  uint64_t* counters_ = nullptr;
  abi::LogRing* log_ring_ = nullptr;
  abi::LogRecord* log_records_ = nullptr;
  uint32_t state_version_ = 0;
  std::array<bool, static_cast<size_t>(OptionalExport::kCount)> optional_{};
  bool dead_ = false;
  FaultInfo fault_{};
};

}  // namespace nf
