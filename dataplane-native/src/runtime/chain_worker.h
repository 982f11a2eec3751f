// The lcore side of one chain, without what brings its packets: NFs, flows, events, the passing of time, commands. A
// runtime in direct mode (worker.h) and one behind a vswitch (member.h) are made from it.
// Made and destroyed by control threads; Turn and End belong to one lcore.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "chain/chain.h"
#include "flow/flows.h"
#include "runtime/command.h"
#include "runtime/command_ring.h"
#include "runtime/event_log.h"
#include "runtime/lcore_task.h"
#include "runtime/runtime_spec.h"
#include "runtime/spare_keeper.h"

namespace nf {

class ChainWorker : public LcoreTask {
 public:
  ~ChainWorker() override;

  // ---- The lcore.
  // One round over the packets and the commands. Packets taken.
  uint32_t Turn() final;
  int sleep_ms_max() const override;

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

  // ---- Control threads, in turns.
  CommandRing& commands() { return commands_; }
  // Between turns.
  TraceTap& trace() { return trace_; }
  // Carries a command out; for the lcore, or when it does not run.
  void Execute(Command& command);

 protected:
  struct Options {
    std::vector<NativeNf*> native;  // By position in the chain; benchmarks only.
    bool is_placed = false;         // Flows live where the protocol says.
    uint64_t number_base = 0;       // Of flows.
  };
  // Counts there, or in itself.
  explicit ChainWorker(PacketCounters* counters = nullptr)
      : own_counters_(counters == nullptr ? std::make_unique<PacketCounters>() : nullptr),
        counters_(counters == nullptr ? *own_counters_ : *counters) {}
  Expected<void> BuildChain(Engine& engine, const RuntimeSpec& spec, const Options& options);
  // The last step of building.
  void Connect(Port* client, Port* server, rte_mempool* pool, bool is_capture, const RuntimeSpec& spec);

  virtual uint32_t Round() = 0;
  // A command that is not of a chain; true when it is done.
  virtual bool Serve(Command&) { return true; }
  // Whether a listing shows this flow, which lives.
  virtual bool IsShown(uint32_t) const { return true; }

  // What a poll begins and ends with: time passes; calls run, output leaves, counts become visible.
  void BeginPoll(uint64_t now_ns);
  void EndPoll(bool had_packets);
  void CloseDue(uint32_t flow);
  // Flows end.
  void EndFlows();

  bool commands_waiting() const { return commands_.Front() != nullptr; }

  std::unique_ptr<Chain> chain_;
  std::unique_ptr<Flows> flows_;
  std::unique_ptr<PollOutput> output_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<PacketCounters> own_counters_;
  PacketCounters& counters_;
  uint64_t now_ns_ = 0;
  std::span<const Flows::Due> timers_fired_;  // In this poll.
  bool is_capture_ = false;

 private:
  void ServeCommands();
  void WhileWaiting();
  void CopyFlows(Command& command);
  void FindFlows(Command& command);
  void Flip(Command& command);
  void FinishSwap(Command& command);
  void Publish();
  uint64_t DropsThatASwapCouldCause() const;

  std::unique_ptr<SpareKeeper> keeper_;
  uint64_t last_tick_ns_ = 0;  // Of the NFs' tick.
  bool is_started_ = false;
  uint32_t polls_ = 0;
  bool is_busy_ = false;         // The last turn took packets.
  uint64_t poll_begin_tsc_ = 0;  // Of the poll that goes on.
  uint64_t poll_tsc_ = 0;        // Time that the last poll with packets took.

  CommandRing commands_;
  TraceTap trace_;
  Command* swap_in_progress_ = nullptr;  // Flipped; completed after the first poll of the new version.
  Counter now_shown_, open_shown_, opened_shown_;
};

}  // namespace nf
