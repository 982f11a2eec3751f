#include "wasm/instance.h"

#include <time.h>

#include <algorithm>

#include "base/check.h"
#include "base/utf16.h"
#include "wasm/engine_wasm.h"
#include "wasm/fault.h"
#include "wasm/linear_memory.h"
#include "wasm/module_wasm.h"

namespace nf {
namespace {

using abi::Export;

constexpr size_t Index(Export which) { return static_cast<size_t>(which); }
constexpr size_t Index(OptionalExport which) { return static_cast<size_t>(which); }

// The optional exports of OptionalExport, in its order.
constexpr Export kOptional[] = {Export::kMigrationTarget, Export::kFlowArrived, Export::kFlowLeft,
                                Export::kMigrateState,    Export::kFlowTimer,   Export::kTick};
static_assert(std::size(kOptional) == Index(OptionalExport::kCount));

wasmtime_val_raw_t I32(uint32_t value) {
  wasmtime_val_raw_t raw;
  raw.i32 = static_cast<int32_t>(value);
  return raw;
}
wasmtime_val_raw_t I64(uint64_t value) {
  wasmtime_val_raw_t raw;
  raw.i64 = static_cast<int64_t>(value);
  return raw;
}

uint64_t ThreadCpuNs() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000 + static_cast<uint64_t>(time.tv_nsec);
}

// How long the running call has been at it. Reading a thread's CPU time is a system call, so the clock starts at the
// first step of the watchdog that falls into the call; most calls end before one does. A virtual machine's lost time
// may count as CPU time of the thread it hit, but shows as one step however long it was: so a call is blamed only after
// several.
struct CallClock {
  static constexpr uint32_t kStepsMin = 4;

  Watchdog* watchdog = nullptr;
  uint64_t budget_ns = 0;
  uint64_t start_ns = 0;
  uint64_t used_ns = 0;
  uint32_t steps = 0;
  bool is_over = false;
};

wasmtime_error_t* OnStep(wasmtime_context_t*, void* data, uint64_t* delta, wasmtime_update_deadline_kind_t* kind) {
  auto& clock = *static_cast<CallClock*>(data);
  uint64_t now = ThreadCpuNs();
  if (clock.steps++ == 0) {
    clock.start_ns = now;
    clock.watchdog->Enter();
  }
  clock.used_ns = now - clock.start_ns;
  if (clock.used_ns >= clock.budget_ns && clock.steps >= CallClock::kStepsMin) {
    clock.is_over = true;
    return wasmtime_error_new("deadline");
  }
  *delta = Watchdog::kLead;
  *kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
  // A step falls into some call whenever the core is busy; only a second one says that the call is long.
  if (clock.steps == 1) {
    clock.watchdog->Touch();
  } else {
    clock.watchdog->Suspect();
  }
  return nullptr;
}

std::unexpected<Error> FailStart(const std::string& why) { return Fail(ErrorCode::kNfStart, "the NF " + why); }

// What the NF has logged, a line each: there configError of the SDK says which field it dislikes.
std::string LogLines(const abi::LogRing& ring, const abi::LogRecord* records) {
  uint32_t written = ring.written;
  std::string lines;
  for (uint32_t left = std::min<uint32_t>(written, abi::kLogRecords); left > 0; --left) {
    const abi::LogRecord& record = records[(written - left) % abi::kLogRecords];
    size_t bytes = std::min<size_t>(record.length, abi::kLogTextBytesMax);
    lines += '\n';
    lines += Utf8FromUtf16({record.text, bytes});
  }
  return lines;
}

}  // namespace

struct Instance::Wasm {
  std::shared_ptr<const Module> module;
  std::unique_ptr<LinearMemory> memory;
  wasmtime_store_t* store = nullptr;
  wasmtime_context_t* context = nullptr;
  std::array<wasmtime_func_t, abi::kExportCount> functions{};
  CallClock clock;

  ~Wasm() {
    if (store != nullptr) wasmtime_store_delete(store);  // Before the memory that it uses.
  }

