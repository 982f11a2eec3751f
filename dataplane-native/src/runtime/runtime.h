// A worker with one chain of NFs for one tenant, in direct mode: it classifies for itself. Fixed when it is made, and
// changed afterwards by live swap only. docs/packet_path.md says what it does to packets.
//
// Create, Start, Swap, Flows, Wait and the destructor belong to control threads and may block; RequestStop, counters
// and DrainEvents never do. All may be called from any control thread at any time, by several at once; the caller sees
// to it that nothing else is going on when it destroys the runtime. EAL must be up.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/report.h"
#include "runtime/runtime_spec.h"

namespace nf {

class Engine;

struct RuntimeOptions {
  int cpu = -1;             // CPU to pin the lcore to; -1: not pinned.
  bool check_books = true;  // At the end, received + emitted = sent + dropped + held or RunReport::error says internal.
};

class Runtime {
 public:
  // Opens the ports, makes instances and spares of the whole chain, tables and stores. Nothing is left over when it
  // fails. Errors: those of ports (capture.*, port.*), nf.start, nf.compile, state.too_large, eal.memory, runtime.spec.
  static Expected<std::unique_ptr<Runtime>> Create(Engine& engine, const RuntimeSpec& spec,
                                                   const RuntimeOptions& options = {});
  // Ends the run at once if it is still going on.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Starts the lcore's thread. Errors: runtime.busy when it was started before.
  Expected<void> Start();

  // Asks the lcore to end: with `drain` after what the ports hold by then, else at the next poll. Held fragments drop
  // as `shutdown`, open flows end. Without effect when it has ended.
  void RequestStop(bool drain);

  // Waits until the run has ended (a capture ends by itself). While the event ring is full a capture waits for
  // DrainEvents. May be called several times; the report is the same. A runtime that was not started has nothing to
  // wait for.
  RunReport Wait();
  bool ended() const;

  CountersSnapshot counters() const;

  // Puts a new version in the place of chain entry `entry`, at a burst boundary; all flow states stay. Blocks until the
  // lcore has taken it over (before Start and after the end: at once). Errors: swap.entry, swap.layout, swap.rights,
  // swap.exports, runtime.busy (another swap is going on), and those of instances.
  Expected<SwapReport> Swap(const std::string& entry, const NfSpec& nf);

  // Flows that live, from actor index `cursor` on, at most `limit` of them. The lcore copies them between polls, a
  // bounded piece at a time.
  Expected<FlowsPage> Flows(uint32_t cursor, uint32_t limit);

  // Events since the last call, in order, at most `limit`. From a capture nothing is lost: the lcore waits while the
  // ring is full. Live, the newest is dropped and counted. Works after the end of the run too.
  std::vector<Event> DrainEvents(size_t limit = 4096);

 private:
  struct Parts;
  explicit Runtime(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace nf
