// What an NF may answer for a packet: docs/packet_path.md, section 6, result check. Pure.
#pragma once

#include <cstring>

#include "chain/chain_nf.h"
#include "nf_abi.h"

namespace nf {

enum class PacketRole : uint8_t {
  kPacket,
  kReply,    // A packet that has turned.
  kEmitted,  // A frame that an NF made.
};

// The usual answers as 16 bytes: FORWARD and nothing else, and FORWARD with MODIFIED_HEADER.
inline bool IsPlainForward(const abi::Result& result) {
  uint64_t words[2];
  std::memcpy(words, &result, sizeof words);
  return words[0] == static_cast<uint64_t>(abi::Verdict::kForward) && words[1] == 0;
}

// Reads a result from guest memory, once.
inline abi::Result ReadResult(const abi::Result* guest) {
  uint64_t words[2];
  const auto* from = reinterpret_cast<const volatile uint64_t*>(guest);
  words[0] = from[0];
  words[1] = from[1];
  abi::Result result;
  std::memcpy(&result, words, sizeof result);
  return result;
}

// Everything about a result that can be judged without the packet's bytes.
inline bool IsAllowed(const abi::Result& result, const ChainNf::Rights& rights, PacketRole role) {
  const auto verdict = static_cast<abi::Verdict>(result.verdict);
  if (verdict == abi::Verdict::kDrop) {
    if (result.drop_reason != 0 && result.drop_reason < 128) return false;
  } else {
    if (result.drop_reason != 0) return false;
    if (verdict == abi::Verdict::kReply) {
      if (!rights.reply || role != PacketRole::kPacket) return false;
    } else if (verdict != abi::Verdict::kForward) {
      return false;
    }
  }
  if ((result.flags & ~abi::kResultFlagAll) != 0) return false;
  if ((result.flags & abi::kResultFlagModifiedHeader) != 0 && !rights.edit_header) return false;
  if ((result.flags & abi::kResultFlagModifiedPayload) != 0 && !rights.edit_payload) return false;
  if ((result.flags & abi::kResultFlagReshaped) != 0) {
    if (!rights.reshape) return false;
  } else if (result.header_length != 0 || result.payload_length != 0) {
    return false;
  }
  return result.out_port == 0 && result.reserved_14[0] == 0 && result.reserved_14[1] == 0;
}

}  // namespace nf
