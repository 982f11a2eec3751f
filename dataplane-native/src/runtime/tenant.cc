// Making a tenant, its run and what it shows. Runtimes that come and go, and operations, are in tenant_control.cc.
#include "runtime/tenant.h"

#include <rte_cycles.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "runtime/flow_image.h"
#include "runtime/member_pools.h"
#include "runtime/perform.h"
#include "runtime/snapshot.h"
#include "runtime/tenant_parts.h"
#include "runtime/transit.h"
#include "runtime/tsc.h"

namespace nf {
namespace {

constexpr std::chrono::milliseconds kWatch{1};
// A run that is to end waits so long for what is under way.
constexpr std::chrono::seconds kQuietMax{2};

uint64_t Dropped(const PacketCounters& counters) {
  uint64_t dropped = 0;
  for (const Counter& counter : counters.dropped) dropped += counter.value();
  return dropped;
}

uint64_t DroppedByNfs(const Chain& chain) {
  uint64_t dropped = 0;
  for (uint32_t i = 0; i < chain.size(); ++i) {
    for (const Counter& counter : chain.nf(i).dropped) dropped += counter.value();
  }
  return dropped;
}

std::map<std::string, uint64_t> Drops(const PacketCounters& counters, const Chain* chain) {
  CountersSnapshot snapshot;
  AddFates(counters, &snapshot);
  const uint64_t by_nfs = chain != nullptr ? DroppedByNfs(*chain) : 0;
  if (by_nfs != 0) snapshot.dropped["nf"] = by_nfs;
  return std::move(snapshot.dropped);
}

}  // namespace

Tenant::Parts::~Parts() {
  lcores.clear();
  members.clear();
  vswitch.reset();
  vswitch_mail.reset();
  rte_mempool_free(frames);
  rte_mempool_free(markers);
}

Tenant::Tenant(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Expected<std::unique_ptr<Tenant>> Tenant::Create(Engine& engine, const RuntimeSpec& spec,
                                                 const TenantOptions& options) {
  if (!spec.switching) return Fail(ErrorCode::kRuntimeSpec, "a tenant's specification says how many runtimes it has");
  const SwitchingSpec& switching = *spec.switching;
  if (switching.runtimes == 0 || switching.runtimes > kRuntimesMax || switching.lcores == 0 ||
      switching.lcores > kLcoresMax || switching.migrations == 0 || switching.migrations > kMigrationsMax) {
    return Fail(ErrorCode::kRuntimeSpec, "a tenant has 1 to " + std::to_string(kRuntimesMax) + " runtimes, 1 to " +
                                             std::to_string(kLcoresMax) + " lcores and 1 to " +
                                             std::to_string(kMigrationsMax) + " migrations at once");
  }
  if (switching.replication.replicas > 1) {
    return Fail(ErrorCode::kRuntimeSpec, "a flow has no replica or one");
  }
  if (spec.flows_max == 0 || spec.flows_max > kFlowsOfTenantMax) {
    return Fail(ErrorCode::kRuntimeSpec, "a tenant has room for 1 to " + std::to_string(kFlowsOfTenantMax) + " flows");
  }
  Transit::Prepare();
  auto parts = std::make_unique<Parts>(engine, spec, options);
  auto frames = CreateFramePool();
  if (!frames) return std::unexpected(frames.error());
  parts->frames = *frames;
  auto markers = CreateMarkerPool();
  if (!markers) return std::unexpected(markers.error());
  parts->markers = *markers;
  auto mail = MemberMail::Create(proto::kVswitch, parts->frames, FlowImageBytesMax(spec.chain));
  if (!mail) return std::unexpected(mail.error());
  parts->vswitch_mail = std::move(*mail);
  parts->vswitch_mail->set_incarnation(++parts->last_incarnation);
  // The ports come last, as an output file is made only when nothing else can fail; but runtimes take packets from the
  // pool that belongs to them.
  auto vswitch = Vswitch::Create(spec, parts->vswitch_mail.get(), &parts->board);
  if (!vswitch) return std::unexpected(vswitch.error());
  parts->vswitch = std::move(*vswitch);
  parts->vswitch_trace = parts->MakeTrace(nullptr);
  // Of a caller's pool half may wait.
  if (std::holds_alternative<FabricInput>(spec.input))
    parts->held_outputs = std::min(kHeldOutputsMax, parts->vswitch->pool()->size / 2 / switching.runtimes);
  for (uint16_t i = 0; i < switching.lcores; ++i) {
    std::vector<LcoreTask*> tasks;
    if (i == 0) tasks.push_back(parts->vswitch.get());
    const int cpu = i < options.cpus.size() ? options.cpus[i] : -1;
    parts->lcores.push_back(std::make_unique<Lcore>(std::move(tasks), cpu, false));
    parts->tasks_of.push_back(i == 0 ? 1 : 0);
  }
  parts->vswitch_mail->set_lcore(parts->lcores[0].get());
  for (uint16_t i = 0; i < switching.runtimes; ++i) {
    if (auto added = parts->Add(); !added) return std::unexpected(added.error());
  }
  return std::unique_ptr<Tenant>(new Tenant(std::move(parts)));
}

Tenant::~Tenant() {
  if (!parts_) return;
  RequestStop(false);
  {
    std::lock_guard names(parts_->names);
    for (auto& member : parts_->members) member->runtime->events().Abandon();
  }
  if (parts_->watcher.joinable()) parts_->watcher.join();
}

Expected<void> Tenant::Start() {
  std::lock_guard lock(parts_->control);
  if (parts_->started) return Fail(ErrorCode::kRuntimeBusy, "the runtime was started before");
  parts_->started = true;
  for (auto& lcore : parts_->lcores) lcore->Start();
  parts_->watcher = std::thread([parts = parts_.get()] { parts->Watch(); });
  return {};
}

void Tenant::RequestStop(bool drain) {
  int expected = Parts::kRun;
  if (drain) {
    parts_->stop.compare_exchange_strong(expected, Parts::kDrain);
    parts_->vswitch->Drain();
    parts_->lcores[0]->Wake();
  } else {
    parts_->stop.store(Parts::kNow);
  }
}

bool Tenant::ended() const { return parts_->ended.load(std::memory_order_acquire); }

// Nothing is under way between the parts.
bool Tenant::Parts::IsQuiet() {
  std::lock_guard lock(names);
  uint64_t received = ended_received, sent = ended_sent;
  for (const auto& member : members) {
    const SwitchedRuntime& runtime = *member->runtime;
    if (runtime.counters().held.value() != 0 || runtime.migrations() != 0) return false;
    // What one has for others is received and sent twice.
    received += runtime.counters().received.value() - runtime.relayed();
    sent += runtime.counters().sent.value() - runtime.relayed();
  }
  return vswitch->stamped() == received && vswitch->outputs() == sent && vswitch->held_at_gate() == 0;
}

void Tenant::Parts::Watch() {
  pthread_setname_np(pthread_self(), "nf-tenant");
  std::optional<std::chrono::steady_clock::time_point> closed;
  for (;;) {
    std::this_thread::sleep_for(kWatch);
    if (stop.load(std::memory_order_relaxed) == kNow) break;
    if (!vswitch->is_closed()) continue;
    const auto now = std::chrono::steady_clock::now();
    if (!closed) closed = now;
    if (IsQuiet() || now - *closed > kQuietMax) break;
  }
  for (auto& lcore : lcores) lcore->RequestStop(false);
  for (auto& lcore : lcores) lcore->WaitUntilEnded();
  std::lock_guard lock(control);
  for (auto& member : members) {
    member->runtime->LetGo([this, &member](uint32_t entry) {
      return std::ranges::any_of(
          members, [&](const auto& other) { return other != member && other->runtime->HasFlowOf(entry); });
    });
  }
  for (auto& member : members) member->runtime->End();
  vswitch->End();
  ended.store(true, std::memory_order_release);
  std::lock_guard end_lock(end_mutex);
  at_end.notify_all();
}

RunReport Tenant::Wait() {
  if (parts_->started) {
    std::unique_lock lock(parts_->end_mutex);
    parts_->at_end.wait(lock, [this] { return ended(); });
  }
  RunReport report{.counters = counters(), .error = parts_->vswitch->failure()};
  if (!report.error && parts_->options.check_books && ended()) report.error = CheckBooks(report.counters);
  return report;
}

CountersSnapshot Tenant::counters() const {
  std::lock_guard lock(parts_->names);
  return parts_->Counters();
}

// Counts are read while packets go on. What is in no count is on its way between the parts, and counts as held.
CountersSnapshot Tenant::Parts::Counters() const {
  CountersSnapshot snapshot;
  AddEnded(of_ended, &snapshot);
  for (const auto& member : members) {
    const SwitchedRuntime& runtime = *member->runtime;
    AddFates(runtime.counters(), &snapshot);
    AddChain(runtime.chain(), &snapshot);
    snapshot.flows_open += runtime.flows_open();
    snapshot.flows_opened += runtime.flows_opened();
    snapshot.events_lost += runtime.events().lost();
  }
  AddFates(vswitch->counters(), &snapshot);
  AddTraffic(vswitch->counters(), &snapshot);
  snapshot.missed = vswitch->missed();
  snapshot.now_ns = vswitch->now_ns();
  const bool is_over = ended.load(std::memory_order_acquire);
  if (is_over && !loses_relayed) return snapshot;
  uint64_t gone = snapshot.sent;
  for (const auto& [name, count] : snapshot.dropped) gone += count;
  const uint64_t come = snapshot.received + snapshot.emitted;
  const uint64_t missing = come > gone ? come - gone : 0;
  if (!is_over)
    snapshot.held = missing;
  else if (missing != 0)
    snapshot.dropped[abi::DropReasonName(abi::DropReason::kRelayLost)] += missing;
  return snapshot;
}

std::vector<RuntimeStatus> Tenant::Runtimes() const {
  std::lock_guard lock(parts_->names);
  const Vswitch& vswitch = *parts_->vswitch;
  std::vector<RuntimeStatus> all;
  all.push_back({.runtime = proto::kVswitch,
                 .lcore = 0,
                 .flows_open = vswitch.entries_used(),
                 .received = vswitch.counters().received.value(),
                 .sent = vswitch.counters().sent.value(),
                 .dropped = Dropped(vswitch.counters()),
                 .held = vswitch.counters().held.value(),
                 .received_bytes = vswitch.counters().received_bytes.value(),
                 .sent_bytes = vswitch.counters().sent_bytes.value(),
                 .drops = Drops(vswitch.counters(), nullptr),
                 .busy_ns = NsFromTsc(vswitch.busy_tsc().value()),
                 .missed = vswitch.missed(),
                 .runtime_full = vswitch.runtime_full(),
                 .relayed = vswitch.repeated(),
                 .recovered = vswitch.recovered(),
                 .state_lost = vswitch.state_lost(),
                 .refused_messages = parts_->vswitch_mail->refused(),
                 .delay = ReportOf(vswitch.delays())});
  for (const auto& member : parts_->members) {
    const SwitchedRuntime& runtime = *member->runtime;
    all.push_back({.runtime = runtime.id(),
                   .lcore = member->lcore,
                   .draining = runtime.draining(),
                   .flows_open = runtime.flows_open(),
                   .received = runtime.counters().received.value(),
                   .sent = runtime.counters().sent.value(),
                   .dropped = Dropped(runtime.counters()) + DroppedByNfs(runtime.chain()),
                   .held = runtime.counters().held.value(),
                   .received_bytes = runtime.counters().received_bytes.value(),
                   .sent_bytes = runtime.counters().sent_bytes.value(),
                   .drops = Drops(runtime.counters(), &runtime.chain()),
                   .moved_in = runtime.moved_in(),
                   .moved_out = runtime.moved_out(),
                   .migrations = runtime.migrations(),
                   .nf_asked = runtime.asker().asked(),
                   .nf_moves = runtime.asker().begun(),
                   .nf_moves_failed = runtime.asker().ignored() + runtime.moves_failed(),
                   .arrivals_refused = runtime.arrivals_refused(),
                   .busy_ns = NsFromTsc(runtime.busy_tsc().value()),
                   .queued = rte_ring_count(member->link->down),
                   .runtime_full = vswitch.runtime_full(runtime.id()),
                   .replicas = runtime.replicas(),
                   .unprotected = runtime.unprotected(),
                   .replication_lag = runtime.replication_lag(),
                   .relayed = runtime.relayed(),
                   .recovered = runtime.recovered(),
                   .state_lost = runtime.state_lost(),
                   .refused_messages = member->mail->refused()});
  }
  return all;
}

Expected<FlowsPage> Tenant::Flows(uint32_t cursor, uint32_t limit, uint16_t only) {
  Parts& parts = *parts_;
  constexpr uint32_t kLimitMax = 4096;
  limit = std::clamp(limit, 1u, kLimitMax);
  const uint32_t flows_max = parts.spec.flows_max;
  std::lock_guard lock(parts.membership);
  if (only != 0 && parts.Find(only) == nullptr) return std::unexpected(parts.Unknown(only));
  FlowsPage page;
  // A cursor counts through the places of all runtimes there may be.
  for (uint16_t id = static_cast<uint16_t>(cursor / flows_max); id <= kRuntimesMax; ++id) {
    Parts::Member* member = parts.Find(id);
    const uint32_t begin = cursor > uint32_t{id} * flows_max ? cursor - uint32_t{id} * flows_max : 0;
    if (member == nullptr || (only != 0 && id != only)) continue;
    const Chain& chain = member->runtime->chain();
    const size_t states_bytes = EventLog::StatesBytes(chain);
    const uint32_t wanted = limit - static_cast<uint32_t>(page.flows.size());
    Command command{.kind = Command::Kind::kFlows, .cursor = begin, .limit = wanted};
    command.actors.resize(wanted);
    command.states.resize(wanted * states_bytes);
    parts.Perform(*member, command);
    for (uint32_t i = 0; i < command.count; ++i) {
      page.flows.push_back(EventLog::Snapshot(command.actors[i], command.states.data() + i * states_bytes, chain));
      page.flows.back().runtime = id;
    }
    if (page.flows.size() < limit) continue;
    page.next = uint32_t{id} * flows_max + command.cursor;
    break;
  }
  return page;
}

std::vector<Event> Tenant::DrainEvents(size_t limit) {
  std::lock_guard lock(parts_->names);
  std::vector<Event> events;
  const auto take = [&events, limit](std::vector<Event> from, uint16_t runtime) {
    for (Event& event : from) {
      if (auto* flow = std::get_if<FlowEndedEvent>(&event)) flow->flow.runtime = runtime;
      events.push_back(std::move(event));
    }
  };
  auto& left = parts_->events_of_ended;
  const size_t of_ended = std::min(left.size(), limit);
  events.insert(events.end(), std::make_move_iterator(left.begin()),
                std::make_move_iterator(left.begin() + static_cast<ptrdiff_t>(of_ended)));
  left.erase(left.begin(), left.begin() + static_cast<ptrdiff_t>(of_ended));
  for (auto& member : parts_->members) {
    if (events.size() >= limit) break;
    take(member->runtime->events().Read(limit - events.size()), member->runtime->id());
  }
  return events;
}

Expected<SwapReport> Tenant::Swap(const std::string& entry, const NfSpec& spec) {
  Parts& parts = *parts_;
  std::unique_lock lock(parts.membership, std::try_to_lock);
  if (!lock) return Fail(ErrorCode::kRuntimeBusy, "another swap is going on, or runtimes come or go");
  const auto begin = std::chrono::steady_clock::now();
  const auto index = FindEntry(parts.members.front()->runtime->chain(), entry);
  if (!index) return std::unexpected(index.error());
  std::vector<std::unique_ptr<NfVersion>> versions;
  for (auto& member : parts.members) {
    auto version = member->runtime->chain().nf(*index).Prepare(spec);
    if (!version) return std::unexpected(version.error());
    versions.push_back(std::move(*version));
  }
  const std::chrono::duration<double, std::milli> prepared = std::chrono::steady_clock::now() - begin;
  SwapReport report{.prepare_ms = prepared.count()};
  for (size_t i = 0; i < parts.members.size(); ++i) {
    Parts::Member& member = *parts.members[i];
    ChainNf& nf = member.runtime->chain().nf(*index);
    Command command{.kind = Command::Kind::kSwap, .nf = *index, .version = versions[i].get()};
    member.runtime->events().AddNames(*index, versions[i]->spec);
    nf.PauseKeeper();
    parts.Perform(member, command);
    {
      std::lock_guard names(parts.names);
      nf.ResumeKeeper(versions[i].get());
    }
    report.pause_ns = std::max(report.pause_ns, command.pause_ns);
    report.burst_ns = std::max(report.burst_ns, command.burst_ns);
    report.flows += command.flows;
    report.packets_dropped += command.drops;
  }
  parts.spec.chain[*index] = spec;
  return report;
}

void Tenant::Parts::Perform(Lcore& lcore, CommandRing& ring, Command& command,
                            const std::function<void(Command&)>& execute) {
  std::lock_guard lock(control);
  PerformCommand(lcore, started && !ended, ring, command, execute);
}

void Tenant::Parts::Perform(Member& member, Command& command) {
  Perform(*lcores[member.lcore], member.runtime->commands(), command,
          [&member](Command& to_do) { member.runtime->Execute(to_do); });
}

void Tenant::Parts::PerformInVswitch(Command& command) {
  Perform(*lcores[0], vswitch->commands(), command, [this](Command& to_do) { vswitch->Execute(to_do); });
}

}  // namespace nf
