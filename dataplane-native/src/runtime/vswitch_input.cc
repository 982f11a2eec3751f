// What comes in: parse, find or make the route entry, stamp, to the owner.
#include <algorithm>

#include "base/clock.h"
#include "runtime/burst.h"
#include "runtime/trace_choice.h"
#include "runtime/transit.h"
#include "runtime/vswitch.h"

namespace nf {
namespace {

using abi::DropReason;

// What arrives while the ports are drained is bounded by what they could hold.
constexpr uint32_t kDrainTurnsMax = 4096;

}  // namespace

uint32_t Vswitch::TakeInputs(uint64_t mono_ns) {
  if (is_closed_) return 0;
  if (!machine_.serves()) [[unlikely]] {
    is_closed_ = is_draining_;
    return 0;
  }
  return inputs_.is_capture ? TakeCapture(mono_ns) : TakeLive(mono_ns);
}

uint32_t Vswitch::TakeLive(uint64_t mono_ns) {
  // What came before the drain was asked for is in the ports by now; what a look before that did not find may be, too.
  const bool is_draining = is_draining_.load(std::memory_order_acquire);
  const uint64_t now = ClockNs();
  const uint32_t taken =
      TakeFromPorts(inputs_, now, [this, mono_ns](rte_mbuf** packets, uint32_t count, uint64_t now_ns) {
        Process(packets, count, now_ns, mono_ns);
      });
  if (taken == 0 && now >> abi::kExpiryTickShift != expired_tick_) {
    expired_tick_ = now >> abi::kExpiryTickShift;
    Process(nullptr, 0, now, mono_ns);
  }
  if (is_draining && (taken == 0 || ++drain_turns_ > kDrainTurnsMax)) is_closed_ = true;
  return taken;
}

// One poll at a time goes through the runtimes, so that what leaves depends on the capture alone.
uint32_t Vswitch::TakeCapture(uint64_t mono_ns) {
  if (!Seal() || !IsWorkedOff()) return 0;
  output_->Flush();
  if (is_draining_) {
    is_closed_ = true;
    return 0;
  }
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  const uint32_t count = ahead_.Take(*inputs_.client, packets.data());
  if (count == 0) {
    is_closed_ = inputs_.client->at_end();
    return 0;
  }
  const uint64_t now = std::max(now_ns_, MetaOf(packets[0])->timestamp_ns);
  ++poll_;
  for (uint16_t id : present_) runtimes_[id].link->poll_ns.store(now, std::memory_order_release);
  Process(packets.data(), count, now, mono_ns);
  Seal();
  return count;
}

// Says of each runtime's ring that the poll is in it, once it is. True when it is so for all.
bool Vswitch::Seal() {
  bool all = true;
  for (uint16_t id : present_) {
    const Runtime& runtime = runtimes_[id];
    if (runtime.queue->Flush())
      runtime.link->sealed.store(poll_, std::memory_order_release);
    else
      all = false;
  }
  return all;
}

bool Vswitch::IsWorkedOff() const {
  if (machine_.held() != 0) return false;  // Output of flows that move.
  const bool all = std::ranges::all_of(present_, [this](uint16_t id) {
    const RuntimeLink& link = *runtimes_[id].link;
    return link.worked_off.load(std::memory_order_acquire) == link.sealed.load(std::memory_order_relaxed);
  });
  // One may send for another, which has worked off its packets only then.
  return all &&
         std::ranges::all_of(present_, [this](uint16_t id) { return rte_ring_empty(runtimes_[id].link->up) != 0; });
}

void Vswitch::Process(rte_mbuf** packets, uint32_t count, uint64_t now_ns, uint64_t mono_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  fragments_->Expire(now_ns_, [this](rte_mbuf* mbuf) {
    counters_.held.Set(counters_.held.value() - 1);
    counters_.Drop(mbuf, DropReason::kFragmentTimeout);
  });
  if (count == 0) return;
  ParsedBurst burst;
  ParseBurst(packets, count, *table_, &burst);
  for (uint32_t i = 0; i < count; ++i) {
    if (burst.hashes[i] == 0) continue;
    const uint32_t entry = table_->Candidate(burst.hashes[i]);
    if (entry == kNoFlow) continue;
    // Of what comes by an alias the key isn't the entry's.
    __builtin_prefetch(&machine_.entry(entry));
    __builtin_prefetch(reinterpret_cast<const uint8_t*>(&machine_.entry(entry)) + 64, 1);
  }
  if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]] {
    ChooseForTrace(*tap, packets, count, burst, *table_,
                   [this](uint32_t entry) -> const FlowKey& { return machine_.entry(entry).key; });
  }
  counters_.received.Add(count);
  counters_.received_bytes.Add(burst.bytes);
  MeasureRoom();
  for (uint32_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = packets[i];
    PacketMeta* meta = MetaOf(mbuf);
    if (burst.reasons[i] != DropReason::kNone) [[unlikely]] {
      counters_.Drop(mbuf, burst.reasons[i]);
    } else if (HasFlowKey(meta->parsed.kind)) [[likely]] {
      ProcessFlowPacket(mbuf, meta, burst.hashes[i], mono_ns);
    } else if (meta->parsed.kind == PacketKind::kLaterFragment) {
      ProcessLaterFragment(mbuf, meta, mono_ns);
    } else {
      ProcessNonIp(mbuf, meta);
    }
  }
  for (uint16_t id : present_) FlushStaged(runtimes_[id]);
}

