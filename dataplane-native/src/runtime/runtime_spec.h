// What a runtime is made from: the native twin of RuntimeSpec and its parts in host/src/dataplane/native_types.ts.
// Values were validated by the caller; Runtime::Create still refuses what would break an invariant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "chain/nf_spec.h"
#include "flow/idle_times.h"
#include "proto/replication.h"

struct rte_mempool;

namespace nf {

struct CaptureInput {
  std::string in;
  std::string out;  // Empty: no output file.
  std::vector<std::string> client_cidrs;
};
struct AfPacketInput {
  std::string client, server;  // Interface names.
};
// Ports that the caller made, which outlive the runtime: ring to ring, for benchmarks and tests.
struct FabricInput {
  class Port* client = nullptr;
  class Port* server = nullptr;  // May be the same.
  rte_mempool* pool = nullptr;   // Of the packets; frames that NFs emit come from it.
  // Time is that of the packets, the run ends with the port's end, and nothing is lost to haste, as from a capture
  // file.
  bool is_capture = false;
};

enum class NonIpPolicy : uint8_t { kForward, kDrop };

// New flows are placed by turns, or where there is least to do.
enum class Placement : uint8_t { kRoundRobin, kLeastLoaded };

// Each flow's state is at another runtime before what the flow causes leaves (docs/protocol.md, Replication).
struct ReplicationSpec {
  uint16_t replicas = 0;  // 0 or 1.
  proto::ReplicationMode mode = proto::ReplicationMode::kHold;
  proto::Unprotected unprotected = proto::Unprotected::kStrict;
};

// A tenant with one vswitch and several runtimes.
struct SwitchingSpec {
  uint16_t runtimes = 1;  // At the start; 1 to kRuntimesMax.
  uint16_t lcores = 1;
  Placement placement = Placement::kRoundRobin;
  uint32_t migrations = 1000;  // From a runtime, under way at once; at most 4000.
  ReplicationSpec replication;
};
inline constexpr uint16_t kRuntimesMax = 15;
inline constexpr uint16_t kLcoresMax = 16;

struct RuntimeSpec {
  std::variant<CaptureInput, AfPacketInput, FabricInput> input;
  NonIpPolicy non_ip = NonIpPolicy::kForward;
  uint32_t flows_max = 65536;
  IdleMs idle_ms;
  uint64_t seed = 0;
  std::vector<NfSpec> chain;
  uint32_t keep_ended_flows = 0;           // Events of ended flows that the ring keeps at once; 0: none are made.
  std::optional<SwitchingSpec> switching;  // For a Tenant; a Runtime has none.
};

}  // namespace nf
