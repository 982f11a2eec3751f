// Rounds, packets and commands. What the protocol asks of flows is in switched_runtime_flows.cc.
#include "runtime/switched_runtime.h"

#include <rte_cycles.h>

#include <algorithm>

#include "base/clock.h"
#include "runtime/flow_image.h"
#include "runtime/lcore.h"
#include "runtime/transit.h"
#include "runtime/uplink.h"

namespace nf {
namespace {

using abi::DropReason;

constexpr uint64_t kMachineEveryNs = 50'000;  // So often the protocol's time passes when nothing happens.
constexpr uint32_t kHeldPackets = 4096;       // All of them may be one flow's: the pool is the bound.
constexpr uint32_t kOpenedMax = 1024;
constexpr uint32_t kChoosePerTurn = 4096;  // Chosen flows looked up in one turn.
// Inside a process nothing that was said is lost, and who doesn't answer has no core just now: a move that gave up on
// it would lose what waits.
constexpr uint64_t kGiveUpNs = 30'000'000'000;
constexpr uint32_t kAskAfterRetries = 5000;
// Longer than a lcore that shares its core is kept from it. Who has died is told sooner.
constexpr uint64_t kReplicaUnreachableNs = 1'000'000'000;
constexpr int kSleepBusyMs = 1, kSleepMs = 10, kSleepWithoutFlowsMs = 50;

proto::RuntimeConfig MachineConfig(const RuntimeSpec& spec, const SwitchedRuntime::Surroundings& surroundings) {
  return {.id = surroundings.id,
          .actors = spec.flows_max,
          .entries = surroundings.entries,
          .members = kMembersMax,
          .migrations = spec.switching->migrations,
          .operations = SwitchedRuntime::kOperationsMax,
          .held_packets = kHeldPackets,
          .held_packets_of_flow = kHeldPackets,
          .max_state_bytes = FlowImageBytesMax(spec.chain),
          .digests = FlowImageDigests(spec.chain),
          .give_up_ns = kGiveUpNs,
          .ask_after_retries = kAskAfterRetries,
          .replication = {.mode = spec.switching->replication.mode,
                          .unprotected = spec.switching->replication.unprotected,
                          .replicas = spec.flows_max,
                          .held_outputs = surroundings.held_outputs,
                          .unreachable_ns = kReplicaUnreachableNs,
                          .relayed_bytes = FlowReplicas::OutputBytesMax()}};
}

Expected<std::unique_ptr<FlowReplicas>> MakeReplicas(const RuntimeSpec& spec) {
  if (spec.switching->replication.replicas == 0) return nullptr;
  return FlowReplicas::Create(spec.flows_max, FlowImageBytesMax(spec.chain));
}

DropReason ReasonOf(proto::PacketDrop reason) {
  switch (reason) {
    case proto::PacketDrop::kNoFlow:
      return DropReason::kFlowUnknown;
    case proto::PacketDrop::kNoRoom:
      return DropReason::kFlowTableFull;
    case proto::PacketDrop::kHoldFull:
      return DropReason::kMoveBufferFull;
    case proto::PacketDrop::kAbandoned:
      return DropReason::kMoveAbandoned;
    default:
      return DropReason::kStalePacket;
  }
}

}  // namespace

SwitchedRuntime::SwitchedRuntime(const RuntimeSpec& spec, const Surroundings& surroundings,
                                 std::unique_ptr<FlowReplicas> replicas)
    : ChainWorker(surroundings.counters),
      link_(*surroundings.link),
      mail_(*surroundings.mail),
      board_(*surroundings.board),
      leases_(*surroundings.leases),
      replicas_(std::move(replicas)),
      machine_(MachineConfig(spec, surroundings), &mail_, this, replicas_.get()) {
  opened_.reserve(kOpenedMax);
  places_.reserve(kMembersMax);
}

Expected<std::unique_ptr<SwitchedRuntime>> SwitchedRuntime::Create(Engine& engine, const RuntimeSpec& spec,
                                                                   const Surroundings& surroundings) {
  auto replicas = MakeReplicas(spec);
  if (!replicas) return std::unexpected(replicas.error());
  std::unique_ptr<SwitchedRuntime> runtime(new SwitchedRuntime(spec, surroundings, std::move(*replicas)));
  auto built = runtime->BuildChain(engine, spec,
                                   {.native = surroundings.native,
                                    .is_placed = true,
                                    .number_base = (uint64_t{surroundings.id} << 48) + surroundings.flows_before});
  if (!built) return std::unexpected(built.error());
  runtime->uplink_ = std::make_unique<Uplink>(&runtime->machine_, runtime->flows_.get(), &runtime->link_,
                                              &runtime->counters_, surroundings.pool, runtime->chain_->may_edit());
  if (runtime->replicas_ != nullptr)
    runtime->replicas_->Connect(runtime->chain_.get(), runtime->flows_.get(), runtime->uplink_.get());
  runtime->joiner_.emplace(*runtime->chain_, *runtime->flows_);
  runtime->asker_.emplace(MoveAsker::Parts{.chain = runtime->chain_.get(),
                                           .flows = runtime->flows_.get(),
                                           .machine = &runtime->machine_,
                                           .board = surroundings.board});
  runtime->Connect(runtime->uplink_.get(), runtime->uplink_.get(), surroundings.pool, surroundings.is_capture, spec);
  runtime->mail_.set_incarnation(surroundings.incarnation);
  runtime->Publish();
  return runtime;
}

SwitchedRuntime::~SwitchedRuntime() = default;

uint64_t SwitchedRuntime::relayed() const { return uplink_->relayed(); }

bool SwitchedRuntime::has_work() const {
  return rte_ring_empty(link_.down) == 0 || mail_.has_mail() || operations_count_ != 0 || commands_waiting() ||
         link_.sealed.load(std::memory_order_relaxed) != link_.worked_off.load(std::memory_order_relaxed);
}

int SwitchedRuntime::sleep_ms_max() const {
  if (machine_.actors_used() != flows_->open() || machine_.migrations_used() != 0 || !mail_.is_idle() ||
      asker_->is_asked() || (machine_.replicates() && !machine_.source().idle())) {
    return kSleepBusyMs;
  }
  return flows_->open() != 0 ? kSleepMs : kSleepWithoutFlowsMs;
}

uint32_t SwitchedRuntime::Round() {
  // The vswitch comes first; one that waits for reports takes nothing else.
  if (!uplink_->Flush() && !machine_.is_reporting()) return 0;
  const uint32_t work = is_capture_ ? RoundCapture() : RoundLive();
  if (uplink_->TakeWrote() && link_.vswitch_lcore != link_.runtime_lcore) link_.vswitch_lcore->WakeIfSleeping();
  return work;
}

uint32_t SwitchedRuntime::RoundLive() {
  const uint64_t now = ClockNs();
  const uint64_t mono = MonotonicNs();
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  const uint32_t taken =
      rte_ring_sc_dequeue_burst(link_.down, reinterpret_cast<void**>(packets.data()), abi::kBurstPackets, nullptr);
  const bool is_due = mono - machine_ns_ >= kMachineEveryNs || operations_count_ != 0;
  if (taken == 0 && !is_due && !mail_.has_mail()) return 0;
  BeginPoll(now);
  if (replicas_ != nullptr) [[unlikely]]
    TouchDue();
  Take(packets.data(), taken, mono);
  return Finish(taken, mono);
}

uint32_t SwitchedRuntime::RoundCapture() {
  const uint64_t mono = MonotonicNs();
  const uint64_t sealed = link_.sealed.load(std::memory_order_acquire);
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  const uint32_t taken =
      rte_ring_sc_dequeue_burst(link_.down, reinterpret_cast<void**>(packets.data()), abi::kBurstPackets, nullptr);
  const bool is_over = taken == 0 && sealed != link_.worked_off.load(std::memory_order_relaxed);
  if (taken != 0 || is_over) {
    BeginPoll(link_.poll_ns.load(std::memory_order_acquire));
  } else if (mail_.has_mail() || mono - machine_ns_ >= kMachineEveryNs || operations_count_ != 0) {
    BeginPoll(now_ns_);
  } else {
    return 0;
  }
  if (replicas_ != nullptr) TouchDue();
  Take(packets.data(), taken, mono);
  const uint32_t work = Finish(taken, mono);
  if (!is_over) return work;
  // What waits for a flow that moves belongs to its poll too, and has that poll's time; no time passes for one on its
  // way, as it could not end just then.
  if (!uplink_->is_empty() || machine_.held() != 0 || away_ != 0) return work;
  if (replicas_ != nullptr && machine_.source().held() != 0 && !places_.empty()) return work;
  link_.worked_off.store(sealed, std::memory_order_release);
  return work + 1;
}

void SwitchedRuntime::Take(rte_mbuf** packets, uint32_t count, uint64_t mono_ns) {
  if (count == 0) return;
  if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]] {
    for (uint32_t i = 0; i < count; ++i) {
      const Transit& transit = Transit::Of(packets[i]);
      if (transit.is_marker == 0) tap->Arrived(packets[i], TraceHop::kTaken, TraceStampOf(transit.header));
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    const Transit& transit = Transit::Of(packets[i]);
    if (transit.is_marker != 0) continue;
    const uint32_t place = proto::HandleIndex(transit.header.stamp.handle);
    if (place >= flows_->flows_max()) continue;
    machine_.Prefetch(place);
    flows_->Prefetch(place);
    if (replicas_ == nullptr) [[likely]]
      continue;
    machine_.source().Prefetch(place);
    replicas_->PrefetchSent(place);
  }
  uint64_t bytes = 0;
  uint32_t received = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (Transit::Of(packets[i]).is_marker != 0) [[unlikely]] {
      TakeMarker(packets[i], mono_ns);
      continue;
    }
    PacketMeta* meta = MetaOf(packets[i]);
    ++received;
    bytes += meta->wire_length;
    meta->poll_index = static_cast<uint8_t>(i);
    TakePacket(packets[i], mono_ns);
  }
  counters_.received.Add(received);
  counters_.received_bytes.Add(bytes);
}

