// Counts an NF's faults: when so many fall into one window that the NF is quarantined (docs/packet_path.md, section 6),
// and how many there were in the last minute, for messages. Time is that of polls.
#pragma once

#include <array>
#include <cstdint>

#include "nf_abi.h"

namespace nf {

class FaultWindow {
 public:
  // True when this fault completes a window's worth.
  bool Add(uint64_t now_ns) {
    times_[next_] = now_ns;
    next_ = (next_ + 1) % times_.size();
    if (count_ < times_.size()) ++count_;
    AddToMinute(now_ns);
    return count_ == times_.size() && now_ns - times_[next_] < abi::kFaultQuarantineWindowNs;
  }
  void Reset() { *this = {}; }

  uint32_t count() const { return count_; }  // Of the last fault_quarantine_count.
  uint32_t in_minute() const { return in_minute_; }

 private:
  static constexpr uint64_t kSecond = 1'000'000'000;

  void AddToMinute(uint64_t now_ns) {
    const uint64_t second = now_ns / kSecond;
    if (second - second_ >= seconds_.size()) {
      seconds_ = {};
      in_minute_ = 0;
    } else {
      for (; second_ < second; ++second_) {
        uint32_t& oldest = seconds_[(second_ + 1) % seconds_.size()];
        in_minute_ -= oldest;
        oldest = 0;
      }
    }
    second_ = second;
    ++seconds_[second % seconds_.size()];
    ++in_minute_;
  }

  std::array<uint64_t, abi::kFaultQuarantineCount> times_{};
  uint32_t next_ = 0;
  uint32_t count_ = 0;
  std::array<uint32_t, 60> seconds_{};
  uint64_t second_ = 0;
  uint32_t in_minute_ = 0;
};

}  // namespace nf
