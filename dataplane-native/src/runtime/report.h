// What a runtime tells about itself: the native twins of CountersSnapshot, RunReport, SwapReport, NativeFlow and
// NativeEvent in host/src/dataplane/native_types.ts. Plain values that control threads own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "flow/flow_phase.h"
#include "nf_abi.h"
#include "packet/flow_key.h"
#include "runtime/runtime_spec.h"

namespace nf {

struct NfCounters {
  std::string entry;
  std::string version;
  uint64_t faults = 0;
  bool quarantined = false;
  std::map<std::string, uint64_t> counters;  // All of the NF's own, by name.
};

struct CountersSnapshot {
  uint64_t now_ns = 0;
  uint64_t received = 0, received_bytes = 0;
  uint64_t sent = 0, sent_bytes = 0;
  uint64_t missed = 0;  // Packets that the ports lost by themselves: they were never received.
  uint64_t emitted = 0;
  uint64_t held = 0;
  std::map<std::string, uint64_t> dropped;  // By full name; only those above 0.
  uint32_t flows_open = 0;
  uint64_t flows_opened = 0, flows_ended = 0;
  uint64_t events_lost = 0;
  std::vector<NfCounters> nfs;
};

struct RunReport {
  CountersSnapshot counters;
  std::optional<Error> error;  // Why the run ended early.
};

struct SwapReport {
  uint64_t pause_ns = 0;  // From the burst boundary where the swap began to where the lcore went on.
  uint64_t burst_ns = 0;  // An ordinary poll just before.
  double prepare_ms = 0;  // Off the packet path.
  uint32_t flows = 0;
  uint64_t packets_dropped = 0;  // By the swap: between the boundary and the first burst of the new version.
};

struct FlowSnapshot {
  FlowKey key;           // As the initiator sends.
  uint64_t flow_id = 0;  // Stays with the flow when it moves.
  uint16_t runtime = 0;  // That has it; 0 in direct mode.
  uint64_t packets[2] = {};
  uint64_t bytes[2] = {};
  uint64_t start_ns = 0, last_seen_ns = 0;
  FlowPhase phase = FlowPhase::kNone;
  std::optional<abi::CloseReason> close_reason;
  std::vector<std::vector<uint8_t>> states;  // One per entry of the chain; empty where the NF has not opened the flow.
};

struct FlowsPage {
  std::vector<FlowSnapshot> flows;
  std::optional<uint32_t> next;
};

// Of sampled packets, by the buckets of DelayMeter.
struct DelayReport {
  std::vector<uint64_t> counts;
  uint64_t sum_ns = 0;
};

// A runtime of a tenant; number 0 is the vswitch.
struct RuntimeStatus {
  uint16_t runtime = 0;
  uint32_t lcore = 0;
  bool draining = false;
  uint32_t flows_open = 0;  // Of the vswitch: route entries in use.
  uint64_t received = 0, sent = 0, dropped = 0, held = 0;
  uint64_t received_bytes = 0, sent_bytes = 0;
  std::map<std::string, uint64_t> drops;  // The dropped by the host's reasons, and those of all NFs as `nf`.
  uint64_t moved_in = 0, moved_out = 0;
  uint32_t migrations = 0;           // Under way from here.
  uint64_t nf_asked = 0;             // How often NFs were asked where a flow should go.
  uint64_t nf_moves = 0;             // Moves that this began; some of them are under way, some of them failed.
  uint64_t nf_moves_failed = 0;      // Those, and answers that named no runtime that takes flows.
  uint64_t arrivals_refused = 0;     // Flows that came and that an NF here didn't take.
  uint64_t busy_ns = 0;              // Time of turns that had work.
  uint32_t queued = 0;               // Packets that wait in its input ring.
  uint64_t missed = 0;               // Of the vswitch: as in CountersSnapshot.
  uint64_t runtime_full = 0;         // Packets that the vswitch dropped since this one's queue was full; of it: in all.
  uint32_t replicas = 0;             // Of others' flows, kept here.
  uint32_t unprotected = 0;          // Flows here without a replica, or without all of it.
  uint32_t replication_lag = 0;      // Updates under way to replicas.
  uint64_t relayed = 0;              // Packets sent for others' flows; of the vswitch: copies that came second.
  uint64_t recovered = 0;            // Flows made of replicas here; of the vswitch: that it sent to them.
  uint64_t state_lost = 0;           // Flows that began anew since their state died with a runtime.
  uint64_t refused_messages = 0;     // Of other members, that could not be read.
  std::optional<DelayReport> delay;  // Of the vswitch.
};

// How a move or a drain ended.
struct OperationReport {
  uint32_t moved = 0;
  uint32_t failed = 0;
  std::string reason = "none";  // Of the last that failed (proto::RefusalName).
  bool drained = false;         // No flow is left in the source.
  bool undrained = false;       // A drain that Undrain ended.
  uint64_t duration_ns = 0;
};

enum class FaultAction : uint8_t { kDrop, kCloseFlow, kBypass, kNone };

struct FaultEvent {
  std::string entry, name, version, digest;
  abi::FaultKind kind = abi::FaultKind::kOther;
  std::string message, file;  // UTF-8; untrusted.
  uint32_t line = 0, column = 0;
  std::vector<uint32_t> backtrace;
  std::string call;
  std::optional<FlowKey> flow;
  uint32_t sequence = 0;  // Of the packet in that flow.
  FaultAction action = FaultAction::kNone;
  uint32_t packets_dropped = 0;
  uint32_t faults_in_minute = 0;
  uint64_t now_ns = 0;
};
struct LogEvent {
  std::string entry;
  abi::LogLevel level = abi::LogLevel::kInfo;
  std::string text;  // UTF-8; untrusted.
  uint32_t lost = 0;
  uint64_t now_ns = 0;
};
struct QuarantineEvent {
  std::string entry;
  QuarantineMode mode = QuarantineMode::kClosed;
  uint32_t faults = 0;
  uint64_t now_ns = 0;
};
struct FlowEndedEvent {
  FlowSnapshot flow;
};
using Event = std::variant<FaultEvent, LogEvent, QuarantineEvent, FlowEndedEvent>;

}  // namespace nf
