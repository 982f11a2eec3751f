#include "nfactord/report_json.h"

#include <arpa/inet.h>

#include <nlohmann/json.hpp>

namespace nf {
namespace {

using Json = nlohmann::json;

std::string Text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string Address(const uint8_t (&address)[16], uint8_t ip_version) {
  char text[INET6_ADDRSTRLEN];
  const uint8_t* from = ip_version == 4 ? address + 12 : address;
  return inet_ntop(ip_version == 4 ? AF_INET : AF_INET6, from, text, sizeof text);
}

Json Key(const FlowKey& key) {
  return {
      {"protocol", key.protocol},
      {"initiator", {{"address", Address(key.source_address, key.ip_version)}, {"port", key.source_port}}},
      {"responder", {{"address", Address(key.destination_address, key.ip_version)}, {"port", key.destination_port}}}};
}

std::string Hex(const std::vector<uint8_t>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : bytes) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

Json Convert(const FaultEvent& fault) {
  Json made = {{"type", "fault"},    {"entry", fault.entry},     {"kind", abi::FaultKindName(fault.kind)},
               {"call", fault.call}, {"message", fault.message}, {"file", fault.file},
               {"line", fault.line}, {"column", fault.column},   {"backtrace", fault.backtrace}};
  if (fault.flow) made["flow"] = Key(*fault.flow);
  return made;
}
Json Convert(const LogEvent& log) {
  return {{"type", "log"}, {"entry", log.entry}, {"level", abi::LogLevelName(log.level)}, {"text", log.text}};
}
Json Convert(const QuarantineEvent& quarantine) {
  return {{"type", "quarantine"}, {"entry", quarantine.entry}, {"faults", quarantine.faults}};
}
Json Convert(const FlowEndedEvent& ended) {
  Json made = {{"type", "flow_ended"},
               {"flow", Key(ended.flow.key)},
               {"packets", ended.flow.packets},
               {"bytes", ended.flow.bytes},
               {"states", Json::array()}};
  for (const auto& state : ended.flow.states) made["states"].push_back(Hex(state));
  return made;
}

}  // namespace

std::string ToJson(const RunReport& report) {
  const CountersSnapshot& counters = report.counters;
  Json made = {{"received", counters.received},
               {"sent", counters.sent},
               {"emitted", counters.emitted},
               {"missed", counters.missed},
               {"held", counters.held},
               {"dropped", counters.dropped},
               {"flows_opened", counters.flows_opened},
               {"nfs", Json::array()}};
  for (const NfCounters& nf : counters.nfs) {
    made["nfs"].push_back({{"entry", nf.entry}, {"faults", nf.faults}, {"counters", nf.counters}});
  }
  if (report.error) {
    made["error"] = {{"code", ErrorCodeName(report.error->code)}, {"message", report.error->message}};
  }
  return Text(made);
}

std::string ToJson(const Event& event) {
  return Text(std::visit([](const auto& which) { return Convert(which); }, event));
}

}  // namespace nf
