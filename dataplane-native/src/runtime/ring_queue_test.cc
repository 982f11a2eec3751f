#include "runtime/ring_queue.h"

#include <gtest/gtest.h>

#include "port/test_eal.h"
#include "runtime/member_pools.h"
#include "runtime/runtime_link.h"

namespace nf {
namespace {

// A runtime that doesn't read while the vswitch has something to say to it, turn after turn.
TEST(RingQueueTest, MarkersThatWaitLeavePacketsTheRoomThatTheyWereTold) {
  StartTestEal();
  Transit::Prepare();
  rte_mempool* markers = CreateMarkerPool().value();
  {
    auto link = RuntimeLink::Create(markers).value();
    RingQueue queue(link->down, markers);
    for (int turn = 0; turn < 5000; ++turn) {
      queue.PutMarker({});
      queue.Flush();
    }
    const uint32_t room = queue.room();
    EXPECT_GT(room, 0u);
    uint32_t taken = 0;
    for (; taken < room; ++taken) {
      rte_mbuf* packet = rte_pktmbuf_alloc(TestPool());
      if (packet == nullptr) break;  // The pool is smaller.
      Transit::Of(packet).is_marker = 0;
      if (queue.Put(&packet, 1) == 1) continue;
      ADD_FAILURE() << "no room for packet " << taken << " of " << room;
      rte_pktmbuf_free(packet);
      break;
    }
    EXPECT_GT(taken, 0u);
  }
  rte_mempool_free(markers);
}

}  // namespace
}  // namespace nf
