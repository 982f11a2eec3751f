// Counters, reports, flows and events as native_types.ts has them. Main thread.
#pragma once

#include <napi.h>

#include "runtime/report.h"

namespace nf {

Napi::Value ToJs(Napi::Env env, const CountersSnapshot& counters);
Napi::Value ToJs(Napi::Env env, const RunReport& report);
Napi::Value ToJs(Napi::Env env, const SwapReport& report);
Napi::Value ToJs(Napi::Env env, const RuntimeStatus& status);
Napi::Value ToJs(Napi::Env env, const OperationReport& report);
Napi::Value ToJs(Napi::Env env, const FlowKey& key);
Napi::Value ToJs(Napi::Env env, const FlowSnapshot& flow);
Napi::Value ToJs(Napi::Env env, const FlowsPage& page);
Napi::Value ToJs(Napi::Env env, const Event& event);

}  // namespace nf
