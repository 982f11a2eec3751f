#include "harness/controlled_nf.h"

#include "base/clock.h"
#include "harness/must.h"
#include "runtime/flow_image.h"
#include "runtime/transit.h"

namespace nf {

using namespace controlled;

namespace {

constexpr uint32_t kKeptPackets = 65536;
constexpr uint64_t kIdleEveryNs = 50'000;  // As a runtime.

}  // namespace

// As a runtime's way to its vswitch, without stamps.
class ControlledNf::Output final : public Port {
 public:
  Output(Flows* flows, RuntimeLink* link) : queue(link->up, link->markers), flows_(*flows) {}
  uint32_t RxBurst(rte_mbuf**, uint32_t) override { return 0; }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    for (uint32_t i = 0; i < count; ++i) {
      const PacketMeta* meta = MetaOf(packets[i]);
      FlowActor& flow = flows_.actor(meta->flow);
      Transit& transit = Transit::Of(packets[i]);
      transit.header.stamp.entry = meta->flow;
      transit.header.flags = 0;
      if (!flow.taught && meta->direction == 0 && flow.out_tuple != OutTuple::kUnknown) {
        flow.taught = true;
        transit.header.flags = proto::kLearn;
      }
    }
    Must(queue.Put(packets, count) == count, "a ring is full");
    return count;
  }
  RingQueue queue;

 private:
  Flows& flows_;
};

ControlledNf::ControlledNf(Engine& engine, const RuntimeSpec& spec, const Surroundings& surroundings)
    : to_switch_(*surroundings.to_switch),
      to_controller_(*surroundings.to_controller),
      mail_(*surroundings.mail),
      outbox_(surroundings.mail),
      leases_(*surroundings.leases),
      event_queue_(to_controller_.up, to_controller_.markers),
      modes_(spec.flows_max),
      kept_lists_(spec.flows_max),
      kept_(kKeptPackets),
      image_(FlowImageBytesMax(spec.chain)) {
  Must(BuildChain(engine, spec, {.native = {}, .is_placed = true, .number_base = 0}));
  to_wire_ = std::make_unique<Output>(flows_.get(), surroundings.to_switch);
  joiner_.emplace(*chain_, *flows_);
  Connect(to_wire_.get(), to_wire_.get(), surroundings.pool, false, spec);
  events().Abandon();
}

ControlledNf::~ControlledNf() = default;

uint32_t ControlledNf::Round() {
  const uint64_t mono = MonotonicNs();
  if (!to_wire_->queue.Flush() || !event_queue_.Flush()) return 0;
  const bool has_work = rte_ring_empty(to_switch_.down) == 0 || rte_ring_empty(to_controller_.down) == 0 ||
                        mail_.has_mail() || !asked_for_.empty();
  if (!has_work && mono - idle_ns_ < kIdleEveryNs) return 0;
  idle_ns_ = mono;
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  const auto take = [&packets](rte_ring* ring) {
    return rte_ring_sc_dequeue_burst(ring, reinterpret_cast<void**>(packets.data()), abi::kBurstPackets, nullptr);
  };
  BeginPoll(ClockNs());
  uint32_t count = take(to_switch_.down);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t place = Transit::Of(packets[i]).header.stamp.entry;
    __builtin_prefetch(&modes_[place]);
    flows_->Prefetch(place);
  }
  for (uint32_t i = 0; i < count; ++i) {
    MetaOf(packets[i])->poll_index = static_cast<uint8_t>(i);
    TakeFromSwitch(packets[i]);
  }
  const uint32_t of_switch = count;
  count = take(to_controller_.down);
  for (uint32_t i = 0; i < count; ++i) TakeFromController(packets[i]);
  uint32_t work = of_switch + count + mail_.Take(mono, this);
  EndPoll(of_switch + count != 0);
  if (to_wire_->queue.is_empty()) work += GiveUp();
  outbox_.Retry();
  mail_.Send(mono);
  return work;
}

