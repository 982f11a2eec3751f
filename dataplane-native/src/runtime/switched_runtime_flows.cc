// What the protocol asks of flows, and the end of the run.
#include <algorithm>

#include "runtime/flow_image.h"
#include "runtime/flow_report.h"
#include "runtime/switched_runtime.h"
#include "runtime/transit.h"
#include "runtime/uplink.h"

namespace nf {

using abi::CloseReason;
using abi::DropReason;

// The flow itself is opened by its packet.
void SwitchedRuntime::StartFresh(uint32_t actor, const FlowKey&, bool) {
  if (opened_.size() < opened_.capacity()) opened_.push_back(actor);
}

void SwitchedRuntime::ProcessHeld(uint32_t actor, proto::PacketRef packet, const proto::PacketHeader& header) {
  counters_.held.Set(counters_.held.value() - 1);
  Process(actor, reinterpret_cast<rte_mbuf*>(packet), header);
  // A packet has 256 stamps for what it causes, and what leaves together has those of the last packet.
  if (++held_processed_ % abi::kBurstPackets != 0) return;
  chain_->RunPending();
  output_->Flush();
}

void SwitchedRuntime::DropHeld(proto::PacketRef packet, const proto::PacketHeader&, proto::PacketDrop reason) {
  counters_.held.Set(counters_.held.value() - 1);
  const bool is_stale = reason == proto::PacketDrop::kStaleEpoch || reason == proto::PacketDrop::kLate;
  counters_.Drop(reinterpret_cast<rte_mbuf*>(packet), is_stale ? DropReason::kStalePacket : DropReason::kMoveAbandoned);
}

uint32_t SwitchedRuntime::WriteState(uint32_t actor, std::span<uint8_t> out) {
  if (flows_->actor(actor).pending != 0) chain_->RunPending();
  const uint32_t bytes = WriteFlowImage(*chain_, *flows_, actor, out);
  if (flows_->actor(actor).number != 0 && !flows_->is_suspended(actor)) {
    flows_->Suspend(actor);
    ++away_;
  }
  return bytes;
}

proto::Refusal SwitchedRuntime::InstallState(uint32_t actor, const FlowKey&, std::span<const uint8_t> state) {
  if (!ReadFlowImage(*chain_, *flows_, actor, state)) return proto::Refusal::kLayout;
  if (flows_->actor(actor).number == 0) {
    flows_->NoteFreed(actor);  // It had ended before it came.
  } else if (!chain_->TellArrived(actor)) {
    flows_->Depart(actor);
    arrivals_refused_.Add();
    return proto::Refusal::kNf;
  }
  CatchUp(actor);
  return proto::Refusal::kNo;
}

void SwitchedRuntime::Resume(uint32_t actor) {
  if (flows_->is_suspended(actor)) {
    flows_->Resume(actor);
    --away_;
  }
  CatchUp(actor);
}

// The poll that goes on has begun while the flow was on its way, and has packets of it, perhaps, that wait: first comes
// what the begin of the poll would have brought about. From a capture alone: live, nobody's clock says what comes
// first, and what was in time when it arrived shall find its flow.
void SwitchedRuntime::CatchUp(uint32_t actor) {
  if (!is_capture_ || flows_->actor(actor).number == 0) return;
  chain_->FireTimersOf(actor);
  if (flows_->IsDue(actor, now_ns_)) CloseDue(actor);
}

void SwitchedRuntime::FreeState(uint32_t actor) {
  if (flows_->actor(actor).number == 0) return;
  if (machine_.actor(actor).state == proto::ActorState::kFinal) return Depart(actor);
  // The vswitch has given the flow up, or to somebody else, without asking.
  away_ -= flows_->is_suspended(actor) ? 1 : 0;
  chain_->RunPending();
  if (flows_->actor(actor).number != 0) chain_->Close(actor, CloseReason::kShutdown);
}

// It lives elsewhere now.
void SwitchedRuntime::Depart(uint32_t actor) {
  away_ -= flows_->is_suspended(actor) ? 1 : 0;
  chain_->TellLeft(actor);
  flows_->Depart(actor);
}

void SwitchedRuntime::SendMarker(const proto::Marker& marker) { uplink_->SendMarker(marker); }

void SwitchedRuntime::OperationEnded(uint32_t id, const proto::OperationResult& result) {
  Operation* operation = operations_[id];
  operations_[id] = nullptr;
  --operations_count_;
  operation->result = result;
  Publish();  // Who hears that it is over, and looks at the runtime then, sees it over.
  operation->done.store(true, std::memory_order_release);
}

uint32_t SwitchedRuntime::WriteReport(uint32_t actor, std::span<uint8_t> out) {
  if (flows_->actor(actor).pending != 0) chain_->RunPending();
  const FlowActor& flow = flows_->actor(actor);
  if (flow.number == 0) return 0;
  const FlowKey* alias = flow.out_tuple == OutTuple::kReverseOfAlias ? flows_->table().AliasOf(actor) : nullptr;
  FlowReport report{.has_alias = alias != nullptr, .taught = flow.taught, .lease_mask = leases_.mask()};
  for (uint32_t nf = 0; nf < chain_->size(); ++nf) report.leases[nf] = flows_->lease(nf, actor);
  if (alias != nullptr) report.alias = *alias;
  return report.Write(out);
}

// The flow's return key is another flow's.
void SwitchedRuntime::EndOnConflict(const proto::Marker& marker) {
  if (marker.id.entry >= machine_.config().entries) return;
  const uint32_t actor = machine_.actor_of_entry(marker.id.entry);
  if (actor == proto::kNone || machine_.actor(actor).epoch != marker.id.epoch) return;
  if (machine_.actor(actor).state != proto::ActorState::kActive) return;
  chain_->RunPending();  // A marker before this one may have let packets of it in.
  if (flows_->actor(actor).number != 0) chain_->Close(actor, CloseReason::kAliasConflict);
}

void SwitchedRuntime::LetGo(const std::function<bool(uint32_t)>& has_come) {
  for (uint32_t actor = 0; actor < flows_->flows_max(); ++actor) {
    const proto::Actor& a = machine_.actor(actor);
    if (a.state == proto::ActorState::kFinal && flows_->actor(actor).number != 0 && has_come(a.entry)) Depart(actor);
  }
}

bool SwitchedRuntime::HasFlowOf(uint32_t entry) const {
  const uint32_t actor = machine_.actor_of_entry(entry);
  return actor != proto::kNone && machine_.actor(actor).state != proto::ActorState::kAwaiting;
}

void SwitchedRuntime::LeaveToReplicas() {
  if (replicas_ == nullptr) return;
  for (uint32_t actor = 0; actor < flows_->flows_max(); ++actor) {
    if (flows_->actor(actor).number != 0 && machine_.source().has_replica(actor)) Depart(actor);
  }
}

void SwitchedRuntime::End() {
  is_ended_ = true;
  if (replicas_ != nullptr) replicas_->set_ending();
  rte_mbuf* mbuf;
  while (rte_ring_sc_dequeue(link_.down, reinterpret_cast<void**>(&mbuf)) == 0) {
    if (Transit::Of(mbuf).is_marker != 0) {
      rte_pktmbuf_free(mbuf);
      continue;
    }
    counters_.received.Add();
    counters_.received_bytes.Add(MetaOf(mbuf)->wire_length);
    counters_.Drop(mbuf, DropReason::kShutdown);
  }
  machine_.DropAllHeld();
  EndFlows();
  uplink_->DropBacklog();
  for (Operation*& operation : operations_) {
    if (operation == nullptr) continue;
    operation->is_cut_short = true;
    operation->done.store(true, std::memory_order_release);
    operation = nullptr;
  }
  operations_count_ = 0;
  Publish();
  if (replicas_ != nullptr) PublishReplication();
}

}  // namespace nf
