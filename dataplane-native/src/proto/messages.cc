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
  }
  return true;
}

}  // namespace

uint32_t RecordBytes(MessageType type) {
  switch (type) {
    case MessageType::kOpen:
      return sizeof(OpenRecord);
    case MessageType::kState:
      return sizeof(StateRecord);
    case MessageType::kRoute:
      return sizeof(RouteRecord);
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
  if (type != MessageType::kState) {
    if (body_bytes != uint64_t{count} * RecordBytes(type) || !ZeroesAreZero(message)) return std::nullopt;
    return message;
  }
  Message walk = message;
  for (uint32_t i = 0; i < count; ++i) {
    const auto state = walk.NextState();
    if (!state || (state->record.zero[0] | state->record.zero[1] | state->record.zero[2]) != 0) return std::nullopt;
  }
  if (!walk.body_.empty()) return std::nullopt;
  return message;
}

}  // namespace nf::proto