  void MakeStore(Engine& engine);
  Expected<void> Instantiate();
  void BeginCall() noexcept {
    if (clock.watchdog == nullptr) return;
    clock.steps = 0;
    // In this order; watchdog.h says why.
    wasmtime_context_set_epoch_deadline(context, Watchdog::kLead);
    clock.watchdog->Touch();
  }
  void EndCall() noexcept;
};

void Instance::Wasm::EndCall() noexcept {
  if (clock.steps != 0) [[unlikely]]
    clock.watchdog->Leave();
}

void Instance::Wasm::MakeStore(Engine& engine) {
  store = wasmtime_store_new(engine.wasm().engine, nullptr, nullptr);
  context = wasmtime_store_context(store);
  wasmtime_store_limiter(store, -1, abi::kTableElementsMax, 1, 1, 1);
  clock.watchdog = engine.wasm().watchdog.get();
  clock.budget_ns = uint64_t{1000} * engine.options().start_budget_us;
  if (clock.watchdog != nullptr) wasmtime_store_epoch_deadline_callback(store, OnStep, &clock, nullptr);
}

Expected<void> Instance::Wasm::Instantiate() {
  LinearMemory::Offer offer(*memory);
  wasmtime_instance_t instance;
  wasm_trap_t* trap = nullptr;
  BeginCall();
  wasmtime_error_t* error = wasmtime_instance_new(context, module->wasm().module, nullptr, 0, &instance, &trap);
  EndCall();
  if (trap != nullptr) {
    wasm_trap_delete(trap);
    return FailStart("traps while it is instantiated");
  }
  if (error != nullptr) return FailStart("cannot be instantiated: " + TakeMessage(error));
  for (size_t i = 0; i < abi::kExportCount; ++i) {
    if (!module->wasm().exports[i]) continue;
    const char* name = abi::kExports[i].name;
    wasmtime_extern_t item;
    bool found = wasmtime_instance_export_get(context, &instance, name, std::char_traits<char>::length(name), &item);
    NF_CHECK(found && item.kind == WASMTIME_EXTERN_FUNC, name);  // Module checked names and types.
    functions[i] = item.of.func;
  }
  return {};
}

Instance::Instance() : wasm_(std::make_unique<Wasm>()) {}
Instance::~Instance() = default;

Expected<std::unique_ptr<Instance>> Instance::Create(Engine& engine, std::shared_ptr<const Module> module,
                                                     const InstancePlan& plan) {
  if (auto checked = CheckPlan(*module, plan); !checked) return std::unexpected(checked.error());
  auto memory = LinearMemory::Reserve(plan.heap_pages);
  if (!memory) return std::unexpected(memory.error());
  std::unique_ptr<Instance> instance(new Instance);
  Wasm& wasm = *instance->wasm_;
  wasm.module = std::move(module);
  wasm.memory = std::move(*memory);
  wasm.MakeStore(engine);
  Expected<void> done = wasm.Instantiate();
  if (done) done = wasm.memory->MapAreas(plan);
  if (done) {
    instance->FindAreas(plan);
    done = instance->Start(plan);
  }
  if (!done) return std::unexpected(done.error());
  wasm.clock.budget_ns = uint64_t{1000} * engine.options().call_budget_us;
  return instance;
}

Expected<void> Instance::CheckPlan(const Module& module, const InstancePlan& plan) {
  auto covers = [](const SharedRegion* region, size_t bytes) { return region != nullptr && region->bytes() >= bytes; };
  if (!covers(plan.headers, abi::kHeaderAreaBytes)) return Fail(ErrorCode::kInternal, "no header area");
  if (plan.payload_access != Access::kNone && !covers(plan.payloads, abi::kPayloadAreaBytes)) {
    return Fail(ErrorCode::kInternal, "no payload area");
  }
  if (plan.config.size() > abi::kConfigBytesMax) {
    return Fail(ErrorCode::kConfigTooLarge, "the encoded configuration has " + std::to_string(plan.config.size()) +
                                                " bytes; at most " + std::to_string(abi::kConfigBytesMax) +
                                                " are allowed");
  }
  if (plan.state != nullptr && plan.state->bytes() > abi::kStateAreaBytes) {
    return Fail(ErrorCode::kStateTooLarge, "the state store has " + std::to_string(plan.state->bytes()) +
                                               " bytes; the ABI has room for " + std::to_string(abi::kStateAreaBytes));
  }
  if (module.wasm().heap_pages != plan.heap_pages) {
    return FailStart("has " + std::to_string(module.wasm().heap_pages) + " heap pages; " +
                     std::to_string(plan.heap_pages) + " were admitted");
  }
  return {};
}

