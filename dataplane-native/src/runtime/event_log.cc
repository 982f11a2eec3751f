#include "runtime/event_log.h"

#include <time.h>

#include <algorithm>

#include "base/check.h"
#include "base/utf16.h"

namespace nf {
namespace {

enum class Kind : uint32_t { kFault, kLog, kQuarantine, kFlowEnded };

// Fixed parts of the records; texts and states follow them.
struct FaultRecord {
  Kind kind = Kind::kFault;
  uint32_t nf;
  uint32_t generation;
  uint32_t flow_known;
  FlowKey flow;
  uint32_t sequence;
  uint32_t is_dropped;
  uint32_t faults_in_minute;
  abi::FaultKind fault_kind;
  uint64_t now_ns;
  const char* call;  // A literal.
  uint32_t line, column;
  uint32_t message_bytes, file_bytes;
  uint32_t backtrace_size;
};
struct LogRecord {
  Kind kind = Kind::kLog;
  uint32_t nf;
  abi::LogLevel level;
  uint32_t lost;
  uint32_t text_bytes;
  uint64_t now_ns;
};
struct QuarantineRecord {
  Kind kind = Kind::kQuarantine;
  uint32_t nf;
  uint32_t generation;
  uint32_t faults;
  uint64_t now_ns;
};
struct FlowRecord {
  Kind kind = Kind::kFlowEnded;
  abi::CloseReason reason;
  FlowActor actor;
};

template <typename T>
std::span<const uint8_t> Bytes(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}
template <typename T>
T Fixed(const std::vector<uint8_t>& record) {
  T value;
  std::memcpy(static_cast<void*>(&value), record.data(), sizeof value);
  return value;
}

constexpr size_t kRingBytesMin = 1u << 20, kRingBytesMax = 256u << 20;

size_t RingBytes(const EventLog::Options& options) {
  const size_t flow = sizeof(FlowRecord) + sizeof(uint32_t) + EventLog::StatesBytes(*options.chain);
  return std::clamp(kRingBytesMin + options.keep_ended_flows * flow, kRingBytesMin, kRingBytesMax);
}

void Sleep(uint32_t ns) {
  const timespec time{.tv_sec = 0, .tv_nsec = ns};
  nanosleep(&time, nullptr);
}

}  // namespace

EventLog::EventLog(const Options& options)
    : chain_(*options.chain),
      flows_(*options.flows),
      wants_flows_(options.keep_ended_flows != 0),
      waits_(options.waits),
      ring_(RingBytes(options)),
      generations_(chain_.size()),
      names_(chain_.size()) {
  for (uint32_t i = 0; i < chain_.size(); ++i) AddNames(i, chain_.nf(i).spec());
}

void EventLog::AddNames(uint32_t nf, const NfSpec& spec) {
  std::lock_guard lock(reader_mutex_);
  names_[nf].push_back({spec.entry, spec.name, spec.version, spec.digest, spec.on_fault, spec.quarantine});
}

void EventLog::Write(std::span<const std::span<const uint8_t>> parts) {
  while (!ring_.Write(parts)) {
    if (!waits_ || abandoned_.load(std::memory_order_acquire)) {
      lost_.Add();
      return;
    }
    Sleep(50'000);
  }
}

void EventLog::OnFault(const FaultNotice& notice) {
  FaultRecord record{.nf = notice.nf,
                     .generation = generations_[notice.nf],
                     .flow_known = notice.flow != kNoFlow,
                     .flow = {},
                     .sequence = notice.sequence,
                     .is_dropped = notice.is_dropped,
                     .faults_in_minute = notice.faults_in_minute,
                     .fault_kind = abi::FaultKind::kBadResult,
                     .now_ns = notice.now_ns,
                     .call = abi::kExports[static_cast<size_t>(abi::Export::kProcessBurst)].name,
                     .line = 0,
                     .column = 0,
                     .message_bytes = 0,
                     .file_bytes = 0,
                     .backtrace_size = 0};
  if (notice.flow != kNoFlow) record.flow = flows_.actor(notice.flow).key;
  std::span<const uint8_t> message, file, backtrace;
  if (const FaultInfo* fault = notice.fault; fault != nullptr) {
    record.fault_kind = fault->kind;
    record.call = fault->call;
    record.line = fault->line;
    record.column = fault->column;
    message = {fault->message, fault->message_bytes};
    file = {fault->file, fault->file_bytes};
    backtrace = {reinterpret_cast<const uint8_t*>(fault->backtrace), fault->backtrace_size * sizeof(uint32_t)};
    record.message_bytes = static_cast<uint32_t>(message.size());
    record.file_bytes = static_cast<uint32_t>(file.size());
    record.backtrace_size = fault->backtrace_size;
  }
  const std::span<const uint8_t> parts[] = {Bytes(record), message, file, backtrace};
  Write(parts);
}

void EventLog::OnLog(const LogNotice& notice) {
  const LogRecord record{.nf = notice.nf,
                         .level = notice.level,
                         .lost = notice.lost,
                         .text_bytes = static_cast<uint32_t>(notice.text.size()),
                         .now_ns = notice.now_ns};
  const std::span<const uint8_t> parts[] = {Bytes(record), notice.text};
  Write(parts);
}

void EventLog::OnQuarantine(uint32_t nf, uint32_t faults, uint64_t now_ns) {
  const QuarantineRecord record{.nf = nf, .generation = generations_[nf], .faults = faults, .now_ns = now_ns};
  const std::span<const uint8_t> parts[] = {Bytes(record)};
  Write(parts);
}

void EventLog::OnFlowEnded(uint32_t flow, abi::CloseReason reason) {
  if (!wants_flows_) return;
  const FlowRecord record{.reason = reason, .actor = flows_.actor(flow)};
  std::array<std::span<const uint8_t>, 1 + abi::kChainNfsMax> parts;
  size_t count = 0;
  parts[count++] = Bytes(record);
  for (uint32_t i = 0; i < chain_.size(); ++i) parts[count++] = chain_.nf(i).states().slot(flow);
  Write({parts.data(), count});
}

size_t EventLog::StatesBytes(const Chain& chain) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < chain.size(); ++i) bytes += chain.nf(i).states().state_bytes();
  return bytes;
}

