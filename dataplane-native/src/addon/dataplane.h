// The functions of NativeAddon (native_types.ts) over libnfactor: one object per Node environment. Main thread.
#pragma once

#include <napi.h>

#include <map>
#include <memory>

#include "addon/task.h"
#include "runtime/chain_host.h"
#include "runtime/tenant.h"
#include "wasm/engine.h"

namespace nf {

class Dataplane {
 public:
  explicit Dataplane(Napi::Env env) : tasks_(env) {}
  // Ends all runs at once and joins every thread. Node's cleanup hook.
  void Shutdown();

  Napi::Value BuildInfo(const Napi::CallbackInfo& info);
  Napi::Value Start(const Napi::CallbackInfo& info);
  Napi::Value CreateRuntime(const Napi::CallbackInfo& info);
  Napi::Value StartRuntime(const Napi::CallbackInfo& info);
  Napi::Value StopRuntime(const Napi::CallbackInfo& info);
  Napi::Value WaitRuntime(const Napi::CallbackInfo& info);
  Napi::Value DestroyRuntime(const Napi::CallbackInfo& info);
  Napi::Value Counters(const Napi::CallbackInfo& info);
  Napi::Value Swap(const Napi::CallbackInfo& info);
  Napi::Value Flows(const Napi::CallbackInfo& info);
  Napi::Value DrainEvents(const Napi::CallbackInfo& info);
  Napi::Value Trace(const Napi::CallbackInfo& info);

  Napi::Value Runtimes(const Napi::CallbackInfo& info);
  Napi::Value AddRuntime(const Napi::CallbackInfo& info);
  Napi::Value RemoveRuntime(const Napi::CallbackInfo& info);
  Napi::Value Migrate(const Napi::CallbackInfo& info);
  Napi::Value Drain(const Napi::CallbackInfo& info);
  Napi::Value Undrain(const Napi::CallbackInfo& info);

 private:
  struct Entry {
    std::shared_ptr<ChainHost> runtime;
    std::shared_ptr<Tenant> tenant;  // The same object in switched mode; null in direct mode.
    bool is_started = false;
  };
  Entry& Find(const Napi::CallbackInfo& info);
  static Expected<Entry> CreateHost(Engine& engine, const RuntimeSpec& spec);
  std::shared_ptr<Tenant> FindTenant(const Napi::CallbackInfo& info);
  static void End(Entry& entry);

  std::unique_ptr<Engine> engine_;
  std::map<uint32_t, Entry> runtimes_;
  uint32_t last_id_ = 0;
  Tasks tasks_;
};

}  // namespace nf
