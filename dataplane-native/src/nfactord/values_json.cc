#include "nfactord/values_json.h"

#include <arpa/inet.h>

#include <nlohmann/json.hpp>

namespace nf {
namespace {

using Json = nlohmann::json;

std::string Big(uint64_t value) { return std::to_string(value); }

Json ByName(const std::map<std::string, uint64_t>& values) {
  Json made = Json::object();
  for (const auto& [name, value] : values) made[name] = Big(value);
  return made;
}

std::string Address(const uint8_t (&address)[16], uint8_t ip_version) {
  char text[INET6_ADDRSTRLEN];
  const uint8_t* from = ip_version == 4 ? address + 12 : address;
  return inet_ntop(ip_version == 4 ? AF_INET : AF_INET6, from, text, sizeof text);
}

Json Key(const FlowKey& key) {
  Json vlan = Json::array();
  if (key.vlan_count > 0) vlan.push_back(key.vlan_outer);
  if (key.vlan_count > 1) vlan.push_back(key.vlan_inner);
  return {
      {"protocol", key.protocol},
      {"ipVersion", key.ip_version},
      {"initiator", {{"address", Address(key.source_address, key.ip_version)}, {"port", key.source_port}}},
      {"responder", {{"address", Address(key.destination_address, key.ip_version)}, {"port", key.destination_port}}},
      {"vlan", vlan}};
}

std::string Hex(const std::vector<uint8_t>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

Json Flow(const FlowSnapshot& flow) {
  Json made = Key(flow.key);
  made["flowId"] = Big(flow.flow_id);
  made["runtime"] = flow.runtime;
  made["packets"] = {Big(flow.packets[0]), Big(flow.packets[1])};
  made["bytes"] = {Big(flow.bytes[0]), Big(flow.bytes[1])};
  made["startNs"] = Big(flow.start_ns);
  made["lastSeenNs"] = Big(flow.last_seen_ns);
  made["phase"] = FlowPhaseName(flow.phase);
  if (flow.close_reason) made["closeReason"] = static_cast<uint32_t>(*flow.close_reason);
  made["states"] = Json::array();
  for (const auto& state : flow.states) made["states"].push_back(Hex(state));
  return made;
}

const char* ActionName(FaultAction action) {
  constexpr const char* kNames[] = {"drop", "close_flow", "bypass", "none"};
  return kNames[static_cast<size_t>(action)];
}

Json Convert(const FaultEvent& fault) {
  Json made = {{"type", "fault"},
               {"entry", fault.entry},
               {"name", fault.name},
               {"version", fault.version},
               {"digest", fault.digest},
               {"kind", static_cast<uint32_t>(fault.kind)},
               {"message", fault.message},
               {"file", fault.file},
               {"line", fault.line},
               {"column", fault.column},
               {"backtrace", fault.backtrace},
               {"call", fault.call},
               {"action", ActionName(fault.action)},
               {"packetsDropped", fault.packets_dropped},
               {"faultsInMinute", fault.faults_in_minute},
               {"nowNs", Big(fault.now_ns)}};
  if (fault.flow) {
    made["flow"] = Key(*fault.flow);
    made["sequence"] = fault.sequence;
  }
  return made;
}
Json Convert(const LogEvent& log) {
  return {{"type", "log"},    {"entry", log.entry}, {"level", static_cast<uint32_t>(log.level)},
          {"text", log.text}, {"lost", log.lost},   {"nowNs", Big(log.now_ns)}};
}
Json Convert(const QuarantineEvent& quarantine) {
  return {{"type", "quarantine"},
          {"entry", quarantine.entry},
          {"mode", quarantine.mode == QuarantineMode::kOpen ? "open" : "closed"},
          {"faults", quarantine.faults},
          {"nowNs", Big(quarantine.now_ns)}};
}
Json Convert(const FlowEndedEvent& ended) { return {{"type", "flow_ended"}, {"flow", Flow(ended.flow)}}; }

}  // namespace

Json ToValue(const CountersSnapshot& counters) {
  Json nfs = Json::array();
  for (const NfCounters& nf : counters.nfs) {
    nfs.push_back({{"entry", nf.entry},
                   {"version", nf.version},
                   {"faults", Big(nf.faults)},
                   {"quarantined", nf.quarantined},
                   {"counters", ByName(nf.counters)}});
  }
  return {{"nowNs", Big(counters.now_ns)},
          {"received", Big(counters.received)},
          {"receivedBytes", Big(counters.received_bytes)},
          {"sent", Big(counters.sent)},
          {"sentBytes", Big(counters.sent_bytes)},
          {"emitted", Big(counters.emitted)},
          {"held", Big(counters.held)},
          {"missed", Big(counters.missed)},
          {"dropped", ByName(counters.dropped)},
          {"flowsOpen", counters.flows_open},
          {"flowsOpened", Big(counters.flows_opened)},
          {"flowsEnded", Big(counters.flows_ended)},
          {"eventsLost", Big(counters.events_lost)},
          {"nfs", nfs}};
}

Json ToValue(const Error& error) { return {{"code", ErrorCodeName(error.code)}, {"message", error.message}}; }

Json ToValue(const RunReport& report) {
  Json made = Json::object({{"counters", ToValue(report.counters)}});
  if (report.error) made["error"] = ToValue(*report.error);
  return made;
}

Json ToValue(const RuntimeStatus& status) {
  Json made = {{"runtime", status.runtime},
               {"lcore", status.lcore},
               {"draining", status.draining},
               {"flowsOpen", status.flows_open},
               {"received", Big(status.received)},
               {"sent", Big(status.sent)},
               {"dropped", Big(status.dropped)},
               {"held", Big(status.held)},
               {"movedIn", Big(status.moved_in)},
               {"movedOut", Big(status.moved_out)},
               {"migrations", status.migrations},
               {"nfAsked", Big(status.nf_asked)},
               {"nfMoves", Big(status.nf_moves)},
               {"nfMovesFailed", Big(status.nf_moves_failed)},
               {"arrivalsRefused", Big(status.arrivals_refused)},
               {"missed", Big(status.missed)},
               {"runtimeFull", Big(status.runtime_full)},
               {"replicas", status.replicas},
               {"unprotected", status.unprotected},
               {"replicationLag", status.replication_lag},
               {"relayed", Big(status.relayed)},
               {"recovered", Big(status.recovered)},
               {"stateLost", Big(status.state_lost)},
               {"refusedMessages", Big(status.refused_messages)},
               {"busyNs", Big(status.busy_ns)},
               {"queued", status.queued}};
  if (status.delay) {
    Json counts = Json::array();
    for (uint64_t count : status.delay->counts) counts.push_back(Big(count));
    made["delay"] = {{"counts", counts}, {"sumNs", Big(status.delay->sum_ns)}};
  }
  return made;
}

Json ToValue(const OperationReport& report) {
  return {{"moved", report.moved},     {"failed", report.failed},       {"reason", report.reason},
          {"drained", report.drained}, {"undrained", report.undrained}, {"durationNs", Big(report.duration_ns)}};
}

Json ToValue(const SwapReport& report) {
  return {{"pauseNs", Big(report.pause_ns)},
          {"burstNs", Big(report.burst_ns)},
          {"prepareMs", report.prepare_ms},
          {"flows", report.flows},
          {"packetsDropped", Big(report.packets_dropped)}};
}

Json ToValue(const FlowsPage& page) {
  Json made = Json::object({{"flows", Json::array()}});
  for (const FlowSnapshot& flow : page.flows) made["flows"].push_back(Flow(flow));
  if (page.next) made["next"] = *page.next;
  return made;
}

Json ToValue(const Event& event) {
  return std::visit([](const auto& which) { return Convert(which); }, event);
}

Json ToValue(const link::LinkCounters& counters) {
  Json made = Json::object();
  for (size_t i = 0; i < static_cast<size_t>(link::LinkCount::kCount); ++i) {
    made[link::kLinkCountNames[i]] = Big(counters.value(static_cast<link::LinkCount>(i)));
  }
  return made;
}

std::string ToLine(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace nf
