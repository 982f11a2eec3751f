#include "addon/spec_from_js.h"

#include <charconv>
#include <string>
#include <utility>

#include "addon/fields.h"

namespace nf {
namespace {

NfRights RightsFromJs(const Napi::Object& from) {
  NfRights rights;
  rights.view = OneOf<View>(from, "view", {{"headers", View::kHeaders}, {"payload", View::kPayload}});
  rights.edit =
      OneOf<Edit>(from, "edit", {{"none", Edit::kNone}, {"headers", Edit::kHeaders}, {"payload", Edit::kPayload}});
  rights.reshape = Flag(from, "reshape");
  rights.reply = Flag(from, "reply");
  rights.emits = Number(from, "emits");
  rights.lease = Flag(from, "lease");
  return rights;
}

std::map<uint8_t, std::string> DropReasonsFromJs(const Napi::Object& from) {
  std::map<uint8_t, std::string> reasons;
  Napi::Array keys = from.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    std::string key = Napi::Value(keys[i]).ToString();
    uint8_t number = 0;
    auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
    if (error != std::errc() || *end != '\0') throw Wrong(from.Env(), "dropReasons", "numbers from 128 to 255");
    reasons[number] = Text(from, key.c_str());
  }
  return reasons;
}

IdleMs IdleFromJs(const Napi::Object& from) {
  IdleMs idle;
  idle.tcp = Number(from, "tcp");
  idle.tcp_opening = Number(from, "tcpOpening");
  idle.tcp_closing = Number(from, "tcpClosing");
  idle.udp = Number(from, "udp");
  idle.icmp = Number(from, "icmp");
  idle.other = Number(from, "other");
  return idle;
}

std::variant<CaptureInput, AfPacketInput, FabricInput> InputFromJs(const Napi::Object& from) {
  std::string kind = Text(from, "kind");
  if (kind == "af_packet") return AfPacketInput{Text(from, "client"), Text(from, "server")};
  if (kind != "capture") throw Wrong(from.Env(), "input.kind", "capture or af_packet");
  return CaptureInput{Text(from, "in"), Has(from, "out") ? Text(from, "out") : "", Texts(from, "clientCidrs")};
}

SwitchingSpec SwitchingFromJs(const Napi::Object& from) {
  SwitchingSpec switching;
  switching.runtimes = Number16(from, "runtimes");
  switching.lcores = Number16(from, "lcores");
  switching.placement = OneOf<Placement>(
      from, "placement", {{"round_robin", Placement::kRoundRobin}, {"least_loaded", Placement::kLeastLoaded}});
  switching.migrations = Number(from, "migrations");
  if (!Has(from, "replication")) return switching;
  const auto replication = Child(from, "replication");
  switching.replication.replicas = Number16(replication, "replicas");
  switching.replication.mode = OneOf<proto::ReplicationMode>(
      replication, "mode", {{"hold", proto::ReplicationMode::kHold}, {"relay", proto::ReplicationMode::kRelay}});
  switching.replication.unprotected = OneOf<proto::Unprotected>(
      replication, "unprotected",
      {{"strict", proto::Unprotected::kStrict}, {"available", proto::Unprotected::kAvailable}});
  return switching;
}

uint64_t SeedFromJs(const Napi::Object& from) {
  std::string text = Text(from, "seed");
  uint64_t seed = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || *end != '\0') throw Wrong(from.Env(), "seed", "an unsigned 64-bit number in decimal");
  return seed;
}

}  // namespace

NfSpec NfSpecFromJs(const Napi::Object& from) {
  NfSpec nf;
  nf.entry = Text(from, "entry");
  nf.name = Text(from, "name");
  nf.version = Text(from, "version");
  nf.digest = Text(from, "digest");
  nf.native = Bytes(from, "native");
  nf.config = Bytes(from, "config");
  nf.state_bytes = Number(from, "stateBytes");
  nf.state_digest = Text(from, "stateDigest");
  nf.rights = RightsFromJs(Child(from, "rights"));
  nf.heap_pages = Number(from, "heapPages");
  nf.on_fault = OneOf<OnFault>(
      from, "onFault", {{"drop", OnFault::kDrop}, {"close_flow", OnFault::kCloseFlow}, {"bypass", OnFault::kBypass}});
  nf.quarantine =
      OneOf<QuarantineMode>(from, "quarantine", {{"closed", QuarantineMode::kClosed}, {"open", QuarantineMode::kOpen}});
  nf.lease_size = Number(from, "leaseSize");
  nf.drop_reasons = DropReasonsFromJs(Child(from, "dropReasons"));
  nf.counters = Texts(from, "counters");
  nf.exports = Texts(from, "exports");
  return nf;
}

RuntimeSpec RuntimeSpecFromJs(const Napi::Object& from) {
  RuntimeSpec spec;
  spec.input = InputFromJs(Child(from, "input"));
  spec.non_ip = OneOf<NonIpPolicy>(from, "nonIp", {{"forward", NonIpPolicy::kForward}, {"drop", NonIpPolicy::kDrop}});
  Napi::Object flows = Child(from, "flows");
  spec.flows_max = Number(flows, "max");
  spec.idle_ms = IdleFromJs(Child(flows, "idleMs"));
  spec.seed = SeedFromJs(from);
  Napi::Array chain = List(from, "chain");
  for (uint32_t i = 0; i < chain.Length(); ++i) {
    Napi::Value nf = chain[i];
    if (!nf.IsObject()) throw Wrong(from.Env(), "chain", "objects");
    spec.chain.push_back(NfSpecFromJs(nf.As<Napi::Object>()));
  }
  spec.keep_ended_flows = Number(from, "keepEndedFlows");
  if (Has(from, "switching")) spec.switching = SwitchingFromJs(Child(from, "switching"));
  return spec;
}

}  // namespace nf
