// A link on virtual time, one way: frames leave one after the other at the link's pace, some get lost, the others
// arrive in order after the delay. No thread, no clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <vector>

#include "proto/channel.h"

namespace nf {

struct VirtualLinkConfig {
  double bits_per_ns = 10;
  uint64_t delay_ns = 10'000;
  double loss = 0;
};

class VirtualLink final : public proto::FrameSink {
 public:
  VirtualLink(const VirtualLinkConfig& config, uint32_t seed) : config_(config), random_(seed) {}

  void Tick(uint64_t now_ns) { now_ns_ = now_ns; }

  void SendFrame(uint16_t, std::span<const uint8_t> frame) override {
    free_at_ns_ = std::max(free_at_ns_, static_cast<double>(now_ns_)) + NsOf(frame.size());
    if (std::uniform_real_distribution<>()(random_) < config_.loss) return;
    const auto arrival_ns = static_cast<uint64_t>(free_at_ns_) + config_.delay_ns;
    under_way_.push_back({arrival_ns, {frame.begin(), frame.end()}});
  }

  template <typename Receive>
  void Take(Receive receive) {
    for (; !under_way_.empty() && under_way_.front().arrival_ns <= now_ns_; under_way_.pop_front())
      receive(std::span<const uint8_t>(under_way_.front().bytes));
  }

  double NsOf(size_t bytes) const { return static_cast<double>(bytes) * 8 / config_.bits_per_ns; }

 private:
  struct Frame {
    uint64_t arrival_ns;
    std::vector<uint8_t> bytes;
  };
  VirtualLinkConfig config_;
  std::mt19937 random_;
  uint64_t now_ns_ = 0;
  double free_at_ns_ = 0;
  std::deque<Frame> under_way_;
};

}  // namespace nf
