// Things that are due the same time after they were armed: a list through the things themselves, first armed first.
// Arming, disarming and asking cost O(1), however many there are.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/ids.h"

namespace nf::proto {

struct TimerLink {
  uint64_t armed_ns = 0;
  uint32_t before = kNone;
  uint32_t after = kNone;
  bool armed = false;
};

template <typename T>
class TimerQueue {
 public:
  TimerQueue(std::vector<T>* things, uint64_t interval_ns) : things_(things), interval_ns_(interval_ns) {}

  void Arm(uint32_t index, uint64_t now_ns) {
    Disarm(index);
    TimerLink& link = (*things_)[index].timer;
    link = {.armed_ns = now_ns, .before = last_, .after = kNone, .armed = true};
    (last_ == kNone ? first_ : (*things_)[last_].timer.after) = index;
    last_ = index;
  }

  void Disarm(uint32_t index) {
    TimerLink& link = (*things_)[index].timer;
    if (!link.armed) return;
    (link.before == kNone ? first_ : (*things_)[link.before].timer.after) = link.after;
    (link.after == kNone ? last_ : (*things_)[link.after].timer.before) = link.before;
    link = {};
  }

  // The first that is due, or kNone. It stays armed: the caller arms it anew or disarms it.
  uint32_t Due(uint64_t now_ns) const {
    if (first_ == kNone || now_ns < (*things_)[first_].timer.armed_ns + interval_ns_) return kNone;
    return first_;
  }

 private:
  std::vector<T>* things_;
  uint64_t interval_ns_;
  uint32_t first_ = kNone;
  uint32_t last_ = kNone;
};

}  // namespace nf::proto
