// Where the lcore tells what happened. Called seldom; an implementation must not block a live lcore.
#pragma once

#include <cstdint>
#include <span>

#include "nf_abi.h"
#include "wasm/instance.h"

namespace nf {

struct FaultNotice {
  uint32_t nf;             // Position in the chain.
  const FaultInfo* fault;  // Of a trap; null for bad_result.
  uint32_t flow;           // kNoFlow when no packet is to blame.
  uint32_t sequence;       // Of the packet in its flow.
  bool is_dropped;         // The packet is; its flow's fate follows from the NF's policy.
  uint32_t faults_in_minute;
  uint64_t now_ns;
};

struct LogNotice {
  uint32_t nf;
  abi::LogLevel level;
  std::span<const uint8_t> text;  // UTF-16LE, untrusted.
  uint32_t lost;
  uint64_t now_ns;
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnFault(const FaultNotice& notice) = 0;
  virtual void OnLog(const LogNotice& notice) = 0;
  virtual void OnQuarantine(uint32_t nf, uint32_t faults, uint64_t now_ns) = 0;
  // The flow's actor and slots are still as they were.
  virtual void OnFlowEnded(uint32_t flow, abi::CloseReason reason) = 0;
};

}  // namespace nf