FlowSnapshot EventLog::Snapshot(const FlowActor& actor, const uint8_t* states, const Chain& chain) {
  FlowSnapshot flow{.key = actor.key,
                    .flow_id = actor.number,
                    .packets = {actor.packets[0], actor.packets[1]},
                    .bytes = {actor.bytes[0], actor.bytes[1]},
                    .start_ns = actor.start_ns,
                    .last_seen_ns = actor.last_seen_ns,
                    .phase = actor.phase,
                    .close_reason = std::nullopt,
                    .states = {}};
  for (uint32_t i = 0; i < chain.size(); ++i) {
    const uint32_t bytes = chain.nf(i).states().state_bytes();
    flow.states.emplace_back();
    if ((actor.opened >> i & 1) != 0) flow.states.back().assign(states, states + bytes);
    states += bytes;
  }
  return flow;
}

FaultEvent EventLog::DecodeFault() const {
  const auto record = Fixed<FaultRecord>(record_);
  const Names& names = names_[record.nf].at(record.generation);
  FaultEvent event;
  event.entry = names.entry;
  event.name = names.name;
  event.version = names.version;
  event.digest = names.digest;
  event.kind = record.fault_kind;
  const uint8_t* text = record_.data() + sizeof record;
  event.message = Utf8FromUtf16({text, record.message_bytes});
  text += record.message_bytes;
  event.file = Utf8FromUtf16({text, record.file_bytes});
  text += record.file_bytes;
  event.backtrace.resize(record.backtrace_size);
  std::copy_n(text, record.backtrace_size * sizeof(uint32_t), reinterpret_cast<uint8_t*>(event.backtrace.data()));
  event.line = record.line;
  event.column = record.column;
  event.call = record.call;
  if (record.flow_known != 0) {
    event.flow = record.flow;
    event.action = names.on_fault == nf::OnFault::kBypass      ? FaultAction::kBypass
                   : names.on_fault == nf::OnFault::kCloseFlow ? FaultAction::kCloseFlow
                                                               : FaultAction::kDrop;
  }
  event.sequence = record.sequence;
  event.packets_dropped = record.is_dropped;
  event.faults_in_minute = record.faults_in_minute;
  event.now_ns = record.now_ns;
  return event;
}

std::vector<Event> EventLog::Read(size_t limit) {
  std::lock_guard lock(reader_mutex_);
  std::vector<Event> events;
  while (events.size() < limit && ring_.Read(&record_)) events.push_back(Decode());
  return events;
}

Event EventLog::Decode() const {
  Kind kind;
  std::memcpy(&kind, record_.data(), sizeof kind);
  switch (kind) {
    case Kind::kFault:
      return DecodeFault();
    case Kind::kLog: {
      const auto record = Fixed<LogRecord>(record_);
      return LogEvent{.entry = names_[record.nf].front().entry,
                      .level = record.level,
                      .text = Utf8FromUtf16({record_.data() + sizeof record, record.text_bytes}),
                      .lost = record.lost,
                      .now_ns = record.now_ns};
    }
    case Kind::kQuarantine: {
      const auto record = Fixed<QuarantineRecord>(record_);
      return QuarantineEvent{.entry = names_[record.nf].front().entry,
                             .mode = names_[record.nf].at(record.generation).quarantine,
                             .faults = record.faults,
                             .now_ns = record.now_ns};
    }
    case Kind::kFlowEnded: {
      const auto record = Fixed<FlowRecord>(record_);
      FlowEndedEvent event{.flow = Snapshot(record.actor, record_.data() + sizeof record, chain_)};
      event.flow.close_reason = record.reason;
      return event;
    }
  }
  NF_CHECK(false, "a record of a known kind");
}

}  // namespace nf
