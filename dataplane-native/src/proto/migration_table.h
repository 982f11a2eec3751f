// The migrations that a source has under way: a bounded table. An attempt's number holds its place in the table, so
// that an answer finds it without a search, under a count that makes every attempt a later one than those before.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"
#include "proto/ids.h"
#include "proto/messages.h"
#include "proto/timer_queue.h"

namespace nf::proto {

enum class MigrationPhase : uint8_t {
  kFree,
  kOpening,     // The target was asked for an actor.
  kRouting,     // V was asked to switch.
  kSettling,    // V has switched; packets overtaken by its marker may still come.
  kSending,     // The target was sent the state.
  kCancelling,  // V was asked to end the attempt.
  kDraining,    // The flow is gone; V hasn't yet answered that our output has ended.
};

struct Migration {
  MigrationPhase phase = MigrationPhase::kFree;
  Refusal reason = Refusal::kNo;
  bool drained_sent = false;
  bool drained_known = false;  // V has answered.
  bool drained_waits = false;  // Its flow's output hasn't left yet.
  bool unsaid = false;         // What the phase asks found no room in the channel.
  uint8_t bucket = 0;          // Of the flow, when it is gone.
  uint32_t actor = kNone;
  uint32_t operation = kNone;
  uint32_t handle = kNoHandle;  // Of the actor.
  uint32_t target_handle = kNoHandle;
  uint32_t new_epoch = 0;
  uint32_t switch_sequence = 0;
  MigrationId id;
  MemberRef target;
  uint64_t phase_ns = 0;  // Since when it is in this phase.
  TimerLink timer;
  uint32_t next_free = kNone;
};

class MigrationTable {
 public:
  static constexpr uint32_t kIndexBits = 12;

  MigrationTable(uint32_t capacity, uint64_t interval_ns) : migrations_(capacity), timers_(&migrations_, interval_ns) {
    NF_CHECK(capacity <= 1u << kIndexBits, "at most 4096 migrations at once");
    for (uint32_t i = capacity; i-- > 0;) {
      migrations_[i].next_free = free_;
      free_ = i;
    }
  }

  // kNone: all are in use.
  uint32_t New(uint32_t entry, uint32_t epoch) {
    if (free_ == kNone) return kNone;
    const uint32_t index = free_;
    free_ = migrations_[index].next_free;
    ++used_;
    migrations_[index] = {.id = {.entry = entry, .epoch = epoch, .attempt = ++count_ << kIndexBits | index}};
    return index;
  }
  void Free(uint32_t index) {
    timers_.Disarm(index);
    migrations_[index] = {.next_free = free_};
    free_ = index;
    --used_;
  }
  // The migration of exactly this attempt, or kNone.
  uint32_t Find(const MigrationId& id) const {
    const uint32_t index = id.attempt & ((1u << kIndexBits) - 1);
    const bool same =
        index < migrations_.size() && migrations_[index].phase != MigrationPhase::kFree && migrations_[index].id == id;
    return same ? index : kNone;
  }
  void Enter(uint32_t index, MigrationPhase phase, uint64_t now_ns) {
    migrations_[index].phase = phase;
    migrations_[index].phase_ns = now_ns;
    timers_.Arm(index, now_ns);
  }

  Migration& operator[](uint32_t index) { return migrations_[index]; }
  const Migration& operator[](uint32_t index) const { return migrations_[index]; }
  TimerQueue<Migration>& timers() { return timers_; }
  uint32_t capacity() const { return static_cast<uint32_t>(migrations_.size()); }
  uint32_t used() const { return used_; }
  bool full() const { return free_ == kNone; }

 private:
  std::vector<Migration> migrations_;
  TimerQueue<Migration> timers_;
  uint32_t free_ = kNone;
  uint32_t used_ = 0;
  uint32_t count_ = 0;
};

}  // namespace nf::proto
