#include "proto/timer_queue.h"

#include <gtest/gtest.h>

namespace nf::proto {
namespace {

struct Thing {
  TimerLink timer;
};

TEST(TimerQueueTest, FirstArmedIsFirstDue) {
  std::vector<Thing> things(3);
  TimerQueue<Thing> queue(&things, 100);
  queue.Arm(2, 0);
  queue.Arm(0, 10);
  EXPECT_EQ(queue.Due(99), kNone);
  EXPECT_EQ(queue.Due(100), 2u);
  queue.Arm(2, 100);
  EXPECT_EQ(queue.Due(109), kNone);
  EXPECT_EQ(queue.Due(110), 0u);
}

TEST(TimerQueueTest, WhatIsDisarmedIsNeverDue) {
  std::vector<Thing> things(3);
  TimerQueue<Thing> queue(&things, 100);
  for (uint32_t i = 0; i < 3; ++i) queue.Arm(i, i);
  queue.Disarm(1);
  queue.Disarm(1);
  queue.Disarm(0);
  EXPECT_EQ(queue.Due(1000), 2u);
  queue.Disarm(2);
  EXPECT_EQ(queue.Due(1000), kNone);
}

}  // namespace
}  // namespace nf::proto
