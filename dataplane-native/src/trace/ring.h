// Records on their way from one lcore to one control thread. Bounded; nobody waits for anybody.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "trace/record.h"

namespace nf {

class TraceRing {
 public:
  static constexpr uint32_t kAlign = 8;

  // `bytes`: a power of two.
  explicit TraceRing(uint32_t bytes) : size_(bytes), bytes_(new uint64_t[bytes / sizeof(uint64_t)]()) {}

  static constexpr uint32_t RoomFor(uint32_t captured) {
    return (static_cast<uint32_t>(sizeof(TraceRecord)) + captured + kAlign - 1) & ~(kAlign - 1);
  }

  // ---- The lcore.
  // Room in one piece, or null. What was given before counts once it is committed.
  uint8_t* Reserve(uint32_t bytes) {
    const uint32_t at = static_cast<uint32_t>(head_) & (size_ - 1);
    const uint32_t to_end = size_ - at;
    const uint32_t skipped = to_end < bytes ? to_end : 0;
    if (head_ + skipped + bytes - tail_seen_ > size_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head_ + skipped + bytes - tail_seen_ > size_) return nullptr;
    }
    if (skipped != 0) {
      // There are 8 bytes at least: as far as `reason`.
      std::memcpy(place(at), &skipped, sizeof skipped);
      place(at)[offsetof(TraceRecord, hop)] = static_cast<uint8_t>(TraceHop::kPad);
      head_ += skipped;
    }
    reserved_ = bytes;
    return place(static_cast<uint32_t>(head_) & (size_ - 1));
  }
  void Commit() {
    head_ += reserved_;
    reserved_ = 0;
    shown_.store(head_, std::memory_order_release);
  }
  // What is free for sure, in one piece or two.
  uint32_t free() {
    tail_seen_ = tail_.load(std::memory_order_acquire);
    return size_ - static_cast<uint32_t>(head_ - tail_seen_);
  }

  // ---- The control thread.
  // The oldest record, or null. It stays until it is let go of.
  const TraceRecord* Front() {
    for (;;) {
      const uint64_t tail = tail_.load(std::memory_order_relaxed);
      if (tail == shown_.load(std::memory_order_acquire)) return nullptr;
      const auto* record = reinterpret_cast<const TraceRecord*>(place(static_cast<uint32_t>(tail) & (size_ - 1)));
      if (record->hop != TraceHop::kPad) return record;
      tail_.store(tail + record->bytes, std::memory_order_release);
    }
  }
  void Pop(const TraceRecord* front) {
    tail_.store(tail_.load(std::memory_order_relaxed) + front->bytes, std::memory_order_release);
  }

 private:
  uint8_t* place(uint32_t offset) { return reinterpret_cast<uint8_t*>(bytes_.get()) + offset; }

  const uint32_t size_;
  std::unique_ptr<uint64_t[]> bytes_;
  alignas(64) uint64_t head_ = 0;  // The lcore's.
  uint64_t tail_seen_ = 0;
  uint32_t reserved_ = 0;
  std::atomic<uint64_t> shown_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace nf
