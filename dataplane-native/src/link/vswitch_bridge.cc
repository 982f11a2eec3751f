#include "link/vswitch_bridge.h"

#include "packet/parse.h"
#include "runtime/lcore.h"
#include "runtime/transit.h"

namespace nf::link {
namespace {

// Frames of one kind staged before the next kind has its turn.
constexpr uint32_t kForwardsPerTurn = 16, kMailPerTurn = 16;
// A lcore that comes back after so long has heard nobody meanwhile, and nobody is to blame for it.
constexpr uint64_t kAwayNs = 3'000'000;

}  // namespace

Expected<std::unique_ptr<Remote>> Remote::Create(Options options) {
  auto link = RuntimeLink::Create(options.markers);
  if (!link) return std::unexpected(link.error());
  auto outbox = MailBox::Create();
  if (!outbox) return std::unexpected(outbox.error());
  (*link)->runtime_lcore = (*link)->vswitch_lcore = options.lcore;
  (*outbox)->set_lcore(options.lcore);
  auto remote = std::make_unique<Remote>(std::move(options));
  remote->link = std::move(*link);
  remote->outbox = std::move(*outbox);
  return remote;
}

Remote::~Remote() {
  for (; forwards_count != 0; --forwards_count) rte_pktmbuf_free(forwards[first_forward++ % kForwardMax]);
}

Expected<std::unique_ptr<VswitchBridge>> VswitchBridge::Create(const Surroundings& surroundings, Vswitch* vswitch) {
  auto codec = ControlCodec::Create(surroundings.identity);
  if (!codec) return std::unexpected(codec.error());
  return std::unique_ptr<VswitchBridge>(new VswitchBridge(surroundings, std::move(*codec), vswitch));
}

void VswitchBridge::Open(Remote* remote) {
  remote->packet_header = PacketHeaderTo(remote->member);
  codec_.SetPeer(remote->member, remote->incarnation);
  remotes_[remote->member] = remote;
}

bool VswitchBridge::Admit(uint16_t member) {
  Remote* remote = remotes_[member];
  if (remote == nullptr || remote->state != Remote::State::kUp) return false;
  if (remote->is_member) return true;
  Command command{.kind = Command::Kind::kMember,
                  .member = member,
                  .incarnation = remote->incarnation,
                  .mail = remote->outbox.get(),
                  .frame_bytes = remote->frame_bytes,
                  .link = remote->link.get()};
  vswitch_.Execute(command);
  remote->is_member = true;
  return true;
}

void VswitchBridge::Fence(Remote& remote) {
  codec_.SetPeer(remote.member, 0);
  board_.Take(remote.member);
  if (remote.is_member) {
    Command command{.kind = Command::Kind::kMember, .member = remote.member, .incarnation = 0, .owns_ring = true};
    vswitch_.Execute(command);
    remote.is_member = false;
    // What waits for its replicas waits no longer than it must.
    for (Remote* other : remotes_) {
      if (other != nullptr && other != &remote && other->state == Remote::State::kUp)
        StageFenced(&other->end, other->member, remote.member, remote.incarnation);
    }
  } else {
    vswitch_.Forget(remote.member, remote.incarnation);
  }
  // What it was to get waits for nobody.
  rte_mbuf* mbuf;
  while (rte_ring_sc_dequeue(remote.link->down, reinterpret_cast<void**>(&mbuf)) == 0) {
    if (Transit::Of(mbuf).is_marker == 0) counters_.Add(LinkCount::kUnsent);
    rte_pktmbuf_free(mbuf);
  }
  remote.end.Discard();
  remote.port->Retire();
}

Remote* VswitchBridge::Close(uint16_t member) {
  Remote* remote = remotes_[member];
  if (remote == nullptr) return nullptr;
  if (remote->state != Remote::State::kLost) Fence(*remote);
  remotes_[member] = nullptr;
  return remote;
}

void VswitchBridge::Lose(Remote& remote, LinkEvent::Kind why) {
  Fence(remote);
  remote.state = Remote::State::kLost;
  events_.Put({.kind = why, .member = remote.member, .incarnation = remote.incarnation});
}

bool VswitchBridge::has_work() const {
  if (Bridge::has_work()) return true;
  for (const Remote* remote : remotes_) {
    if (remote == nullptr || remote->state == Remote::State::kLost) continue;
    if (rte_ring_empty(remote->link->down) == 0 || !remote->outbox->is_empty()) return true;
  }
  return false;
}

void VswitchBridge::Publish(CounterFileLayout* layout, bool) {
  layout->stamped.Set(vswitch_.stamped());
  layout->outputs.Set(vswitch_.outputs());
  layout->flows_open.Set(vswitch_.entries_used());
  layout->recovered.Set(vswitch_.recovered());
  layout->state_lost.Set(vswitch_.state_lost());
}

uint32_t VswitchBridge::Round(uint64_t mono_ns) {
  const uint64_t away = turned_ns_ != 0 && mono_ns - turned_ns_ > kAwayNs ? mono_ns - turned_ns_ : 0;
  turned_ns_ = mono_ns;
  uint32_t work = 0;
  for (Remote* remote : remotes_) {
    if (remote == nullptr || remote->state == Remote::State::kLost) continue;
    if (away != 0) remote->silence.Excuse(away);
    work += Serve(*remote, mono_ns);
  }
  return work;
}

uint32_t VswitchBridge::Serve(Remote& remote, uint64_t mono_ns) {
  const bool is_dead = remote.life && remote.life->is_over();
  const Port::Carrier carrier = remote.port->carrier();
  // What came before its death, or before the link broke, is good.
  const uint32_t before = heartbeats();
  const uint32_t received = Receive(remote, mono_ns);
  if (is_dead || carrier == Port::Carrier::kLost) [[unlikely]] {
    const bool has_room = rte_ring_full(remote.link->up) == 0;
    if (received == 0 && has_room)
      Lose(remote, is_dead ? LinkEvent::Kind::kFencedByDeath : LinkEvent::Kind::kFencedByLink);
    return received;
  }
  uint32_t work = WorkIn(received, before);
  if (carrier != Port::Carrier::kWaiting) work += Send(remote, mono_ns);
  if (work != 0 || remote.state != Remote::State::kUp) remote.worked_ns = mono_ns;
  if (remote.state == Remote::State::kUp && remote.silence.Suspects(mono_ns))
    Lose(remote, LinkEvent::Kind::kFencedBySilence);
  return work;
}

uint32_t VswitchBridge::Send(Remote& remote, uint64_t mono_ns) {
  LinkEnd& end = remote.end;
  uint32_t sent = end.Flush();
  for (uint32_t i = 0; i < kForwardsPerTurn && remote.forwards_count != 0 && end.room() != 0; ++i) {
    end.Stage(remote.forwards[remote.first_forward++ % Remote::kForwardMax]);
    --remote.forwards_count;
    counters_.Add(LinkCount::kForwarded);
  }
  std::array<rte_mbuf*, kMailPerTurn> mail;
  const uint32_t letters = remote.outbox->Take(mail.data(), std::min(kMailPerTurn, end.room()));
  for (uint32_t i = 0; i < letters; ++i) StageControl(&end, mail[i], ControlKind::kMail, remote.member);
  StageDown(remote, end.room());
  sent += end.Flush();
  uint32_t beats = 0;
  const bool rests = remote.life && mono_ns - remote.worked_ns >= kRestsAfterNs;
  if (mono_ns - remote.beat_ns >= (rests ? kRestingHeartbeatNs : kHeartbeatNs)) {
    remote.beat_ns = mono_ns;
    StageHeartbeat(&end, remote.member, 1, kRuntimesMax);
    beats = end.Flush();
  }
  if (remote.life && sent + beats != 0) remote.life->WakeIfAsked();
  return sent;
}

void VswitchBridge::StageDown(Remote& remote, uint32_t count) {
  std::array<rte_mbuf*, LinkEnd::kStaged> packets;
  count = rte_ring_sc_dequeue_burst(remote.link->down, reinterpret_cast<void**>(packets.data()), count, nullptr);
  for (uint32_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = packets[i];
    if (i + 2 < count) __builtin_prefetch(rte_pktmbuf_mtod(packets[i + 2], uint8_t*) - kPacketHeaderBytes, 1);
    const Transit& transit = Transit::Of(mbuf);
    if (transit.is_marker != 0) [[unlikely]] {
      StageControl(&remote.end, mbuf, ControlKind::kMarkers, remote.member);
      continue;
    }
    std::array<uint32_t, abi::kChainNfsMax> all, leases;
    if (!leasing_.empty()) [[unlikely]] {
      vswitch_.leases().Read(transit.header.stamp.entry, all.data());
      for (size_t k = 0; k < leasing_.size(); ++k) leases[k] = all[leasing_[k]];
    }
    StagePacket(&remote.end, mbuf, remote.packet_header, kToRuntime, transit.header.port,
                std::span(leases).first(leasing_.size()));
  }
}

uint32_t VswitchBridge::Receive(Remote& remote, uint64_t mono_ns) {
  rte_ring* up = remote.link->up;
  std::array<rte_mbuf*, LinkEnd::kBurst> frames, taken;
  // No more than the vswitch has room for: the rest waits where it is, and the runtime notices.
  const uint32_t count = remote.end.Receive(frames.data(), std::min(rte_ring_free_count(up), mail_.box()->room()));
  if (count == 0) return 0;
  uint32_t packets = 0;
  for (uint32_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = TakeFrame(remote, frames[i], mono_ns);
    if (mbuf != nullptr) taken[packets++] = mbuf;
  }
  rte_ring_sp_enqueue_burst(up, reinterpret_cast<void**>(taken.data()), packets, nullptr);
  return count;
}

rte_mbuf* VswitchBridge::TakeFrame(Remote& remote, rte_mbuf* frame, uint64_t mono_ns) {
  const OuterHeader* outer = Outer(frame);
  if (outer == nullptr || outer->source != AddressOf(tenant(), remote.member)) {
    Refuse(frame, LinkCount::kMalformed);
    return nullptr;
  }
  const auto to = MemberOf(outer->destination, tenant(), kMembersMax);
  const uint16_t type = LoadBe16(outer->ether_type);
  if (to == proto::kVswitch && type == kEtherTypeNsh) [[likely]]
    return TakePacket(remote, frame);
  if (!to || type != kEtherTypeControl) {
    Refuse(frame, LinkCount::kMalformed);
    return nullptr;
  }
  if (*to != proto::kVswitch) {
    Forward(*to, frame);
    return nullptr;
  }
  const Taken taken = TakeControl(frame, remote.member, remote.member);
  if (!taken.is_genuine) return nullptr;
  remote.silence.Heard(mono_ns);
  if (remote.state == Remote::State::kWaiting) {
    remote.state = Remote::State::kUp;
    events_.Put({.kind = LinkEvent::Kind::kUp, .member = remote.member, .incarnation = remote.incarnation});
  }
  if (taken.markers != nullptr && !remote.is_member) {
    rte_pktmbuf_free(taken.markers);
    return nullptr;
  }
  return taken.markers;
}

rte_mbuf* VswitchBridge::TakePacket(const Remote& remote, rte_mbuf* frame) {
  LinkPacket packet;
  if (!remote.is_member ||
      !DecodePacket({rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len}, kToVswitch, &packet) ||
      packet.leases.count != 0 || packet.header.port > 1) {
    Refuse(frame, LinkCount::kUnsound);
    return nullptr;
  }
  rte_pktmbuf_adj(frame, static_cast<uint16_t>(packet.header_bytes));
  PacketMeta* meta = MetaOf(frame);
  meta->wire_length = frame->data_len;
  meta->flow = kNoFlow;
  meta->in_port = meta->out_port = static_cast<uint8_t>(packet.header.port);
  meta->emitted = 0;
  meta->trace = packet.is_traced ? 1 : 0;
  meta->poll_index = kNoPollIndex;
  // The vswitch looks at what it is to learn from alone.
  if ((packet.header.flags & proto::kLearn) != 0) [[unlikely]] {
    const auto why =
        ParsePacket(rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len, meta->wire_length, &meta->parsed);
    if (!may_edit_ || why != abi::DropReason::kNone || meta->parsed.kind != PacketKind::kFlow) {
      Refuse(frame, LinkCount::kUnsound);
      return nullptr;
    }
  }
  Transit& transit = Transit::Of(frame);
  transit.header = packet.header;
  transit.is_marker = 0;
  return frame;
}

void VswitchBridge::Forward(uint16_t to, rte_mbuf* frame) {
  Remote* remote = remotes_[to];
  if (remote == nullptr || remote->state != Remote::State::kUp) return Refuse(frame, LinkCount::kUnknownMember);
  if (remote->forwards_count == Remote::kForwardMax) return Refuse(frame, LinkCount::kForwardFull);
  remote->forwards[(remote->first_forward + remote->forwards_count++) % Remote::kForwardMax] = frame;
}

}  // namespace nf::link