void SwitchedRuntime::TakePacket(rte_mbuf* mbuf, uint64_t mono_ns) {
  const proto::PacketHeader header = Transit::Of(mbuf).header;
  const proto::PacketOutcome outcome =
      machine_.OnPacket(reinterpret_cast<proto::PacketRef>(mbuf), header, MetaOf(mbuf)->parsed.key, mono_ns);
  if (outcome.verdict == proto::PacketVerdict::kProcess) [[likely]] {
    Process(outcome.actor, mbuf, header);
  } else if (outcome.verdict == proto::PacketVerdict::kHeld) {
    MetaOf(mbuf)->poll_index = kNoPollIndex;
    counters_.held.Add(1);
    if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
      tap->Waits(mbuf, TraceWait::kMove);
  } else {
    counters_.Drop(mbuf, ReasonOf(outcome.reason));
  }
}

void SwitchedRuntime::Process(uint32_t actor, rte_mbuf* mbuf, const proto::PacketHeader& header) {
  PacketMeta* meta = MetaOf(mbuf);
  uint32_t direction;
  for (;;) {
    const FlowActor& flow = flows_->actor(actor);
    if (flow.number == 0 && !Open(actor, mbuf, header)) [[unlikely]]
      return;
    direction = (header.flags & proto::kDirection) ^ uint32_t { flow.flipped };
    if (joiner_->MakeWay(actor, direction)) continue;
    if (flow.phase == FlowPhase::kRefused) [[unlikely]] {
      counters_.Drop(mbuf, meta->parsed.kind == PacketKind::kLaterFragment ? DropReason::kFragmentNoFlow
                                                                           : DropReason::kFlowRefused);
      return;
    }
    if ((header.flags & proto::kByAlias) != 0 || !joiner_->Reopens(actor, meta->parsed)) [[likely]]
      break;
  }
  if ((header.flags & proto::kByAlias) != 0) flows_->actor(actor).taught = true;
  joiner_->Join(mbuf, meta, actor, direction, now_ns_);
}

