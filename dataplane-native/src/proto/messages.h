// What members say to each other over the reliable channel. A message is a header and one or more records of one type,
// so that many flows share it. Integers are little-endian, as every machine this runs on has them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

#include "packet/flow_key.h"
#include "proto/ids.h"
#include "proto/stamp.h"

namespace nf::proto {
static_assert(std::endian::native == std::endian::little);

// S, T: the runtimes that a flow moves from and to. V: the vswitch.
enum class MessageType : uint8_t {
  kOpen = 1,      // S to T, OpenRecord: make room for this flow.
  kState,         // S to T, StateRecord and bytes: this is its state.
  kRoute,         // S to V, RouteRecord: T is ready, switch.
  kOpened,        // T to S, value = handle.
  kRefused,       // T to S, value = Refusal: of an open or a state.
  kInstalled,     // T to S, value = kIsBare or 0: the flow lives here; free yours.
  kRouteRefused,  // V to S, value = Refusal.
  kDrainedAck,    // V to S.
  kAbandon,       // S to T: this attempt is over, V has never switched.
  kCancel,        // S to V: this attempt must end, one way or the other.
  kCancelled,     // V to S: it is cancelled for good, you own the flow. V to T: forget it.
  kCompleted,     // V to S, value likewise: it had succeeded; free yours.
  kWithdraw,      // V to T: give it up, unless it is installed.
  kWithdrawn,     // T to V, value = kHasIt, if it is installed, and kIsBare; or 0: it is given up.
  kAsk,           // T to V: nothing has come for this attempt, may I forget it?
  kFlowOpened,    // Owner to V, value = handle: told by message since no output told it.
  kDraining,      // Runtime to V, value = 1: place no new flows here; 0: do again.
  // O, R: an owner and the runtime that has its replica. O to R, in order:
  kFull,         // FullRecord and bytes: all of a flow's state.
  kDelta,        // DeltaRecord and bytes: what has changed since the update before.
  kReplicaOver,  // Of this entry up to this epoch no replica is needed any more.
  kBucketOver,   // value = bucket: of none of its flows.
  kStored,       // R to O, value = updates that R has had, but for those refused before this.
  kUnstored,     // R to O, value = Refusal, attempt = its number: an update isn't stored; kBusy: send all of the flow.
  kTarget,       // O to V, TargetRecord: there are the replicas of a bucket. V to O: I know.
  kPull,         // T to R, value = handle: S is dead, give me its replica. Answered as by S.
  kForget,       // V to R, MemberRef: all flows of this dead owner have been found. R to V: I have replicas of it.
  // A new V asks nothing: whoever knew another V tells it all it has.
  kReport,    // Runtime to V, ReportRecord and bytes: what I am to a flow.
  kOver,      // Runtime to V: up to this epoch the entry's flow is over here.
  kReported,  // Runtime to V: that was all.
  kServing,   // V to runtime: I have heard everybody.
  // Where replicas relay output:
  kRelay,      // O to R, RelayRecord and bytes: if you have stored the flow's last update, send this. Counted.
  kPathEnded,  // V to O, entry = bucket, epoch = number of the end: nothing more of it comes on the way it went.
};
inline constexpr MessageType kLastMessageType = MessageType::kPathEnded;

enum class Refusal : uint32_t {
  kNo = 0,
  kChain,      // The target runs another chain.
  kLayout,     // A flow state there is laid out otherwise.
  kRoom,       // No actor is free.
  kBusy,       // The flow is moving, closing, or still draining from its last move.
  kDraining,   // The target is being emptied itself.
  kNoMember,   // No such runtime, it is dead, or it is the source.
  kNoFlow,     // No such flow there.
  kCancelled,  // The attempt was given up before.
  kTimeout,
  kNf,  // An NF there does not take it.
};
inline const char* RefusalName(Refusal refusal) {
  constexpr const char* kNames[] = {"none",      "chain",   "layout",    "room",    "busy", "draining",
                                    "no_member", "no_flow", "cancelled", "timeout", "nf"};
  const auto index = static_cast<size_t>(refusal);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

// Values of kInstalled, kWithdrawn and kCompleted: bits.
inline constexpr uint32_t kHasIt = 1;   // Of kWithdrawn.
inline constexpr uint32_t kIsBare = 2;  // There was no room for a replica.

struct MessageHeader {
  MessageType type;
  uint8_t zero;
  uint16_t count;  // Records, at least one.
  uint32_t bytes;  // Behind this header.
};
static_assert(sizeof(MessageHeader) == 8 && std::has_unique_object_representations_v<MessageHeader>);

struct Note {
  MigrationId id;
  uint32_t value = 0;
};
static_assert(sizeof(Note) == 16 && std::has_unique_object_representations_v<Note>);

// What two runtimes must have in common for a flow to move between them.
struct Digests {
  uint64_t chain = 0;
  uint64_t layout = 0;
  bool operator==(const Digests&) const = default;
};

struct OpenRecord {
  MigrationId id;
  uint32_t zero;
  Digests digests;
  FlowKey key;
};
static_assert(sizeof(OpenRecord) == 80 && std::has_unique_object_representations_v<OpenRecord>);

struct RouteRecord {
  MigrationId id;
  uint32_t handle;  // Of the target's actor.
  MemberRef target;
};
static_assert(sizeof(RouteRecord) == 24 && std::has_unique_object_representations_v<RouteRecord>);

// Followed by `bytes` bytes: what WriteFull of the owner wrote. Begins a replica, or replaces what is there.
struct FullRecord {
  uint32_t entry;
  uint32_t epoch;
  uint32_t number;  // Of the update; each is one more than that before.
  uint32_t bytes;
  uint64_t layout;
  FlowKey key;
};
static_assert(sizeof(FullRecord) == 72 && std::has_unique_object_representations_v<FullRecord>);

// Followed by `bytes` bytes: what WriteDelta of the owner wrote. Made for the wire: most updates are of this kind.
struct DeltaRecord {
  uint32_t flow;    // Entry (24 bits) under the last 8 bits of its epoch.
  uint16_t number;  // The last 16 bits.
  uint16_t bytes;
};
static_assert(sizeof(DeltaRecord) == 8);
inline constexpr uint32_t kReplicatedEntriesMax = 1u << 24;
inline uint32_t DeltaFlow(uint32_t entry, uint32_t epoch) { return entry | epoch << 24; }

// Followed by `bytes` bytes: a frame as the owner's host wrote it, or a Marker.
struct RelayRecord {
  PacketHeader header;
  uint32_t vswitch;  // The life of V that this is for.
  uint16_t bytes;
  uint8_t is_marker;
  uint8_t is_free;  // The flow is safe, over, or has no replica. Else its last update must have been stored.
};
static_assert(sizeof(RelayRecord) == 28 && std::has_unique_object_representations_v<RelayRecord>);

enum class FlowRole : uint8_t {
  kOwner = 1,
  kFinal,     // Owner until V switched; waits for the target to have the state.
  kAwaiting,  // Target without a state.
  kReplica,
};

// Flags of an owner's report.
inline constexpr uint8_t kIsClosing = 1;
inline constexpr uint8_t kIsSafe = 2;  // It came by a move; what it causes may leave, and may have left.

// Followed by `bytes` bytes: what its host keeps of the flow for the vswitch (RuntimeHost::WriteReport). 0: it doesn't
// know, as of who awaits a state.
struct ReportRecord {
  uint32_t entry;
  uint32_t epoch;  // Of the owner; of the source's, if the flow is to come.
  uint32_t handle;
  uint32_t sequence;  // The last that has come. kReplica: number of the last update.
  uint32_t attempt;
  uint32_t new_epoch;        // kFinal: of the target.
  uint32_t switch_sequence;  // kFinal.
  FlowRole role;
  uint8_t flags;
  uint16_t bytes;
  MemberRef other;  // kFinal: the target. kReplica: the owner.
  FlowKey key;
};
static_assert(sizeof(ReportRecord) == 88 && std::has_unique_object_representations_v<ReportRecord>);

inline constexpr uint32_t kReportBytesMax = 256;

struct TargetRecord {
  uint16_t bucket;
  uint16_t version;  // Counts what was said of the bucket.
  uint32_t zero;
  MemberRef target;  // Incarnation 0: there is no replica.
};
static_assert(sizeof(TargetRecord) == 16 && std::has_unique_object_representations_v<TargetRecord>);

// Followed by `bytes` bytes: the slots of all NFs, timers, leases, aliases, as the chain wrote them.
struct StateRecord {
  MigrationId id;
  uint32_t handle;
  uint32_t new_epoch;
  uint32_t last_sequence;
  uint32_t bytes;
  uint8_t last_part;
  uint8_t zero[3];
  uint64_t layout;
};
static_assert(sizeof(StateRecord) == 40 && std::has_unique_object_representations_v<StateRecord>);

// A message whose every length has been checked. Views the bytes it was decoded from.
class Message {
 public:
  MessageType type() const { return header_.type; }
  uint32_t count() const { return header_.count; }
  bool empty() const { return body_.empty(); }
  // Record i of a message with records of one size.
  template <typename Record>
  Record At(uint32_t i) const {
    Record record;
    std::memcpy(&record, body_.data() + i * sizeof record, sizeof record);
    return record;
  }
  // Takes the next record off the front, and the bytes that follow it; nothing when there is none left.
  template <typename Record>
  struct Tailed {
    Record record;
    std::span<const uint8_t> bytes;
  };
  template <typename Record>
  std::optional<Tailed<Record>> Next();

 private:
  friend std::optional<Message> DecodeMessage(std::span<const uint8_t>);
  MessageHeader header_{};
  std::span<const uint8_t> body_;
};

template <typename Record>
std::optional<Message::Tailed<Record>> Message::Next() {
  Tailed<Record> next;
  if (body_.size() < sizeof next.record) return std::nullopt;
  std::memcpy(&next.record, body_.data(), sizeof next.record);
  body_ = body_.subspan(sizeof next.record);
  if (next.record.bytes > body_.size()) return std::nullopt;
  next.bytes = body_.first(next.record.bytes);
  body_ = body_.subspan(next.record.bytes);
  return next;
}

// Nothing unless type, count and all lengths are right and what must be zero is zero.
std::optional<Message> DecodeMessage(std::span<const uint8_t> bytes);

// Whether the records are Notes.
bool IsNote(MessageType type);

// Bytes of a record of this type, without what follows it.
uint32_t RecordBytes(MessageType type);

}  // namespace nf::proto
