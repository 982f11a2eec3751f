// What one entry of a chain is made from: the native twin of NfSpec in host/src/dataplane/native_types.ts. Values were
// validated by the caller.
#pragma once

#include <cstdint>
#include <map>
#include <string>
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
  std::string mark;             // The supervisor's word for all that this is; said back and nothing else.
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

}  // namespace nf
