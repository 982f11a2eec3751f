#include "link/runtime_bridge.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "packet/parse.h"
#include "runtime/transit.h"

namespace nf::link {
namespace {

constexpr uint32_t kMailPerTurn = 16;

uint64_t Dropped(const ChainNf& nf) {
  uint64_t dropped = 0;
  for (const Counter& counter : nf.dropped) dropped += counter.value();
  return dropped;
}

}  // namespace

Expected<std::unique_ptr<RuntimeBridge>> RuntimeBridge::Create(const Surroundings& surroundings, const Parts& parts) {
  auto codec = ControlCodec::Create(surroundings.identity);
  if (!codec) return std::unexpected(codec.error());
  return std::unique_ptr<RuntimeBridge>(new RuntimeBridge(surroundings, std::move(*codec), parts));
}

int RuntimeBridge::NewEventFd() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  NF_CHECK(fd >= 0, "eventfd");
  return fd;
}

RuntimeBridge::~RuntimeBridge() { close(wake_fd_); }

void RuntimeBridge::SetPeer(uint16_t member, uint32_t incarnation, uint32_t frame_bytes) {
  if (codec_.incarnation_of(member) == incarnation) return;
  codec_.SetPeer(member, incarnation);
  Command command{.kind = Command::Kind::kMember,
                  .member = member,
                  .incarnation = incarnation,
                  .mail = incarnation != 0 ? parts_.outbox : nullptr,
                  .frame_bytes = frame_bytes};
  parts_.runtime->Execute(command);
}

void RuntimeBridge::SetPort(Port* port, LifePage* life) {
  end_.reset();
  SetUp(false);
  rests_ = is_ringing_ = false;
  if (shows_life_) life_->Release();
  life_ = life;
  shows_life_ = false;
  const int none = NewEventFd();
  const bool wakes = life != nullptr && life->wake_fd() >= 0;
  NF_CHECK(dup3(wakes ? life->wake_fd() : none, wake_fd_, O_CLOEXEC) >= 0, "dup3");
  close(none);
  if (port != nullptr) end_.emplace(port, &counters_);
}

void RuntimeBridge::SetUp(bool is_up) {
  if (is_up == is_up_.load(std::memory_order_relaxed)) return;
  is_up_.store(is_up, std::memory_order_relaxed);
  events_.Put({.kind = is_up ? LinkEvent::Kind::kUp : LinkEvent::Kind::kDown,
               .member = proto::kVswitch,
               .incarnation = codec_.incarnation_of(proto::kVswitch)});
}

// The vswitch has turned away from it, so nothing of it leaves any more, and its replicas are nobody's.
void RuntimeBridge::TakeFenced(uint16_t member, uint32_t incarnation) {
  if (member == proto::kVswitch || member >= kMembersMax || member == codec_.identity().member) return;
  if (incarnation != 0 && codec_.incarnation_of(member) == incarnation) SetPeer(member, 0);
}

bool RuntimeBridge::BeforeSleep() {
  if (rests_) {
    if (life_->is_asking()) return false;
    rests_ = false;
    is_ringing_ = true;
  }
  if (is_ringing_ && !life_->HearWake()) return false;  // That ends this sleep as soon as it is there.
  is_ringing_ = false;
  const bool can_rest = end_ && life_ != nullptr && life_->wake_fd() >= 0;
  if (!can_rest || MonotonicNs() - worked_ns_ < kRestsAfterNs) return false;
  rests_ = true;
  life_->AskForWake();
  return true;
}

void RuntimeBridge::EndRest() {
  rests_ = false;
  if (!life_->StopAsking()) is_ringing_ = true;
}

bool RuntimeBridge::has_work() const {
  return Bridge::has_work() || (end_ && (rte_ring_empty(parts_.link->up) == 0 || !parts_.outbox->is_empty()));
}

// Between polls, so that what the NFs dropped is what else is missing.
void RuntimeBridge::Publish(CounterFileLayout* layout, bool is_tick) {
  const SwitchedRuntime& runtime = *parts_.runtime;
  const PacketCounters& packets = runtime.counters();
  uint64_t gone = packets.sent.value() + packets.held.value();
  for (const Counter& counter : packets.dropped) gone += counter.value();
  layout->dropped_by_nfs.Set(packets.received.value() + packets.emitted.value() - gone);
  if (!is_tick) return;
  layout->flows_open.Set(runtime.flows_open());
  layout->flows_opened.Set(runtime.flows_opened());
  layout->moved_in.Set(runtime.moved_in());
  layout->moved_out.Set(runtime.moved_out());
  layout->migrations.Set(runtime.migrations());
  layout->recovered.Set(runtime.recovered());
  layout->state_lost.Set(runtime.state_lost());
  layout->replicas.Set(runtime.replicas());
  layout->unprotected.Set(runtime.unprotected());
  layout->replication_lag.Set(runtime.replication_lag());
  for (uint32_t i = 0; i < runtime.chain().size(); ++i) layout->dropped_by_nf[i].Set(Dropped(runtime.chain().nf(i)));
}

