// What links of a member carried and refused. Written by its lcore; their place in the counter file is their number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/counter.h"

namespace nf::link {

enum class LinkCount : uint8_t {
  kSent,       // Frames of any kind.
  kReceived,   // Frames of any kind.
  kForwarded,  // From one runtime to another, by the vswitch.
  kUnsent,     // Packets that waited when their link was closed.
  // Frames that went nowhere:
  kMalformed,      // No frame of ours, or not to us.
  kUnsound,        // A packet in it that no member would have sent.
  kForged,         // Control frames that are not genuine.
  kReplayed,       // Genuine ones that had come before, or are too old to know.
  kWrongLife,      // Control frames of a life that isn't any more, or not yet.
  kUnknownMember,  // To a member that has no link.
  kForwardFull,    // Too many wait for that link.
  kNoRoom,         // No memory for it, no room in front of it, or too long.
  kCount
};
inline constexpr const char* kLinkCountNames[] = {"sent",       "received",       "forwarded",    "unsent",
                                                  "malformed",  "unsound",        "forged",       "replayed",
                                                  "wrong_life", "unknown_member", "forward_full", "no_room"};
static_assert(std::size(kLinkCountNames) == static_cast<size_t>(LinkCount::kCount));

class LinkCounters {
 public:
  void Add(LinkCount which, uint64_t amount = 1) { counts_[static_cast<size_t>(which)].Add(amount); }
  uint64_t value(LinkCount which) const { return counts_[static_cast<size_t>(which)].value(); }

 private:
  std::array<Counter, static_cast<size_t>(LinkCount::kCount)> counts_;
};

}  // namespace nf::link
