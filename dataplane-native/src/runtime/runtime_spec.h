// What a runtime is made from: the native twin of RuntimeSpec and its parts in host/src/dataplane/native_types.ts.
// Values were validated by the caller; Runtime::Create still refuses what would break an invariant.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace nf {

enum class View : uint8_t { kHeaders, kPayload };
enum class Edit : uint8_t { kNone, kHeaders, kPayload };
enum class OnFault : uint8_t { kDrop, kCloseFlow, kBypass };
enum class QuarantineMode : uint8_t { kClosed, kOpen };

struct NfRights {
  View view = View::kHeaders;
  Edit edit = Edit::kNone;
  bool reshape = false;
  bool reply = false;
  uint32_t emits = 0;  // Per packet.
  bool lease = false;
};

struct NfSpec {
  std::string entry;
  std::string name;
  std::string version;
  std::string digest;           // Hex.
  std::vector<uint8_t> native;  // From Module::Compile, authenticated.
  std::vector<uint8_t> config;  // MessagePack.
  uint32_t state_bytes = 0;
  std::string state_digest;
  NfRights rights;
  uint32_t heap_pages = 1;
  OnFault on_fault = OnFault::kCloseFlow;
  QuarantineMode quarantine = QuarantineMode::kClosed;
  uint32_t lease_size = 0;
  std::map<uint8_t, std::string> drop_reasons;  // 128 to 255.
  std::vector<std::string> counters;
  std::vector<std::string> exports;  // Optional ones that the module has.
};

struct IdleMs {
  uint32_t tcp = 300000, tcp_opening = 30000, tcp_closing = 10000, udp = 30000, icmp = 5000, other = 30000;
};

struct CaptureInput {
  std::string in;
  std::string out;  // Empty: no output file.
  std::vector<std::string> client_cidrs;
};
struct AfPacketInput {
  std::string client, server;  // Interface names.
};
// Ring to ring, for benchmarks: packets come from and go to fabric ports that the caller made.
struct FabricInput {
  class Port* client = nullptr;
  class Port* server = nullptr;
};

enum class NonIpPolicy : uint8_t { kForward, kDrop };

struct RuntimeSpec {
  std::variant<CaptureInput, AfPacketInput, FabricInput> input;
  NonIpPolicy non_ip = NonIpPolicy::kForward;
  uint32_t flows_max = 65536;
  IdleMs idle_ms;
  uint64_t seed = 0;
  std::vector<NfSpec> chain;
  uint32_t keep_ended_flows = 0;  // Events of ended flows that the ring keeps at once; 0: none are made.
};

}  // namespace nf
