// Moving many flows, and emptying a runtime: which flows go next, how many at once, and how it ended.
#include <algorithm>

#include "proto/runtime_machine.h"

namespace nf::proto {
namespace {

constexpr uint32_t kLooksPerTurn = 1024;

}  // namespace

uint32_t RuntimeMachine::operations_used() const {
  return static_cast<uint32_t>(std::ranges::count_if(operations_, &Operation::used));
}

RuntimeMachine::Operation* RuntimeMachine::NewOperation(uint32_t id) {
  const auto free = std::ranges::find_if(operations_, [](const Operation& operation) { return !operation.used; });
  if (free == operations_.end()) return nullptr;
  std::vector<uint16_t> targets = std::move(free->targets);
  targets.clear();
  *free = {.used = true, .id = id, .targets = std::move(targets)};
  return &*free;
}

bool RuntimeMachine::Move(uint32_t id, uint16_t target, uint32_t flows) {
  Operation* operation = IsTarget(target) ? NewOperation(id) : nullptr;
  if (operation == nullptr) return false;
  operation->left = operation->wanted = flows;
  operation->of = operation->unseen = used_;
  operation->targets.push_back(target);
  return true;
}

// Evenly from all of them: those beside each other came one after the other and are often alike, and whoever asks for a
// number of flows takes each for an average one.
bool RuntimeMachine::IsNext(Operation& operation) {
  const bool has_all = operation.left >= operation.unseen;
  if (operation.unseen > 0) --operation.unseen;
  if (has_all) return true;
  operation.due += operation.wanted;
  if (operation.due < operation.of) return false;
  operation.due -= operation.of;
  return true;
}

bool RuntimeMachine::MoveOne(uint32_t id, uint16_t target, uint32_t actor, uint64_t now_ns) {
  if (actor >= actors_.size() || migrations_.full()) return false;
  Operation* operation = NewOperation(id);
  if (operation == nullptr) return false;
  const auto slot = static_cast<uint32_t>(operation - operations_.data());
  operation->under_way = 1;
  const Refusal reason = Start(actor, target, slot, now_ns);
  if (reason != Refusal::kNo) OperationStep(slot, false, reason);
  return true;
}

Refusal RuntimeMachine::MoveAlone(uint32_t actor, uint16_t target, uint64_t now_ns) {
  return actor < actors_.size() ? Start(actor, target, kNone, now_ns) : Refusal::kNoFlow;
}

bool RuntimeMachine::MoveThese(uint32_t id, uint16_t target, std::span<const uint32_t> handles) {
  Operation* operation = IsTarget(target) ? NewOperation(id) : nullptr;
  if (operation == nullptr) return false;
  operation->left = static_cast<uint32_t>(handles.size());
  operation->has_chosen = true;
  operation->chosen = handles;
  operation->targets.push_back(target);
  return true;
}

bool RuntimeMachine::Drain(uint32_t id, std::span<const uint16_t> targets) {
  if (targets.empty() || targets.size() > config_.members) return false;
  Operation* operation = NewOperation(id);
  if (operation == nullptr) return false;
  operation->draining = true;
  operation->targets.assign(targets.begin(), targets.end());
  SetDraining(true);
  return true;
}

void RuntimeMachine::Undrain() {
  for (Operation& operation : operations_) {
    if (!operation.used || !operation.draining) continue;
    operation.draining = false;  // From here on a move with no more flows to start.
    operation.result.undrained = true;
  }
  SetDraining(false);
}

void RuntimeMachine::SetDraining(bool on) {
  draining_ = on;
  SayDraining();
}

void RuntimeMachine::SayDraining() { draining_unsaid_ = !Tell(kVswitch, MessageType::kDraining, {}, draining_); }

void RuntimeMachine::OperationStep(uint32_t slot, bool moved, Refusal reason) {
  Operation& operation = operations_[slot];
  --operation.under_way;
  if (moved) {
    ++operation.result.moved;
    ++operation.moved_in_round;
  } else {
    ++operation.result.failed;
    operation.result.reason = reason;
    if (reason != Refusal::kBusy && reason != Refusal::kCancelled) ++operation.refused_in_round;
  }
}

// Looks at a bounded number of actors in a call, so that packets don't wait for it. A move ends when its flows are
// through, or there are no more; a drain when nothing is left, or a whole round has moved nothing and was refused for
// good; flows that are busy get another.
void RuntimeMachine::RunOperation(uint32_t slot, uint64_t now_ns) {
  Operation& operation = operations_[slot];
  const auto size = static_cast<uint32_t>(operation.has_chosen ? operation.chosen.size() : actors_.size());
  for (uint32_t looks = 0; looks < kLooksPerTurn && operation.looked_at < size && !migrations_.full() &&
                           (operation.draining || operation.left > 0);
       ++looks) {
    const uint32_t place = operation.cursor;
    operation.cursor = place + 1 < size ? place + 1 : 0;
    ++operation.looked_at;
    const uint32_t index = operation.has_chosen ? HandleIndex(operation.chosen[place]) : place;
    if (operation.has_chosen && (index >= actors_.size() || handle(index) != operation.chosen[place])) {
      --operation.left;
      ++operation.under_way;
      OperationStep(slot, false, Refusal::kNoFlow);
      continue;
    }
    if (!operation.has_chosen && actors_[index].state != ActorState::kActive) continue;
    if (!operation.has_chosen && !operation.draining && !IsNext(operation)) continue;
    const uint16_t target = operation.targets[operation.next_target++ % operation.targets.size()];
    if (!operation.draining) --operation.left;
    ++operation.under_way;
    const Refusal reason = Start(index, target, slot, now_ns);
    if (reason != Refusal::kNo) OperationStep(slot, false, reason);
  }
  // Some have ended or moved meanwhile: now whichever is there.
  if (!operation.has_chosen && !operation.draining && operation.looked_at >= size && operation.left > 0 &&
      operation.unseen > 0) {
    operation.unseen = operation.looked_at = 0;
  }
  if (operation.under_way > 0) return;
  bool ended = operation.looked_at >= size || operation.left == 0;
  if (operation.draining) {
    const bool round_over = operation.looked_at >= size;
    ended = used_ == 0 || (round_over && operation.moved_in_round == 0 && operation.refused_in_round > 0);
    if (!ended && round_over && now_ns - operation.round_ns >= config_.retry_ns) {
      operation.looked_at = operation.moved_in_round = operation.refused_in_round = 0;
      operation.round_ns = now_ns;
      SetDraining(true);  // V may not have heard it.
    }
  }
  if (!ended) return;
  operation.result.drained = used_ == 0;
  const OperationResult result = operation.result;
  const uint32_t id = operation.id;
  operation.used = false;
  host_->OperationEnded(id, result);
}

}  // namespace nf::proto
