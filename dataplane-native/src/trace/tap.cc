#include "trace/tap.h"

#include <algorithm>
#include <cstring>

#include "base/clock.h"

namespace nf {

constinit std::atomic<uint32_t> trace_taps_on{0};

namespace {
constinit thread_local TraceTap* current = nullptr;
}  // namespace

void TraceTap::Enter() { current = session_ != nullptr ? this : nullptr; }
TraceTap* TraceTap::OfThread() { return current; }

void TraceTap::Take(TraceSession* session) {
  if (current == this) current = nullptr;
  if ((session_ != nullptr) != (session != nullptr)) trace_taps_on.fetch_add(session != nullptr ? 1u : UINT32_MAX);
  session_ = session;
}

TraceRecord TraceTap::Start(rte_mbuf* mbuf, TraceHop hop) const {
  const PacketMeta& meta = *MetaOf(mbuf);
  TraceRecord record{};
  record.hop = hop;
  record.nf = nf_;
  record.at_ns = now_ns_ != 0 ? now_ns_ : MonotonicNs();
  record.number = meta.trace;
  record.flags = static_cast<uint8_t>(nf_flags_ | (meta.emitted != 0 ? TraceRecord::kAnother : 0));
  record.wire_length = meta.wire_length;
  return record;
}

void TraceTap::Put(TraceRecord record, const rte_mbuf* mbuf, bool with_frame) {
  record.captured =
      with_frame ? static_cast<uint16_t>(std::min<uint32_t>(mbuf->data_len, session_->spec_.frame_bytes)) : uint16_t{0};
  record.bytes = TraceRing::RoomFor(record.captured);
  uint8_t* to = session_->ring_.Reserve(record.bytes);
  if (to == nullptr) return session_->lost_.Add();
  std::memcpy(to, &record, sizeof record);
  if (record.captured != 0) std::memcpy(to + sizeof record, rte_pktmbuf_mtod(mbuf, const uint8_t*), record.captured);
  session_->ring_.Commit();
}

bool TraceTap::KeepsAtPort(uint8_t port) const {
  const TracePoint& point = session_->spec_.point;
  return point.kind == TracePoint::kAll || (point.kind == TracePoint::kPort && point.which == port);
}

bool TraceTap::KeepsAtNf(TracePoint::Kind kind) const {
  const TracePoint& point = session_->spec_.point;
  return point.kind == kind && point.which == nf_;
}

void TraceTap::Choose(rte_mbuf* mbuf, bool is_new_flow) {
  PacketMeta* meta = MetaOf(mbuf);
  constexpr uint32_t kWay = TraceSession::kHopsMax * sizeof(TraceRecord);
  if (session_->ring_.free() < kWay + 2 * TraceRing::RoomFor(session_->spec_.frame_bytes)) {
    session_->missed_.Add();
    return;
  }
  session_->chosen_.Add();
  meta->trace = Number();
  TraceRecord record = Start(mbuf, TraceHop::kIn);
  record.port = meta->in_port;
  if (is_new_flow) record.flags |= TraceRecord::kNewFlow;
  Put(record, mbuf, KeepsAtPort(meta->in_port));
}

void TraceTap::Arrived(rte_mbuf* mbuf, TraceHop hop, const Stamp& stamp) {
  PacketMeta* meta = MetaOf(mbuf);
  if (meta->trace == 0) return;
  meta->trace = Number();
  Left(mbuf, hop, stamp);
}

void TraceTap::Left(rte_mbuf* mbuf, TraceHop hop, const Stamp& stamp) {
  if (MetaOf(mbuf)->trace == 0) return;
  TraceRecord record = Start(mbuf, hop);
  record.entry = stamp.entry;
  record.epoch = stamp.epoch;
  record.sequence = stamp.sequence;
  record.part = stamp.part;
  record.port = MetaOf(mbuf)->out_port;
  Put(record, mbuf, false);
}

void TraceTap::Routed(rte_mbuf* mbuf, uint16_t runtime, const Stamp& stamp) {
  if (MetaOf(mbuf)->trace == 0) return;
  TraceRecord record = Start(mbuf, TraceHop::kRouted);
  record.runtime = runtime;
  record.entry = stamp.entry;
  record.epoch = stamp.epoch;
  record.sequence = stamp.sequence;
  Put(record, mbuf, false);
}

void TraceTap::Waits(rte_mbuf* mbuf, TraceWait wait) {
  if (MetaOf(mbuf)->trace == 0) return;
  TraceRecord record = Start(mbuf, TraceHop::kWaits);
  record.wait = wait;
  Put(record, mbuf, false);
}

void TraceTap::Out(rte_mbuf* mbuf) {
  const PacketMeta& meta = *MetaOf(mbuf);
  // A runtime's ports lead to its vswitch.
  if (meta.trace == 0 || !session_->spec_.chooses) return;
  TraceRecord record = Start(mbuf, TraceHop::kOut);
  record.port = meta.out_port;
  // Other bytes than the last NF left it with it can't have.
  Put(record, mbuf, session_->spec_.point.kind == TracePoint::kPort && KeepsAtPort(meta.out_port));
}

void TraceTap::Dropped(rte_mbuf* mbuf, abi::DropReason reason) {
  if (MetaOf(mbuf)->trace == 0) return;
  TraceRecord record = Start(mbuf, TraceHop::kDropped);
  record.reason = static_cast<uint8_t>(reason);
  Put(record, mbuf, false);
}

void TraceTap::BeforeNf(rte_mbuf* const* packets, uint32_t count, uint8_t nf, uint8_t flags) {
  nf_ = nf;
  nf_flags_ = flags;
  before_count_ = count;
  now_ns_ = MonotonicNs();
  const bool keeps = KeepsAtNf(TracePoint::kNfIn);
  for (uint32_t i = 0; i < count; ++i) {
    const PacketMeta& meta = *MetaOf(packets[i]);
    before_[i].number = meta.trace;
    if (meta.trace == 0) continue;
    before_[i].length = packets[i]->data_len;
    std::memcpy(copy(i), rte_pktmbuf_mtod(packets[i], const uint8_t*),
                std::min<uint32_t>(packets[i]->data_len, session_->spec_.frame_bytes));
    if (keeps) Put(Start(packets[i], TraceHop::kNfIn), packets[i], true);
  }
  now_ns_ = 0;
}

bool TraceTap::IsChanged(const rte_mbuf* mbuf, uint32_t place) const {
  const uint32_t kept = std::min<uint32_t>(mbuf->data_len, session_->spec_.frame_bytes);
  return mbuf->data_len != before_[place].length ||
         std::memcmp(rte_pktmbuf_mtod(mbuf, const uint8_t*), copy(place), kept) != 0;
}

void TraceTap::Answered(rte_mbuf* mbuf, uint32_t place, abi::Verdict verdict, uint8_t reason) {
  if (MetaOf(mbuf)->trace == 0) return;
  TraceRecord record = Start(mbuf, TraceHop::kNf);
  record.verdict = static_cast<uint8_t>(verdict);
  record.reason = reason;
  const bool is_changed = place < before_count_ && IsChanged(mbuf, place);
  if (is_changed) record.flags |= TraceRecord::kChanged;
  const bool keeps = KeepsAtNf(TracePoint::kNfOut) && verdict != abi::Verdict::kDrop;
  Put(record, mbuf, keeps || (is_changed && session_->spec_.point.kind == TracePoint::kAll));
}

void TraceTap::AfterNf(rte_mbuf* const* packets, uint32_t skipped) {
  now_ns_ = MonotonicNs();
  const uint8_t flags = nf_flags_;
  for (uint32_t i = 0; i < before_count_; ++i) {
    if (before_[i].number == 0 || packets[i] == nullptr) continue;
    nf_flags_ = static_cast<uint8_t>(flags | ((skipped >> i & 1) != 0 ? TraceRecord::kSkipped : 0));
    Answered(packets[i], i, abi::Verdict::kForward, 0);
  }
  now_ns_ = 0;
  nf_ = kTraceNoNf;
  nf_flags_ = 0;
  before_count_ = 0;
}

void TraceTap::Emitted(rte_mbuf* mbuf, const PacketMeta& cause, uint8_t nf) {
  PacketMeta* meta = MetaOf(mbuf);
  meta->trace = 0;
  if (cause.trace == 0) return;
  meta->trace = Number();
  TraceRecord record = Start(mbuf, TraceHop::kEmitted);
  record.nf = nf;
  record.cause = cause.trace;
  Put(record, mbuf,
      session_->spec_.point.kind == TracePoint::kAll ||
          (session_->spec_.point.kind == TracePoint::kNfOut && session_->spec_.point.which == nf));
}

}  // namespace nf
