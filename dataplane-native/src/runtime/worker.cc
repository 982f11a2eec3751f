#include "runtime/worker.h"

#include <rte_cycles.h>
#include <time.h>

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"

namespace nf {
namespace {

using abi::CloseReason;
using abi::DropReason;

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint32_t kPublishEvery = 64;      // Polls between copies of the NFs' counters.
constexpr uint32_t kWarmUpLines = 64;       // Cache lines of a new instance in a turn: about 0.1 us.
constexpr uint32_t kInspectPerTurn = 4096;  // Actors that a listing of flows looks at in one turn.

uint64_t NsFromTsc(uint64_t cycles) {
  return static_cast<uint64_t>(static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()));
}

bool Exports(const NfSpec& spec, abi::Export which) {
  const char* name = abi::kExports[static_cast<size_t>(which)].name;
  return std::find(spec.exports.begin(), spec.exports.end(), name) != spec.exports.end();
}

}  // namespace

Worker::Worker(const RuntimeSpec& spec) : non_ip_(spec.non_ip) {}

Expected<std::unique_ptr<Worker>> Worker::Create(Engine& engine, const RuntimeSpec& spec, const Options& options) {
  std::unique_ptr<Worker> worker(new Worker(spec));
  if (auto built = worker->Build(engine, spec, options); !built) return std::unexpected(built.error());
  return worker;
}

Expected<void> Worker::Build(Engine& engine, const RuntimeSpec& spec, const Options& options) {
  if (spec.flows_max == 0) return Fail(ErrorCode::kRuntimeSpec, "a runtime has room for one flow at least");
  auto chain = Chain::Create(engine, spec.chain, {.flows_max = spec.flows_max, .native = options.native});
  if (!chain) return std::unexpected(chain.error());
  chain_ = std::move(*chain);
  Flows::Options of_flows{.flows_max = spec.flows_max,
                          .idle_ms = spec.idle_ms,
                          .seed = spec.seed,
                          .nfs = chain_->size(),
                          .with_aliases = chain_->may_edit(),
                          .lease_sizes = {},
                          .timers = {}};
  for (const NfSpec& nf : spec.chain) {
    of_flows.lease_sizes.push_back(nf.rights.lease ? nf.lease_size : 0);
    of_flows.timers.push_back(Exports(nf, abi::Export::kFlowTimer));
  }
  auto flows = Flows::Create(of_flows);
  if (!flows) return std::unexpected(flows.error());
  flows_ = std::move(*flows);
  auto fragments = FragmentTable::Create();
  if (!fragments) return std::unexpected(fragments.error());
  fragments_.emplace(std::move(*fragments));
  auto inputs = Inputs::Open(spec);  // Last: an output file is made only when nothing else can fail.
  if (!inputs) return std::unexpected(inputs.error());
  inputs_ = std::move(*inputs);

  output_ = std::make_unique<PollOutput>(inputs_.client, inputs_.server, &counters_);
  events_ = std::make_unique<EventLog>(EventLog::Options{.chain = chain_.get(),
                                                         .flows = flows_.get(),
                                                         .keep_ended_flows = spec.keep_ended_flows,
                                                         .waits = inputs_.is_capture});
  path_ = std::make_unique<PacketPath>(PacketPath::Surroundings{.chain = chain_.get(),
                                                                .flows = flows_.get(),
                                                                .fragments = &*fragments_,
                                                                .output = output_.get(),
                                                                .counters = &counters_,
                                                                .non_ip = non_ip_});
  Chain::Surroundings surroundings{.flows = flows_.get(),
                                   .output = output_.get(),
                                   .counters = &counters_,
                                   .events = events_.get(),
                                   .pool = inputs_.pool,
                                   .wait_for_spares = {}};
  if (inputs_.is_capture) surroundings.wait_for_spares = [this] { WhileWaiting(); };
  chain_->Connect(surroundings);
  for (Port* port : {inputs_.client, inputs_.server}) {
    for (int fd : port->wait_fds()) wait_fds_.push_back(fd);
    if (inputs_.client == inputs_.server) break;
  }
  keeper_ = std::make_unique<SpareKeeper>(*chain_);
  return {};
}

