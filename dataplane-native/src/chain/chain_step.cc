// One NF of a call: choosing the packets, showing them, calling, taking the results.
#include <bit>

#include "chain/chain.h"
#include "chain/edits.h"
#include "chain/native_nf.h"
#include "chain/packet_entry.h"

namespace nf {
namespace {

using abi::DropReason;
using abi::Verdict;

constexpr uint16_t kEditFlags =
    abi::kResultFlagModifiedHeader | abi::kResultFlagModifiedPayload | abi::kResultFlagReshaped;
constexpr uint16_t kFlowFlags = abi::kResultFlagCloseFlow | abi::kResultFlagArmTimer | abi::kResultFlagAskMigrate;

}  // namespace

void Chain::Step(ChainNf& nf, Walk& walk) {
  const uint32_t before = walk.count;
  TraceTap* const tap = TraceTap::Current();
  if (tap != nullptr) [[unlikely]]
    tap->BeforeNf(walk.packets.data(), before, static_cast<uint8_t>(nf.index()),
                  walk.role == PacketRole::kReply ? TraceRecord::kReply : uint8_t{0});
  Call call;
  call.count = walk.count;
  for (uint32_t i = 0; i < walk.count; ++i) call.places[i] = static_cast<uint8_t>(i);
  // Once, and again for those behind a packet that the NF trapped on.
  while (call.count != 0) {
    if (nf.any_bypassed || !nf.is_callable()) [[unlikely]]
      Select(nf, walk, call);
    if (call.count == 0) break;
    if (nf.native() != nullptr) [[unlikely]] {
      CallNative(nf, walk, call);
    } else {
      CallInstance(nf, walk, call);
    }
  }
  if (tap != nullptr) [[unlikely]]
    tap->AfterNf(walk.packets.data(), SkippedBy(nf, walk));
  Compact(walk);
  if (walk.count != before) walk.headers_shown = walk.payloads_shown = false;
}

// Bit i: the NF let packet i go by without looking at it, or faulted on it.
uint32_t Chain::SkippedBy(const ChainNf& nf, const Walk& walk) const {
  uint32_t skipped = 0;
  for (uint32_t i = 0; i < walk.count; ++i) {
    if (walk.packets[i] == nullptr) continue;
    if (nf.is_quarantined() || (flows_->actor(MetaOf(walk.packets[i])->flow).bypassed & nf.bit()) != 0)
      skipped |= 1u << i;
  }
  return skipped;
}

void Chain::Compact(Walk& walk) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < walk.count; ++i) {
    if (walk.packets[i] != nullptr) walk.packets[count++] = walk.packets[i];
  }
  walk.count = count;
}

// Leaves in `call` what the NF is to see; drops what it can't be shown and must not pass.
void Chain::Select(ChainNf& nf, Walk& walk, Call& call) {
  if (nf.native() != nullptr) return;
  uint32_t count = 0;
  for (uint32_t j = 0; j < call.count; ++j) {
    const uint32_t place = call.places[j];
    rte_mbuf* mbuf = walk.packets[place];
    if ((flows_->actor(MetaOf(mbuf)->flow).bypassed & nf.bit()) != 0) continue;
    if (nf.is_quarantined()) {
      if (nf.rights().quarantine == QuarantineMode::kOpen) continue;
      counters_->Drop(mbuf, DropReason::kNfQuarantined);
      walk.packets[place] = nullptr;
    } else if (nf.active() == nullptr) {
      counters_->Drop(mbuf, DropReason::kNfUnavailable);
      walk.packets[place] = nullptr;
    } else {
      call.places[count++] = static_cast<uint8_t>(place);
    }
  }
  call.count = count;
}

