// How long packets are in a tenant: from the turn in which its vswitch takes one in until it lets it out, with
// everything in between: the way to its runtime, NFs, replicas. Of a packet now and then.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "base/counter.h"
#include "proto/stamp.h"
#include "runtime/report.h"

namespace nf {

class DelayMeter {
 public:
  // Bucket i counts delays of at most 2^(i + 1) us that the one before doesn't, the last one all that are longer.
  static constexpr uint32_t kBuckets = 21;
  static constexpr uint64_t kEveryNs = 50'000;
  // Nobody tells of a packet that it is dropped: another one takes its place then.
  static constexpr uint64_t kPatienceNs = 2'000'000'000;

  static uint32_t BucketOf(uint64_t delay_ns) {
    const uint64_t us = (delay_ns + 999) / 1000;
    return us <= 2 ? 0 : std::min<uint32_t>(std::bit_width(us - 1) - 1, kBuckets - 1);
  }

  // ---- The lcore.
  void Arm(uint64_t now_ns) { is_armed_ = now_ns - armed_ns_ >= kEveryNs; }
  bool is_armed() const { return is_armed_; }
  // The packet is on its way to its runtime. When its place is taken, another one is measured later.
  void Begin(const proto::Stamp& stamp, uint64_t now_ns) {
    armed_ns_ = now_ns;
    is_armed_ = false;
    Sample& sample = samples_[stamp.entry % samples_.size()];
    if (sample.is_open && now_ns - sample.began_ns < kPatienceNs) return;
    sample = {
        .entry = stamp.entry, .epoch = stamp.epoch, .sequence = stamp.sequence, .is_open = true, .began_ns = now_ns};
  }
  // Whether a packet of this flow is measured.
  bool IsMeasured(uint32_t entry) const {
    const Sample& sample = samples_[entry % samples_.size()];
    return sample.is_open && sample.entry == entry;
  }
  // What goes out has the sequence of the last packet of its flow in the runtime's burst. If that is the one that is
  // measured, it is out. If it is a later one, nobody knows when, or whether, the one that is measured went.
  void Out(const proto::Stamp& stamp, uint64_t now_ns) {
    Sample& sample = samples_[stamp.entry % samples_.size()];
    const bool is_same_epoch = stamp.epoch == sample.epoch;
    if (is_same_epoch && static_cast<int32_t>(stamp.sequence - sample.sequence) < 0) return;
    sample.is_open = false;
    if (!is_same_epoch || stamp.sequence != sample.sequence) return;
    const uint64_t delay_ns = now_ns - sample.began_ns;
    counts_[BucketOf(delay_ns)].Add();
    sum_ns_.Add(delay_ns);
  }

  // ---- Any thread.
  uint64_t count(uint32_t bucket) const { return counts_[bucket].value(); }
  uint64_t sum_ns() const { return sum_ns_.value(); }

 private:
  struct Sample {
    uint32_t entry = 0, epoch = 0, sequence = 0;
    bool is_open = false;
    uint64_t began_ns = 0;
  };
  std::array<Sample, 64> samples_;
  bool is_armed_ = false;
  uint64_t armed_ns_ = 0;
  std::array<Counter, kBuckets> counts_;
  Counter sum_ns_;
};

inline DelayReport ReportOf(const DelayMeter& meter) {
  DelayReport report{.counts = std::vector<uint64_t>(DelayMeter::kBuckets), .sum_ns = meter.sum_ns()};
  for (uint32_t i = 0; i < DelayMeter::kBuckets; ++i) report.counts[i] = meter.count(i);
  return report;
}

}  // namespace nf
