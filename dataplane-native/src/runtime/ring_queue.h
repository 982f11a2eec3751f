// The writing end of a ring: what finds no room waits here, in order, within a bound. One lcore.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <cstdint>
#include <memory>

namespace nf {

class RingQueue {
 public:
  static constexpr uint32_t kBacklogMax = 4096;
  static constexpr uint32_t kPacketsMax = 1024;  // That wait, so that markers always find room.

  explicit RingQueue(rte_ring* ring) : ring_(ring), backlog_(new rte_mbuf*[kBacklogMax]) {}
  // What still waits is freed.
  ~RingQueue() {
    while (rte_mbuf* mbuf = TakeBack()) rte_pktmbuf_free(mbuf);
  }
  RingQueue(const RingQueue&) = delete;
  RingQueue& operator=(const RingQueue&) = delete;

  // As many as there is room for, in order; the caller keeps the rest.
  uint32_t Put(rte_mbuf** packets, uint32_t count) {
    uint32_t taken = 0;
    if (waiting_ == 0) [[likely]] {
      taken = rte_ring_sp_enqueue_burst(ring_, reinterpret_cast<void**>(packets), count, nullptr);
      wrote_ |= taken != 0;
    }
    for (; taken < count && waiting_ < kBacklogMax; ++taken)
      backlog_[(first_ + waiting_++) % kBacklogMax] = packets[taken];
    return taken;
  }
  // What waits goes on. False while something still waits.
  bool Flush() {
    while (waiting_ != 0) {
      if (rte_ring_sp_enqueue(ring_, backlog_[first_]) != 0) return false;
      first_ = (first_ + 1) % kBacklogMax;
      --waiting_;
      wrote_ = true;
    }
    return true;
  }
  bool is_empty() const { return waiting_ == 0; }
  // Packets that may be put in now.
  uint32_t room_for_packets() const {
    if (waiting_ == 0) return rte_ring_free_count(ring_) + kPacketsMax;
    return waiting_ < kPacketsMax ? kPacketsMax - waiting_ : 0;
  }
  uint32_t queued() const { return rte_ring_count(ring_) + waiting_; }
  // Whether anything was put into the ring since this was asked before.
  bool TakeWrote() {
    const bool wrote = wrote_;
    wrote_ = false;
    return wrote;
  }
  // Something that waits, or null.
  rte_mbuf* TakeBack() {
    if (waiting_ == 0) return nullptr;
    rte_mbuf* mbuf = backlog_[first_];
    first_ = (first_ + 1) % kBacklogMax;
    --waiting_;
    return mbuf;
  }

 private:
  rte_ring* ring_;
  std::unique_ptr<rte_mbuf*[]> backlog_;
  uint32_t first_ = 0;
  uint32_t waiting_ = 0;
  bool wrote_ = false;
};

}  // namespace nf