void Chain::Show(ChainNf& nf, Walk& walk, Call& call) {
  Instance& instance = *nf.active();
  const ChainNf::Rights& rights = nf.rights();
  const bool all = call.count == walk.count;
  const bool fill_headers = nf.has_own_headers() || !(all && walk.headers_shown);
  const bool fill_payloads = rights.view_payload && (nf.has_own_payloads() || !(all && walk.payloads_shown));
  const uint16_t bit = nf.bit();
  StateStore& states = nf.states();
  HeaderArea& headers = nf.headers();
  abi::Descriptor* descriptors = instance.descriptors();
  abi::FlowRecord* records = instance.flow_records();
  call.first = 0;
  for (uint32_t j = 0; j < call.count; ++j) {
    rte_mbuf* mbuf = walk.packets[call.places[j]];
    const PacketMeta& meta = *MetaOf(mbuf);
    const ParsedPacket& parsed = meta.parsed;
    FlowActor& actor = flows_->actor(meta.flow);
    walk.next->Prefetch(meta.flow);
    uint16_t flags = parsed.flags;
    if ((actor.opened & bit) == 0) [[unlikely]] {
      actor.opened |= bit;
      states.Clear(meta.flow);
      flags |= abi::kPacketFlagFirst;
      call.first |= 1u << j;
    }
    if (fill_headers) headers.Fill(j, rte_pktmbuf_mtod(mbuf, const uint8_t*), parsed.payload_offset);
    uint32_t payload_length = 0;
    if (rights.view_payload) {
      payload_length = VisiblePayload(mbuf);
      if (fill_payloads) {
        nf.payloads().Fill(j, rte_pktmbuf_mtod_offset(mbuf, const uint8_t*, parsed.payload_offset), payload_length);
      }
    }
    const PacketEntry entry = {.index = j,
                               .meta = &meta,
                               .actor = &actor,
                               .direction = walk.direction,
                               .flags = flags,
                               .payload_length = payload_length,
                               .state = states.address(meta.flow),
                               .lease = nf.has_lease() ? flows_->lease(nf.index(), meta.flow) : 0,
                               .now_ns = now_ns_};
    entry.Write(rights, descriptors, records);
  }
  if (fill_headers && !nf.has_own_headers()) walk.headers_shown = all;
  if (fill_payloads && !nf.has_own_payloads()) walk.payloads_shown = all;
  std::memset(instance.results(), 0, call.count * sizeof(abi::Result));
  if (rights.emits != 0) [[unlikely]] {
    std::memset(instance.emit_records(), 0, abi::kEmitsPerBurstMax * sizeof(abi::EmitRecord));
  }
  abi::BurstHeader* header = instance.burst_header();
  header->now_ns = now_ns_;
  header->count = call.count;
  header->direction = walk.direction;
  header->burst_sequence = nf.calls++;
}

void Chain::CallInstance(ChainNf& nf, Walk& walk, Call& call) {
  Show(nf, walk, call);
  Instance& instance = *nf.active();
  const abi::Result* results = instance.results();
  uint32_t taken = call.count;
  const bool returned = instance.ProcessBurst(call.count);
  if (!returned) [[unlikely]] {
    for (uint32_t j = 0; j < call.count; ++j) native_results_[j] = ReadResult(&results[j]);
    results = native_results_.data();
    taken = 0;
    while (taken < call.count && results[taken].verdict != static_cast<uint8_t>(Verdict::kPending)) ++taken;
    if (taken == call.count) --taken;
  }
  trapped_ = returned ? kNoPlace : call.places[taken];
  emit_breach_ = 0;
  if (nf.rights().emits != 0) [[unlikely]]
    ReadEmits(nf, call, taken, walk.role);
  for (uint32_t j = 0; j < taken; ++j) {
    const abi::Result result = ReadResult(&results[j]);
    if (IsPlainForward(result) && nf.rights().emits == 0) [[likely]]
      continue;
    TakeResult(nf, walk, call, j, result);
  }
  CheckLogs(nf);
  if (returned) [[likely]] {
    call.count = 0;
    return;
  }
  // The blamed packet, and those behind it, were not processed: for them the NF has not opened their flows.
  for (uint32_t first = call.first >> taken << taken; first != 0; first &= first - 1) {
    const uint32_t place = call.places[std::countr_zero(first)];
    flows_->actor(MetaOf(walk.packets[place])->flow).opened &= static_cast<uint16_t>(~nf.bit());
  }
  BlamePacket(nf, walk, call.places[taken], &instance.fault());
  ReplaceDead(nf);
  uint32_t left = 0;
  for (uint32_t j = taken + 1; j < call.count; ++j) {
    if (walk.packets[call.places[j]] != nullptr) call.places[left++] = call.places[j];
  }
  call.count = left;
}