// The actor has no flow: it is new, or its flow has just ended.
bool SwitchedRuntime::Open(uint32_t actor, rte_mbuf* mbuf, const proto::PacketHeader& header) {
  const PacketMeta* meta = MetaOf(mbuf);
  DropReason why = DropReason::kNone;
  if (meta->parsed.kind == PacketKind::kLaterFragment) {
    why = DropReason::kFragmentNoFlow;
  } else if (meta->parsed.kind == PacketKind::kIcmpError) {
    why = DropReason::kIcmpErrorNoFlow;
  } else if ((header.flags & proto::kByAlias) != 0) {
    why = DropReason::kFlowClosing;  // The key by which it came was that of the flow that is no more.
  }
  if (why != DropReason::kNone) {
    counters_.Drop(mbuf, why);
    flows_->NoteFreed(actor);
    return false;
  }
  std::array<uint32_t, abi::kChainNfsMax> leases{};
  leases_.Read(header.stamp.entry, leases.data());
  flows_->OpenAt(actor, meta->parsed.key, meta->in_port, now_ns_, leases);
  flows_->actor(actor).flipped = (header.flags & proto::kDirection) != 0;
  return true;
}

void SwitchedRuntime::TakeMarker(rte_mbuf* mbuf, uint64_t mono_ns) {
  // All that was stamped before the markers has had its effect, and its output has left.
  chain_->RunPending();
  output_->Flush();
  proto::ForEachMarker({rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len}, [&](const proto::Marker& marker) {
    if (marker.type == proto::MarkerType::kAliasConflict)
      EndOnConflict(marker);
    else
      machine_.OnMarker(marker, mono_ns);
  });
  rte_pktmbuf_free(mbuf);
}

