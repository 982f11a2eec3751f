// Memory that another core has written, brought into this core's caches a few lines at a time, so that what runs there
// next does not wait for each of its lines. Filled by a control thread, stepped by the lcore.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace nf {

class WarmUp {
 public:
  // Memory that need not be there: a prefetch does not fault. The last added is warm longest.
  void Add(const void* at, size_t bytes) {
    if (count_ == ranges_.size() || at == nullptr) return;
    const auto* begin = static_cast<const uint8_t*>(at);
    ranges_[count_++] = {begin, begin + std::min(bytes, kBytesMax)};
  }
  // The next so many cache lines; true when there are no more.
  bool Step(uint32_t lines) {
    for (; next_ < count_; ++next_) {
      Range& range = ranges_[next_];
      for (; range.at < range.end; range.at += kLine) {
        if (lines-- == 0) return false;
        __builtin_prefetch(range.at);
      }
    }
    return true;
  }

 private:
  static constexpr size_t kLine = 64;
  static constexpr size_t kBytesMax = 256 * 1024;  // Of each: together they fit in a second-level cache.
  struct Range {
    const uint8_t* at;
    const uint8_t* end;
  };
  std::array<Range, 8> ranges_{};
  uint32_t count_ = 0, next_ = 0;
};

}  // namespace nf
