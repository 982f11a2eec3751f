// A ring of records of any size from the lcore to control threads: one writer, one reader at a time. The writer copies
// a record in whole or not at all; nobody waits for anybody here.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace nf {

class EventRing {
 public:
  // Room for at least `bytes` of records.
  explicit EventRing(size_t bytes)
      : capacity_(std::bit_ceil(bytes < 4096 ? size_t{4096} : bytes)), bytes_(new uint8_t[capacity_]) {}

  // Records longer than this are never taken.
  size_t record_max() const { return capacity_ / 2; }

  // The writer: puts one record made of `parts`, one after the other. False when there is no room.
  bool Write(std::span<const std::span<const uint8_t>> parts) {
    size_t size = sizeof(uint32_t);
    for (const auto& part : parts) size += part.size();
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head + size - tail_.load(std::memory_order_acquire) > capacity_) return false;
    const uint32_t length = static_cast<uint32_t>(size - sizeof(uint32_t));
    uint64_t at = Put(head, {reinterpret_cast<const uint8_t*>(&length), sizeof length});
    for (const auto& part : parts) at = Put(at, part);
    head_.store(at, std::memory_order_release);
    return true;
  }

  // The reader: the oldest record, or nothing.
  bool Read(std::vector<uint8_t>* record) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return false;
    uint32_t length;
    uint64_t at = Get(tail, {reinterpret_cast<uint8_t*>(&length), sizeof length});
    record->resize(length);
    at = Get(at, *record);
    tail_.store(at, std::memory_order_release);
    return true;
  }

  bool empty() const { return tail_.load(std::memory_order_acquire) == head_.load(std::memory_order_acquire); }

 private:
  uint64_t Put(uint64_t at, std::span<const uint8_t> data) {
    if (data.empty()) return at;
    const size_t offset = at & (capacity_ - 1);
    const size_t front = std::min(data.size(), capacity_ - offset);
    std::memcpy(bytes_.get() + offset, data.data(), front);
    std::memcpy(bytes_.get(), data.data() + front, data.size() - front);
    return at + data.size();
  }
  uint64_t Get(uint64_t at, std::span<uint8_t> data) const {
    if (data.empty()) return at;
    const size_t offset = at & (capacity_ - 1);
    const size_t front = std::min(data.size(), capacity_ - offset);
    std::memcpy(data.data(), bytes_.get() + offset, front);
    std::memcpy(data.data() + front, bytes_.get(), data.size() - front);
    return at + data.size();
  }

  size_t capacity_;
  std::unique_ptr<uint8_t[]> bytes_;
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace nf
