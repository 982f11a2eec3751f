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

NfSpec Nf(const Json& from, bool with_code) {
  NfSpec nf;
  nf.name = from.at("name").get<std::string>();
  nf.entry = from.value("entry", nf.name);
  nf.version = from.value("version", "0.0.0");
  nf.digest = from.value("digest", "");
  nf.mark = from.value("mark", "");
  if (with_code) {
    nf.native = ReadBytes(from.at("native").get<std::string>());
    if (from.contains("config")) nf.config = ReadBytes(from.at("config").get<std::string>());
  }
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

RunSpec Spec(const Json& from, bool with_code) {
  RunSpec spec;
  Json eal = from.value("eal", Json::object());
  spec.eal.use_hugepages = OneOf<bool>(eal, "hugepages", "auto", {{"auto", true}, {"never", false}});
  spec.eal.memory_mb = eal.value("memoryMb", spec.eal.memory_mb);
  RuntimeSpec& runtime = spec.runtime;
  if (from.contains("input")) runtime.input = Input(from.at("input"));
  runtime.non_ip =
      OneOf<NonIpPolicy>(from, "nonIp", "forward", {{"forward", NonIpPolicy::kForward}, {"drop", NonIpPolicy::kDrop}});
  Json flows = from.value("flows", Json::object());
  runtime.flows_max = flows.value("max", runtime.flows_max);
  runtime.idle_ms = Idle(flows.value("idleMs", Json::object()));
  runtime.seed = std::stoull(from.value("seed", "0"));
  for (const Json& nf : from.at("chain")) runtime.chain.push_back(Nf(nf, with_code));
  runtime.keep_ended_flows = from.value("keepEndedFlows", 0u);
  return spec;
}

// A number within these bounds.
uint32_t Number(const Json& from, const char* field, uint64_t least, uint64_t most) {
  const Json& given = from.at(field);
  if (!given.is_number_unsigned() || given.get<uint64_t>() < least || given.get<uint64_t>() > most) {
    throw Unusable(std::string(field) + " is " + given.dump() + "; allowed are " + std::to_string(least) + " to " +
                   std::to_string(most));
  }
  return given.get<uint32_t>();
}
uint32_t Number(const Json& from, const char* field, uint64_t least, uint64_t most, uint32_t otherwise) {
  return from.contains(field) ? Number(from, field, least, most) : otherwise;
}

uint32_t FrameBytes(const Json& from, uint32_t otherwise) {
  return Number(from, "frameBytes", 512, kFrameBytesMax, otherwise);
}

uint32_t Homes(const Json& members) {
  if (!members.is_array()) throw Unusable("homes are a list of runtimes, not " + members.dump());
  uint32_t homes = 0;
  for (const Json& member : members) homes |= 1u << Number({{"homes", member}}, "homes", 1, kRuntimesMax);
  return homes;
}

link::LinkSpec Link(const Json& from) {
  if (from.contains("vhost")) return link::VhostLink{from.at("vhost").get<std::string>()};
  if (from.contains("iface")) return link::InterfaceLink{from.at("iface").get<std::string>()};
  if (from.contains("device")) return link::DeviceLink{from.at("device").get<std::string>(), from.value("args", "")};
  throw Unusable("a link is {\"vhost\"}, {\"iface\"} or {\"device\", \"args\"}, not " + from.dump());
}

link::CipherKey Key(const std::string& hex) {
  link::CipherKey key;
  const auto digit = [&hex](size_t at) -> uint32_t {
    const char c = hex[at];
    if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<uint32_t>(c - 'a') + 10;
    throw Unusable("key is not 64 hex digits");
  };
  if (hex.size() != 2 * key.size()) throw Unusable("key is not 64 hex digits");
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(digit(2 * i) << 4 | digit(2 * i + 1));
  return key;
}

ReplicationSpec Replication(const Json& from) {
  ReplicationSpec spec;
  spec.replicas = static_cast<uint16_t>(Number(from, "replicas", 0, 1));
  spec.mode = OneOf<proto::ReplicationMode>(
      from, "mode", "hold", {{"hold", proto::ReplicationMode::kHold}, {"relay", proto::ReplicationMode::kRelay}});
  spec.unprotected = OneOf<proto::Unprotected>(
      from, "unprotected", "strict",
      {{"strict", proto::Unprotected::kStrict}, {"available", proto::Unprotected::kAvailable}});
  return spec;
}

MemberSpec Member(const Json& from, MemberKind kind) {
  const bool is_runtime = kind == MemberKind::kRuntime;
  MemberSpec spec;
  spec.run = Spec(from, is_runtime);
  spec.identity = {
      .tenant = static_cast<uint16_t>(Number(from, "tenant", 0, UINT16_MAX)),
      .member = static_cast<uint16_t>(Number(from, "member", is_runtime ? 1 : 0, is_runtime ? kRuntimesMax : 0)),
      .incarnation = Number(from, "incarnation", 1, UINT32_MAX),
      .key = Key(from.at("key").get<std::string>())};
  spec.term = static_cast<uint8_t>(Number(from, "term", 1, UINT8_MAX));
  spec.control = from.at("control").get<std::string>();
  spec.counters = from.at("counters").get<std::string>();
  spec.cpu = from.value("cpu", -1);
  spec.frame_bytes = FrameBytes(from, kFrameBytesMax);
  SwitchingSpec& switching = spec.run.runtime.switching.emplace();
  for (const Json& other : from.value("members", Json::array())) {
    spec.members.push_back({.member = static_cast<uint16_t>(Number(other, "member", 1, kRuntimesMax)),
                            .incarnation = Number(other, "incarnation", 1, UINT32_MAX),
                            .frame_bytes = FrameBytes(other, 0)});
  }
  if (is_runtime) {
    if (from.contains("replication")) switching.replication = Replication(from.at("replication"));
    switching.migrations = Number(from, "migrations", 1, 4000, switching.migrations);
    spec.homes = Homes(from.value("homes", Json::array()));
    const Json& vswitch = from.at("vswitch");
    spec.vswitch_incarnation = Number(vswitch, "incarnation", 1, UINT32_MAX);
    spec.vswitch_link = Link(vswitch.at("link"));
    return spec;
  }
  if (!std::holds_alternative<AfPacketInput>(spec.run.runtime.input)) {
    throw Unusable("input: a vswitch in a process of its own takes packets from interfaces (af_packet)");
  }
  switching.placement =
      OneOf<Placement>(from, "placement", "round_robin",
                       {{"round_robin", Placement::kRoundRobin}, {"least_loaded", Placement::kLeastLoaded}});
  spec.suspect_ms = Number(from, "suspectMs", 0, 600'000, spec.suspect_ms);
  if (from.contains("replication")) {
    const auto replication = Replication(from.at("replication"));
    spec.committed = replication.replicas != 0 && replication.unprotected == proto::Unprotected::kStrict;
  }
  spec.report_ms = Number(from, "reportMs", 1, 600'000, spec.report_ms);
  return spec;
}

// `read` what is at `path`.
template <typename Read>
auto FromFile(const std::string& path, Read&& read) -> Expected<decltype(read(Json()))> {
  try {
    if (path == "-") return read(Json::parse(std::cin));
    std::ifstream file(path);
    if (!file) throw Unusable("cannot read " + path);
    return read(Json::parse(file));
  } catch (const std::exception& error) {  // Json's, Unusable, and those of numbers in strings.
    return Fail(ErrorCode::kRuntimeSpec, path + ": " + error.what());
  }
}

}  // namespace

Expected<RunSpec> ReadRunSpec(const std::string& path) {
  return FromFile(path, [](const Json& from) {
    if (!from.contains("input")) throw Unusable("input is missing");
    return Spec(from, true);
  });
}

Expected<MemberSpec> ReadMemberSpec(const std::string& path, MemberKind kind) {
  return FromFile(path, [kind](const Json& from) { return Member(from, kind); });
}

Expected<NfSpec> ReadNf(const Json& from) {
  try {
    return Nf(from, true);
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kRuntimeSpec, std::string("nf: ") + error.what());
  }
}

Expected<uint32_t> ReadFrameBytes(const Json& from) {
  try {
    return FrameBytes(from, 0);
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kRuntimeSpec, error.what());
  }
}

Expected<uint32_t> ReadHomes(const Json& members) {
  try {
    return Homes(members);
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kRuntimeSpec, error.what());
  }
}

Expected<link::LinkSpec> ReadLink(const Json& from) {
  try {
    return Link(from);
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kRuntimeSpec, std::string("link: ") + error.what());
  }
}

}  // namespace nf