void Instance::FindAreas(const InstancePlan& plan) {
  uint8_t* call = wasm_->memory->call_area();
  uint8_t* result = wasm_->memory->result_area();
  burst_header_ = reinterpret_cast<abi::BurstHeader*>(call + abi::kBurstHeaderOffset);
  descriptors_ = reinterpret_cast<abi::Descriptor*>(call + abi::kDescriptorsOffset);
  flow_records_ = reinterpret_cast<abi::FlowRecord*>(call + abi::kFlowRecordsOffset);
  cluster_ = reinterpret_cast<abi::RuntimeRecord*>(call + abi::kClusterOffset);
  results_ = reinterpret_cast<abi::Result*>(result + abi::kResultsOffset);
  emit_records_ = reinterpret_cast<abi::EmitRecord*>(result + abi::kEmitRecordsOffset);
  counters_ = reinterpret_cast<uint64_t*>(result + abi::kCountersOffset);
  log_ring_ = reinterpret_cast<abi::LogRing*>(result + abi::kLogRingOffset);
  log_records_ = reinterpret_cast<abi::LogRecord*>(result + abi::kLogRecordsOffset);
  emit_area_ = wasm_->memory->emit_area();
  if (plan.state != nullptr) states_ = wasm_->memory->base() + abi::kStateAreaAddress;
  burst_header_->config_length = static_cast<uint32_t>(plan.config.size());
  for (size_t i = 0; i < std::size(kOptional); ++i) optional_[i] = wasm_->module->wasm().exports[Index(kOptional[i])];
}

Expected<uint32_t> Instance::Ask(Export which, uint32_t first, uint32_t second) {
  wasmtime_val_raw_t values[2] = {I32(first), I32(second)};
  if (!Call(which, values, 2)) return FailStart("fails in " + FaultText(fault_));
  return static_cast<uint32_t>(values[0].i32);
}

Expected<void> Instance::Start(const InstancePlan& plan) {
  auto version = Ask(Export::kAbiVersion);
  if (!version) return std::unexpected(version.error());
  if (*version != abi::kAbiVersion) {
    return FailStart("is of ABI version " + std::to_string(*version) + "; this host runs version " +
                     std::to_string(abi::kAbiVersion));
  }
  auto bytes = Ask(Export::kStateBytes);
  if (!bytes) return std::unexpected(bytes.error());
  if (*bytes != plan.state_bytes) {
    return FailStart("says that its state has " + std::to_string(*bytes) + " bytes; " +
                     std::to_string(plan.state_bytes) + " were admitted");
  }
  auto layout = Ask(Export::kStateVersion);
  if (!layout) return std::unexpected(layout.error());
  state_version_ = *layout;
  if (auto done = Ask(Export::kInit); !done) return std::unexpected(done.error());
  auto answer = Ask(Export::kConfigure, abi::kConfigAreaAddress, static_cast<uint32_t>(plan.config.size()));
  if (!answer) return std::unexpected(answer.error());
  if (*answer != 0) {
    return Fail(ErrorCode::kConfigRefused, "the NF refuses its configuration with code " + std::to_string(*answer) +
                                               LogLines(*log_ring_, log_records_));
  }
  return {};
}