void ControlledNf::TakeFromSwitch(rte_mbuf* mbuf) {
  const proto::PacketHeader& header = Transit::Of(mbuf).header;
  switch (modes_[header.stamp.entry]) {
    case Mode::kOwned:
      Process(mbuf);
      return;
    case Mode::kEvents:
      MetaOf(mbuf)->poll_index = kNoPollIndex;
      Must(event_queue_.Put(&mbuf, 1) == 1, "a ring is full");
      return;
    case Mode::kKeeping:
      MetaOf(mbuf)->poll_index = kNoPollIndex;
      Must(kept_.Insert(&kept_lists_[header.stamp.entry], reinterpret_cast<proto::PacketRef>(mbuf), header),
           "too many packets wait");
      return;
  }
}

// Events of the source, then the word that they were all.
void ControlledNf::TakeFromController(rte_mbuf* mbuf) {
  MetaOf(mbuf)->poll_index = kNoPollIndex;
  if (Transit::Of(mbuf).is_marker == 0) return Process(mbuf);
  const bool whole = proto::ForEachMarker({rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len},
                                          [this](const proto::Marker& marker) { Release(marker.id); });
  rte_pktmbuf_free(mbuf);
  Must(whole, "a marker can't be read");
}

void ControlledNf::Release(const proto::MigrationId& id) {
  modes_[id.entry] = Mode::kOwned;
  proto::HeldPacket kept;
  while (kept_.Pop(&kept_lists_[id.entry], &kept)) Process(reinterpret_cast<rte_mbuf*>(kept.packet));
  outbox_.Say(kController, kReleased, proto::Note{id, 0});
}

void ControlledNf::Process(rte_mbuf* mbuf) {
  PacketMeta* meta = MetaOf(mbuf);
  const proto::PacketHeader header = Transit::Of(mbuf).header;
  const uint32_t place = header.stamp.entry;
  if (flows_->actor(place).number == 0) [[unlikely]] {
    std::array<uint32_t, abi::kChainNfsMax> leases{};
    leases_.Read(place, leases.data());
    flows_->OpenAt(place, meta->parsed.key, meta->in_port, now_ns_, leases);
  }
  const uint32_t direction = header.flags & proto::kDirection;
  while (joiner_->MakeWay(place, direction)) continue;
  joiner_->Join(mbuf, meta, place, direction, now_ns_);
}

void ControlledNf::OnMail(uint16_t, proto::Message message, uint64_t) {
  if (message.type() == kChunk) return Take(&message);
  Must(message.type() == kGet, "a message nobody sends");
  for (uint32_t i = 0; i < message.count(); ++i) asked_for_.push_back(message.At<proto::OpenRecord>(i).id);
}

// What was asked for leaves, as far as the channel takes it; all output of these flows has left.
uint32_t ControlledNf::GiveUp() {
  uint32_t given = 0;
  for (; !asked_for_.empty(); asked_for_.pop_front(), ++given) {
    const proto::MigrationId id = asked_for_.front();
    const uint32_t place = id.entry;
    const uint32_t bytes = WriteFlowImage(*chain_, *flows_, place, image_);
    Must(bytes != 0 && flows_->actor(place).number != 0, "a flow has no state");
    proto::StateRecord record{};
    record.id = id;
    record.bytes = bytes;
    // Packets so far, which is the last sequence that the switch gave one of them.
    record.last_sequence = flows_->actor(place).sequence();
    if (!mail_.Say(kController, kChunk, {reinterpret_cast<const uint8_t*>(&record), sizeof record},
                   std::span(image_).first(bytes)))
      break;
    flows_->Depart(place);
    modes_[place] = Mode::kEvents;
  }
  return given;
}

void ControlledNf::Take(proto::Message* message) {
  while (const auto state = message->Next<proto::StateRecord>()) {
    const uint32_t place = state->record.id.entry;
    Must(ReadFlowImage(*chain_, *flows_, place, state->bytes), "a state can't be read");
    modes_[place] = Mode::kKeeping;
    outbox_.Say(kController, kPutDone, proto::Note{state->record.id, 0});
  }
}

}  // namespace nf