void Chain::CallNative(ChainNf& nf, Walk& walk, Call& call) {
  std::array<NativePacket, abi::kBurstPackets> packets;
  call.first = 0;
  for (uint32_t j = 0; j < call.count; ++j) {
    rte_mbuf* mbuf = walk.packets[j];
    PacketMeta* meta = MetaOf(mbuf);
    FlowActor& actor = flows_->actor(meta->flow);
    walk.next->Prefetch(meta->flow);
    const bool first = (actor.opened & nf.bit()) == 0;
    if (first) {
      actor.opened |= nf.bit();
      nf.states().Clear(meta->flow);
      call.first |= 1u << j;
    }
    packets[j] = {.frame = rte_pktmbuf_mtod(mbuf, uint8_t*),
                  .meta = meta,
                  .state = nf.states().data(meta->flow),
                  .flow = &actor.key,
                  .lease = nf.has_lease() ? flows_->lease(nf.index(), meta->flow) : 0,
                  .first = first};
  }
  trapped_ = kNoPlace;
  std::memset(native_results_.data(), 0, call.count * sizeof(abi::Result));
  nf.native()->Process(packets.data(), call.count, walk.direction, now_ns_, native_results_.data());
  for (uint32_t j = 0; j < call.count; ++j) {
    abi::Result result = native_results_[j];
    if ((result.flags & abi::kResultFlagModifiedHeader) != 0) {
      RefreshTuple(walk.packets[j]);
      walk.headers_shown = false;
      result.flags &= static_cast<uint16_t>(~kEditFlags);
    }
    if (!IsPlainForward(result)) TakeResult(nf, walk, call, j, result);
  }
  call.count = 0;
}

void Chain::TakeResult(ChainNf& nf, Walk& walk, const Call& call, uint32_t index, const abi::Result& result) {
  const uint32_t place = call.places[index];
  rte_mbuf* mbuf = walk.packets[place];
  if (mbuf == nullptr) return;  // Refused with its flow.
  const auto verdict = static_cast<Verdict>(result.verdict);
  bool allowed = IsAllowed(result, nf.rights(), walk.role) && (emit_breach_ >> index & 1) == 0;
  if (allowed && verdict != Verdict::kDrop && (result.flags & kEditFlags) != 0) {
    allowed = ApplyEdits(nf, index, result, mbuf);
    if (allowed) walk.headers_shown = walk.payloads_shown = false;
  }
  if (!allowed) [[unlikely]] {
    BlamePacket(nf, walk, place, nullptr);
    return;
  }
  const uint32_t flow = MetaOf(mbuf)->flow;
  if (nf.rights().emits != 0) [[unlikely]]
    TakeEmits(nf, walk, index, mbuf);
  if (((result.flags & kFlowFlags) | result.timeout) != 0) [[unlikely]] {
    TakeFlowAnswer(nf, flow, result, (call.first >> index & 1) != 0 && walk.role == PacketRole::kPacket);
  }
  if (verdict == Verdict::kForward) [[likely]]
    return;
  if (TraceTap* tap = TraceTap::Current(); tap != nullptr) [[unlikely]]
    tap->Answered(mbuf, place, verdict, result.drop_reason);
  walk.packets[place] = nullptr;
  if (verdict == Verdict::kDrop) {
    nf.dropped[result.drop_reason == 0 ? 0 : result.drop_reason - 127].Add();
    rte_pktmbuf_free(mbuf);
  } else {
    turned_[turned_count_++] = {.mbuf = mbuf, .nf = nf.index()};
  }
}

// What a result says about the packet's flow.
void Chain::TakeFlowAnswer(ChainNf& nf, uint32_t flow, const abi::Result& result, bool is_first) {
  FlowActor& actor = flows_->actor(flow);
  if ((result.flags & abi::kResultFlagArmTimer) != 0) {
    if (nf.has_timer()) flows_->ArmTimer(nf.index(), flow, now_ns_, result.timeout);
  } else if (result.timeout != 0 && result.timeout != actor.idle_ms) {
    actor.idle_ms = result.timeout;
    flows_->Rearm(flow);
  }
  if ((result.flags & abi::kResultFlagAskMigrate) != 0 && flows_move_) NoteAsk(flow);
  if ((result.flags & abi::kResultFlagCloseFlow) != 0) {
    const bool refused =
        is_first && result.verdict == static_cast<uint8_t>(Verdict::kDrop) && actor.packets[0] + actor.packets[1] == 1;
    AskToClose(flow, refused ? abi::CloseReason::kRefused : abi::CloseReason::kFinished, refused ? nf.index() : kNoNf);
  }
}

}  // namespace nf
