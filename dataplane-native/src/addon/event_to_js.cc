// Events as native_types.ts has them.
#include "addon/report_to_js.h"

namespace nf {
namespace {

const char* ActionName(FaultAction action) {
  switch (action) {
    case FaultAction::kDrop:
      return "drop";
    case FaultAction::kCloseFlow:
      return "close_flow";
    case FaultAction::kBypass:
      return "bypass";
    case FaultAction::kNone:
      return "none";
  }
  return "none";
}

Napi::Object Typed(Napi::Env env, const char* type) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("type", type);
  return made;
}

Napi::Value Convert(Napi::Env env, const FaultEvent& fault) {
  Napi::Object made = Typed(env, "fault");
  made.Set("entry", fault.entry);
  made.Set("name", fault.name);
  made.Set("version", fault.version);
  made.Set("digest", fault.digest);
  made.Set("kind", static_cast<uint32_t>(fault.kind));
  made.Set("message", fault.message);
  made.Set("file", fault.file);
  made.Set("line", fault.line);
  made.Set("column", fault.column);
  Napi::Array backtrace = Napi::Array::New(env, fault.backtrace.size());
  for (uint32_t i = 0; i < fault.backtrace.size(); ++i) backtrace.Set(i, fault.backtrace[i]);
  made.Set("backtrace", backtrace);
  made.Set("call", fault.call);
  if (fault.flow) {
    made.Set("flow", ToJs(env, *fault.flow));
    made.Set("sequence", fault.sequence);
  }
  made.Set("action", ActionName(fault.action));
  made.Set("packetsDropped", fault.packets_dropped);
  made.Set("faultsInMinute", fault.faults_in_minute);
  made.Set("nowNs", Napi::BigInt::New(env, fault.now_ns));
  return made;
}

Napi::Value Convert(Napi::Env env, const LogEvent& log) {
  Napi::Object made = Typed(env, "log");
  made.Set("entry", log.entry);
  made.Set("level", static_cast<uint32_t>(log.level));
  made.Set("text", log.text);
  made.Set("lost", log.lost);
  made.Set("nowNs", Napi::BigInt::New(env, log.now_ns));
  return made;
}

Napi::Value Convert(Napi::Env env, const QuarantineEvent& quarantine) {
  Napi::Object made = Typed(env, "quarantine");
  made.Set("entry", quarantine.entry);
  made.Set("mode", quarantine.mode == QuarantineMode::kOpen ? "open" : "closed");
  made.Set("faults", quarantine.faults);
  made.Set("nowNs", Napi::BigInt::New(env, quarantine.now_ns));
  return made;
}

Napi::Value Convert(Napi::Env env, const FlowEndedEvent& ended) {
  Napi::Object made = Typed(env, "flow_ended");
  made.Set("flow", ToJs(env, ended.flow));
  return made;
}

}  // namespace

Napi::Value ToJs(Napi::Env env, const Event& event) {
  return std::visit([env](const auto& which) { return Convert(env, which); }, event);
}

}  // namespace nf
