// Commands from control threads to the lcore: pointers in a ring, looked at between polls. Control threads take turns
// (a mutex of theirs), so there is one writer and one reader.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace nf {

struct Command;

class CommandRing {
 public:
  // Control: false when the ring is full.
  bool Push(Command* command) {
    const uint32_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == slots_.size()) return false;
    slots_[head % slots_.size()] = command;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }
  // The lcore: the oldest, which stays; null when there is none.
  Command* Front() const {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    return tail == head_.load(std::memory_order_acquire) ? nullptr : slots_[tail % slots_.size()];
  }
  void Pop() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  std::array<Command*, 16> slots_{};
  alignas(64) std::atomic<uint32_t> head_{0};
  alignas(64) std::atomic<uint32_t> tail_{0};
};

}  // namespace nf
