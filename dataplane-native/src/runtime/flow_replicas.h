// What a runtime's flows are as replicas: its own for others, others' here, and output that waits (docs/protocol.md,
// Replication). Made only if replication is on. One lcore.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "chain/chain.h"
#include "flow/flows.h"
#include "proto/replication.h"
#include "runtime/flow_images.h"

namespace nf {

class Uplink;

class FlowReplicas final : public proto::ReplicationHost {
 public:
  // Errors: eal.memory.
  static Expected<std::unique_ptr<FlowReplicas>> Create(uint32_t flows_max, uint32_t image_bytes_max);
  // Before anything is replicated.
  void Connect(Chain* chain, Flows* flows, Uplink* uplink);
  // The longest that WriteOutput writes.
  static uint32_t OutputBytesMax();

  uint32_t WriteDelta(uint32_t actor, std::span<uint8_t> out) override;
  uint32_t WriteFull(uint32_t actor, std::span<uint8_t> out) override;
  void Sent(uint32_t actor) override;
  void ReleaseOutput(proto::PacketRef packet, const proto::PacketHeader& header) override;
  void DropOutput(proto::PacketRef packet, const proto::PacketHeader& header) override;
  bool StoreFull(uint32_t place, const FlowKey& key, std::span<const uint8_t> bytes) override;
  bool StoreDelta(uint32_t place, std::span<const uint8_t> bytes) override;
  bool Promote(uint32_t place, uint32_t actor, const FlowKey& key) override;
  uint32_t ReadReplica(uint32_t place, std::span<uint8_t> out) override;
  void FreeReplica(uint32_t place) override { replicas_.Clear(place); }
  uint32_t WriteOutput(proto::PacketRef packet, std::span<uint8_t> out) override;
  void OutputRelayed(proto::PacketRef packet, const proto::PacketHeader& header) override;
  void RelayOutput(const proto::PacketHeader& header, std::span<const uint8_t> bytes) override;
  uint32_t WriteReplicaReport(uint32_t place, std::span<uint8_t> out) override;
  void PrefetchReplica(uint32_t place, std::span<const uint8_t> delta) override;
  // What will be compared with what the flow becomes in this poll.
  void PrefetchSent(uint32_t actor) const { sent_.Prefetch(actor); }

  // From now on what is dropped goes with the end of the run.
  void set_ending() { is_ending_ = true; }
  // Flows that NFs here did not take over, or that their version cannot have written: they have ended.
  uint64_t not_taken() const { return not_taken_.value(); }

 private:
  FlowReplicas(FlowImages sent, FlowImages replicas, uint32_t image_bytes_max)
      : sent_(std::move(sent)), replicas_(std::move(replicas)), scratch_(image_bytes_max) {}

  Chain* chain_ = nullptr;
  Flows* flows_ = nullptr;
  Uplink* uplink_ = nullptr;
  FlowImages sent_;      // By actor.
  FlowImages replicas_;  // By place.
  std::vector<uint8_t> scratch_;
  std::span<const uint8_t> delta_;  // What was written last; if empty, all of the flow, which is in `scratch_`.
  uint32_t written_ = 0;            // Bytes of it.
  bool is_ending_ = false;
  Counter not_taken_;
};

}  // namespace nf