void Vswitch::MeasureRoom() {
  for (uint16_t id : present_) {
    runtimes_[id].room = runtimes_[id].queue->room();
  }
}

void Vswitch::DropFull(rte_mbuf* mbuf, Runtime& runtime) {
  runtime.full.Add();
  counters_.Drop(mbuf, DropReason::kRuntimeFull);
}

void Vswitch::FlushStaged(Runtime& runtime) {
  if (runtime.staged_count == 0) return;
  // There is room: it was measured before anything was stamped, and nobody else writes.
  runtime.queue->Put(runtime.staged.data(), runtime.staged_count);
  runtime.staged_count = 0;
}

uint16_t Vswitch::Place() {
  return placing_.Choose(present_, [this](uint16_t id) { return machine_.accepts(id); });
}

uint32_t Vswitch::OpenEntry(const FlowKey& key, uint64_t hash, uint64_t mono_ns, DropReason* why) {
  const uint16_t runtime = Place();
  if (runtime == 0) {
    *why = DropReason::kNoRuntime;
    return kNoFlow;
  }
  if (runtimes_[runtime].room == 0) {
    *why = DropReason::kRuntimeFull;
    runtimes_[runtime].full.Add();
    return kNoFlow;
  }
  // Such a flow would stay without what it needs. Its next packet comes later.
  if (now_ns_ < rested_ns_) [[unlikely]] {
    *why = DropReason::kNoRuntime;
    return kNoFlow;
  }
  const uint32_t entry = machine_.Open(key, runtime, mono_ns);
  if (entry == proto::kNone) {
    *why = DropReason::kFlowTableFull;
    return kNoFlow;
  }
  table_->Insert(entry, hash);
  leases_.Take(entry, now_ns_);
  info_[entry] = {.number = ++numbers_, .in_conflict = false};
  return entry;
}

void Vswitch::ProcessFlowPacket(rte_mbuf* mbuf, PacketMeta* meta, uint64_t hash, uint64_t mono_ns) {
  const ParsedPacket& parsed = meta->parsed;
  FlowMatch match = table_->Find(parsed.key, hash);
  if (!match.found()) [[unlikely]] {
    DropReason why = DropReason::kIcmpErrorNoFlow;
    if (parsed.kind != PacketKind::kIcmpError) {
      match = {.flow = OpenEntry(parsed.key, hash, mono_ns, &why), .direction = 0};
    }
    if (!match.found()) {
      counters_.Drop(mbuf, why);
      return;
    }
  }
  const uint8_t flags =
      static_cast<uint8_t>((match.direction != 0 ? proto::kDirection : 0) | (match.by_alias ? proto::kByAlias : 0));
  const bool is_fragment = (parsed.flags & abi::kPacketFlagFragment) != 0;
  if (!is_fragment) [[likely]]
    return Route(mbuf, meta, match.flow, flags, mono_ns);
  // What waited for it goes behind it.
  const FragmentFlow of{.flow_number = info_[match.flow].number, .flow = match.flow, .direction = flags};
  const uint32_t count = fragments_->First(parsed, of, now_ns_, released_.data());
  Route(mbuf, meta, match.flow, flags, mono_ns);
  for (uint32_t i = 0; i < count; ++i) {
    counters_.held.Set(counters_.held.value() - 1);
    Route(released_[i], MetaOf(released_[i]), match.flow, flags, mono_ns);
  }
}

