#include "flow/flows.h"

#include <algorithm>

#include "base/check.h"

namespace nf {
namespace {

constexpr uint8_t kTcp = 6, kUdp = 17, kUdpLite = 136, kIcmp = 1, kIcmpV6 = 58;
constexpr uint64_t kNsPerMs = 1'000'000;

void Sort(Flows::Due* due, uint32_t count) {
  if (count < 2) return;
  std::sort(due, due + count, [](const Flows::Due& a, const Flows::Due& b) {
    if (a.tick != b.tick) return a.tick < b.tick;
    if (a.number != b.number) return a.number < b.number;
    return a.nf < b.nf;
  });
}

}  // namespace

Expected<std::unique_ptr<Flows>> Flows::Create(const Options& options) {
  std::unique_ptr<Flows> flows(new Flows(options));
  const uint32_t max = options.flows_max;
  auto actors = PrivateMemory::Create("flow actors", uint64_t{max} * sizeof(FlowActor));
  if (!actors) return std::unexpected(actors.error());
  flows->actors_memory_ = std::move(*actors);
  flows->actors_ = reinterpret_cast<FlowActor*>(flows->actors_memory_.data());
  for (uint32_t i = 0; i < max; ++i) flows->actors_[i].idle_ms = i + 1 < max ? i + 1 : kNoFlow;
  flows->free_ = max != 0 ? 0 : kNoFlow;

  auto table = FlowTable::Create({.flows_max = max,
                                  .with_aliases = options.with_aliases,
                                  .keys = flows->actors_,
                                  .key_stride = sizeof(FlowActor),
                                  .indexed = !options.is_placed});
  if (!table) return std::unexpected(table.error());
  flows->table_.emplace(std::move(*table));

  for (uint32_t nf = 0; nf < options.nfs; ++nf) {
    const bool leases = options.lease_sizes[nf] != 0;
    const bool own_pool = leases && !options.is_placed;
    flows->pools_.push_back(own_pool ? std::make_unique<Leases>(options.lease_sizes[nf]) : nullptr);
    flows->leased_.push_back(leases ? std::make_unique<uint32_t[]>(max) : nullptr);
    flows->timer_index_.push_back(static_cast<uint32_t>(flows->timer_nfs_.size()));
    if (options.timers[nf]) flows->timer_nfs_.push_back(nf);
  }
  const uint64_t timers = uint64_t{max} * flows->timer_nfs_.size();
  if (timers > 0) {
    if (timers >= 0x80000000u) return Fail(ErrorCode::kRuntimeSpec, "too many flows for the chain's timers");
    flows->timer_deadlines_.reset(new uint64_t[timers]);
    flows->timer_wheel_ = std::make_unique<TimingWheel>(static_cast<uint32_t>(timers));
    flows->due_timers_.reset(new Due[timers]);
  }
  flows->due_.reset(new Due[max]);
  if (options.is_placed) {
    flows->freed_.reset(new uint32_t[max]);
    flows->is_freed_ = std::make_unique<bool[]>(max);
  }
  return flows;
}

uint64_t Flows::IdleNs(const FlowActor& actor) const {
  if (actor.phase == FlowPhase::kRefused) return abi::kRefusedMs * kNsPerMs;
  if (actor.phase == FlowPhase::kClosing) return options_.idle_ms.tcp_closing * kNsPerMs;
  if (actor.idle_ms != 0) return actor.idle_ms * kNsPerMs;
  if (actor.phase == FlowPhase::kOpening) return options_.idle_ms.tcp_opening * kNsPerMs;
  switch (actor.key.protocol) {
    case kTcp:
      return options_.idle_ms.tcp * kNsPerMs;
    case kUdp:
    case kUdpLite:
      return options_.idle_ms.udp * kNsPerMs;
    case kIcmp:
    case kIcmpV6:
      return options_.idle_ms.icmp * kNsPerMs;
    default:
      return options_.idle_ms.other * kNsPerMs;
  }
}

uint32_t Flows::Open(const FlowKey& key, uint64_t hash, uint8_t side, uint64_t now_ns) {
  const uint32_t flow = free_;
  if (flow == kNoFlow) return kNoFlow;
  free_ = actors_[flow].idle_ms;
  if (free_ != kNoFlow) __builtin_prefetch(&actors_[free_].last_seen_ns, 1);
  Begin(flow, key, side, now_ns);
  for (uint32_t nf = 0; nf < options_.nfs; ++nf) {
    if (pools_[nf] != nullptr) leased_[nf][flow] = pools_[nf]->Take(now_ns);
  }
  table_->Insert(flow, hash);
  return flow;
}

void Flows::Begin(uint32_t flow, const FlowKey& key, uint8_t side, uint64_t now_ns) {
  FlowActor& actor = actors_[flow];
  actor = FlowActor{};
  actor.key = key;
  actor.start_ns = now_ns;
  actor.number = options_.number_base + ++opened_;
  actor.seed = SplitMix64(options_.seed ^ actor.number);
  actor.side = side;
  actor.last_seen_ns = now_ns;
  actor.phase = key.protocol == kTcp ? FlowPhase::kOpening : FlowPhase::kNone;
  Rearm(flow);
  ++open_;
}

void Flows::OpenAt(uint32_t flow, const FlowKey& key, uint8_t side, uint64_t now_ns, std::span<const uint32_t> leases) {
  NF_CHECK(actors_[flow].number == 0, "a flow is opened where there is none");
  Begin(flow, key, side, now_ns);
  for (uint32_t nf = 0; nf < options_.nfs; ++nf) {
    if (leased_[nf] != nullptr) leased_[nf][flow] = leases[nf];
  }
}

void Flows::Suspend(uint32_t flow) {
  wheel_.Disarm(flow);
  for (uint32_t left = actors_[flow].timers; left != 0; left &= left - 1) {
    timer_wheel_->Disarm(TimerNode(static_cast<uint32_t>(std::countr_zero(left)), flow));
  }
}

void Flows::Resume(uint32_t flow) {
  Rearm(flow);
  for (uint32_t left = actors_[flow].timers; left != 0; left &= left - 1) {
    const uint32_t node = TimerNode(static_cast<uint32_t>(std::countr_zero(left)), flow);
    timer_wheel_->Arm(node, timer_deadlines_[node]);
  }
}

void Flows::Arrive(uint32_t flow, const FlowActor& actor, const FlowKey* alias, std::span<const uint32_t> leases,
                   std::span<const uint64_t> deadlines) {
  NF_CHECK(actors_[flow].number == 0, "a flow arrives where there is none");
  actors_[flow] = actor;
  for (uint32_t nf = 0; nf < options_.nfs; ++nf) {
    if (leased_[nf] != nullptr) leased_[nf][flow] = leases[nf];
    if ((actor.timers >> nf & 1) != 0) timer_deadlines_[TimerNode(nf, flow)] = deadlines[nf];
  }
  if (alias != nullptr) table_->SetAlias(flow, *alias);
  Resume(flow);
  ++open_;
}

void Flows::Forget(uint32_t flow) {
  FlowActor& actor = actors_[flow];
  NF_CHECK(actor.number != 0, "a flow is freed once");
  table_->Erase(flow);
  DisarmTimers(flow);
  wheel_.Disarm(flow);
  actor.number = 0;
  --open_;
}

void Flows::ReturnLeases(uint32_t flow, uint64_t now_ns) {
  for (uint32_t nf = 0; nf < options_.nfs; ++nf) {
    if (leased_[nf] == nullptr) continue;
    if (pools_[nf] != nullptr) pools_[nf]->Return(leased_[nf][flow], now_ns);
    leased_[nf][flow] = 0;
  }
}

void Flows::Refuse(uint32_t flow, uint64_t now_ns) {
  ReturnLeases(flow, now_ns);
  DisarmTimers(flow);
  actors_[flow].phase = FlowPhase::kRefused;
  Rearm(flow);
}

void Flows::Free(uint32_t flow, uint64_t now_ns) {
  Forget(flow);
  ReturnLeases(flow, now_ns);
  if (options_.is_placed) return NoteFreed(flow);
  actors_[flow].idle_ms = free_;
  free_ = flow;
}

void Flows::ArmTimer(uint32_t nf, uint32_t flow, uint64_t now_ns, uint32_t delay_ms) {
  const uint32_t node = TimerNode(nf, flow);
  FlowActor& actor = actors_[flow];
  if (delay_ms == 0) {
    timer_wheel_->Disarm(node);
    actor.timers &= static_cast<uint16_t>(~(1u << nf));
    return;
  }
  timer_deadlines_[node] = (now_ns + delay_ms * kNsPerMs) >> abi::kExpiryTickShift;
  timer_wheel_->Arm(node, timer_deadlines_[node]);
  actor.timers |= static_cast<uint16_t>(1u << nf);
}

void Flows::DisarmTimers(uint32_t flow) {
  FlowActor& actor = actors_[flow];
  for (uint32_t left = actor.timers; left != 0; left &= left - 1) {
    timer_wheel_->Disarm(TimerNode(static_cast<uint32_t>(std::countr_zero(left)), flow));
  }
  actor.timers = 0;
}

std::span<const Flows::Due> Flows::TakeDue(uint64_t now_ns) {
  const uint64_t tick = now_ns >> abi::kExpiryTickShift;
  if (!started_) [[unlikely]] {
    // Nothing is armed yet: flows open after the first look at the clock.
    started_ = true;
    wheel_.Start(tick);
    if (timer_wheel_) timer_wheel_->Start(tick);
    return {};
  }
  uint32_t count = 0;
  wheel_.Advance(
      tick, [this](uint32_t flow) { return DeadlineOf(actors_[flow]); },
      [this, &count](uint32_t flow, uint64_t when) {
        due_[count++] = {.tick = when, .number = actors_[flow].number, .flow = flow, .nf = 0};
      });
  Sort(due_.get(), count);
  return {due_.get(), count};
}

std::span<const Flows::Due> Flows::TakeDueTimers(uint64_t now_ns) {
  if (!timer_wheel_ || !started_) return {};
  uint32_t count = 0;
  timer_wheel_->Advance(
      now_ns >> abi::kExpiryTickShift, [this](uint32_t node) { return timer_deadlines_[node]; },
      [this, &count](uint32_t node, uint64_t when) {
        const uint32_t flow = node % options_.flows_max;
        const uint32_t nf = timer_nfs_[node / options_.flows_max];
        actors_[flow].timers &= static_cast<uint16_t>(~(1u << nf));
        due_timers_[count++] = {.tick = when, .number = actors_[flow].number, .flow = flow, .nf = nf};
      });
  Sort(due_timers_.get(), count);
  return {due_timers_.get(), count};
}

std::span<const Flows::Due> Flows::TakeDueTimersOf(uint32_t flow, uint64_t now_ns) {
  FlowActor& actor = actors_[flow];
  uint32_t count = 0;
  for (uint32_t left = actor.timers; left != 0; left &= left - 1) {
    const auto nf = static_cast<uint32_t>(std::countr_zero(left));
    const uint32_t node = TimerNode(nf, flow);
    const uint64_t when = timer_deadlines_[node];
    if (when >= now_ns >> abi::kExpiryTickShift) continue;
    timer_wheel_->Disarm(node);
    actor.timers &= static_cast<uint16_t>(~(1u << nf));
    due_timers_[count++] = {.tick = when, .number = actor.number, .flow = flow, .nf = nf};
  }
  Sort(due_timers_.get(), count);
  return {due_timers_.get(), count};
}

std::vector<uint32_t> Flows::InOrder() const {
  std::vector<uint32_t> flows;
  for (uint32_t i = 0; i < options_.flows_max; ++i) {
    if (actors_[i].number != 0) flows.push_back(i);
  }
  std::sort(flows.begin(), flows.end(),
            [this](uint32_t a, uint32_t b) { return actors_[a].number < actors_[b].number; });
  return flows;
}

size_t Flows::memory_bytes() const {
  return actors_memory_.bytes() + table_->memory_bytes() + uint64_t{options_.flows_max} * 2 * sizeof(uint32_t);
}

}  // namespace nf
