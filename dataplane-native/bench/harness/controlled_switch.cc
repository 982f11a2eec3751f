#include "harness/controlled_switch.h"

#include <algorithm>

#include "base/clock.h"
#include "harness/must.h"
#include "packet/parse.h"
#include "runtime/transit.h"

namespace nf {

using namespace controlled;

namespace {

std::vector<uint32_t> LeaseSizes(const RuntimeSpec& spec) {
  std::vector<uint32_t> sizes;
  for (const NfSpec& nf : spec.chain) sizes.push_back(nf.rights.lease ? nf.lease_size : 0);
  return sizes;
}

}  // namespace

ControlledSwitch::ControlledSwitch(const RuntimeSpec& spec, const Surroundings& surroundings)
    : input_(std::get<FabricInput>(spec.input)),
      mail_(*surroundings.mail),
      outbox_(surroundings.mail),
      to_controller_(*surroundings.to_controller),
      copies_(to_controller_.up, to_controller_.markers),
      entries_(spec.flows_max),
      table_(Must(FlowTable::Create(
          {.flows_max = spec.flows_max, .with_aliases = true, .keys = entries_.data(), .key_stride = sizeof(Entry)}))),
      leases_(LeaseSizes(spec), spec.flows_max),
      queues_(input_.client, input_.server, &counters_) {
  for (RuntimeLink* link : surroundings.to_nf) nfs_.push_back(std::make_unique<Nf>(link));
}

uint32_t ControlledSwitch::Turn() {
  const uint64_t mono = MonotonicNs();
  copies_.Flush();
  for (auto& nf : nfs_) nf->queue.Flush();
  uint32_t work = TakeOutputs();
  work += mail_.Take(mono, this);
  work += TakeInputs();
  queues_.Flush();
  outbox_.Retry();
  mail_.Send(mono);
  return work;
}

// There is no gate: order is kept by who is asked first, and until nothing is left.
uint32_t ControlledSwitch::TakeOutputs() {
  uint32_t work = TakeOutputsOf(*nfs_[source_ - kFirstNf]);
  for (auto& nf : nfs_) work += TakeOutputsOf(*nf);
  return work;
}

uint32_t ControlledSwitch::TakeOutputsOf(Nf& nf) {
  uint32_t work = 0;
  std::array<rte_mbuf*, 64> packets;
  for (;;) {
    const uint32_t count =
        rte_ring_sc_dequeue_burst(nf.link->up, reinterpret_cast<void**>(packets.data()), packets.size(), nullptr);
    for (uint32_t i = 0; i < count; ++i) {
      const proto::PacketHeader& header = Transit::Of(packets[i]).header;
      if ((header.flags & proto::kLearn) != 0) {
        Must(table_->SetAlias(header.stamp.entry, MetaOf(packets[i])->parsed.key.Reversed()), "an alias conflicts");
      }
      queues_.Put(packets[i]);
    }
    work += count;
    if (count < packets.size()) return work;
  }
}

uint32_t ControlledSwitch::TakeInputs() {
  uint32_t taken = 0;
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  Port* const ports[] = {input_.client, input_.server};
  for (Port* port : ports) {
    const uint32_t count = port->RxBurst(packets.data(), abi::kBurstPackets);
    if (count != 0) Process(packets.data(), count);
    taken += count;
  }
  return taken;
}

void ControlledSwitch::Process(rte_mbuf** packets, uint32_t count) {
  std::array<uint64_t, abi::kBurstPackets> hashes;
  for (uint32_t i = 0; i < count; ++i) {
    PacketMeta* meta = MetaOf(packets[i]);
    meta->flow = kNoFlow;
    meta->emitted = 0;
    meta->emit_order = 0;
    Must(ParsePacket(rte_pktmbuf_mtod(packets[i], const uint8_t*), packets[i]->data_len, meta->wire_length,
                     &meta->parsed) == abi::DropReason::kNone,
         "a packet of the benchmark is malformed");
    hashes[i] = table_->Start(meta->parsed.key);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t entry = table_->Candidate(hashes[i]);
    if (entry != kNoFlow) __builtin_prefetch(&entries_[entry], 1);
  }
  counters_.received.Add(count);
  for (uint32_t i = 0; i < count; ++i) {
    const FlowKey& key = MetaOf(packets[i])->parsed.key;
    FlowMatch match = table_->Find(key, hashes[i]);
    if (!match.found()) [[unlikely]] {
      Must(used_ < entries_.size(), "more flows than the benchmark has");
      match = {.flow = used_++, .direction = 0};
      entries_[match.flow].key = key;
      entries_[match.flow].owner = kFirstNf;
      table_->Insert(match.flow, hashes[i]);
      leases_.Take(match.flow, ClockNs());
    }
    Forward(packets[i], match);
  }
  for (auto& nf : nfs_) FlushStaged(*nf);
}

void ControlledSwitch::Forward(rte_mbuf* mbuf, FlowMatch match) {
  Entry& entry = entries_[match.flow];
  Transit& transit = Transit::Of(mbuf);
  transit.is_marker = 0;
  transit.header = {.stamp = {.handle = 0, .entry = match.flow, .epoch = 0, .sequence = ++entry.sequence},
                    .flags = static_cast<uint8_t>(match.direction != 0 ? proto::kDirection : 0),
                    .part = 0,
                    .port = 0};
  if (entry.copies) [[unlikely]] {
    // Of the packet it only wants to know that it came.
    rte_mbuf* copy = rte_pktmbuf_alloc(to_controller_.markers);
    Must(copy != nullptr, "no room for a copy");
    Transit::Of(copy) = transit;
    Must(copies_.Put(&copy, 1) == 1, "a ring is full");
  }
  Nf& nf = *nfs_[entry.owner - kFirstNf];
  if (nf.staged_count == nf.staged.size()) FlushStaged(nf);
  nf.staged[nf.staged_count++] = mbuf;
}

void ControlledSwitch::FlushStaged(Nf& nf) {
  Must(nf.queue.Put(nf.staged.data(), nf.staged_count) == nf.staged_count, "a ring is full");
  nf.staged_count = 0;
}

void ControlledSwitch::OnMail(uint16_t, proto::Message message, uint64_t) {
  Must(message.type() == kInstall, "a message nobody sends");
  for (uint32_t i = 0; i < message.count(); ++i) {
    const auto route = message.At<proto::RouteRecord>(i);
    Entry& entry = entries_[route.id.entry];
    entry.copies = route.handle == kToBoth;
    if (route.handle == kToTarget) entry.owner = route.target.id;
    outbox_.Say(kController, kInstallDone, proto::Note{route.id, entry.sequence});
  }
}

}  // namespace nf
