#include "proto/held_packets.h"

#include <gtest/gtest.h>

namespace nf::proto {
namespace {

PacketHeader At(uint32_t sequence, uint8_t part = 0) { return {.stamp = {.sequence = sequence}, .part = part}; }

TEST(HeldPacketsTest, ComeOutByPositionWhateverTheOrderTheyCameIn) {
  HeldPackets pool(8);
  HeldList list;
  for (const uint32_t sequence : {0xfffffffeu, 1u, 0u, 0xffffffffu})
    EXPECT_TRUE(pool.Insert(&list, sequence, At(sequence)));
  EXPECT_TRUE(pool.Insert(&list, 77, At(0, 1)));
  HeldPacket held;
  std::vector<PacketRef> order;
  while (pool.Pop(&list, &held)) order.push_back(held.packet);
  EXPECT_EQ(order, (std::vector<PacketRef>{0xfffffffe, 0xffffffff, 0, 77, 1}));
}

TEST(HeldPacketsTest, ListsShareThePoolAndItsBound) {
  HeldPackets pool(2);
  HeldList a, b;
  EXPECT_TRUE(pool.Insert(&a, 1, At(1)));
  EXPECT_TRUE(pool.Insert(&b, 2, At(2)));
  EXPECT_FALSE(pool.Insert(&a, 3, At(3)));
  EXPECT_EQ(pool.held(), 2u);
  HeldPacket held;
  EXPECT_TRUE(pool.Pop(&b, &held));
  EXPECT_TRUE(pool.Insert(&a, 3, At(3)));
  EXPECT_EQ(a.count, 2u);
  EXPECT_EQ(b.count, 0u);
}

}  // namespace
}  // namespace nf::proto
