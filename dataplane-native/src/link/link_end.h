// One end of a link, for the lcore that works on it: frames that its port has no room for wait here, in order.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "link/link_counters.h"
#include "link/link_frame.h"
#include "port/port.h"

namespace nf::link {

class LinkEnd {
 public:
  static constexpr uint32_t kBurst = 32;
  static constexpr uint32_t kStaged = 64;

  LinkEnd(Port* port, LinkCounters* counters) : port_(*port), counters_(*counters) {}
  ~LinkEnd() { Discard(); }
  LinkEnd(const LinkEnd&) = delete;
  LinkEnd& operator=(const LinkEnd&) = delete;

  Port& port() { return port_; }

  // Frames that may be staged now.
  uint32_t room() const { return kStaged - end_; }
  void Stage(rte_mbuf* frame) { staged_[end_++] = frame; }
  // Frames that left.
  uint32_t Flush() {
    if (begin_ == end_) return 0;
    const uint32_t sent = port_.TxBurst(staged_.data() + begin_, end_ - begin_);
    begin_ += sent;
    if (begin_ == end_) begin_ = end_ = 0;
    counters_.Add(LinkCount::kSent, sent);
    return sent;
  }
  uint32_t Receive(rte_mbuf** frames, uint32_t count) {
    const uint32_t received = count != 0 ? port_.RxBurst(frames, count < kBurst ? count : kBurst) : 0;
    for (uint32_t i = 0; i < received; ++i) __builtin_prefetch(rte_pktmbuf_mtod(frames[i], const uint8_t*));
    if (received != 0) counters_.Add(LinkCount::kReceived, received);
    return received;
  }
  // Nothing leaves any more. Packets among what waited count as unsent.
  void Discard() {
    for (; begin_ < end_; ++begin_) {
      const uint8_t* frame = rte_pktmbuf_mtod(staged_[begin_], const uint8_t*);
      if (LoadBe16(frame + offsetof(OuterHeader, ether_type)) == kEtherTypeNsh) counters_.Add(LinkCount::kUnsent);
      rte_pktmbuf_free(staged_[begin_]);
    }
    begin_ = end_ = 0;
  }

 private:
  Port& port_;
  LinkCounters& counters_;
  std::array<rte_mbuf*, kStaged> staged_;
  uint32_t begin_ = 0, end_ = 0;
};

}  // namespace nf::link
