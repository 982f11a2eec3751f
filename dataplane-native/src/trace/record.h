// What is known of a traced packet at one hop. In the ring the frame's bytes follow, and the next record begins at a
// multiple of 8.
#pragma once

#include <cstdint>

namespace nf {

// In the order in which a packet meets them; the names are those of host/src/trace.
enum class TraceHop : uint8_t {
  kPad,      // The ring goes on at its beginning.
  kIn,       // It came in by an external port.
  kRouted,   // The vswitch has stamped it for a runtime.
  kTaken,    // The runtime has it.
  kWaits,    // For something that `wait` names.
  kNfIn,     // An NF is about to see it.
  kNf,       // The NF has answered.
  kEmitted,  // An NF has made this frame; `cause` is the packet that it answered then.
  kStamped,  // It leaves the runtime.
  kRelayed,  // A replica sends it: in the owner, and in the replica.
  kGate,     // It is back at the vswitch.
  kOut,      // It is given to an external port.
  kDropped,  // By the host, for `reason`.
};
inline constexpr const char* kTraceHopNames[] = {"pad",     "in",      "routed",  "taken", "waits", "nf_in",  "nf",
                                                 "emitted", "stamped", "relayed", "gate",  "out",   "dropped"};

enum class TraceWait : uint8_t {
  kNone,
  kFragment,  // Its first fragment.
  kMove,      // Its flow is on its way.
  kReplica,   // A replica has not got the state yet.
  kGate,      // The flow's owner changes.
};
inline constexpr const char* kTraceWaitNames[] = {"none", "fragment", "move", "replica", "gate"};

inline constexpr uint8_t kTraceNoNf = 0xff;

struct TraceRecord {
  static constexpr uint8_t kNewFlow = 1;     // kIn: nobody knew its flow.
  static constexpr uint8_t kChanged = 2;     // kNf: other bytes than before.
  static constexpr uint8_t kSkipped = 4;     // kNf: it went by, since the NF is quarantined or has faulted on the flow.
  static constexpr uint8_t kReply = 8;       // It has turned.
  static constexpr uint8_t kAnother = 16;    // A frame that an NF made.
  static constexpr uint8_t kBackwards = 32;  // Towards the initiator.

  uint32_t bytes;  // To the next record.
  TraceHop hop;
  uint8_t verdict;  // kNf: abi::Verdict.
  uint8_t nf;       // Place in the chain, or kTraceNoNf.
  uint8_t reason;   // kDropped: abi::DropReason. kNf with DROP: the NF's own, or 0.
  uint64_t at_ns;   // CLOCK_MONOTONIC.
  uint16_t number;  // Of the packet in this member, from 1; they come again after 65535.
  uint16_t cause;
  uint8_t flags;
  uint8_t port;
  uint16_t runtime;  // kRouted.
  // The stamp: kRouted, kTaken; on the way out kStamped, kRelayed, kGate.
  uint32_t entry, epoch, sequence;
  uint8_t part;
  TraceWait wait;
  uint16_t captured;  // Bytes of the frame that follow.
  uint32_t wire_length;
};
static_assert(sizeof(TraceRecord) == 48);

}  // namespace nf