void SwitchedRuntime::OnMail(uint16_t peer, proto::Message message, uint64_t mono_ns) {
  machine_.OnMessage(peer, message, mono_ns);
}

uint32_t SwitchedRuntime::Finish(uint32_t taken, uint64_t mono_ns) {
  uint32_t work = taken;
  work += mail_.Take(mono_ns, this);
  machine_ns_ = mono_ns;
  machine_.Turn(mono_ns);
  EndPoll(taken != 0);
  SettleActors(mono_ns);
  asker_->Turn(mono_ns);
  if (replicas_ != nullptr) [[unlikely]]
    machine_.Replicate(mono_ns);
  mail_.Send(mono_ns);
  uplink_->Flush();
  Publish();
  return work;
}

// Flows that have ended for the chain end for the vswitch too, once it agrees.
void SwitchedRuntime::SettleActors(uint64_t mono_ns) {
  for (uint32_t actor : opened_) {
    const proto::Actor& a = machine_.actor(actor);
    if (a.state == proto::ActorState::kActive && a.last_part == 0) machine_.ReportOpened(actor);
  }
  opened_.clear();
  flows_->KeepFreed([this, mono_ns](uint32_t actor) {
    const proto::ActorState state = machine_.actor(actor).state;
    if (state == proto::ActorState::kFree || flows_->actor(actor).number != 0) return false;
    if (replicas_ != nullptr) machine_.Touch(actor);
    if (state == proto::ActorState::kActive) machine_.Close(actor, mono_ns);
    return state != proto::ActorState::kActive && state != proto::ActorState::kClosing;
  });
}

void SwitchedRuntime::Publish() {
  draining_shown_.Set(machine_.draining());
  moved_in_shown_.Set(machine_.counters().moved_in);
  moved_out_shown_.Set(machine_.counters().moved_out);
  moves_failed_shown_.Set(machine_.counters().alone_failed);
  migrations_shown_.Set(machine_.migrations_used());
  actors_shown_.Set(machine_.actors_used());
  state_lost_shown_.Set(machine_.counters().state_lost);
  MeasureLoad();
  board_.Post(id(), {.flows = flows_->open(), .load_permille = load_permille_, .is_draining = machine_.draining()});
}

