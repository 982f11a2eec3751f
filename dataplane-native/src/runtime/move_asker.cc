#include "runtime/move_asker.h"

#include <algorithm>

namespace nf {
namespace {

constexpr uint64_t kHearEveryNs = 1'000'000;
// The round: so many places looked at and flows asked for, so often.
constexpr uint64_t kRoundEveryNs = 10'000'000;
constexpr uint32_t kPlacesAtOnce = 1024, kFlowsAtOnce = 16;

}  // namespace

void MoveAsker::Turn(uint64_t mono_ns) {
  Chain& chain = *parts_.chain;
  const bool hears = is_asked() && mono_ns - heard_ns_ >= kHearEveryNs;
  const bool goes_round = mono_ns - round_ns_ >= kRoundEveryNs;
  if (!hears && !goes_round) return;
  cluster_count_ = 0;
  // A runtime that is drained moves everything anyway.
  const bool asks = !parts_.machine->draining() && chain.knows_targets();
  if (hears) {
    heard_ns_ = mono_ns;
    for (const Chain::Ask& ask : chain.asks()) {
      if (asks && parts_.flows->actor(ask.flow).number == ask.number) Ask(ask.flow, mono_ns);
    }
    chain.ForgetAsks();
  }
  if (!goes_round) return;
  round_ns_ = mono_ns;
  if (asks && parts_.flows->open() != 0) GoRound(mono_ns);
}

void MoveAsker::GoRound(uint64_t mono_ns) {
  const uint32_t places = parts_.flows->flows_max();
  uint32_t flows = 0;
  for (uint32_t looks = std::min(kPlacesAtOnce, places); looks != 0 && flows < kFlowsAtOnce; --looks) {
    const uint32_t flow = cursor_;
    cursor_ = cursor_ + 1 < places ? cursor_ + 1 : 0;
    if (parts_.flows->actor(flow).number == 0) continue;
    ++flows;
    Ask(flow, mono_ns);
  }
}

void MoveAsker::Ask(uint32_t flow, uint64_t mono_ns) {
  if (parts_.machine->actor(flow).state != proto::ActorState::kActive) return;
  const uint16_t own = parts_.machine->config().id;
  if (cluster_count_ == 0) cluster_count_ = parts_.board->Read(own, &cluster_);
  asked_.Add();
  if (parts_.machine->replicates()) parts_.machine->Touch(flow);  // NFs may write its state.
  const uint32_t target = parts_.chain->TargetOf(flow, std::span(cluster_).first(cluster_count_));
  if (target == 0 || target == own) return;
  if (Begin(flow, target, mono_ns)) {
    begun_.Add();
  } else {
    ignored_.Add();
  }
}

// `target` is a guest's: any number.
bool MoveAsker::Begin(uint32_t flow, uint32_t target, uint64_t mono_ns) {
  const auto shown = std::span(cluster_).first(cluster_count_);
  const auto found = std::ranges::find(shown, target, &abi::RuntimeRecord::runtime);
  if (found == shown.end() || (found->flags & abi::kRuntimeFlagDraining) != 0) return false;
  proto::RuntimeMachine& machine = *parts_.machine;
  // The other half of what may move at once is left to operators.
  if (machine.migrations_used() > machine.config().migrations / 2) return false;
  return machine.MoveAlone(flow, static_cast<uint16_t>(target), mono_ns) == proto::Refusal::kNo;
}

}  // namespace nf
