#include "runtime/chain_worker.h"

#include <rte_cycles.h>
#include <time.h>

#include <algorithm>

#include "runtime/tsc.h"

namespace nf {
namespace {

using abi::CloseReason;
using abi::DropReason;

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint32_t kPublishEvery = 64;      // Polls between copies of the NFs' counters.
constexpr uint32_t kWarmUpLines = 64;       // Cache lines of a new instance in a turn: about 0.1 us.
constexpr uint32_t kInspectPerTurn = 4096;  // Actors that a listing of flows looks at in one turn.
// A sleep ends by itself so that flows expire and ticks come when nothing arrives.
constexpr int kSleepMs = 10, kSleepWithoutFlowsMs = 50, kSleepWithoutDescriptorsMs = 1;

bool Exports(const NfSpec& spec, abi::Export which) {
  const char* name = abi::kExports[static_cast<size_t>(which)].name;
  return std::find(spec.exports.begin(), spec.exports.end(), name) != spec.exports.end();
}

}  // namespace

Expected<void> ChainWorker::BuildChain(Engine& engine, const RuntimeSpec& spec, const Options& options) {
  if (spec.flows_max == 0) return Fail(ErrorCode::kRuntimeSpec, "a runtime has room for one flow at least");
  auto chain = Chain::Create(engine, spec.chain,
                             {.flows_max = spec.flows_max, .native = options.native, .flows_move = options.is_placed});
  if (!chain) return std::unexpected(chain.error());
  chain_ = std::move(*chain);
  Flows::Options of_flows{.flows_max = spec.flows_max,
                          .idle_ms = spec.idle_ms,
                          .seed = spec.seed,
                          .nfs = chain_->size(),
                          .with_aliases = chain_->may_edit(),
                          .lease_sizes = {},
                          .timers = {},
                          .is_placed = options.is_placed,
                          .number_base = options.number_base};
  for (const NfSpec& nf : spec.chain) {
    of_flows.lease_sizes.push_back(nf.rights.lease ? nf.lease_size : 0);
    of_flows.timers.push_back(Exports(nf, abi::Export::kFlowTimer));
  }
  auto flows = Flows::Create(of_flows);
  if (!flows) return std::unexpected(flows.error());
  flows_ = std::move(*flows);
  return {};
}

void ChainWorker::Connect(Port* client, Port* server, rte_mempool* pool, bool is_capture, const RuntimeSpec& spec) {
  is_capture_ = is_capture;
  output_ = std::make_unique<PollOutput>(client, server, &counters_);
  events_ = std::make_unique<EventLog>(EventLog::Options{
      .chain = chain_.get(), .flows = flows_.get(), .keep_ended_flows = spec.keep_ended_flows, .waits = is_capture});
  Chain::Surroundings surroundings{.flows = flows_.get(),
                                   .output = output_.get(),
                                   .counters = &counters_,
                                   .events = events_.get(),
                                   .pool = pool,
                                   .wait_for_spares = {}};
  if (is_capture) surroundings.wait_for_spares = [this] { WhileWaiting(); };
  chain_->Connect(surroundings);
  keeper_ = std::make_unique<SpareKeeper>(*chain_);
}

ChainWorker::~ChainWorker() = default;

int ChainWorker::sleep_ms_max() const {
  if (wait_fds().empty()) return kSleepWithoutDescriptorsMs;
  return flows_->open() != 0 ? kSleepMs : kSleepWithoutFlowsMs;
}

uint32_t ChainWorker::Turn() {
  trace_.Enter();
  if (commands_.Front() != nullptr) [[unlikely]]
    ServeCommands();
  Command* swap = swap_in_progress_;
  if (swap != nullptr) [[unlikely]]
    swap->pause_ns = NsFromTsc(rte_rdtsc() - swap->begin_tsc);
  const uint32_t taken = Round();
  if (swap != nullptr) [[unlikely]]
    FinishSwap(*swap);
  is_busy_ = taken != 0;
  return taken;
}

void ChainWorker::BeginPoll(uint64_t now_ns) {
  poll_begin_tsc_ = rte_rdtsc();
  now_ns_ = std::max(now_ns_, now_ns);
  chain_->BeginPoll(now_ns_);
  timers_fired_ = chain_->FireTimers();
  for (const Flows::Due& due : flows_->TakeDue(now_ns_)) CloseDue(due.flow);
  if (!is_started_) [[unlikely]] {
    is_started_ = true;
    last_tick_ns_ = now_ns_;
  } else if (now_ns_ - last_tick_ns_ >= abi::kTickIntervalMs * kNsPerMs) {
    last_tick_ns_ = now_ns_;
    chain_->Tick();
  }
}

void ChainWorker::CloseDue(uint32_t flow) {
  const bool finished = flows_->actor(flow).phase == FlowPhase::kClosing;
  chain_->Close(flow, finished ? CloseReason::kFinished : CloseReason::kExpired);
}

void ChainWorker::EndPoll(bool had_packets) {
  chain_->RunPending();
  output_->Flush();
  if (++polls_ % kPublishEvery == 0 || !had_packets) chain_->PublishCounters();
  Publish();
  if (had_packets) poll_tsc_ = rte_rdtsc() - poll_begin_tsc_;
}

void ChainWorker::Publish() {
  now_shown_.Set(now_ns_);
  open_shown_.Set(flows_->open());
  opened_shown_.Set(flows_->opened());
}

void ChainWorker::EndFlows() {
  chain_->BeginPoll(now_ns_);
  for (uint32_t flow : flows_->InOrder()) chain_->Close(flow, CloseReason::kShutdown);
  output_->Flush();
  chain_->PublishCounters();
  Publish();
}

void ChainWorker::ServeCommands() {
  Command* command = commands_.Front();
  switch (command->kind) {
    case Command::Kind::kSwap:
      if (swap_in_progress_ != nullptr) return;
      // Caches know nothing of the new instance yet. When packets come one turn after the other, they get to know it
      // before the first of them waits for it.
      if (is_busy_ && !is_capture_ && !command->version->warm_up.Step(kWarmUpLines)) return;
      commands_.Pop();
      Flip(*command);
      swap_in_progress_ = command;
      return;
    case Command::Kind::kFlows:
      CopyFlows(*command);
      if (command->count < command->limit && command->cursor < flows_->flows_max()) return;  // Goes on next turn.
      break;
    case Command::Kind::kTrace:
      trace_.Take(command->trace);
      break;
    case Command::Kind::kFindFlows:
      FindFlows(*command);
      if (command->cursor < flows_->flows_max()) return;
      break;
    default:
      if (!Serve(*command)) return;
  }
  commands_.Pop();
  command->done.store(true, std::memory_order_release);
}

// The lcore waits for a spare instance, which a new version that is about to come would do for as well.
void ChainWorker::WhileWaiting() {
  Command* command = commands_.Front();
  if (command != nullptr && command->kind == Command::Kind::kSwap && swap_in_progress_ == nullptr) {
    commands_.Pop();
    Flip(*command);
    command->pause_ns = NsFromTsc(rte_rdtsc() - command->begin_tsc);
    swap_in_progress_ = command;
    FinishSwap(*command);
    return;
  }
  const timespec time{.tv_sec = 0, .tv_nsec = 20'000};
  nanosleep(&time, nullptr);
}

void ChainWorker::Flip(Command& command) {
  command.begin_tsc = rte_rdtsc();
  chain_->nf(command.nf).Flip(*command.version);
  events_->OnFlip(command.nf);
  command.flipped = true;
  command.burst_ns = NsFromTsc(poll_tsc_);
  command.flows = flows_->open();
  command.drops_before = DropsThatASwapCouldCause();
}

void ChainWorker::FinishSwap(Command& command) {
  command.drops = DropsThatASwapCouldCause() - command.drops_before;
  chain_->nf(command.nf).PublishCounters();  // Its counters may lie in other places now.
  swap_in_progress_ = nullptr;
  command.done.store(true, std::memory_order_release);
}

uint64_t ChainWorker::DropsThatASwapCouldCause() const {
  uint64_t drops = 0;
  for (DropReason reason : {DropReason::kNfUnavailable, DropReason::kNoMbuf, DropReason::kPortFull}) {
    drops += counters_.dropped[static_cast<size_t>(reason)].value();
  }
  return drops;
}

void ChainWorker::Execute(Command& command) {
  switch (command.kind) {
    case Command::Kind::kSwap:
      Flip(command);
      command.pause_ns = NsFromTsc(rte_rdtsc() - command.begin_tsc);
      FinishSwap(command);
      break;
    case Command::Kind::kFlows:
      while (command.count < command.limit && command.cursor < flows_->flows_max()) CopyFlows(command);
      break;
    case Command::Kind::kTrace:
      trace_.Take(command.trace);
      break;
    case Command::Kind::kFindFlows:
      while (command.cursor < flows_->flows_max()) FindFlows(command);
      break;
    default:
      while (!Serve(command)) {
      }
  }
  command.done.store(true, std::memory_order_release);
}

void ChainWorker::CopyFlows(Command& command) {
  const size_t states_bytes = EventLog::StatesBytes(*chain_);
  const uint32_t end = std::min(flows_->flows_max(), command.cursor + kInspectPerTurn);
  for (; command.cursor < end && command.count < command.limit; ++command.cursor) {
    const FlowActor& actor = flows_->actor(command.cursor);
    if (actor.number == 0 || !IsShown(command.cursor)) continue;
    command.actors[command.count] = actor;
    uint8_t* states = command.states.data() + command.count * states_bytes;
    for (uint32_t i = 0; i < chain_->size(); ++i) {
      const auto slot = chain_->nf(i).states().slot(command.cursor);
      if (slot.empty()) continue;
      std::memcpy(states, slot.data(), slot.size());
      states += slot.size();
    }
    ++command.count;
  }
}

void ChainWorker::FindFlows(Command& command) {
  const uint32_t end = std::min(flows_->flows_max(), command.cursor + kInspectPerTurn);
  for (; command.cursor < end; ++command.cursor) {
    const FlowActor& actor = flows_->actor(command.cursor);
    if (actor.number == 0 || !IsShown(command.cursor)) continue;
    const auto found = std::ranges::lower_bound(command.numbers, actor.number);
    if (found == command.numbers.end() || *found != actor.number) continue;
    command.places[static_cast<size_t>(found - command.numbers.begin())] = command.cursor;
  }
}

}  // namespace nf
