// A runtime's lcore side without its thread: ports, chain, flows, and what a turn does with them
// (docs/packet_path.md, section 1). Made and destroyed by control threads; Turn and End belong to one lcore. Benchmarks
// drive it directly.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "chain/chain.h"
#include "flow/flows.h"
#include "flow/fragment_table.h"
#include "runtime/command.h"
#include "runtime/command_ring.h"
#include "runtime/event_log.h"
#include "runtime/inputs.h"
#include "runtime/packet_path.h"
#include "runtime/runtime_spec.h"
#include "runtime/spare_keeper.h"

namespace nf {

class Worker {
 public:
  struct Options {
    std::vector<NativeNf*> native;  // By position in the chain; benchmarks only.
  };
  static Expected<std::unique_ptr<Worker>> Create(Engine& engine, const RuntimeSpec& spec, const Options& options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // ---- The lcore.
  // One round over the ports and the commands. Packets taken.
  uint32_t Turn();
  // No packet will come any more.
  bool at_end() const;
  // Takes what the ports hold by now.
  void Drain();
  // The end of the run: held fragments drop, flows close.
  void End();
  std::span<const int> wait_fds() const { return wait_fds_; }

  // ---- Any thread.
  Chain& chain() { return *chain_; }
  const Chain& chain() const { return *chain_; }
  const Flows& flows() const { return *flows_; }
  const PacketCounters& counters() const { return counters_; }
  EventLog& events() { return *events_; }
  const EventLog& events() const { return *events_; }
  uint64_t now_ns() const { return now_shown_.value(); }
  uint32_t flows_open() const { return static_cast<uint32_t>(open_shown_.value()); }
  uint64_t flows_opened() const { return opened_shown_.value(); }
  // Packets that the ports dropped by themselves.
  uint64_t missed() const { return missed_.value(); }
  const std::optional<Error>& failure() const { return failure_; }  // After the end.

  // ---- Control threads, in turns.
  CommandRing& commands() { return commands_; }
  // Carries a command out; for the lcore, or when it does not run.
  void Execute(Command& command);

 private:
  explicit Worker(const RuntimeSpec& spec);
  Expected<void> Build(Engine& engine, const RuntimeSpec& spec, const Options& options);

  uint32_t TurnLive();
  uint32_t TurnCapture();
  void Poll(rte_mbuf** packets, uint32_t count, uint64_t now_ns);
  void PassTime();
  void Publish();
  void ServeCommands();
  void WhileWaiting();
  void CopyFlows(Command& command);
  void Flip(Command& command);
  void FinishSwap(Command& command);
  uint64_t DropsThatASwapCouldCause() const;

  NonIpPolicy non_ip_;
  Inputs inputs_;
  std::unique_ptr<Chain> chain_;
  std::unique_ptr<Flows> flows_;
  std::optional<FragmentTable> fragments_;
  std::unique_ptr<PollOutput> output_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<PacketPath> path_;
  std::unique_ptr<SpareKeeper> keeper_;
  PacketCounters counters_;
  std::vector<int> wait_fds_;

  uint64_t now_ns_ = 0;
  uint64_t idle_tick_ = 0;     // When an empty poll was last run.
  uint64_t last_tick_ns_ = 0;  // Of the NFs' tick.
  bool is_started_ = false;
  uint32_t polls_ = 0;
  bool is_busy_ = false;   // The last turn took packets.
  uint64_t poll_tsc_ = 0;  // Time that the last poll with packets took.
  // From a capture: packets read ahead, which belong to the next poll.
  std::array<rte_mbuf*, abi::kBurstPackets> ahead_;
  uint32_t ahead_count_ = 0;

  CommandRing commands_;
  Command* swap_in_progress_ = nullptr;  // Flipped; completed after the first poll of the new version.
  Counter now_shown_, open_shown_, opened_shown_, missed_;
  std::optional<Error> failure_;
};

}  // namespace nf
