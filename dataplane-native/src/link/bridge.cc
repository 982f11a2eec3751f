#include "link/bridge.h"

#include <chrono>
#include <thread>

#include "base/clock.h"
#include "proto/frame.h"
#include "runtime/lcore.h"
#include "runtime/transit.h"

namespace nf::link {
namespace {

// How often the control thread looks whether the lcore is done.
constexpr std::chrono::microseconds kLook{50};

struct FencedLife {
  uint32_t incarnation;
  uint16_t member;
  uint16_t reserved;
};

}  // namespace

Bridge::Bridge(const Surroundings& surroundings, ControlCodec codec)
    : codec_(std::move(codec)),
      mail_(*surroundings.mail),
      board_(*surroundings.board),
      frames_(surroundings.frames),
      markers_(surroundings.markers),
      entries_(surroundings.entries),
      may_edit_(surroundings.may_edit),
      file_(surroundings.file) {
  codec_.set_counters(&counters_);
  for (uint32_t nf = 0; nf < surroundings.lease_sizes.size(); ++nf) {
    if (surroundings.lease_sizes[nf] != 0) leasing_.push_back(nf);
  }
}

void Bridge::Perform(Lcore& lcore, bool runs, const std::function<void()>& what) {
  if (!runs || lcore.ended()) return what();
  Request request{.what = &what};
  request_.store(&request, std::memory_order_release);
  lcore.Wake();
  while (!request.done.load(std::memory_order_acquire)) {
    Request* mine = &request;
    if (lcore.ended() && request_.compare_exchange_strong(mine, nullptr)) return what();
    std::this_thread::sleep_for(kLook);
  }
}

uint32_t Bridge::Turn() {
  if (Request* request = request_.load(std::memory_order_acquire); request != nullptr) [[unlikely]] {
    if (request_.compare_exchange_strong(request, nullptr)) {
      (*request->what)();
      request->done.store(true, std::memory_order_release);
    }
  }
  const uint64_t mono = MonotonicNs();
  if (file_ != nullptr) {
    const bool is_tick = mono - ticked_ns_ >= kHeartbeatNs;
    if (is_tick) ticked_ns_ = mono;
    file_->Beat(mono);
    file_->SetLinks(counters_);
    Publish(&file_->layout(), is_tick);
  }
  return Round(mono);
}

void Bridge::End() {
  if (file_ == nullptr) return;
  file_->SetLinks(counters_);
  Publish(&file_->layout(), true);
}

Bridge::Taken Bridge::TakeControl(rte_mbuf* frame, uint16_t from, uint16_t markers_from) {
  const std::span<const uint8_t> bytes(rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len);
  const auto opened = codec_.Open(bytes, payload_.data());
  if (!opened) {
    rte_pktmbuf_free(frame);
    return {};
  }
  Taken taken{.is_genuine = true};
  const std::span<const uint8_t> payload(payload_.data(), opened->bytes);
  const bool is_mail = opened->kind == ControlKind::kMail;
  rte_mbuf* mbuf = nullptr;
  if (from != kAnybody && opened->source != from) {
    Refuse(frame, LinkCount::kUnsound);
    return {};
  }
  if (opened->kind == ControlKind::kHeartbeat) {
    ++heartbeats_;
    TakeStandings(payload, opened->source);
    rte_pktmbuf_free(frame);
    return taken;
  }
  if (opened->kind == ControlKind::kFenced) {
    FencedLife life;
    const bool is_told = opened->source == proto::kVswitch && payload.size() == sizeof life;
    if (!is_told) {
      Refuse(frame, LinkCount::kUnsound);
      return taken;
    }
    std::memcpy(&life, payload.data(), sizeof life);
    TakeFenced(life.member, life.incarnation);
    rte_pktmbuf_free(frame);
    return taken;
  }
  proto::FrameHeader header;
  const bool is_sound = is_mail ? payload.size() >= sizeof header : opened->source == markers_from;
  if (is_mail && is_sound) std::memcpy(&header, payload.data(), sizeof header);
  // Nobody speaks for another.
  if (!is_sound || (is_mail && header.source != opened->source)) {
    Refuse(frame, LinkCount::kUnsound);
    return taken;
  }
  mbuf = rte_pktmbuf_alloc(is_mail ? frames_ : markers_);
  char* copy = mbuf != nullptr ? rte_pktmbuf_append(mbuf, static_cast<uint16_t>(payload.size())) : nullptr;
  if (copy != nullptr) std::memcpy(copy, payload.data(), payload.size());
  if (copy == nullptr || (is_mail && !mail_.box()->Put(mbuf))) {
    rte_pktmbuf_free(mbuf);
    Refuse(frame, LinkCount::kNoRoom);
    return taken;
  }
  rte_pktmbuf_free(frame);
  if (is_mail) return taken;
  Transit::Of(mbuf).is_marker = 1;
  taken.markers = mbuf;
  return taken;
}

void Bridge::StageControl(LinkEnd* end, rte_mbuf* mbuf, ControlKind kind, uint16_t to) {
  if (codec_.Seal(mbuf, kind, to))
    end->Stage(mbuf);
  else
    rte_pktmbuf_free(mbuf);
}

void Bridge::StageHeartbeat(LinkEnd* end, uint16_t to, uint16_t first, uint16_t last) {
  rte_mbuf* mbuf = end->room() != 0 ? rte_pktmbuf_alloc(frames_) : nullptr;
  if (mbuf == nullptr) return;
  for (uint16_t id = first; id <= last; ++id) {
    const uint64_t word = board_.word(id);
    std::memcpy(rte_pktmbuf_append(mbuf, sizeof word), &word, sizeof word);
  }
  StageControl(end, mbuf, ControlKind::kHeartbeat, to);
}

// Nobody waits for it: the supervisor says the same, some milliseconds later.
void Bridge::StageFenced(LinkEnd* end, uint16_t to, uint16_t member, uint32_t incarnation) {
  rte_mbuf* mbuf = end->room() != 0 ? rte_pktmbuf_alloc(frames_) : nullptr;
  if (mbuf == nullptr) return;
  const FencedLife life{.incarnation = incarnation, .member = member, .reserved = 0};
  std::memcpy(rte_pktmbuf_append(mbuf, sizeof life), &life, sizeof life);
  StageControl(end, mbuf, ControlKind::kFenced, to);
}

// A runtime tells of itself, the vswitch of all others.
void Bridge::TakeStandings(std::span<const uint8_t> payload, uint16_t source) {
  const uint16_t first = source != proto::kVswitch ? source : 1;
  const uint16_t last = source != proto::kVswitch ? source : kRuntimesMax;
  if (payload.size() != (last - first + 1u) * sizeof(uint64_t)) return counters_.Add(LinkCount::kUnsound);
  for (uint16_t id = first; id <= last; ++id) {
    uint64_t word;
    std::memcpy(&word, payload.data() + (id - first) * sizeof word, sizeof word);
    if (id != codec_.identity().member) board_.SetWord(id, word);
  }
}

OuterHeader Bridge::PacketHeaderTo(uint16_t member) const {
  return {.destination = AddressOf(tenant(), member),
          .source = AddressOf(tenant(), codec_.identity().member),
          .ether_type = {kEtherTypeNsh >> 8, kEtherTypeNsh & 0xff}};
}

void Bridge::StagePacket(LinkEnd* end, rte_mbuf* mbuf, const OuterHeader& outer, uint8_t way, uint16_t port,
                         std::span<const uint32_t> leases) {
  proto::PacketHeader header = Transit::Of(mbuf).header;
  header.port = static_cast<uint16_t>(port | (MetaOf(mbuf)->trace != 0 ? kTracedPort : 0));
  char* front =
      rte_pktmbuf_prepend(mbuf, static_cast<uint16_t>(PacketHeaderBytes(static_cast<uint32_t>(leases.size()))));
  if (front == nullptr) [[unlikely]]
    return Refuse(mbuf, LinkCount::kNoRoom);
  EncodePacket(outer, way, header, leases, reinterpret_cast<uint8_t*>(front));
  end->Stage(mbuf);
}

}  // namespace nf::link
