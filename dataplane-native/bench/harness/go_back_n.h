// What one would write first instead of the reliable channel: go-back-N. Frames of the same size, as many of them under
// way, acknowledged cumulatively; the receiver keeps nothing that comes out of order, and the sender begins again at
// the first frame missing, after three repeated acks or when the measured round trip and four deviations are over.
// Carries no data but the frames' numbers: only what it makes of a link is of interest.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "proto/channel.h"
#include "proto/frame.h"

namespace nf {

class GoBackN {
 public:
  explicit GoBackN(const proto::ChannelConfig& config)
      : config_(config), frame_(config.frame_bytes), sent_ns_(kWindow), timeout_ns_(config.first_timeout_ns) {}

  // The sender always has something to say.
  void PollSender(uint64_t now_ns, proto::FrameSink* sink) {
    const uint64_t bound = std::max(timeout_ns_, static_cast<uint64_t>(10 * smoothed_ns_));
    if (next_ != first_ && now_ns - started_ns_ >= std::min(bound, timeout_ns_ << std::min(backoff_, 10u))) {
      ++backoff_;
      Begin(now_ns);
    }
    for (; next_ - first_ < kWindow; ++next_) {
      if (next_ == first_) started_ns_ = now_ns;
      // A repetition says nothing of the round trip.
      sent_ns_[next_ % kWindow] = next_ < beyond_ ? 0 : now_ns;
      beyond_ = std::max(beyond_, next_ + 1);
      std::memcpy(frame_.data(), &next_, sizeof next_);
      sink->SendFrame(0, frame_);
    }
  }

  void TakeAck(std::span<const uint8_t> frame, uint64_t now_ns) {
    uint64_t ack;
    std::memcpy(&ack, frame.data(), sizeof ack);
    if (ack < first_ || ack > beyond_) return;
    if (ack == first_) {
      // Acks of what was under way before the sender began again say nothing new.
      if (++repeated_ == 3 && first_ >= recover_) Begin(now_ns);
      return;
    }
    repeated_ = backoff_ = 0;
    for (; first_ != ack; ++first_)
      if (const uint64_t sent_ns = sent_ns_[first_ % kWindow]; sent_ns != 0) Measure(now_ns - sent_ns);
    next_ = std::max(next_, first_);
    started_ns_ = now_ns;
  }

  void TakeData(std::span<const uint8_t> frame) {
    uint64_t number;
    std::memcpy(&number, frame.data(), sizeof number);
    ++acks_owed_;
    if (number == expected_) ++expected_;
  }

  void PollReceiver(proto::FrameSink* sink) {
    uint8_t ack[sizeof(proto::FrameHeader)] = {};
    std::memcpy(ack, &expected_, sizeof expected_);
    for (; acks_owed_ > 0; --acks_owed_) sink->SendFrame(0, ack);
  }

  uint64_t delivered() const { return expected_; }

 private:
  static constexpr uint32_t kWindow = proto::Channel::kUnderWay;

  void Begin(uint64_t now_ns) {
    recover_ = next_;
    next_ = first_;
    repeated_ = 0;
    started_ns_ = now_ns;
  }

  void Measure(uint64_t round_trip_ns) {
    const auto rtt = static_cast<double>(round_trip_ns);
    deviation_ns_ = smoothed_ns_ == 0
                        ? rtt / 2
                        : (3 * deviation_ns_ + std::max(rtt, smoothed_ns_) - std::min(rtt, smoothed_ns_)) / 4;
    smoothed_ns_ = smoothed_ns_ == 0 ? rtt : (7 * smoothed_ns_ + rtt) / 8;
    timeout_ns_ = std::max(config_.min_timeout_ns, static_cast<uint64_t>(smoothed_ns_ + 4 * deviation_ns_));
  }

  proto::ChannelConfig config_;
  std::vector<uint8_t> frame_;
  std::vector<uint64_t> sent_ns_;
  uint64_t first_ = 0, next_ = 0, beyond_ = 0, recover_ = 0;
  uint64_t started_ns_ = 0, timeout_ns_;
  double smoothed_ns_ = 0, deviation_ns_ = 0;
  uint32_t repeated_ = 0, backoff_ = 0;
  uint64_t expected_ = 0;
  uint32_t acks_owed_ = 0;
};

}  // namespace nf
