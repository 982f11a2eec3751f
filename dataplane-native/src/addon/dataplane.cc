#include "addon/dataplane.h"

#include <chrono>
#include <cmath>
#include <thread>

#include "addon/fields.h"
#include "addon/report_to_js.h"
#include "addon/spec_from_js.h"
#include "nf_abi.h"
#include "port/dpdk_version.h"
#include "port/eal.h"
#include "runtime/runtime.h"

namespace nf {
namespace {

Napi::Object ObjectArgument(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsObject()) throw Wrong(info.Env(), "an argument", "an object");
  return info[index].As<Napi::Object>();
}

uint16_t RuntimeArgument(const Napi::CallbackInfo& info, size_t index) {
  double number = info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= UINT16_MAX && std::floor(number) == number)) {
    throw Wrong(info.Env(), "runtime", "a whole number of 16 bits");
  }
  return static_cast<uint16_t>(number);
}

template <typename T>
Napi::Value Same(Napi::Env env, const T& value) {
  return ToJs(env, value);
}

}  // namespace

// A capture waits while its events are not taken, also when it ends.
void Dataplane::End(Entry& entry) {
  if (!entry.is_started) return;
  entry.runtime->RequestStop(false);
  while (!entry.runtime->ended()) {
    entry.runtime->DrainEvents();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Dataplane::Shutdown() {
  for (auto& [id, entry] : runtimes_) End(entry);
  tasks_.Join();
  runtimes_.clear();
  engine_.reset();
}

Napi::Value Dataplane::BuildInfo(const Napi::CallbackInfo& info) {
  Napi::Object made = Napi::Object::New(info.Env());
  made.Set("version", NFACTOR_VERSION);
  made.Set("wasmtime", Engine::WasmtimeVersion());
  made.Set("dpdk", DpdkVersion());
  made.Set("abiVersion", abi::kAbiVersion);
  return made;
}

Napi::Value Dataplane::Start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object from = ObjectArgument(info, 0);
  EalOptions options;
  options.use_hugepages = OneOf<bool>(from, "hugepages", {{"auto", true}, {"never", false}});
  options.memory_mb = Number(from, "memoryMb");
  EalInfo eal = OrThrow(env, StartEal(options));
  if (engine_ == nullptr) engine_ = OrThrow(env, Engine::Create({}));
  Napi::Object made = Napi::Object::New(env);
  made.Set("hugepages", eal.hugepages);
  made.Set("memoryMb", eal.memory_mb);
  return made;
}

Napi::Value Dataplane::CreateRuntime(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (engine_ == nullptr) throw ToError(env, {ErrorCode::kInternal, "start comes before createRuntime"});
  auto spec = std::make_shared<RuntimeSpec>(RuntimeSpecFromJs(ObjectArgument(info, 0)));
  return tasks_.Run(env, [this, spec]() -> Tasks::Deliver {
    return Tasks::Settle(CreateHost(*engine_, *spec), [this](Napi::Env env, Entry& entry) -> Napi::Value {
      runtimes_[++last_id_] = std::move(entry);
      return Napi::Number::New(env, last_id_);
    });
  });
}

Expected<Dataplane::Entry> Dataplane::CreateHost(Engine& engine, const RuntimeSpec& spec) {
  Entry entry;
  if (spec.switching) {
    auto made = Tenant::Create(engine, spec);
    if (!made) return std::unexpected(made.error());
    entry.tenant = std::move(*made);
    entry.runtime = entry.tenant;
  } else {
    auto made = Runtime::Create(engine, spec);
    if (!made) return std::unexpected(made.error());
    entry.runtime = std::move(*made);
  }
  return entry;
}

Dataplane::Entry& Dataplane::Find(const Napi::CallbackInfo& info) {
  auto found = info[0].IsNumber() ? runtimes_.find(info[0].As<Napi::Number>().Uint32Value()) : runtimes_.end();
  if (found == runtimes_.end()) {
    throw ToError(info.Env(),
                  {ErrorCode::kRuntimeNotFound, "there is no runtime " + static_cast<std::string>(info[0].ToString())});
  }
  return found->second;
}

std::shared_ptr<Tenant> Dataplane::FindTenant(const Napi::CallbackInfo& info) {
  std::shared_ptr<Tenant> tenant = Find(info).tenant;
  if (tenant == nullptr) {
    throw ToError(info.Env(), {ErrorCode::kRuntimeDirect, "the chain runs in direct mode, without a vswitch"});
  }
  return tenant;
}

Napi::Value Dataplane::StartRuntime(const Napi::CallbackInfo& info) {
  Entry& entry = Find(info);
  OrThrow(info.Env(), entry.runtime->Start());
  entry.is_started = true;
  return info.Env().Undefined();
}

Napi::Value Dataplane::StopRuntime(const Napi::CallbackInfo& info) {
  Find(info).runtime->RequestStop(Flag(ObjectArgument(info, 1), "drain"));
  return WaitRuntime(info);
}

Napi::Value Dataplane::WaitRuntime(const Napi::CallbackInfo& info) {
  return tasks_.Run(info.Env(), [runtime = Find(info).runtime]() -> Tasks::Deliver {
    return Tasks::Settle(Expected<RunReport>(runtime->Wait()), Same<RunReport>);
  });
}

Napi::Value Dataplane::DestroyRuntime(const Napi::CallbackInfo& info) {
  End(Find(info));
  runtimes_.erase(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Value Dataplane::Counters(const Napi::CallbackInfo& info) {
  return ToJs(info.Env(), Find(info).runtime->counters());
}

Napi::Value Dataplane::Swap(const Napi::CallbackInfo& info) {
  auto runtime = Find(info).runtime;
  if (!info[1].IsString()) throw Wrong(info.Env(), "entry", "a string");
  std::string entry = info[1].As<Napi::String>();
  auto spec = std::make_shared<NfSpec>(NfSpecFromJs(ObjectArgument(info, 2)));
  return tasks_.Run(info.Env(), [runtime, entry, spec]() -> Tasks::Deliver {
    return Tasks::Settle(runtime->Swap(entry, *spec), Same<SwapReport>);
  });
}

Napi::Value Dataplane::Flows(const Napi::CallbackInfo& info) {
  auto runtime = Find(info).runtime;
  Napi::Object options = ObjectArgument(info, 1);
  uint32_t cursor = Has(options, "cursor") ? Number(options, "cursor") : 0;
  uint32_t limit = Number(options, "limit");
  uint16_t of_runtime = Has(options, "runtime") ? Number16(options, "runtime") : 0;
  return tasks_.Run(info.Env(), [runtime, cursor, limit, of_runtime]() -> Tasks::Deliver {
    return Tasks::Settle(runtime->Flows(cursor, limit, of_runtime), Same<FlowsPage>);
  });
}

Napi::Value Dataplane::DrainEvents(const Napi::CallbackInfo& info) {
  constexpr size_t kOnce = 4096, kRounds = 16;  // A lcore that never stops telling must not hold Node up.
  auto runtime = Find(info).runtime;
  Napi::Array made = Napi::Array::New(info.Env());
  uint32_t count = 0;
  for (size_t round = 0; round < kRounds; ++round) {
    std::vector<Event> events = runtime->DrainEvents(kOnce);
    for (const Event& event : events) made.Set(count++, ToJs(info.Env(), event));
    if (events.size() < kOnce) break;
  }
  return made;
}

Napi::Value Dataplane::Trace(const Napi::CallbackInfo& info) {
  if (!info[1].IsString()) throw Wrong(info.Env(), "request", "a string");
  std::string request = info[1].As<Napi::String>();
  return tasks_.Run(info.Env(), [runtime = Find(info).runtime, request]() -> Tasks::Deliver {
    return Tasks::Settle(runtime->Trace(request), [](Napi::Env env, const std::string& answer) -> Napi::Value {
      return Napi::String::New(env, answer);
    });
  });
}

Napi::Value Dataplane::Runtimes(const Napi::CallbackInfo& info) {
  std::vector<RuntimeStatus> all = FindTenant(info)->Runtimes();
  Napi::Array made = Napi::Array::New(info.Env(), all.size());
  for (uint32_t i = 0; i < all.size(); ++i) made.Set(i, ToJs(info.Env(), all[i]));
  return made;
}

Napi::Value Dataplane::AddRuntime(const Napi::CallbackInfo& info) {
  return tasks_.Run(info.Env(), [tenant = FindTenant(info)]() -> Tasks::Deliver {
    return Tasks::Settle(tenant->AddRuntime(), [](Napi::Env env, uint16_t runtime) -> Napi::Value {
      return Napi::Number::New(env, runtime);
    });
  });
}

Napi::Value Dataplane::RemoveRuntime(const Napi::CallbackInfo& info) {
  uint16_t runtime = RuntimeArgument(info, 1);
  bool is_forced = Flag(ObjectArgument(info, 2), "force");
  return tasks_.Run(info.Env(), [tenant = FindTenant(info), runtime, is_forced]() -> Tasks::Deliver {
    return Tasks::Settle(tenant->RemoveRuntime(runtime, is_forced));
  });
}

Napi::Value Dataplane::Migrate(const Napi::CallbackInfo& info) {
  auto tenant = FindTenant(info);
  Napi::Object options = ObjectArgument(info, 1);
  uint16_t from = Number16(options, "from"), to = Number16(options, "to");
  if (Has(options, "flowIds")) {
    return tasks_.Run(info.Env(), [tenant, from, to, ids = BigInts(options, "flowIds")]() -> Tasks::Deliver {
      return Tasks::Settle(tenant->MigrateFlows(from, to, ids), Same<OperationReport>);
    });
  }
  return tasks_.Run(info.Env(), [tenant, from, to, count = Number(options, "count")]() -> Tasks::Deliver {
    return Tasks::Settle(tenant->Migrate(from, to, count), Same<OperationReport>);
  });
}

Napi::Value Dataplane::Drain(const Napi::CallbackInfo& info) {
  uint16_t runtime = RuntimeArgument(info, 1);
  std::vector<uint16_t> to = Numbers16(ObjectArgument(info, 2), "to");
  return tasks_.Run(info.Env(), [tenant = FindTenant(info), runtime, to]() -> Tasks::Deliver {
    return Tasks::Settle(tenant->Drain(runtime, to), Same<OperationReport>);
  });
}

Napi::Value Dataplane::Undrain(const Napi::CallbackInfo& info) {
  uint16_t runtime = RuntimeArgument(info, 1);
  return tasks_.Run(info.Env(), [tenant = FindTenant(info), runtime]() -> Tasks::Deliver {
    return Tasks::Settle(tenant->Undrain(runtime));
  });
}

}  // namespace nf