void SwitchedRuntime::PublishReplication() {
  replicas_shown_.Set(machine_.replicas().used());
  unprotected_shown_.Set(machine_.source().unprotected());
  lag_shown_.Set(machine_.source().lag());
  recovered_shown_.Set(machine_.counters().recovered);
  update_bytes_shown_.Set(machine_.source().counters().update_bytes);
}

// Timers change flows without a packet. What expires is seen as it ends.
void SwitchedRuntime::TouchDue() {
  for (const Flows::Due& due : timers_fired_) {
    if (flows_->actor(due.flow).number != 0) machine_.Touch(due.flow);
  }
}

// A dead one is a place no more; one that lives again is.
void SwitchedRuntime::ChangePlaces(const Command& command) {
  std::erase(places_, command.member);
  if (command.incarnation != 0) places_.push_back(command.member);
  std::ranges::sort(places_);
  machine_.SetPlaces(places_, MonotonicNs());
}

void SwitchedRuntime::MeasureLoad() {
  const uint64_t now = rte_rdtsc();
  const uint64_t elapsed = now - load_begin_tsc_;
  if (elapsed * 1'000 < rte_get_tsc_hz()) return;  // Once in a millisecond.
  const uint64_t busy = busy_tsc().value();
  if (replicas_ != nullptr) PublishReplication();
  load_permille_ = static_cast<uint16_t>(std::min<uint64_t>((busy - load_busy_tsc_) * 1000 / elapsed, 1000));
  load_begin_tsc_ = now;
  load_busy_tsc_ = busy;
}

bool SwitchedRuntime::Serve(Command& command) {
  switch (command.kind) {
    case Command::Kind::kMember:
      // What another vswitch has stamped and has come here counts: the next one goes on behind it.
      while (command.member == proto::kVswitch && rte_ring_empty(link_.down) == 0) RoundLive();
      mail_.SetPeer(command.member, command.incarnation, command.mail, command.frame_bytes);
      if (command.incarnation != 0)
        machine_.MemberUp(command.member, command.incarnation, MonotonicNs());
      else
        machine_.MemberDown(command.member, MonotonicNs());
      if (replicas_ != nullptr && command.member != proto::kVswitch) ChangePlaces(command);
      return true;
    case Command::Kind::kUndrain:
      machine_.Undrain();
      return true;
    case Command::Kind::kHomes:
      if (replicas_ != nullptr) machine_.SetHomes(command.homes, MonotonicNs());
      return true;
    case Command::Kind::kMoveThese:
      if (!Choose(command)) return false;  // Goes on next turn.
      Begin(command);
      return true;
    default:
      Begin(command);
      return true;
  }
}

// Makes of places handles, as far as the flows are still there: until their turn to move comes, others may have taken
// the places. True when all are done.
bool SwitchedRuntime::Choose(Command& command) {
  const auto end = static_cast<uint32_t>(std::min(command.places.size(), size_t{command.cursor} + kChoosePerTurn));
  for (; command.cursor < end; ++command.cursor) {
    uint32_t& place = command.places[command.cursor];
    const bool is_there = place != kNoFlow && flows_->actor(place).number == command.numbers[command.cursor];
    place = is_there ? machine_.handle(place) : proto::kNoHandle;
  }
  return end == command.places.size();
}

void SwitchedRuntime::Begin(Command& command) {
  const auto free = std::ranges::find(operations_, nullptr);
  if (is_ended_ || free == operations_.end()) {
    command.operation = nullptr;
    return;
  }
  const auto id = static_cast<uint32_t>(free - operations_.begin());
  bool begun = false;
  if (command.kind == Command::Kind::kMove) {
    begun = machine_.Move(id, command.targets[0], command.flows_wanted);
  } else if (command.kind == Command::Kind::kMoveThese) {
    std::swap(chosen_[id], command.places);
    begun = machine_.MoveThese(id, command.targets[0], chosen_[id]);
  } else {
    begun = machine_.Drain(id, command.targets);
  }
  if (!begun) {
    command.operation = nullptr;
    return;
  }
  *free = command.operation;
  ++operations_count_;
}

}  // namespace nf
