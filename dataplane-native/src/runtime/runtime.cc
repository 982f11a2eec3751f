#include "runtime/runtime.h"

#include <algorithm>
#include <chrono>
#include <mutex>

#include "proto/ids.h"
#include "runtime/lcore.h"
#include "runtime/perform.h"
#include "runtime/snapshot.h"
#include "runtime/trace_all.h"
#include "runtime/worker.h"

namespace nf {

struct Runtime::Parts {
  RuntimeOptions options;
  std::unique_ptr<TraceControl> trace;
  std::unique_ptr<Worker> worker;
  std::optional<Lcore> lcore;
  std::atomic<bool> started{false};

  std::mutex control;  // Commands, one at a time. Whoever holds it may wait for the lcore.
  std::mutex names;    // What NFs are called; never held for long. Swaps alone change it.
  std::atomic<bool> swapping{false};
  std::mutex tracing;  // Before the others.

  void Perform(Command& command);
  CountersSnapshot Counters() const;
};

CountersSnapshot Runtime::Parts::Counters() const {
  CountersSnapshot snapshot;
  snapshot.now_ns = worker->now_ns();
  AddTraffic(worker->counters(), &snapshot);
  AddFates(worker->counters(), &snapshot);
  snapshot.missed = worker->missed();
  snapshot.flows_open = worker->flows_open();
  snapshot.flows_opened = worker->flows_opened();
  snapshot.events_lost = worker->events().lost();
  AddChain(worker->chain(), &snapshot);
  return snapshot;
}

Runtime::Runtime(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Runtime::~Runtime() {
  if (!parts_) return;
  parts_->worker->events().Abandon();
  parts_->lcore.reset();
}

Expected<std::unique_ptr<Runtime>> Runtime::Create(Engine& engine, const RuntimeSpec& spec,
                                                   const RuntimeOptions& options) {
  auto worker = Worker::Create(engine, spec, {});
  if (!worker) return std::unexpected(worker.error());
  auto parts = std::make_unique<Parts>();
  parts->options = options;
  parts->worker = std::move(*worker);
  parts->trace = std::make_unique<TraceControl>(
      true, parts->worker->chain().size(),
      [all = parts.get()](TraceSession* session) {
        Command command{.kind = Command::Kind::kTrace, .trace = session};
        all->Perform(command);
      },
      [all = parts.get()](uint8_t nf, uint8_t reason) { return DropName(all->worker->chain().nf(nf), reason); });
  parts->lcore.emplace(std::vector<LcoreTask*>{parts->worker.get()}, options.cpu, true);
  return std::unique_ptr<Runtime>(new Runtime(std::move(parts)));
}

Expected<void> Runtime::Start() {
  std::lock_guard lock(parts_->control);
  if (parts_->started) return Fail(ErrorCode::kRuntimeBusy, "the runtime was started before");
  parts_->started = true;
  parts_->lcore->Start();
  return {};
}

void Runtime::RequestStop(bool drain) { parts_->lcore->RequestStop(drain); }

bool Runtime::ended() const { return parts_->lcore->ended(); }

RunReport Runtime::Wait() {
  if (parts_->started) parts_->lcore->WaitUntilEnded();
  RunReport report{.counters = counters(), .error = parts_->worker->failure()};
  if (!report.error && parts_->options.check_books) report.error = CheckBooks(report.counters);
  return report;
}

CountersSnapshot Runtime::counters() const {
  std::lock_guard lock(parts_->names);
  return parts_->Counters();
}

// Has the lcore carry the command out, or does it itself when there is no lcore that would.
void Runtime::Parts::Perform(Command& command) {
  PerformCommand(*lcore, started, worker->commands(), command, [this](Command& to_do) { worker->Execute(to_do); });
}

Expected<SwapReport> Runtime::Swap(const std::string& entry, const NfSpec& spec) {
  Parts& parts = *parts_;
  if (parts.swapping.exchange(true)) return Fail(ErrorCode::kRuntimeBusy, "another swap is going on");
  struct Done {
    std::atomic<bool>& flag;
    ~Done() { flag.store(false); }
  } done{parts.swapping};
  Chain& chain = parts.worker->chain();
  const auto index = FindEntry(chain, entry);
  if (!index) return std::unexpected(index.error());
  const auto begin = std::chrono::steady_clock::now();
  ChainNf& nf = chain.nf(*index);
  auto version = nf.Prepare(spec);
  if (!version) return std::unexpected(version.error());
  const std::chrono::duration<double, std::milli> prepared = std::chrono::steady_clock::now() - begin;

  std::lock_guard lock(parts.control);
  Command command{.kind = Command::Kind::kSwap, .nf = *index, .version = version->get()};
  parts.worker->events().AddNames(*index, (*version)->spec);
  nf.PauseKeeper();
  parts.Perform(command);
  {
    std::lock_guard names(parts.names);
    nf.ResumeKeeper(version->get());
  }
  return SwapReport{.pause_ns = command.pause_ns,
                    .burst_ns = command.burst_ns,
                    .prepare_ms = prepared.count(),
                    .flows = command.flows,
                    .packets_dropped = command.drops};
}

Expected<FlowsPage> Runtime::Flows(uint32_t cursor, uint32_t limit, uint16_t runtime) {
  Parts& parts = *parts_;
  if (runtime != 0) {
    return Fail(ErrorCode::kRuntimeDirect, "there is no runtime " + std::to_string(runtime) +
                                               ": the chain runs in direct mode, without a vswitch");
  }
  const Chain& chain = parts.worker->chain();
  const uint32_t flows_max = parts.worker->flows().flows_max();
  constexpr uint32_t kLimitMax = 4096;
  limit = std::clamp(limit, 1u, kLimitMax);
  FlowsPage page;
  if (cursor >= flows_max) return page;
  const size_t states_bytes = EventLog::StatesBytes(chain);
  Command command{.kind = Command::Kind::kFlows, .cursor = cursor, .limit = limit};
  command.actors.resize(limit);
  command.states.resize(limit * states_bytes);
  {
    std::lock_guard lock(parts.control);
    parts.Perform(command);
  }
  for (uint32_t i = 0; i < command.count; ++i) {
    page.flows.push_back(EventLog::Snapshot(command.actors[i], command.states.data() + i * states_bytes, chain));
  }
  if (command.cursor < flows_max) page.next = command.cursor;
  return page;
}

Expected<std::string> Runtime::Trace(const std::string& request) {
  std::lock_guard trace(parts_->tracing);
  const bool is_read = request.find("\"trace_read\"") != std::string::npos;
  std::lock_guard lock(is_read ? parts_->names : parts_->control);
  return TraceAll({{proto::kVswitch, parts_->trace.get()}}, request);
}

std::vector<Event> Runtime::DrainEvents(size_t limit) { return parts_->worker->events().Read(limit); }

}  // namespace nf