void Instance::AddTo(WarmUp& warm_up) const {
  const LinearMemory& memory = *wasm_->memory;
  warm_up.Add(memory.base() + abi::kModuleAreaAddress, memory.bytes() - abi::kModuleAreaAddress);
  void *code = nullptr, *end = nullptr;
  wasmtime_module_image_range(wasm_->module->wasm().module, &code, &end);
  warm_up.Add(code, static_cast<size_t>(static_cast<uint8_t*>(end) - static_cast<uint8_t*>(code)));
  warm_up.Add(memory.call_area(), abi::kCallAreaBytes);
  warm_up.Add(memory.result_area(), abi::kResultAreaBytes);
  warm_up.Add(wasm_.get(), sizeof(Wasm));
  warm_up.Add(this, sizeof *this);
}

bool Instance::Call(Export which, wasmtime_val_raw* values, size_t count) noexcept {
  if (dead_) [[unlikely]]
    return false;
  Wasm& wasm = *wasm_;
  wasm_trap_t* trap = nullptr;
  wasm.BeginCall();
  wasmtime_error_t* error =
      wasmtime_func_call_unchecked(wasm.context, &wasm.functions[Index(which)], values, count, &trap);
  wasm.EndCall();
  if (error == nullptr && trap == nullptr) [[likely]]
    return true;
  dead_ = true;
  auto* record = reinterpret_cast<const abi::FaultRecord*>(wasm.memory->result_area() + abi::kFaultRecordOffset);
  DescribeFault(trap, error, wasm.clock.is_over, record, fault_);
  fault_.call = abi::kExports[Index(which)].name;
  if (wasm.clock.is_over) fault_.cpu_ns = wasm.clock.used_ns;
  return false;
}

bool Instance::ProcessBurst(uint32_t count) noexcept {
  wasmtime_val_raw_t values[] = {I32(count)};
  return Call(Export::kProcessBurst, values, std::size(values));
}

bool Instance::FlowClose(uint32_t flow, uint32_t state, abi::CloseReason reason) noexcept {
  wasmtime_val_raw_t values[] = {I32(flow), I32(state), I32(static_cast<uint32_t>(reason))};
  return Call(Export::kFlowClose, values, std::size(values));
}

bool Instance::FlowTimer(uint32_t flow, uint32_t state, uint64_t now_ns) noexcept {
  if (!has(OptionalExport::kFlowTimer)) return true;
  wasmtime_val_raw_t values[] = {I32(flow), I32(state), I64(now_ns)};
  return Call(Export::kFlowTimer, values, std::size(values));
}

bool Instance::MigrationTarget(uint32_t runtimes, uint32_t flow, uint32_t state, uint32_t* answer) noexcept {
  *answer = 0;
  if (!has(OptionalExport::kMigrationTarget)) return true;
  wasmtime_val_raw_t values[] = {I32(abi::kClusterAddress), I32(runtimes), I32(flow), I32(state)};
  if (!Call(Export::kMigrationTarget, values, std::size(values))) return false;
  *answer = static_cast<uint32_t>(values[0].i32);
  return true;
}

bool Instance::FlowArrived(uint32_t flow, uint32_t state, abi::ArrivalReason reason, uint32_t* answer) noexcept {
  *answer = 0;
  if (!has(OptionalExport::kFlowArrived)) return true;
  wasmtime_val_raw_t values[] = {I32(flow), I32(state), I32(static_cast<uint32_t>(reason))};
  if (!Call(Export::kFlowArrived, values, std::size(values))) return false;
  *answer = static_cast<uint32_t>(values[0].i32);
  return true;
}

bool Instance::FlowLeft(uint32_t flow, uint32_t state) noexcept {
  if (!has(OptionalExport::kFlowLeft)) return true;
  wasmtime_val_raw_t values[] = {I32(flow), I32(state)};
  return Call(Export::kFlowLeft, values, std::size(values));
}

bool Instance::Tick(uint64_t now_ms) noexcept {
  if (!has(OptionalExport::kTick)) return true;
  wasmtime_val_raw_t values[] = {I64(now_ms)};
  return Call(Export::kTick, values, std::size(values));
}

}  // namespace nf
