// The safeguards of the protocols, each with a name. In the product all of them are compile-time true and cost nothing.
// The simulator is built with NF_REMOVABLE: it takes one away at a time and must then find what it was for
// (docs/simulator.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nf::proto {

// X(enumerator, name on the command line)
#define NF_PROTECTIONS(X)                                    \
  X(kGateEpoch, "gate_epoch")                                \
  X(kGateWindow, "gate_window")                              \
  X(kGateFence, "gate_fence")                                \
  X(kGateOrder, "gate_order")                                \
  X(kDrainedMarker, "drained_marker")                        \
  X(kSwitchMarker, "switch_marker")                          \
  X(kActorEpoch, "actor_epoch")                              \
  X(kSequenceCheck, "sequence_check")                        \
  X(kEpochFloor, "epoch_floor")                              \
  X(kHandleGeneration, "handle_generation")                  \
  X(kTargetBuffer, "target_buffer")                          \
  X(kKeepUntilInstalled, "keep_until_installed")             \
  X(kCancelRecord, "cancel_record")                          \
  X(kAskBeforeDelete, "ask_before_delete")                   \
  X(kWithdrawBeforeReturn, "withdraw_before_return")         \
  X(kBusyWhileDraining, "busy_while_draining")               \
  X(kRouteOwner, "route_owner")                              \
  X(kCloseAgreement, "close_agreement")                      \
  X(kLayoutDigest, "layout_digest")                          \
  X(kRequestRetry, "request_retry")                          \
  X(kIdleProbe, "idle_probe")                                \
  X(kChannelSequence, "channel_sequence")                    \
  X(kChannelRetransmit, "channel_retransmit")                \
  X(kChannelIncarnation, "channel_incarnation")              \
  X(kChannelChecksum, "channel_checksum")                    \
  X(kLeaseQuarantine, "lease_quarantine")                    \
  X(kAliasBeforeRelease, "alias_before_release")             \
  X(kAliasRepeat, "alias_repeat")                            \
  X(kRebuildLeases, "rebuild_leases")                        \
  X(kRebuildAliases, "rebuild_aliases")                      \
  X(kUnknownTarget, "unknown_target")                        \
  X(kClosingIsOver, "closing_is_over")                       \
  X(kOutputCommit, "output_commit")                          \
  X(kBehindOutput, "behind_output")                          \
  X(kRefusedUpdate, "refused_update")                        \
  X(kReplicaEpoch, "replica_epoch")                          \
  X(kCopyStored, "copy_stored")                              \
  X(kBothPlaces, "both_places")                              \
  X(kTargetAck, "target_ack")                                \
  X(kReplicateBeforeInstalled, "replicate_before_installed") \
  X(kPullReplica, "pull_replica")                            \
  X(kSecondReplica, "second_replica")                        \
  X(kVswitchLease, "vswitch_lease")                          \
  X(kRelayStored, "relay_stored")                            \
  X(kRelayWords, "relay_words")                              \
  X(kRelayCopy, "relay_copy")                                \
  X(kRelayOnce, "relay_once")                                \
  X(kPathEnd, "path_end")                                    \
  X(kGivenUpHome, "given_up_home")

enum class Protection : uint8_t {
#define X(enumerator, name) enumerator,
  NF_PROTECTIONS(X)
#undef X
      kCount
};

inline constexpr std::array<std::string_view, static_cast<size_t>(Protection::kCount)> kProtectionNames{
#define X(enumerator, name) name,
    NF_PROTECTIONS(X)
#undef X
};

#ifdef NF_REMOVABLE
inline std::array<bool, static_cast<size_t>(Protection::kCount)> removed_protections{};
inline bool InForce(Protection protection) { return !removed_protections[static_cast<size_t>(protection)]; }
#else
consteval bool InForce(Protection) { return true; }
#endif

}  // namespace nf::proto
