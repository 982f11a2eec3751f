// Whether a member that says something every so often has been silent for too long. It learns how long the longest
// silences of late were, so that a member that is often late is not taken for dead, and forgets them within seconds.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nf::link {

class SilenceDetector {
 public:
  // `suspect_ns`: shorter silence is never too long, ten times of it always is. 0: none ever is.
  explicit SilenceDetector(uint64_t suspect_ns) : suspect_ns_(suspect_ns) {}

  void Heard(uint64_t now_ns) {
    const uint64_t silence = heard_ns_ != 0 && now_ns > heard_ns_ ? now_ns - heard_ns_ : 0;
    longest_ns_ = std::max(silence, longest_ns_ - longest_ns_ / 1024);
    heard_ns_ = now_ns;
  }
  // The listener itself was away for so long, and heard nobody.
  void Excuse(uint64_t away_ns) {
    if (heard_ns_ != 0) heard_ns_ += away_ns;
  }
  bool Suspects(uint64_t now_ns) const {
    if (suspect_ns_ == 0 || heard_ns_ == 0 || now_ns <= heard_ns_) return false;
    return now_ns - heard_ns_ > std::clamp(4 * longest_ns_, suspect_ns_, 10 * suspect_ns_);
  }

 private:
  uint64_t suspect_ns_;
  uint64_t heard_ns_ = 0;
  uint64_t longest_ns_ = 0;
};

}  // namespace nf::link
