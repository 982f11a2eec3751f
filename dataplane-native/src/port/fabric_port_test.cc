#include "port/fabric_port.h"

#include <gtest/gtest.h>

#include "port/test_eal.h"

namespace nf {
namespace {

TEST(FabricPort, HandsPacketsOverInOrderAndRefusesWhatDoesNotFit) {
  rte_mempool* pool = TestPool();
  auto pair = FabricPort::CreatePair(64, 1);
  ASSERT_TRUE(pair.has_value()) << pair.error().message;
  auto& [a, b] = *pair;
  rte_mbuf* sent[80];
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(pool, sent, 80), 0);
  for (uint32_t i = 0; i < 80; ++i) rte_pktmbuf_append(sent[i], static_cast<uint16_t>(60 + i));
  ASSERT_EQ(a->TxBurst(sent, 80), 63u);  // What a ring of 64 holds.
  rte_mbuf* received[64];
  ASSERT_EQ(b->RxBurst(received, 32), 32u);
  ASSERT_EQ(b->RxBurst(received + 32, 32), 31u);
  for (uint32_t i = 0; i < 63; ++i) {
    EXPECT_EQ(received[i], sent[i]);
    EXPECT_EQ(MetaOf(received[i])->wire_length, 60 + i);
    EXPECT_EQ(MetaOf(received[i])->in_port, 1);
  }
  EXPECT_EQ(b->RxBurst(received, 32), 0u);
  EXPECT_EQ(b->TxBurst(sent, 80), 63u);  // The other way, and left in the ring: the port frees them.
  rte_pktmbuf_free_bulk(sent + 63, 17);
}

}  // namespace
}  // namespace nf
