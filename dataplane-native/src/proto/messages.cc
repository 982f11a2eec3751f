#include "proto/messages.h"

namespace nf::proto {
namespace {

bool ZeroesAreZero(const Message& message) {
  for (uint32_t i = 0; i < message.count(); ++i) {
    if (message.type() == MessageType::kOpen) {
      const auto open = message.At<OpenRecord>(i);
      if ((open.zero | open.key.zero_0 | open.key.zero_1) != 0) return false;
    }
    if (message.type() == MessageType::kRoute && message.At<RouteRecord>(i).target.zero != 0) return false;
    if (message.type() == MessageType::kForget && message.At<MemberRef>(i).zero != 0) return false;
    if (message.type() == MessageType::kTarget) {
      const auto target = message.At<TargetRecord>(i);
      if ((target.zero | target.target.zero) != 0) return false;
    }
  }
  return true;
}

bool IsSound(const StateRecord& state) { return (state.zero[0] | state.zero[1] | state.zero[2]) == 0; }
bool IsSound(const FullRecord& full) { return (full.key.zero_0 | full.key.zero_1) == 0; }
bool IsSound(const DeltaRecord&) { return true; }
bool IsSound(const RelayRecord& relay) {
  const bool whole = relay.is_marker == 0 || relay.bytes == sizeof(Marker);
  return (relay.is_marker | relay.is_free) <= 1 && whole && (relay.header.flags & kRelayed) == 0;
}
bool IsSound(const ReportRecord& report) {
  if ((report.flags >> 2 | report.key.zero_0 | report.key.zero_1 | report.other.zero) != 0) return false;
  return report.role >= FlowRole::kOwner && report.role <= FlowRole::kReplica;
}

// Whether the message is exactly its records and what follows each of them.
template <typename Record>
bool IsWhole(Message message) {
  for (uint32_t i = 0; i < message.count(); ++i) {
    const auto next = message.Next<Record>();
    if (!next || !IsSound(next->record)) return false;
  }
  return message.empty();
}

}  // namespace

bool IsNote(MessageType type) {
  switch (type) {
    case MessageType::kOpen:
    case MessageType::kState:
    case MessageType::kRoute:
    case MessageType::kFull:
    case MessageType::kDelta:
    case MessageType::kRelay:
    case MessageType::kTarget:
    case MessageType::kForget:
    case MessageType::kReport:
      return false;
    default:
      return true;
  }
}

uint32_t RecordBytes(MessageType type) {
  switch (type) {
    case MessageType::kOpen:
      return sizeof(OpenRecord);
    case MessageType::kState:
      return sizeof(StateRecord);
    case MessageType::kRoute:
      return sizeof(RouteRecord);
    case MessageType::kFull:
      return sizeof(FullRecord);
    case MessageType::kDelta:
      return sizeof(DeltaRecord);
    case MessageType::kRelay:
      return sizeof(RelayRecord);
    case MessageType::kTarget:
      return sizeof(TargetRecord);
    case MessageType::kForget:
      return sizeof(MemberRef);
    case MessageType::kReport:
      return sizeof(ReportRecord);
    default:
      return sizeof(Note);
  }
}

std::optional<Message> DecodeMessage(std::span<const uint8_t> bytes) {
  Message message;
  if (bytes.size() < sizeof message.header_) return std::nullopt;
  std::memcpy(&message.header_, bytes.data(), sizeof message.header_);
  message.body_ = bytes.subspan(sizeof message.header_);
  const auto& [type, zero, count, body_bytes] = message.header_;
  if (type < MessageType::kOpen || type > kLastMessageType || zero != 0 || count == 0) return std::nullopt;
  if (body_bytes != message.body_.size()) return std::nullopt;
  bool whole;
  if (type == MessageType::kState)
    whole = IsWhole<StateRecord>(message);
  else if (type == MessageType::kFull)
    whole = IsWhole<FullRecord>(message);
  else if (type == MessageType::kDelta)
    whole = IsWhole<DeltaRecord>(message);
  else if (type == MessageType::kRelay)
    whole = IsWhole<RelayRecord>(message);
  else if (type == MessageType::kReport)
    whole = IsWhole<ReportRecord>(message);
  else
    whole = body_bytes == uint64_t{count} * RecordBytes(type) && ZeroesAreZero(message);
  return whole ? std::optional(message) : std::nullopt;
}

}  // namespace nf::proto
