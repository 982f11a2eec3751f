// Events of a runtime on their way out: the lcore writes them into a ring as they happen, control threads read them as
// values.
//
// Live, an event for which there is no room is lost and counted. From a capture nothing is lost: the lcore waits for a
// reader. Then Abandon ends the waiting for good.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/counter.h"
#include "chain/chain.h"
#include "chain/event_sink.h"
#include "flow/flows.h"
#include "runtime/event_ring.h"
#include "runtime/report.h"

namespace nf {

class EventLog : public EventSink {
 public:
  struct Options {
    Chain* chain;
    Flows* flows;
    uint32_t keep_ended_flows;  // 0: no events of them.
    bool waits;                 // For a reader, when the ring is full.
  };
  explicit EventLog(const Options& options);

  // ---- The lcore.
  void OnFault(const FaultNotice& notice) override;
  void OnLog(const LogNotice& notice) override;
  void OnQuarantine(uint32_t nf, uint32_t faults, uint64_t now_ns) override;
  void OnFlowEnded(uint32_t flow, abi::CloseReason reason) override;
  // A new version of NF `nf` runs from here on.
  void OnFlip(uint32_t nf) { ++generations_[nf]; }

  // ---- Control threads.
  // What the NF of that position is called from its next generation on; before the lcore gets to it.
  void AddNames(uint32_t nf, const NfSpec& spec);
  std::vector<Event> Read(size_t limit);
  // From now on nobody reads: what has no room is lost.
  void Abandon() { abandoned_.store(true, std::memory_order_release); }
  uint64_t lost() const { return lost_.value(); }

  // The flow as it is now; for the lcore, or when it has ended.
  static FlowSnapshot Snapshot(const FlowActor& actor, const uint8_t* states, const Chain& chain);
  // Bytes of all its slots one after the other, as Snapshot wants them.
  static size_t StatesBytes(const Chain& chain);

 private:
  struct Names {
    std::string entry, name, version, digest;
    nf::OnFault on_fault;  // Not the function of this name.
    QuarantineMode quarantine;
  };
  void Write(std::span<const std::span<const uint8_t>> parts);
  Event Decode() const;
  FaultEvent DecodeFault() const;

  Chain& chain_;
  Flows& flows_;
  bool wants_flows_;
  bool waits_;
  EventRing ring_;
  Counter lost_;
  std::atomic<bool> abandoned_{false};
  std::vector<uint32_t> generations_;  // By NF; the lcore's.
  std::mutex reader_mutex_;
  std::vector<std::vector<Names>> names_;  // By NF, by generation.
  std::vector<uint8_t> record_;
};

}  // namespace nf
