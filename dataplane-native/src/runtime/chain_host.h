// What hosts a chain: a runtime by itself (direct mode, runtime.h) or a tenant's vswitch with several runtimes
// (tenant.h).
//
// Start, Swap, Flows, Wait and destructors belong to control threads and may block; RequestStop, counters and
// DrainEvents never do. All may be called from any control thread at any time, by several at once; the caller sees to
// it that nothing else is going on when it destroys the host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/report.h"
#include "runtime/runtime_spec.h"

namespace nf {

class ChainHost {
 public:
  // Ends the run at once if it is still going on.
  virtual ~ChainHost() = default;
  ChainHost(const ChainHost&) = delete;
  ChainHost& operator=(const ChainHost&) = delete;

  // Starts the lcores' threads. Errors: runtime.busy when it was started before.
  virtual Expected<void> Start() = 0;

  // Asks the lcores to end: with `drain` after what the ports hold by then, else at the next poll. Held fragments drop
  // as `shutdown`, open flows end. Without effect when it has ended.
  virtual void RequestStop(bool drain) = 0;

  // Waits until the run has ended (a capture ends by itself). While the event ring is full a capture waits for
  // DrainEvents. May be called several times; the report is the same. What was not started has nothing to wait for.
  virtual RunReport Wait() = 0;
  virtual bool ended() const = 0;

  virtual CountersSnapshot counters() const = 0;

  // Puts a new version in the place of chain entry `entry`, at a burst boundary; all flow states stay. Blocks until the
  // lcore has taken it over (before Start and after the end: at once). Errors: swap.entry, swap.layout, swap.rights,
  // swap.exports, runtime.busy (another swap is going on), and those of instances.
  virtual Expected<SwapReport> Swap(const std::string& entry, const NfSpec& nf) = 0;

  // Flows that live, from `cursor` on (0 at first, then what the page says), at most `limit` of them; of runtime
  // `runtime` only unless it is 0. The lcore copies them between polls, a bounded piece at a time. Errors:
  // runtime.unknown.
  virtual Expected<FlowsPage> Flows(uint32_t cursor, uint32_t limit, uint16_t runtime = 0) = 0;

  // Events since the last call, in order, at most `limit`. From a capture nothing is lost: the lcore waits while the
  // ring is full. Live, the newest is dropped and counted. Works after the end of the run too.
  virtual std::vector<Event> DrainEvents(size_t limit = 4096) = 0;

  // A command of a trace (nfactord/README.md) to all members, as JSON. The answer is a list of theirs with `member`;
  // `trace_read` leaves out who has no such trace. Errors: member.command.
  virtual Expected<std::string> Trace(const std::string& request) = 0;

 protected:
  ChainHost() = default;
};

}  // namespace nf