void Vswitch::ProcessLaterFragment(rte_mbuf* mbuf, PacketMeta* meta, uint64_t mono_ns) {
  FragmentFlow of;
  switch (fragments_->Later(meta->parsed, mbuf, now_ns_, &of)) {
    case FragmentOutcome::kFlow:
      if (IsLiving(of))
        Route(mbuf, meta, of.flow, static_cast<uint8_t>(of.direction), mono_ns);
      else
        counters_.Drop(mbuf, DropReason::kFragmentNoFlow);
      return;
    case FragmentOutcome::kHeld:
      counters_.held.Add();
      if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
        tap->Waits(mbuf, TraceWait::kFragment);
      return;
    case FragmentOutcome::kOverflow:
      counters_.Drop(mbuf, DropReason::kFragmentOverflow);
      return;
  }
}

void Vswitch::ProcessNonIp(rte_mbuf* mbuf, PacketMeta* meta) {
  if (non_ip_ == NonIpPolicy::kDrop) {
    counters_.Drop(mbuf, DropReason::kNonIp);
    return;
  }
  meta->out_port = meta->in_port ^ 1;
  PutOut(mbuf);
}

// What waits for a runtime that is no more was never taken: it goes where its flow goes now, in the same order.
// `with_ring`: also what lies in its ring.
void Vswitch::Reroute(Runtime& lost, bool with_ring, uint64_t mono_ns) {
  MeasureRoom();
  rte_mbuf* mbuf;
  while (with_ring && rte_ring_sc_dequeue(lost.link->down, reinterpret_cast<void**>(&mbuf)) == 0)
    RouteAgain(mbuf, mono_ns);
  while ((mbuf = lost.queue->TakeBack()) != nullptr) RouteAgain(mbuf, mono_ns);
  for (uint32_t i = 0; i < lost.staged_count; ++i) RouteAgain(lost.staged[i], mono_ns);
  lost.staged_count = 0;
  for (uint16_t id : present_) FlushStaged(runtimes_[id]);
}

void Vswitch::RouteAgain(rte_mbuf* mbuf, uint64_t mono_ns) {
  const Transit& transit = Transit::Of(mbuf);
  if (transit.is_marker != 0) return rte_pktmbuf_free(mbuf);
  ++unsent_;
  const proto::Stamp stamp = transit.header.stamp;
  const proto::RouteEntry& e = machine_.entry(stamp.entry);
  EntryInfo& info = info_[stamp.entry];
  // If the flow went elsewhere before, later packets of it are there already, and this one would come behind them.
  const bool is_last = e.epoch == stamp.epoch || (info.rerouted_from == stamp.epoch && info.rerouted_to == e.epoch);
  if (!e.used || !is_last) {
    counters_.Drop(mbuf, DropReason::kStalePacket);
    return;
  }
  Route(mbuf, MetaOf(mbuf), stamp.entry, transit.header.flags & (proto::kDirection | proto::kByAlias), mono_ns);
  info.rerouted_from = stamp.epoch;
  info.rerouted_to = e.epoch;
}

// A stamp taken is a packet sent: room first.
void Vswitch::Route(rte_mbuf* mbuf, PacketMeta* meta, uint32_t entry, uint8_t flags, uint64_t mono_ns) {
  if (const proto::RouteEntry& e = machine_.entry(entry); machine_.Alive(e.owner)) [[likely]] {
    if (runtimes_[e.owner.id].room == 0) [[unlikely]]
      return DropFull(mbuf, runtimes_[e.owner.id]);
  }
  Transit& transit = Transit::Of(mbuf);
  uint16_t id = 0;
  auto verdict = machine_.StampPacket(entry, flags & proto::kDirection, mono_ns, &id, &transit.header);
  if (verdict == proto::StampVerdict::kNeedsRuntime) [[unlikely]] {
    const uint16_t other = Place();
    if (other == 0 || !machine_.Reopen(entry, other)) {
      counters_.Drop(mbuf, DropReason::kNoRuntime);
      return;
    }
    machine_.StampPacket(entry, flags & proto::kDirection, mono_ns, &id, &transit.header);
  }
  Runtime& runtime = runtimes_[id];
  if (runtime.room == 0) [[unlikely]] {  // Its owner has changed just now.
    ++unsent_;
    return DropFull(mbuf, runtime);
  }
  --runtime.room;
  transit.header.flags |= flags & proto::kByAlias;
  transit.header.port = meta->in_port;
  transit.is_marker = 0;
  if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
    tap->Routed(mbuf, id, TraceStampOf(transit.header));
  if (delays_.is_armed()) [[unlikely]]
    delays_.Begin(transit.header.stamp, mono_ns);
  if (runtime.staged_count == runtime.staged.size()) FlushStaged(runtime);
  runtime.staged[runtime.staged_count++] = mbuf;
}

}  // namespace nf
