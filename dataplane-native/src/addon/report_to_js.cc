#include "addon/report_to_js.h"

#include "addon/error.h"

namespace nf {
namespace {

Napi::Value Big(Napi::Env env, uint64_t value) { return Napi::BigInt::New(env, value); }

Napi::Object BigByName(Napi::Env env, const std::map<std::string, uint64_t>& values) {
  Napi::Object made = Napi::Object::New(env);
  for (const auto& [name, value] : values) made.Set(name, Big(env, value));
  return made;
}

Napi::Value ToJs(Napi::Env env, const NfCounters& nf) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("entry", nf.entry);
  made.Set("version", nf.version);
  made.Set("faults", Big(env, nf.faults));
  made.Set("quarantined", nf.quarantined);
  made.Set("counters", BigByName(env, nf.counters));
  return made;
}

}  // namespace

Napi::Value ToJs(Napi::Env env, const CountersSnapshot& counters) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("nowNs", Big(env, counters.now_ns));
  made.Set("received", Big(env, counters.received));
  made.Set("receivedBytes", Big(env, counters.received_bytes));
  made.Set("sent", Big(env, counters.sent));
  made.Set("sentBytes", Big(env, counters.sent_bytes));
  made.Set("missed", Big(env, counters.missed));
  made.Set("emitted", Big(env, counters.emitted));
  made.Set("held", Big(env, counters.held));
  made.Set("dropped", BigByName(env, counters.dropped));
  made.Set("flowsOpen", counters.flows_open);
  made.Set("flowsOpened", Big(env, counters.flows_opened));
  made.Set("flowsEnded", Big(env, counters.flows_ended));
  made.Set("eventsLost", Big(env, counters.events_lost));
  Napi::Array nfs = Napi::Array::New(env, counters.nfs.size());
  for (uint32_t i = 0; i < counters.nfs.size(); ++i) nfs.Set(i, ToJs(env, counters.nfs[i]));
  made.Set("nfs", nfs);
  return made;
}

Napi::Value ToJs(Napi::Env env, const RunReport& report) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("counters", ToJs(env, report.counters));
  if (report.error) {
    Napi::Object error = Napi::Object::New(env);
    error.Set("code", ErrorCodeName(report.error->code));
    error.Set("message", report.error->message);
    made.Set("error", error);
  }
  return made;
}

Napi::Value ToJs(Napi::Env env, const SwapReport& report) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("pauseNs", Big(env, report.pause_ns));
  made.Set("burstNs", Big(env, report.burst_ns));
  made.Set("prepareMs", report.prepare_ms);
  made.Set("flows", report.flows);
  made.Set("packetsDropped", Big(env, report.packets_dropped));
  return made;
}

Napi::Value ToJs(Napi::Env env, const RuntimeStatus& status) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("runtime", status.runtime);
  made.Set("lcore", status.lcore);
  made.Set("draining", status.draining);
  made.Set("flowsOpen", status.flows_open);
  made.Set("received", Big(env, status.received));
  made.Set("sent", Big(env, status.sent));
  made.Set("dropped", Big(env, status.dropped));
  made.Set("held", Big(env, status.held));
  made.Set("receivedBytes", Big(env, status.received_bytes));
  made.Set("sentBytes", Big(env, status.sent_bytes));
  made.Set("drops", BigByName(env, status.drops));
  made.Set("movedIn", Big(env, status.moved_in));
  made.Set("movedOut", Big(env, status.moved_out));
  made.Set("migrations", status.migrations);
  made.Set("nfAsked", Big(env, status.nf_asked));
  made.Set("nfMoves", Big(env, status.nf_moves));
  made.Set("nfMovesFailed", Big(env, status.nf_moves_failed));
  made.Set("arrivalsRefused", Big(env, status.arrivals_refused));
  made.Set("busyNs", Big(env, status.busy_ns));
  made.Set("queued", status.queued);
  made.Set("missed", Big(env, status.missed));
  made.Set("runtimeFull", Big(env, status.runtime_full));
  made.Set("replicas", status.replicas);
  made.Set("unprotected", status.unprotected);
  made.Set("replicationLag", status.replication_lag);
  made.Set("relayed", Big(env, status.relayed));
  made.Set("recovered", Big(env, status.recovered));
  made.Set("stateLost", Big(env, status.state_lost));
  made.Set("refusedMessages", Big(env, status.refused_messages));
  if (status.delay) {
    Napi::Array counts = Napi::Array::New(env, status.delay->counts.size());
    for (uint32_t i = 0; i < counts.Length(); ++i) counts.Set(i, Big(env, status.delay->counts[i]));
    Napi::Object delay = Napi::Object::New(env);
    delay.Set("counts", counts);
    delay.Set("sumNs", Big(env, status.delay->sum_ns));
    made.Set("delay", delay);
  }
  return made;
}

Napi::Value ToJs(Napi::Env env, const OperationReport& report) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("moved", report.moved);
  made.Set("failed", report.failed);
  made.Set("reason", report.reason);
  made.Set("drained", report.drained);
  made.Set("undrained", report.undrained);
  made.Set("durationNs", Big(env, report.duration_ns));
  return made;
}

}  // namespace nf