uint32_t RuntimeBridge::Round(uint64_t mono_ns) {
  if (!end_) return 0;
  if (life_ != nullptr && !shows_life_) [[unlikely]] {
    life_->Take();
    shows_life_ = true;
  }
  const Port::Carrier carrier = end_->port().carrier();
  const uint32_t before = heartbeats();
  const uint32_t received = Receive();
  if (carrier == Port::Carrier::kLost) [[unlikely]] {
    SetUp(false);
    return received;
  }
  const uint32_t work = WorkIn(received, before) + Send(mono_ns);
  if (work != 0 || !is_up()) {
    worked_ns_ = mono_ns;
    if (rests_) EndRest();
  }
  return work;
}

uint32_t RuntimeBridge::Send(uint64_t mono_ns) {
  LinkEnd& end = *end_;
  uint32_t sent = end.Flush();
  std::array<rte_mbuf*, kMailPerTurn> mail;
  const uint32_t letters = parts_.outbox->Take(mail.data(), std::min(kMailPerTurn, end.room()));
  for (uint32_t i = 0; i < letters; ++i) {
    proto::FrameHeader header;
    std::memcpy(&header, rte_pktmbuf_mtod(mail[i], const uint8_t*), sizeof header);
    StageControl(&end, mail[i], ControlKind::kMail, header.destination);
  }
  std::array<rte_mbuf*, LinkEnd::kStaged> packets;
  // A vswitch that doesn't know all flows yet would drop it.
  const uint32_t room = parts_.runtime->is_reporting() ? 0 : end.room();
  const uint32_t count =
      rte_ring_sc_dequeue_burst(parts_.link->up, reinterpret_cast<void**>(packets.data()), room, nullptr);
  for (uint32_t i = 0; i < count; ++i) {
    if (i + 2 < count) __builtin_prefetch(rte_pktmbuf_mtod(packets[i + 2], uint8_t*) - kPacketHeaderBytes, 1);
    if (Transit::Of(packets[i]).is_marker != 0) [[unlikely]]
      StageControl(&end, packets[i], ControlKind::kMarkers, proto::kVswitch);
    else
      StagePacket(&end, packets[i], header_, kToVswitch, MetaOf(packets[i])->out_port, {});
  }
  sent += end.Flush();
  // Also beside packets, which prove nothing.
  if (mono_ns - beat_ns_ >= kHeartbeatNs) {
    beat_ns_ = mono_ns;
    StageHeartbeat(&end, proto::kVswitch, codec_.identity().member, codec_.identity().member);
    end.Flush();
  }
  return sent;
}

uint32_t RuntimeBridge::Receive() {
  rte_ring* down = parts_.link->down;
  std::array<rte_mbuf*, LinkEnd::kBurst> frames, taken;
  // What there is no room for behind it waits where it is, in order.
  const uint32_t count = end_->Receive(frames.data(), std::min(rte_ring_free_count(down), mail_.box()->room()));
  if (count == 0) return 0;
  uint32_t packets = 0;
  for (uint32_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = TakeFrame(frames[i]);
    if (mbuf != nullptr) taken[packets++] = mbuf;
  }
  rte_ring_sp_enqueue_burst(down, reinterpret_cast<void**>(taken.data()), packets, nullptr);
  return count;
}

rte_mbuf* RuntimeBridge::TakeFrame(rte_mbuf* frame) {
  const OuterHeader* outer = Outer(frame);
  if (outer == nullptr || outer->destination != header_.source) {
    Refuse(frame, LinkCount::kMalformed);
    return nullptr;
  }
  const uint16_t type = LoadBe16(outer->ether_type);
  if (type == kEtherTypeNsh && outer->source == header_.destination) [[likely]]
    return TakePacket(frame);
  if (type != kEtherTypeControl) {
    Refuse(frame, LinkCount::kMalformed);
    return nullptr;
  }
  const bool is_from_vswitch = outer->source == header_.destination;
  const Taken taken = TakeControl(frame, kAnybody, proto::kVswitch);
  if (taken.is_genuine && is_from_vswitch) SetUp(true);
  return taken.markers;
}

rte_mbuf* RuntimeBridge::TakePacket(rte_mbuf* frame) {
  LinkPacket packet;
  if (!DecodePacket({rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len}, kToRuntime, &packet) ||
      packet.header.port > 1 || packet.header.stamp.entry >= entries_ || packet.leases.count != leasing_.size()) {
    Refuse(frame, LinkCount::kUnsound);
    return nullptr;
  }
  rte_pktmbuf_adj(frame, static_cast<uint16_t>(packet.header_bytes));
  PacketMeta* meta = MetaOf(frame);
  meta->wire_length = frame->data_len;
  const auto why =
      ParsePacket(rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len, meta->wire_length, &meta->parsed);
  if (why != abi::DropReason::kNone || meta->parsed.kind == PacketKind::kNonIp) [[unlikely]] {
    Refuse(frame, LinkCount::kUnsound);
    return nullptr;
  }
  meta->flow = kNoFlow;
  meta->in_port = static_cast<uint8_t>(packet.header.port);
  meta->emitted = 0;
  meta->emit_order = 0;
  meta->trace = packet.is_traced ? 1 : 0;
  for (uint32_t i = 0; i < packet.leases.count; ++i) {
    parts_.leases->Set(packet.header.stamp.entry, leasing_[i], packet.leases.values[i]);
  }
  Transit& transit = Transit::Of(frame);
  transit.header = packet.header;
  transit.is_marker = 0;
  return frame;
}

}  // namespace nf::link
