// The addon's registration: each function of NativeAddon (host/src/dataplane/native_types.ts) by its name.
//
// The Dataplane lives as long as Node's environment; its cleanup stops and joins every thread, which a process that
// ends without would not survive. DPDK's environment stays: it ends with the process.
#include <napi.h>

#include "addon/dataplane.h"

namespace {

using nf::Dataplane;

template <Napi::Value (Dataplane::*method)(const Napi::CallbackInfo&)>
Napi::Value Call(const Napi::CallbackInfo& info) {
  return (info.Env().GetInstanceData<Dataplane>()->*method)(info);
}

template <Napi::Value (Dataplane::*method)(const Napi::CallbackInfo&)>
void Register(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<Call<method>>(exports.Env(), name));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* dataplane = new Dataplane(env);
  env.SetInstanceData(dataplane);
  env.AddCleanupHook([dataplane] { dataplane->Shutdown(); });
  Register<&Dataplane::BuildInfo>(exports, "buildInfo");
  Register<&Dataplane::Start>(exports, "start");
  Register<&Dataplane::CreateRuntime>(exports, "createRuntime");
  Register<&Dataplane::StartRuntime>(exports, "startRuntime");
  Register<&Dataplane::StopRuntime>(exports, "stopRuntime");
  Register<&Dataplane::WaitRuntime>(exports, "waitRuntime");
  Register<&Dataplane::DestroyRuntime>(exports, "destroyRuntime");
  Register<&Dataplane::Counters>(exports, "counters");
  Register<&Dataplane::Swap>(exports, "swap");
  Register<&Dataplane::Flows>(exports, "flows");
  Register<&Dataplane::DrainEvents>(exports, "drainEvents");
  Register<&Dataplane::Trace>(exports, "trace");
  Register<&Dataplane::Runtimes>(exports, "runtimes");
  Register<&Dataplane::AddRuntime>(exports, "addRuntime");
  Register<&Dataplane::RemoveRuntime>(exports, "removeRuntime");
  Register<&Dataplane::Migrate>(exports, "migrate");
  Register<&Dataplane::Drain>(exports, "drain");
  Register<&Dataplane::Undrain>(exports, "undrain");
  return exports;
}

NODE_API_MODULE(nfactor_addon, Init)

}  // namespace
