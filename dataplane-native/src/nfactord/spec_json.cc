#include "nfactord/spec_json.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace nf {
namespace {

using Json = nlohmann::json;

// Thrown and caught in this file only.
struct Unusable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::vector<uint8_t> ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Unusable("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <typename T>
T OneOf(const Json& from, const char* field, const char* otherwise, const std::map<std::string, T>& values) {
  std::string word = from.value(field, otherwise);
  auto found = values.find(word);
  if (found != values.end()) return found->second;
  std::string allowed;
  for (const auto& [name, value] : values) allowed += (allowed.empty() ? "" : ", ") + name;
  throw Unusable(std::string(field) + " is '" + word + "'; allowed are " + allowed);
}

NfRights Rights(const Json& from) {
  NfRights rights;
  rights.view = OneOf<View>(from, "view", "headers", {{"headers", View::kHeaders}, {"payload", View::kPayload}});
  rights.edit = OneOf<Edit>(from, "edit", "none",
                            {{"none", Edit::kNone}, {"headers", Edit::kHeaders}, {"payload", Edit::kPayload}});
  rights.reshape = from.value("reshape", false);
  rights.reply = from.value("reply", false);
  rights.emits = from.value("emits", 0u);
  rights.lease = from.value("lease", false);
  return rights;
}

NfSpec Nf(const Json& from) {
  NfSpec nf;
  nf.name = from.at("name").get<std::string>();
  nf.entry = from.value("entry", nf.name);
  nf.version = from.value("version", "0.0.0");
  nf.digest = from.value("digest", "");
  nf.native = ReadBytes(from.at("native").get<std::string>());
  if (from.contains("config")) nf.config = ReadBytes(from.at("config").get<std::string>());
  nf.state_bytes = from.value("stateBytes", 0u);
  nf.state_digest = from.value("stateDigest", "");
  nf.rights = Rights(from.value("rights", Json::object()));
  nf.heap_pages = from.value("heapPages", 1u);
  nf.on_fault =
      OneOf<OnFault>(from, "onFault", "close_flow",
                     {{"drop", OnFault::kDrop}, {"close_flow", OnFault::kCloseFlow}, {"bypass", OnFault::kBypass}});
  nf.quarantine = OneOf<QuarantineMode>(from, "quarantine", "closed",
                                        {{"closed", QuarantineMode::kClosed}, {"open", QuarantineMode::kOpen}});
  nf.lease_size = from.value("leaseSize", 0u);
  Json reasons = from.value("dropReasons", Json::object());
  for (const auto& [number, name] : reasons.items()) {
    nf.drop_reasons[static_cast<uint8_t>(std::stoul(number))] = name.get<std::string>();
  }
  nf.counters = from.value("counters", std::vector<std::string>());
  nf.exports = from.value("exports", std::vector<std::string>());
  return nf;
}

IdleMs Idle(const Json& from) {
  IdleMs idle;
  idle.tcp = from.value("tcp", idle.tcp);
  idle.tcp_opening = from.value("tcpOpening", idle.tcp_opening);
  idle.tcp_closing = from.value("tcpClosing", idle.tcp_closing);
  idle.udp = from.value("udp", idle.udp);
  idle.icmp = from.value("icmp", idle.icmp);
  idle.other = from.value("other", idle.other);
  return idle;
}

std::variant<CaptureInput, AfPacketInput, FabricInput> Input(const Json& from) {
  enum class Kind { kCapture, kAfPacket };
  Kind kind = OneOf<Kind>(from, "kind", "capture", {{"capture", Kind::kCapture}, {"af_packet", Kind::kAfPacket}});
  if (kind == Kind::kAfPacket) return AfPacketInput{from.at("client"), from.at("server")};
  return CaptureInput{from.at("in"), from.value("out", ""), from.value("clientCidrs", std::vector<std::string>())};
}

RunSpec Spec(const Json& from) {
  RunSpec spec;
  Json eal = from.value("eal", Json::object());
  spec.eal.use_hugepages = OneOf<bool>(eal, "hugepages", "auto", {{"auto", true}, {"never", false}});
  spec.eal.memory_mb = eal.value("memoryMb", spec.eal.memory_mb);
  RuntimeSpec& runtime = spec.runtime;
  runtime.input = Input(from.at("input"));
  runtime.non_ip =
      OneOf<NonIpPolicy>(from, "nonIp", "forward", {{"forward", NonIpPolicy::kForward}, {"drop", NonIpPolicy::kDrop}});
  Json flows = from.value("flows", Json::object());
  runtime.flows_max = flows.value("max", runtime.flows_max);
  runtime.idle_ms = Idle(flows.value("idleMs", Json::object()));
  runtime.seed = std::stoull(from.value("seed", "0"));
  for (const Json& nf : from.at("chain")) runtime.chain.push_back(Nf(nf));
  runtime.keep_ended_flows = from.value("keepEndedFlows", 0u);
  return spec;
}

}  // namespace

Expected<RunSpec> ReadRunSpec(const std::string& path) {
  try {
    if (path == "-") return Spec(Json::parse(std::cin));
    std::ifstream file(path);
    if (!file) throw Unusable("cannot read " + path);
    return Spec(Json::parse(file));
  } catch (const std::exception& error) {  // Json's, Unusable, and those of numbers in strings.
    return Fail(ErrorCode::kRuntimeSpec, path + ": " + error.what());
  }
}

}  // namespace nf
