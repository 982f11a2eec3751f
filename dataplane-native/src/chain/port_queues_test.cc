#include "chain/port_queues.h"

#include <gtest/gtest.h>

#include "port/test_eal.h"

namespace nf {
namespace {

// Takes up to `room` packets of a burst, and sees what a death in the middle of that would leave.
class WatchedPort : public Port {
 public:
  WatchedPort(const PacketCounters* counters, const Counter* claimed) : counters_(*counters), claimed_(*claimed) {}
  uint32_t RxBurst(rte_mbuf**, uint32_t) override { return 0; }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    const uint32_t taken = std::min(count, room);
    EXPECT_EQ(claimed_.value(), left + count);
    EXPECT_EQ(counters_.sent.value(), left);
    for (uint32_t i = 0; i < taken; ++i) rte_pktmbuf_free(packets[i]);
    left += taken;
    return taken;
  }

  uint32_t room = 1000;
  uint64_t left = 0;

 private:
  const PacketCounters& counters_;
  const Counter& claimed_;
};

// A process that dies at any moment leaves counters by which as many packets have left as it says, or up to a burst
// more, which it says as well.
TEST(PortQueuesTest, WhatIsBeingHandedToAPortIsClaimedUntilItIsCounted) {
  PacketCounters counters;
  Counter claimed;
  WatchedPort port(&counters, &claimed);
  PortQueues queues(&port, &port, &counters, &claimed);
  for (uint32_t room : {1000, 5, 0, 64}) {
    port.room = room;
    for (uint32_t i = 0; i < 100; ++i) {
      rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool());
      ASSERT_NE(mbuf, nullptr);
      MetaOf(mbuf)->wire_length = 60;
      MetaOf(mbuf)->out_port = 0;
      queues.Put(mbuf);
    }
    queues.Flush();
    EXPECT_EQ(counters.sent.value(), port.left);
    EXPECT_EQ(claimed.value(), port.left);
  }
  EXPECT_EQ(counters.sent_bytes.value(), 60 * port.left);
  EXPECT_EQ(counters.dropped[static_cast<size_t>(abi::DropReason::kPortFull)].value(), 400 - port.left);
}

}  // namespace
}  // namespace nf
