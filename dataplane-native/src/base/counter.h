// A count that one thread writes and others read while it does: no read-modify-write, no fence. A reader sees a value
// that was right a moment ago.
#pragma once

#include <atomic>
#include <cstdint>

namespace nf {

class Counter {
 public:
  // The writer's thread only.
  void Add(uint64_t amount = 1) { Set(value() + amount); }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  // Any thread.
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace nf
