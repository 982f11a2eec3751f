// What NFs are asked and told about flows that move: docs/packet_path.md, section 10.
#include <algorithm>

#include "base/check.h"
#include "chain/chain.h"

namespace nf {

void Chain::NoteAsk(uint32_t flow) {
  const auto same = [flow](const Ask& ask) { return ask.flow == flow; };
  if (asks_count_ == kAsksMax || std::ranges::any_of(asks(), same)) return;
  asks_[asks_count_++] = {.flow = flow, .number = flows_->actor(flow).number};
}

bool Chain::knows_targets() const {
  return std::ranges::any_of(
      nfs_, [](const auto& nf) { return nf->is_callable() && nf->active()->has(OptionalExport::kMigrationTarget); });
}

// A refused flow has ended for its NFs.
bool Chain::IsTold(const ChainNf& nf, const FlowActor& actor) const {
  return (actor.opened & ~actor.bypassed & nf.bit()) != 0 && actor.phase != FlowPhase::kRefused && nf.is_callable();
}

uint32_t Chain::TargetOf(uint32_t flow, std::span<const abi::RuntimeRecord> cluster) {
  NF_CHECK(cluster.size() <= abi::kClusterRuntimesMax, "no more runtimes than there is room for");
  for (auto& holder : nfs_) {
    ChainNf& nf = *holder;
    if (!IsTold(nf, flows_->actor(flow)) || !nf.active()->has(OptionalExport::kMigrationTarget)) continue;
    Instance& instance = *nf.active();
    PrepareCallback(instance, flow);
    std::ranges::copy(cluster, instance.cluster());
    uint32_t answer = 0;
    const bool returned = instance.MigrationTarget(static_cast<uint32_t>(cluster.size()), abi::kFlowRecordsAddress,
                                                   nf.states().address(flow), &answer);
    CheckLogs(nf);
    if (!returned) BlameCallback(nf);
    if (answer != 0) return answer;
  }
  return 0;
}

bool Chain::TellArrived(uint32_t flow) {
  for (auto& holder : nfs_) {
    ChainNf& nf = *holder;
    if (!IsTold(nf, flows_->actor(flow)) || !nf.active()->has(OptionalExport::kFlowArrived)) continue;
    Instance& instance = *nf.active();
    PrepareCallback(instance, flow);
    uint32_t answer = 0;
    const bool returned =
        instance.FlowArrived(abi::kFlowRecordsAddress, nf.states().address(flow), abi::ArrivalReason::kMoved, &answer);
    CheckLogs(nf);
    if (!returned) BlameCallback(nf);
    if (returned && answer == 0) continue;
    TellLeft(flow, nf.index());
    return false;
  }
  return true;
}

void Chain::TellLeft(uint32_t flow, uint32_t end) {
  for (uint32_t i = 0; i < end; ++i) {
    ChainNf& nf = *nfs_[i];
    if (!IsTold(nf, flows_->actor(flow)) || !nf.active()->has(OptionalExport::kFlowLeft)) continue;
    Instance& instance = *nf.active();
    PrepareCallback(instance, flow);
    const bool returned = instance.FlowLeft(abi::kFlowRecordsAddress, nf.states().address(flow));
    CheckLogs(nf);
    if (!returned) BlameCallback(nf);
  }
}

}  // namespace nf
