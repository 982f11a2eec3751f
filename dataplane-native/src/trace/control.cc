#include "trace/control.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace nf {
namespace {

using Json = nlohmann::json;

constexpr uint32_t kPacketsMax = 1'000'000;
constexpr uint64_t kMsMax = 3'600'000;
// What the trace is read from late is still there.
constexpr uint64_t kReadLateNs = 10'000'000'000;
// Of one answer, which is one line: text of a record without its frame, and all of it.
constexpr size_t kRecordBytes = 300;
constexpr size_t kAnswerBytesMax = 700 << 10;
constexpr uint32_t kMappedBits = 128;

Error Wrong(const std::string& what) { return {ErrorCode::kMemberCommand, what}; }

// A number within bounds.
Expected<uint64_t> Number(const Json& from, const char* field, uint64_t least, uint64_t most) {
  const Json& given = from.at(field);
  if (given.is_number_unsigned() && given.get<uint64_t>() >= least && given.get<uint64_t>() <= most)
    return given.get<uint64_t>();
  return std::unexpected(Wrong(std::string(field) + " is " + given.dump() + "; allowed are " + std::to_string(least) +
                               " to " + std::to_string(most)));
}

int Nibble(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool ReadAddress(const std::string& text, uint8_t (&address)[16]) {
  if (text.size() != 2 * sizeof address) return false;
  for (size_t i = 0; i < sizeof address; ++i) {
    const int high = Nibble(text[2 * i]), low = Nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    address[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

Expected<TraceFilter> FilterOf(const Json& from) {
  TraceFilter filter;
  if (from.contains("protocol")) {
    const auto protocol = Number(from, "protocol", 0, UINT8_MAX);
    if (!protocol) return std::unexpected(protocol.error());
    filter.protocol = static_cast<int16_t>(*protocol);
  }
  const Json& ends = from.at("ends");
  if (!ends.is_array() || ends.size() > TraceFilter::kEndsMax)
    return std::unexpected(Wrong("ends are a list of " + std::to_string(TraceFilter::kEndsMax) + " at most"));
  for (const Json& one : ends) {
    TraceFilter::End& end = filter.ends[filter.ends_count++];
    const auto bits = Number(one, "bits", 0, kMappedBits);
    if (!bits) return std::unexpected(bits.error());
    end.bits = static_cast<uint8_t>(*bits);
    if (!ReadAddress(one.at("address").get<std::string>(), end.address))
      return std::unexpected(Wrong("an address is 16 bytes in hex"));
    if (!one.contains("port")) continue;
    const auto port = Number(one, "port", 0, UINT16_MAX);
    if (!port) return std::unexpected(port.error());
    end.port = static_cast<int32_t>(*port);
  }
  return filter;
}

std::string Hex(const uint8_t* bytes, size_t count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * count);
  for (size_t i = 0; i < count; ++i) text += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
  return text;
}

const char* VerdictName(uint8_t verdict) {
  switch (static_cast<abi::Verdict>(verdict)) {
    case abi::Verdict::kDrop:
      return "DROP";
    case abi::Verdict::kReply:
      return "REPLY";
    default:
      return "FORWARD";
  }
}

}  // namespace

TraceControl::TraceControl(bool chooses, uint32_t chain_size, Hand hand, ReasonOf reason_of)
    : chooses_(chooses), chain_size_(chain_size), hand_(std::move(hand)), reason_of_(std::move(reason_of)) {}

TraceControl::~TraceControl() = default;

Expected<TraceSpec> TraceControl::SpecOf(const Json& request) const {
  auto filter = FilterOf(request.at("filter"));
  if (!filter) return std::unexpected(filter.error());
  const auto id = Number(request, "trace", 1, UINT32_MAX);
  const auto ms = Number(request, "ms", 1, kMsMax);
  const auto frame_bytes = Number(request, "frameBytes", 0, abi::kFrameBytesMax);
  const Json& at = request.at("point");
  const auto which = Number(at, "which", 0, chain_size_ == 0 ? 1 : std::max(chain_size_ - 1, 1u));
  for (const auto* number : {&id, &ms, &frame_bytes, &which}) {
    if (!*number) return std::unexpected(number->error());
  }
  TraceSpec spec{.id = static_cast<uint32_t>(*id),
                 .filter = *filter,
                 .chooses = chooses_,
                 .until_ns = MonotonicNs() + *ms * 1'000'000,
                 .frame_bytes = static_cast<uint32_t>(*frame_bytes),
                 .point = {.kind = TracePoint::kAll, .which = static_cast<uint8_t>(*which)}};
  const std::string kind = at.at("kind");
  if (kind == "port")
    spec.point.kind = TracePoint::kPort;
  else if (kind == "nf_in")
    spec.point.kind = TracePoint::kNfIn;
  else if (kind == "nf_out")
    spec.point.kind = TracePoint::kNfOut;
  else if (kind != "all")
    return std::unexpected(Wrong("a point is all, port, nf_in or nf_out, not '" + kind + "'"));
  return spec;
}

Expected<Json> TraceControl::Do(const std::string& word, const Json& request) {
  const auto packets = word == "trace_stop" ? Expected<uint64_t>(1) : Number(request, "packets", 1, kPacketsMax);
  if (!packets) return std::unexpected(packets.error());
  if (word == "trace_start") {
    const auto spec = SpecOf(request);
    if (!spec) return std::unexpected(spec.error());
    if (session_ != nullptr && session_->spec().id == spec->id) return Json::object();
    End();
    session_ = std::make_unique<TraceSession>(*spec, static_cast<uint32_t>(*packets));
    hand_(session_.get());
    return Json::object();
  }
  const bool is_this = session_ != nullptr && session_->spec().id == request.at("trace").get<uint32_t>();
  if (word == "trace_stop") {
    if (is_this) End();
    return Json::object();
  }
  if (!is_this) return std::unexpected(Wrong("there is no trace " + request.at("trace").dump()));
  return Read(static_cast<uint32_t>(*packets));
}

Json TraceControl::Read(uint32_t packets) {
  session_->set_budget(packets);
  Json records = Json::array();
  size_t bytes = 0;
  const TraceRecord* record = session_->ring().Front();
  for (; record != nullptr && bytes < kAnswerBytesMax; record = session_->ring().Front()) {
    bytes += kRecordBytes + 2 * size_t{record->captured};
    records.push_back(ToValue(*record));
    session_->ring().Pop(record);
  }
  return Json::object({{"records", std::move(records)},
                       {"more", record != nullptr},
                       {"chosen", session_->chosen()},
                       {"missed", std::to_string(session_->missed())},
                       {"lost", std::to_string(session_->lost())}});
}

Json TraceControl::ToValue(const TraceRecord& record) const {
  Json made = {{"hop", kTraceHopNames[static_cast<size_t>(record.hop)]},
               {"at", std::to_string(record.at_ns)},
               {"n", record.number},
               {"length", record.wire_length}};
  if (record.nf != kTraceNoNf) made["nf"] = record.nf;
  if ((record.flags & TraceRecord::kReply) != 0) made["reply"] = true;
  switch (record.hop) {
    case TraceHop::kIn:
      made["port"] = record.port;
      if ((record.flags & TraceRecord::kNewFlow) != 0) made["new"] = true;
      break;
    case TraceHop::kOut:
      made["port"] = record.port;
      break;
    case TraceHop::kRouted:
      made["to"] = record.runtime;
      [[fallthrough]];
    case TraceHop::kTaken:
    case TraceHop::kStamped:
    case TraceHop::kRelayed:
    case TraceHop::kGate:
      made["stamp"] = {record.entry, record.epoch, record.sequence, record.part};
      break;
    case TraceHop::kWaits:
      made["waits"] = kTraceWaitNames[static_cast<size_t>(record.wait)];
      break;
    case TraceHop::kNf:
      made["verdict"] = VerdictName(record.verdict);
      if (static_cast<abi::Verdict>(record.verdict) == abi::Verdict::kDrop)
        made["reason"] = reason_of_(record.nf, record.reason);
      if ((record.flags & TraceRecord::kChanged) != 0) made["changed"] = true;
      if ((record.flags & TraceRecord::kSkipped) != 0) made["skipped"] = true;
      break;
    case TraceHop::kEmitted:
      made["cause"] = record.cause;
      break;
    case TraceHop::kDropped:
      made["reason"] = abi::DropReasonName(static_cast<abi::DropReason>(record.reason));
      break;
    default:
      break;
  }
  if (record.captured != 0)
    made["frame"] = Hex(reinterpret_cast<const uint8_t*>(&record) + sizeof record, record.captured);
  return made;
}

void TraceControl::LookAtTime() {
  if (session_ != nullptr && MonotonicNs() > session_->spec().until_ns + kReadLateNs) End();
}

void TraceControl::End() {
  if (session_ == nullptr) return;
  hand_(nullptr);
  session_.reset();
}

}  // namespace nf
