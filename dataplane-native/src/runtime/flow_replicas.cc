#include "runtime/flow_replicas.h"

#include <rte_mbuf.h>

#include <algorithm>

#include "proto/word_delta.h"
#include "runtime/flow_image.h"
#include "runtime/flow_report.h"
#include "runtime/relayed_frame.h"
#include "runtime/uplink.h"

namespace nf {

Expected<std::unique_ptr<FlowReplicas>> FlowReplicas::Create(uint32_t flows_max, uint32_t image_bytes_max) {
  auto sent = FlowImages::Create("what was sent of flows", flows_max, image_bytes_max);
  if (!sent) return std::unexpected(sent.error());
  auto replicas = FlowImages::Create("replicas", flows_max, image_bytes_max);
  if (!replicas) return std::unexpected(replicas.error());
  return std::unique_ptr<FlowReplicas>(new FlowReplicas(std::move(*sent), std::move(*replicas), image_bytes_max));
}

void FlowReplicas::Connect(Chain* chain, Flows* flows, Uplink* uplink) {
  chain_ = chain;
  flows_ = flows;
  uplink_ = uplink;
}

uint32_t FlowReplicas::WriteDelta(uint32_t actor, std::span<uint8_t> out) {
  const size_t bytes = WriteFlowDelta(*chain_, *flows_, actor, sent_.image(actor), out);
  if (bytes > out.size()) return proto::kNoDelta;
  delta_ = out.first(bytes);
  return static_cast<uint32_t>(bytes);
}

uint32_t FlowReplicas::WriteFull(uint32_t actor, std::span<uint8_t> out) {
  written_ = WriteFlowImage(*chain_, *flows_, actor, scratch_);
  delta_ = {};
  std::copy_n(scratch_.begin(), written_, out.begin());
  return written_;
}

void FlowReplicas::Sent(uint32_t actor) {
  if (!delta_.empty()) [[likely]]
    return proto::ApplyCheckedDelta(delta_, sent_.bytes(actor));
  sent_.Put(actor, std::span(scratch_).first(written_));
}

void FlowReplicas::ReleaseOutput(proto::PacketRef packet, const proto::PacketHeader& header) {
  uplink_->Release(reinterpret_cast<rte_mbuf*>(packet), header);
}

uint32_t FlowReplicas::OutputBytesMax() { return RelayedFrame::BytesMax(); }

uint32_t FlowReplicas::WriteOutput(proto::PacketRef packet, std::span<uint8_t> out) {
  return RelayedFrame::Write(reinterpret_cast<const rte_mbuf*>(packet), out);
}

void FlowReplicas::OutputRelayed(proto::PacketRef packet, const proto::PacketHeader&) {
  uplink_->Relayed(reinterpret_cast<rte_mbuf*>(packet));
}

void FlowReplicas::RelayOutput(const proto::PacketHeader& header, std::span<const uint8_t> bytes) {
  uplink_->Relay(header, bytes);
}

void FlowReplicas::DropOutput(proto::PacketRef packet, const proto::PacketHeader&) {
  uplink_->DropHeld(reinterpret_cast<rte_mbuf*>(packet),
                    is_ending_ ? abi::DropReason::kShutdown : abi::DropReason::kUnprotected);
}

bool FlowReplicas::StoreFull(uint32_t place, const FlowKey&, std::span<const uint8_t> bytes) {
  return IsFlowImage(*chain_, bytes) && replicas_.Put(place, bytes);
}

bool FlowReplicas::StoreDelta(uint32_t place, std::span<const uint8_t> bytes) {
  return ApplyFlowDelta(*chain_, bytes, replicas_.bytes(place), scratch_);
}

// Where the delta will write; it has not been checked.
void FlowReplicas::PrefetchReplica(uint32_t place, std::span<const uint8_t> delta) {
  replicas_.PrefetchSize(place);
  proto::IsWordDelta(delta, SIZE_MAX / 2, [&](const proto::DeltaChunk& chunk) {
    replicas_.PrefetchAt(place, chunk.at);
    replicas_.PrefetchAt(place, chunk.at + proto::kDeltaChunkBytes - 1);
  });
}

// Another version of an NF may have come since the image was stored.
bool FlowReplicas::Promote(uint32_t place, uint32_t actor, const FlowKey&) {
  if (!ReadFlowImage(*chain_, *flows_, actor, replicas_.image(place))) {
    not_taken_.Add();
  } else if (flows_->actor(actor).number != 0) {
    if (chain_->TellArrived(actor)) return true;
    flows_->Depart(actor);
    not_taken_.Add();
  }
  flows_->NoteFreed(actor);  // The vswitch hears that it has ended.
  return true;
}

uint32_t FlowReplicas::WriteReplicaReport(uint32_t place, std::span<uint8_t> out) {
  FlowReport report;
  return ReportFlowImage(*chain_, replicas_.image(place), &report) ? report.Write(out) : 0;
}

uint32_t FlowReplicas::ReadReplica(uint32_t place, std::span<uint8_t> out) {
  const auto image = replicas_.image(place);
  std::ranges::copy(image, out.begin());
  return static_cast<uint32_t>(image.size());
}

}  // namespace nf
