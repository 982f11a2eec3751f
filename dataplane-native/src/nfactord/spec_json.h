// A runtime's specification from a JSON file: RuntimeSpec of host/src/dataplane/native_types.ts, except that `native`
// and `config` of an NF are names of files, and that what has a default there may be left out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "link/control_codec.h"
#include "link/link_port.h"
#include "port/eal.h"
#include "runtime/runtime_spec.h"

namespace nf {

struct RunSpec {
  EalOptions eal;
  RuntimeSpec runtime;
};

// `path` "-" is standard input. Errors: runtime.spec, which names the field or the file.
Expected<RunSpec> ReadRunSpec(const std::string& path);

// A member of a tenant as a process; README.md says what the fields are.
struct MemberSpec {
  RunSpec run;  // With switching.
  link::Identity identity;
  uint8_t term = 1;
  std::string control, counters;  // Paths.
  int cpu = -1;
  uint32_t frame_bytes = kFrameBytesMax;
  uint32_t suspect_ms = 200;
  uint32_t report_ms = 5000;
  bool committed = false;
  // Of a vswitch after another one: runtimes that the other one may have had. Of a runtime: the others.
  struct Other {
    uint16_t member;
    uint32_t incarnation;
    uint32_t frame_bytes;  // That the way there has room for; 0: for all.
  };
  std::vector<Other> members;
  // A runtime's.
  uint32_t homes = 0;  // Bits by member; 0: any.
  uint32_t vswitch_incarnation = 0;
  link::LinkSpec vswitch_link;
};
enum class MemberKind { kVswitch, kRuntime };
Expected<MemberSpec> ReadMemberSpec(const std::string& path, MemberKind kind);

// Parts of commands. Errors: runtime.spec.
Expected<uint32_t> ReadFrameBytes(const nlohmann::json& from);  // 0: not said.
Expected<uint32_t> ReadHomes(const nlohmann::json& members);    // Bits by member.
Expected<NfSpec> ReadNf(const nlohmann::json& from);
Expected<link::LinkSpec> ReadLink(const nlohmann::json& from);

}  // namespace nf