Worker::~Worker() {
  keeper_.reset();
  for (uint32_t i = 0; i < ahead_count_; ++i) rte_pktmbuf_free(ahead_[i]);
  if (fragments_) fragments_->Drain([](rte_mbuf* mbuf) { rte_pktmbuf_free(mbuf); });
}

uint32_t Worker::Turn() {
  if (commands_.Front() != nullptr) [[unlikely]]
    ServeCommands();
  Command* swap = swap_in_progress_;
  if (swap != nullptr) [[unlikely]]
    swap->pause_ns = NsFromTsc(rte_rdtsc() - swap->begin_tsc);
  const uint32_t taken = inputs_.is_capture ? TurnCapture() : TurnLive();
  if (swap != nullptr) [[unlikely]]
    FinishSwap(*swap);
  is_busy_ = taken != 0;
  return taken;
}

// The clock is read for each side: what a packet that the one just sent brought about may come in on the other.
uint32_t Worker::TurnLive() {
  uint64_t now = ClockNs();
  uint32_t taken = 0;
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  Port* const ports[] = {inputs_.client, inputs_.server};
  for (uint32_t side = 0; side < (ports[0] == ports[1] ? 1u : 2u); ++side) {
    const uint32_t count = ports[side]->RxBurst(packets.data(), abi::kBurstPackets);
    if (count == 0) continue;
    if (taken != 0) now = ClockNs();
    for (uint32_t i = 0; i < count; ++i) MetaOf(packets[i])->timestamp_ns = now;
    taken += count;
    Poll(packets.data(), count, now);
  }
  if (taken == 0 && now >> abi::kExpiryTickShift != idle_tick_) {
    idle_tick_ = now >> abi::kExpiryTickShift;
    Poll(nullptr, 0, now);
  }
  return taken;
}

// The poll ends before a packet that came much later than its first.
uint32_t Worker::TurnCapture() {
  if (ahead_count_ < ahead_.size()) {
    ahead_count_ += inputs_.client->RxBurst(ahead_.data() + ahead_count_, abi::kBurstPackets - ahead_count_);
  }
  if (ahead_count_ == 0) return 0;
  const uint64_t first = MetaOf(ahead_[0])->timestamp_ns;
  uint32_t count = 1;
  while (count < ahead_count_) {
    const uint64_t next = MetaOf(ahead_[count])->timestamp_ns;
    if (next > first && next - first > abi::kPollGapNs) break;
    ++count;
  }
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  std::copy_n(ahead_.begin(), count, packets.begin());
  std::copy(ahead_.begin() + count, ahead_.begin() + ahead_count_, ahead_.begin());
  ahead_count_ -= count;
  Poll(packets.data(), count, first);
  return count;
}

void Worker::Poll(rte_mbuf** packets, uint32_t count, uint64_t now_ns) {
  const uint64_t begin = rte_rdtsc();
  now_ns_ = std::max(now_ns_, now_ns);
  chain_->BeginPoll(now_ns_);
  PassTime();
  if (count != 0) path_->Process(packets, count, now_ns_);
  chain_->RunPending();
  output_->Flush();
  if (++polls_ % kPublishEvery == 0 || count == 0) chain_->PublishCounters();
  Publish();
  if (count != 0) poll_tsc_ = rte_rdtsc() - begin;
}

void Worker::PassTime() {
  fragments_->Expire(now_ns_, [this](rte_mbuf* mbuf) { counters_.Drop(mbuf, DropReason::kFragmentTimeout); });
  chain_->FireTimers();
  for (const Flows::Due& due : flows_->TakeDue(now_ns_)) {
    const bool finished = flows_->actor(due.flow).phase == FlowPhase::kClosing;
    chain_->Close(due.flow, finished ? CloseReason::kFinished : CloseReason::kExpired);
  }
  if (!is_started_) [[unlikely]] {
    is_started_ = true;
    last_tick_ns_ = now_ns_;
  } else if (now_ns_ - last_tick_ns_ >= abi::kTickIntervalMs * kNsPerMs) {
    last_tick_ns_ = now_ns_;
    chain_->Tick();
    missed_.Set(inputs_.client->missed() + (inputs_.server != inputs_.client ? inputs_.server->missed() : 0));
  }
}

