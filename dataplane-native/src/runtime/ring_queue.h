// The writing end of a runtime's link: packets and markers into a ring, in order. What finds no room waits here, within
// bounds. Markers that follow each other share an mbuf. One lcore.
#pragma once

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <cstdint>
#include <memory>

#include "proto/stamp.h"
#include "runtime/transit.h"

namespace nf {

class RingQueue {
 public:
  static constexpr uint32_t kBacklogMax = 4096;
  static constexpr uint32_t kPacketsMax = 2048;  // That wait; the rest is for markers.

  // `markers` is the pool that these come from.
  RingQueue(rte_ring* ring, rte_mempool* markers)
      : ring_(ring), markers_(markers), backlog_(new rte_mbuf*[kBacklogMax]) {}
  // What still waits is freed.
  ~RingQueue() {
    while (rte_mbuf* mbuf = TakeBack()) rte_pktmbuf_free(mbuf);
  }
  RingQueue(const RingQueue&) = delete;
  RingQueue& operator=(const RingQueue&) = delete;

  // Packets that may be put in now.
  uint32_t room() const {
    if (waiting_ == 0) return rte_ring_free_count(ring_) + kPacketsMax;
    return waiting_packets_ < kPacketsMax ? kPacketsMax - waiting_packets_ : 0;
  }
  // As many as there is room for, in order; the caller keeps the rest.
  uint32_t Put(rte_mbuf** packets, uint32_t count) {
    CloseMarkers();
    uint32_t taken = 0;
    if (waiting_ == 0) [[likely]] {
      taken = rte_ring_sp_enqueue_burst(ring_, reinterpret_cast<void**>(packets), count, nullptr);
      wrote_ |= taken != 0;
    }
    for (; taken < count && waiting_packets_ < kPacketsMax; ++taken) {
      ++waiting_packets_;
      Wait(packets[taken]);
    }
    return taken;
  }
  // Behind what was put in before. When there is no room it is lost, as datagrams may be.
  void PutMarker(const proto::Marker& marker) {
    if (open_ == nullptr) {
      open_ = rte_pktmbuf_alloc(markers_);
      if (open_ == nullptr) return;
      open_count_ = 0;
    }
    std::memcpy(rte_pktmbuf_mtod_offset(open_, uint8_t*, open_count_ * sizeof marker), &marker, sizeof marker);
    if (++open_count_ == proto::kMarkersPerDatagramMax) CloseMarkers();
  }
  // Nothing more comes for now: what can goes into the ring. False while something still waits.
  bool Flush() {
    CloseMarkers();
    while (waiting_ != 0) {
      if (rte_ring_sp_enqueue(ring_, backlog_[first_]) != 0) return false;
      Unwait();
      wrote_ = true;
    }
    return true;
  }
  bool is_empty() const { return waiting_ == 0 && open_ == nullptr; }
  uint32_t queued() const { return rte_ring_count(ring_) + waiting_; }
  // Whether anything was put into the ring since this was asked before.
  bool TakeWrote() {
    const bool wrote = wrote_;
    wrote_ = false;
    return wrote;
  }
  // Something that waits, or null.
  rte_mbuf* TakeBack() {
    CloseMarkers();
    return waiting_ != 0 ? Unwait() : nullptr;
  }

 private:
  void CloseMarkers() {
    if (open_ == nullptr) [[likely]]
      return;
    rte_mbuf* mbuf = open_;
    open_ = nullptr;
    const size_t bytes = proto::SealMarkers(rte_pktmbuf_mtod(mbuf, uint8_t*), open_count_);
    mbuf->data_len = static_cast<uint16_t>(bytes);
    mbuf->pkt_len = static_cast<uint32_t>(bytes);
    Transit::Of(mbuf).is_marker = 1;
    if (waiting_ == 0 && rte_ring_sp_enqueue(ring_, mbuf) == 0) {
      wrote_ = true;
    } else if (waiting_ - waiting_packets_ < kBacklogMax - kPacketsMax) {
      Wait(mbuf);
    } else {
      rte_pktmbuf_free(mbuf);
    }
  }
  void Wait(rte_mbuf* mbuf) { backlog_[(first_ + waiting_++) % kBacklogMax] = mbuf; }
  rte_mbuf* Unwait() {
    rte_mbuf* mbuf = backlog_[first_];
    first_ = (first_ + 1) % kBacklogMax;
    --waiting_;
    if (Transit::Of(mbuf).is_marker == 0) --waiting_packets_;
    return mbuf;
  }

  rte_ring* ring_;
  rte_mempool* markers_;
  std::unique_ptr<rte_mbuf*[]> backlog_;
  uint32_t first_ = 0;
  uint32_t waiting_ = 0, waiting_packets_ = 0;
  rte_mbuf* open_ = nullptr;  // Takes markers until a packet or the end of the turn comes.
  uint32_t open_count_ = 0;
  bool wrote_ = false;
};

}  // namespace nf
