// A link between two members inside the process, one way: frames are copied into mbufs that go through a ring. One
// thread drives both of its ends here.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <cstring>
#include <span>
#include <string>

#include "harness/must.h"
#include "proto/channel.h"

namespace nf {

class RingLink final : public proto::FrameSink {
 public:
  static constexpr uint32_t kFrames = 1024;

  explicit RingLink(const std::string& name)
      : pool_(rte_pktmbuf_pool_create(name.c_str(), 2 * kFrames - 1, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY)),
        ring_(rte_ring_create(name.c_str(), kFrames, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ)) {
    Must(pool_ != nullptr && ring_ != nullptr, "no memory for a link");
  }
  ~RingLink() {
    Take([](std::span<const uint8_t>) {});
    rte_ring_free(ring_);
    rte_mempool_free(pool_);
  }
  RingLink(const RingLink&) = delete;
  RingLink& operator=(const RingLink&) = delete;

  void SendFrame(uint16_t, std::span<const uint8_t> frame) override {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
    Must(packet != nullptr, "a link has no frame");
    std::memcpy(rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size())), frame.data(), frame.size());
    Must(rte_ring_sp_enqueue(ring_, packet) == 0, "a link is full");
  }

  template <typename Receive>
  void Take(Receive receive) {
    void* packets[32];
    while (const unsigned count = rte_ring_sc_dequeue_burst(ring_, packets, std::size(packets), nullptr)) {
      for (unsigned i = 0; i < count; ++i) {
        auto* packet = static_cast<rte_mbuf*>(packets[i]);
        receive(std::span(rte_pktmbuf_mtod(packet, const uint8_t*), rte_pktmbuf_data_len(packet)));
        rte_pktmbuf_free(packet);
      }
    }
  }

 private:
  rte_mempool* pool_;
  rte_ring* ring_;
};

}  // namespace nf
