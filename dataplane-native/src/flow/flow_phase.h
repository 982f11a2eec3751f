// Where a flow is in its life, as far as the host cares: docs/packet_path.md, section 4.
#pragma once

#include <cstdint>

namespace nf {

enum class FlowPhase : uint8_t {
  kNone,     // Not TCP.
  kOpening,  // TCP, nothing came back yet.
  kOpen,
  kClosing,
  kRefused,  // An NF refused it; remembered for a while.
};

inline const char* FlowPhaseName(FlowPhase phase) {
  switch (phase) {
    case FlowPhase::kNone:
      return "none";
    case FlowPhase::kOpening:
      return "opening";
    case FlowPhase::kOpen:
      return "open";
    case FlowPhase::kClosing:
      return "closing";
    case FlowPhase::kRefused:
      return "refused";
  }
  return "unknown";
}

}  // namespace nf
