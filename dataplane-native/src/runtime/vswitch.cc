// Turns, and what comes back from the runtimes. What comes in is in vswitch_input.cc.
#include "runtime/vswitch.h"

#include <algorithm>

#include "base/clock.h"
#include "runtime/lcore.h"
#include "runtime/transit.h"

namespace nf {
namespace {

using abi::DropReason;

constexpr uint64_t kMachineEveryNs = 20'000;  // So often the protocol's time passes.
constexpr uint64_t kMissedEveryNs = 1'000'000'000;
constexpr uint32_t kHeldPackets = 4096;
// Links inside a process lose next to nothing: a flow that only the vswitch knows of is seldom, and idle ones are many.
constexpr uint64_t kProbeNs = 10'000'000'000;
// Nor is a marker lost: an old owner whose output is missing has no core just now, or is fenced.
constexpr uint64_t kDrainNs = 30'000'000'000;
constexpr uint32_t kOutputsPerTurn = 64;  // From one runtime.
constexpr int kSleepMs = 10, kSleepWithoutFlowsMs = 50;

proto::VswitchConfig MachineConfig(const RuntimeSpec& spec, const Vswitch::Options& options) {
  return {.entries = spec.flows_max,
          .members = kMembersMax,
          .held_packets = kHeldPackets,
          .term = options.term,
          .committed = options.committed,
          .drain_ns = kDrainNs,
          .probe_ns = kProbeNs};
}

std::vector<uint32_t> LeaseSizes(const RuntimeSpec& spec) {
  std::vector<uint32_t> sizes;
  for (const NfSpec& nf : spec.chain) sizes.push_back(nf.rights.lease ? nf.lease_size : 0);
  return sizes;
}

DropReason ReasonOf(proto::GateDrop reason) {
  switch (reason) {
    case proto::GateDrop::kFenced:
      return DropReason::kFencedOutput;
    case proto::GateDrop::kNoHoldRoom:
      return DropReason::kMoveBufferFull;
    case proto::GateDrop::kOwnerChanged:
      return DropReason::kMoveAbandoned;
    default:
      return DropReason::kStaleOutput;
  }
}

rte_mbuf* MbufOf(proto::PacketRef packet) { return reinterpret_cast<rte_mbuf*>(packet); }

}  // namespace

Vswitch::Vswitch(const RuntimeSpec& spec, MemberMail* mail, const ClusterBoard* board, const Options& options)
    : non_ip_(spec.non_ip),
      mail_(*mail),
      board_(*board),
      machine_(MachineConfig(spec, options), mail, this),
      leases_(LeaseSizes(spec), spec.flows_max),
      info_(spec.flows_max),
      placing_(spec.switching->placement),
      own_counters_(options.counters == nullptr ? std::make_unique<PacketCounters>() : nullptr),
      counters_(options.counters == nullptr ? *own_counters_ : *options.counters) {
  present_.reserve(kMembersMax);
  serves_shown_.Set(1);
}

Expected<std::unique_ptr<Vswitch>> Vswitch::Create(const RuntimeSpec& spec, MemberMail* mail, const ClusterBoard* board,
                                                   const Options& options) {
  std::unique_ptr<Vswitch> vswitch(new Vswitch(spec, mail, board, options));
  if (auto built = vswitch->Build(spec, options.claimed); !built) return std::unexpected(built.error());
  return vswitch;
}

Expected<void> Vswitch::Build(const RuntimeSpec& spec, Counter* claimed) {
  may_edit_ = std::ranges::any_of(spec.chain, [](const NfSpec& nf) { return nf.rights.edit != Edit::kNone; });
  auto table = FlowTable::Create({.flows_max = spec.flows_max,
                                  .with_aliases = may_edit_,
                                  .keys = &machine_.entry(0).key,
                                  .key_stride = sizeof(proto::RouteEntry)});
  if (!table) return std::unexpected(table.error());
  table_.emplace(std::move(*table));
  auto fragments = FragmentTable::Create();
  if (!fragments) return std::unexpected(fragments.error());
  fragments_.emplace(std::move(*fragments));
  auto inputs = Inputs::Open(spec);
  if (!inputs) return std::unexpected(inputs.error());
  inputs_ = std::move(*inputs);
  wait_fds_ = inputs_.wait_fds();
  if (inputs_.is_capture)
    output_.emplace(inputs_.client, inputs_.server, &counters_);
  else
    queues_.emplace(inputs_.client, inputs_.server, &counters_, claimed);
  return {};
}

Vswitch::~Vswitch() {
  for (rte_mbuf* mbuf : ahead_.TakeRest()) rte_pktmbuf_free(mbuf);
  if (fragments_) fragments_->Drain([](rte_mbuf* mbuf) { rte_pktmbuf_free(mbuf); });
}

bool Vswitch::has_work() const {
  return mail_.has_mail() || commands_.Front() != nullptr ||
         std::ranges::any_of(present_, [this](uint16_t id) { return rte_ring_empty(runtimes_[id].link->up) == 0; });
}

int Vswitch::sleep_ms_max() const {
  if (inputs_.is_capture || !mail_.is_idle() || wait_fds_.empty()) return 1;
  return machine_.entries_used() != 0 ? kSleepMs : kSleepWithoutFlowsMs;
}

uint32_t Vswitch::Turn() {
  trace_.Enter();
  if (Command* command = commands_.Front(); command != nullptr) [[unlikely]] {
    Serve(*command);
    commands_.Pop();
    command->done.store(true, std::memory_order_release);
  }
  const uint64_t mono = MonotonicNs();
  uint32_t work = TakeOutputs(mono);
  work += mail_.Take(mono, this);
  work += TakeInputs(mono);
  if (mono - machine_ns_ >= kMachineEveryNs) {
    machine_ns_ = mono;
    machine_.Turn(mono);
    if (!inputs_.is_capture) delays_.Arm(mono);
    Publish(mono);
  }
  if (queues_) queues_->Flush();
  mail_.Send(mono);
  for (uint16_t id : present_) runtimes_[id].queue->Flush();
  WakeRuntimes();
  return work;
}

void Vswitch::Serve(Command& command) {
  if (command.kind == Command::Kind::kTrace) return trace_.Take(command.trace);
  if (command.kind == Command::Kind::kExclude) return machine_.SetAccepting(command.member, command.incarnation != 0);
  Runtime& runtime = runtimes_[command.member];
  mail_.SetPeer(command.member, command.incarnation, command.mail, command.frame_bytes);
  if (command.incarnation != 0) {
    runtime.link = command.link;
    runtime.full.Set(0);
    runtime.queue = std::make_unique<RingQueue>(command.link->down, command.link->markers);
    present_.push_back(command.member);
    machine_.MemberUp(command.member, command.incarnation);
    return;
  }
  // What is here already came before it was fenced.
  const uint64_t mono = MonotonicNs();
  rte_mbuf* mbuf;
  for (uint32_t left = rte_ring_count(runtime.link->up); left != 0; --left) {
    if (rte_ring_sc_dequeue(runtime.link->up, reinterpret_cast<void**>(&mbuf)) == 0)
      TakeOutput(command.member, mbuf, mono);
  }
  machine_.MemberDown(command.member);
  while (rte_ring_sc_dequeue(runtime.link->up, reinterpret_cast<void**>(&mbuf)) == 0)
    TakeOutput(command.member, mbuf, mono);
  std::erase(present_, command.member);
  if (!inputs_.is_capture) Reroute(runtime, command.owns_ring, mono);
  DropAll(runtime);
  runtime.link = nullptr;
  runtime.queue.reset();
}

uint32_t Vswitch::TakeOutputs(uint64_t mono_ns) {
  uint32_t work = 0;
  std::array<rte_mbuf*, kOutputsPerTurn> packets;
  for (uint16_t id : present_) {
    const uint32_t count = rte_ring_sc_dequeue_burst(runtimes_[id].link->up, reinterpret_cast<void**>(packets.data()),
                                                     kOutputsPerTurn, nullptr);
    for (uint32_t i = 0; i < count; ++i) {
      const Transit& transit = Transit::Of(packets[i]);
      if (transit.is_marker != 0) continue;
      const auto* slot = reinterpret_cast<const uint8_t*>(&machine_.entry_slot(transit.header.stamp.entry));
      __builtin_prefetch(slot, 1);
      __builtin_prefetch(slot + 64, 1);
    }
    for (uint32_t i = 0; i < count; ++i) TakeOutput(id, packets[i], mono_ns);
    work += count;
  }
  return work;
}

void Vswitch::TakeOutput(uint16_t runtime, rte_mbuf* mbuf, uint64_t mono_ns) {
  const Transit& transit = Transit::Of(mbuf);
  if (transit.is_marker != 0) [[unlikely]] {
    proto::ForEachMarker({rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len},
                         [&](const proto::Marker& marker) { machine_.OnMarker(runtime, marker, mono_ns); });
    rte_pktmbuf_free(mbuf);
    return;
  }
  const proto::PacketHeader header = transit.header;
  TraceTap* const tap = TraceTap::Current();
  if (tap != nullptr) [[unlikely]]
    tap->Arrived(mbuf, TraceHop::kGate, TraceStampOf(header));
  proto::GateDrop why{};
  switch (machine_.OnOutput(runtime, reinterpret_cast<proto::PacketRef>(mbuf), header, &why)) {
    case proto::GateVerdict::kRelease:
      Emit(mbuf, header);
      return;
    case proto::GateVerdict::kHeld:
      counters_.held.Add();
      if (tap != nullptr) [[unlikely]]
        tap->Waits(mbuf, TraceWait::kGate);
      return;
    case proto::GateVerdict::kDropped:
      return DropOutput(mbuf, header, why);
  }
}

// Of what replicas relay the owner keeps a copy until it has gone, and gives that to another if the replica dies. So of
// two copies one counts: not what comes behind the other or from the dead, nor what was given before.
void Vswitch::DropOutput(rte_mbuf* mbuf, const proto::PacketHeader& header, proto::GateDrop why) {
  const bool was_relayed = (header.flags & proto::kRelayed) != 0;
  const bool is_copy = why == proto::GateDrop::kRepeated || (header.flags & proto::kAgain) != 0 ||
                       (was_relayed && why == proto::GateDrop::kFenced);
  if (!is_copy) [[likely]]
    return counters_.Drop(mbuf, ReasonOf(why));
  repeated_.Add();
  rte_pktmbuf_free(mbuf);
}

void Vswitch::Emit(rte_mbuf* mbuf, const proto::PacketHeader& header) {
  if ((header.flags & proto::kLearn) != 0) [[unlikely]] {
    if (!Learn(mbuf, header)) return;
  }
  if (conflicts_ != 0 && info_[header.stamp.entry].in_conflict) [[unlikely]] {
    TellConflict(header.stamp.entry);
    counters_.Drop(mbuf, DropReason::kAliasConflict);
    return;
  }
  if (delays_.IsMeasured(header.stamp.entry)) [[unlikely]]
    delays_.Out(header.stamp, MonotonicNs());
  PutOut(mbuf);
}

void Vswitch::PutOut(rte_mbuf* mbuf) {
  if (queues_) return queues_->Put(mbuf);
  MetaOf(mbuf)->poll_index = kNoPollIndex;  // Of several polls, and of runtimes'.
  output_->Put(mbuf);
}

// The responder answers with the tuple of this packet reversed: from now on such packets find the flow.
bool Vswitch::Learn(rte_mbuf* mbuf, const proto::PacketHeader& header) {
  const uint32_t index = header.stamp.entry;
  const FlowKey answer = MetaOf(mbuf)->parsed.key.Reversed();
  if (const FlowKey* known = table_->AliasOf(index); known != nullptr) {
    if (*known == answer) return true;
    table_->ClearAlias(index);
  }
  SetConflict(index, !table_->SetAlias(index, answer));
  if (!info_[index].in_conflict) return true;
  TellConflict(index);
  counters_.Drop(mbuf, DropReason::kAliasConflict);
  return false;
}

// Its owner may not be able to end it just now, so it is told with each output that is dropped.
void Vswitch::TellConflict(uint32_t index) {
  const proto::RouteEntry& entry = machine_.entry(index);
  SendMarker(entry.owner.id,
             proto::MakeMarker(proto::MarkerType::kAliasConflict, {index, entry.epoch, 0}, entry.next_sequence - 1));
}

void Vswitch::Release(proto::PacketRef packet, const proto::PacketHeader& header) {
  counters_.held.Set(counters_.held.value() - 1);
  Emit(MbufOf(packet), header);
}

void Vswitch::DropHeld(proto::PacketRef packet, const proto::PacketHeader& header, proto::GateDrop reason) {
  counters_.held.Set(counters_.held.value() - 1);
  DropOutput(MbufOf(packet), header, reason);
}

void Vswitch::SendMarker(uint16_t id, const proto::Marker& marker) {
  Runtime& runtime = runtimes_[id];
  if (runtime.link == nullptr) return;
  FlushStaged(runtime);  // The marker says something about what was stamped before.
  runtime.queue->PutMarker(marker);
}

void Vswitch::EntryRemoved(uint32_t entry, bool) {
  table_->Erase(entry);
  leases_.Return(entry, now_ns_);
  SetConflict(entry, false);
  info_[entry] = {};
}

void Vswitch::OnMail(uint16_t peer, proto::Message message, uint64_t mono_ns) {
  machine_.OnMessage(peer, message, mono_ns);
}

void Vswitch::WakeRuntimes() {
  for (uint16_t id : present_) {
    Runtime& runtime = runtimes_[id];
    if (runtime.queue->TakeWrote() && runtime.link->runtime_lcore != mail_.lcore())
      runtime.link->runtime_lcore->WakeIfSleeping();
  }
}

void Vswitch::Publish(uint64_t mono_ns) {
  now_shown_.Set(now_ns_);
  entries_shown_.Set(machine_.entries_used());
  stamped_shown_.Set(machine_.counters().stamped - unsent_);
  outputs_shown_.Set(machine_.counters().outputs - repeated_.value());
  gate_shown_.Set(machine_.held());
  recovered_shown_.Set(machine_.counters().recovered);
  lost_shown_.Set(machine_.counters().state_lost);
  if (!serves()) PublishRebuild();
  closed_shown_.Set(is_closed_);
  for (uint16_t id : present_) {
    const Runtime& runtime = runtimes_[id];
    const ClusterBoard::Standing standing = board_.Of(id);
    placing_.SetLoad(id, runtime.queue->queued(), standing.load_permille, standing.flows);
  }
  if (mono_ns - missed_ns_ >= kMissedEveryNs) {
    missed_ns_ = mono_ns;
    missed_.Set(inputs_.missed());
  }
}

// What is on its way to the runtime or from it.
void Vswitch::DropAll(Runtime& runtime) {
  const auto drop = [this](rte_mbuf* mbuf) {
    if (Transit::Of(mbuf).is_marker != 0)
      rte_pktmbuf_free(mbuf);
    else
      counters_.Drop(mbuf, DropReason::kShutdown);
  };
  for (uint32_t i = 0; i < runtime.staged_count; ++i, ++unsent_) drop(runtime.staged[i]);
  runtime.staged_count = 0;
  while (rte_mbuf* waiting = runtime.queue->TakeBack()) {
    unsent_ += Transit::Of(waiting).is_marker == 0 ? 1 : 0;
    drop(waiting);
  }
  rte_mbuf* mbuf;
  while (rte_ring_sc_dequeue(runtime.link->up, reinterpret_cast<void**>(&mbuf)) == 0) drop(mbuf);
}

void Vswitch::End() {
  for (rte_mbuf* mbuf : ahead_.TakeRest()) {
    counters_.received.Add();
    counters_.received_bytes.Add(MetaOf(mbuf)->wire_length);
    counters_.Drop(mbuf, DropReason::kShutdown);
  }
  for (uint16_t id : present_) DropAll(runtimes_[id]);
  machine_.DropAllHeld();
  fragments_->Drain([this](rte_mbuf* mbuf) {
    counters_.held.Set(counters_.held.value() - 1);
    counters_.Drop(mbuf, DropReason::kShutdown);
  });
  if (queues_)
    queues_->Flush();
  else
    output_->Flush();
  is_closed_ = true;
  Publish(MonotonicNs());
  missed_.Set(inputs_.missed());
  failure_ = inputs_.Finish();
}

}  // namespace nf
