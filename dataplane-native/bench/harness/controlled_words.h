// The words of controlled moves (controlled_run.h), in the messages that the dataplane's own protocol has: records and
// frames are of the same sizes, and only who says what to whom differs.
#pragma once

#include <deque>

#include "proto/messages.h"
#include "runtime/member_mail.h"

namespace nf::controlled {

inline constexpr uint16_t kController = 0, kFirstNf = 1, kSwitch = 3;
inline constexpr uint16_t kNfs = 2;

using proto::MessageType;
inline constexpr MessageType kGet =
    MessageType::kOpen;  // To the source, OpenRecord: events from now on, and your state.
inline constexpr MessageType kChunk = MessageType::kState;        // The state, from the source or to the target.
inline constexpr MessageType kPutDone = MessageType::kInstalled;  // From the target.
inline constexpr MessageType kInstall =
    MessageType::kRoute;  // To the switch, RouteRecord: `target`, and a Rule in `handle`.
inline constexpr MessageType kInstallDone =
    MessageType::kDrainedAck;  // From the switch, value = last sequence to the source.
inline constexpr MessageType kReleased = MessageType::kCompleted;  // From the target.

enum Rule : uint32_t { kToBoth = 1, kToTarget = 2 };  // To the source and to the controller; to the target.

// Notes in order, until the channel takes them.
class Outbox {
 public:
  explicit Outbox(MemberMail* mail) : mail_(*mail) {}
  template <typename Record>
  void Say(uint16_t peer, MessageType type, const Record& record) {
    if (waiting_.empty() && mail_.Say(peer, type, record)) return;
    Waiting waiting{.peer = peer, .type = type, .bytes = sizeof record, .record = {}};
    static_assert(sizeof record <= sizeof waiting.record);
    std::memcpy(waiting.record, &record, sizeof record);
    waiting_.push_back(waiting);
  }
  void Retry() {
    while (!waiting_.empty()) {
      const Waiting& first = waiting_.front();
      if (!mail_.Say(first.peer, first.type, {first.record, first.bytes}, {})) return;
      waiting_.pop_front();
    }
  }

 private:
  struct Waiting {
    uint16_t peer;
    MessageType type;
    uint32_t bytes;
    uint8_t record[80];
  };
  MemberMail& mail_;
  std::deque<Waiting> waiting_;
};

}  // namespace nf::controlled