void Worker::Publish() {
  now_shown_.Set(now_ns_);
  open_shown_.Set(flows_->open());
  opened_shown_.Set(flows_->opened());
  counters_.held.Set(fragments_->held());
}

bool Worker::at_end() const { return inputs_.is_capture && ahead_count_ == 0 && inputs_.client->at_end(); }

void Worker::Drain() {
  // What arrives meanwhile is bounded by what the ports could hold.
  constexpr uint32_t kTurnsMax = 4096;
  for (uint32_t i = 0; i < kTurnsMax && Turn() != 0; ++i) {
  }
}

void Worker::End() {
  for (uint32_t i = 0; i < ahead_count_; ++i) {
    counters_.received.Add();
    counters_.received_bytes.Add(MetaOf(ahead_[i])->wire_length);
    counters_.Drop(ahead_[i], DropReason::kShutdown);
  }
  ahead_count_ = 0;
  fragments_->Drain([this](rte_mbuf* mbuf) { counters_.Drop(mbuf, DropReason::kShutdown); });
  chain_->BeginPoll(now_ns_);
  for (uint32_t flow : flows_->InOrder()) chain_->Close(flow, CloseReason::kShutdown);
  output_->Flush();
  chain_->PublishCounters();
  Publish();
  failure_ = inputs_.Finish();
}

void Worker::ServeCommands() {
  Command* command = commands_.Front();
  if (command->kind == Command::Kind::kFlows) {
    CopyFlows(*command);
    if (command->count < command->limit && command->cursor < flows_->flows_max()) return;  // Goes on in the next turn.
    commands_.Pop();
    command->done.store(true, std::memory_order_release);
    return;
  }
  if (swap_in_progress_ != nullptr) return;
  // Caches know nothing of the new instance yet. When packets come one turn after the other, they get to know it before
  // the first of them waits for it.
  if (is_busy_ && !inputs_.is_capture && !command->version->warm_up.Step(kWarmUpLines)) return;
  commands_.Pop();
  Flip(*command);
  swap_in_progress_ = command;
}

// The lcore waits for a spare instance, which a new version that is about to come would do for as well.
void Worker::WhileWaiting() {
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

void Worker::Flip(Command& command) {
  command.begin_tsc = rte_rdtsc();
  chain_->nf(command.nf).Flip(*command.version);
  events_->OnFlip(command.nf);
  command.flipped = true;
  command.burst_ns = NsFromTsc(poll_tsc_);
  command.flows = flows_->open();
  command.drops_before = DropsThatASwapCouldCause();
}

void Worker::FinishSwap(Command& command) {
  command.drops = DropsThatASwapCouldCause() - command.drops_before;
  chain_->nf(command.nf).PublishCounters();  // Its counters may lie in other places now.
  swap_in_progress_ = nullptr;
  command.done.store(true, std::memory_order_release);
}

uint64_t Worker::DropsThatASwapCouldCause() const {
  uint64_t drops = 0;
  for (DropReason reason : {DropReason::kNfUnavailable, DropReason::kNoMbuf, DropReason::kPortFull}) {
    drops += counters_.dropped[static_cast<size_t>(reason)].value();
  }
  return drops;
}

void Worker::Execute(Command& command) {
  if (command.kind == Command::Kind::kSwap) {
    Flip(command);
    command.pause_ns = NsFromTsc(rte_rdtsc() - command.begin_tsc);
    chain_->nf(command.nf).PublishCounters();
  } else {
    while (command.count < command.limit && command.cursor < flows_->flows_max()) CopyFlows(command);
  }
  command.done.store(true, std::memory_order_release);
}

void Worker::CopyFlows(Command& command) {
  const size_t states_bytes = EventLog::StatesBytes(*chain_);
  const uint32_t end = std::min(flows_->flows_max(), command.cursor + kInspectPerTurn);
  for (; command.cursor < end && command.count < command.limit; ++command.cursor) {
    const FlowActor& actor = flows_->actor(command.cursor);
    if (actor.number == 0) continue;
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

}  // namespace nf
