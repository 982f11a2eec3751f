// Flows as native_types.ts has them.
#include <arpa/inet.h>

#include <cstring>

#include "addon/report_to_js.h"

namespace nf {
namespace {

// The address as text; IPv4 out of its mapped form.
Napi::Value Address(Napi::Env env, const uint8_t (&address)[16], uint8_t ip_version) {
  char text[INET6_ADDRSTRLEN];
  if (ip_version == 4) {
    inet_ntop(AF_INET, address + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address, text, sizeof text);
  }
  return Napi::String::New(env, text);
}

void SetKey(Napi::Object& made, const FlowKey& key) {
  Napi::Env env = made.Env();
  auto endpoint = [&](const uint8_t(&address)[16], uint16_t port) {
    Napi::Object end = Napi::Object::New(env);
    end.Set("address", Address(env, address, key.ip_version));
    end.Set("port", port);
    return end;
  };
  made.Set("protocol", key.protocol);
  made.Set("ipVersion", key.ip_version);
  made.Set("initiator", endpoint(key.source_address, key.source_port));
  made.Set("responder", endpoint(key.destination_address, key.destination_port));
  Napi::Array vlan = Napi::Array::New(env);
  if (key.vlan_count > 0) vlan.Set(0u, key.vlan_outer);
  if (key.vlan_count > 1) vlan.Set(1u, key.vlan_inner);
  made.Set("vlan", vlan);
}

Napi::Value Pair(Napi::Env env, const uint64_t (&values)[2]) {
  Napi::Array made = Napi::Array::New(env, 2);
  made.Set(0u, Napi::BigInt::New(env, values[0]));
  made.Set(1u, Napi::BigInt::New(env, values[1]));
  return made;
}

Napi::Value States(Napi::Env env, const std::vector<std::vector<uint8_t>>& states) {
  Napi::Array made = Napi::Array::New(env, states.size());
  for (uint32_t i = 0; i < states.size(); ++i) {
    Napi::Uint8Array bytes = Napi::Uint8Array::New(env, states[i].size());
    if (!states[i].empty()) std::memcpy(bytes.Data(), states[i].data(), states[i].size());
    made.Set(i, bytes);
  }
  return made;
}

}  // namespace

Napi::Value ToJs(Napi::Env env, const FlowKey& key) {
  Napi::Object made = Napi::Object::New(env);
  SetKey(made, key);
  return made;
}

Napi::Value ToJs(Napi::Env env, const FlowSnapshot& flow) {
  Napi::Object made = Napi::Object::New(env);
  SetKey(made, flow.key);
  made.Set("flowId", Napi::BigInt::New(env, flow.flow_id));
  made.Set("runtime", flow.runtime);
  made.Set("packets", Pair(env, flow.packets));
  made.Set("bytes", Pair(env, flow.bytes));
  made.Set("startNs", Napi::BigInt::New(env, flow.start_ns));
  made.Set("lastSeenNs", Napi::BigInt::New(env, flow.last_seen_ns));
  made.Set("phase", FlowPhaseName(flow.phase));
  if (flow.close_reason) made.Set("closeReason", static_cast<uint32_t>(*flow.close_reason));
  made.Set("states", States(env, flow.states));
  return made;
}

Napi::Value ToJs(Napi::Env env, const FlowsPage& page) {
  Napi::Object made = Napi::Object::New(env);
  Napi::Array flows = Napi::Array::New(env, page.flows.size());
  for (uint32_t i = 0; i < page.flows.size(); ++i) flows.Set(i, ToJs(env, page.flows[i]));
  made.Set("flows", flows);
  if (page.next) made.Set("next", *page.next);
  return made;
}

}  // namespace nf
