#include "flow/timing_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace nf {
namespace {

class TimingWheelTest : public testing::Test {
 protected:
  void Arm(uint32_t node, uint64_t tick) {
    deadlines_[node] = tick;
    wheel_.Arm(node, tick);
  }
  std::vector<uint32_t> Advance(uint64_t tick) {
    std::vector<uint32_t> due;
    wheel_.Advance(
        tick, [&](uint32_t node) { return deadlines_[node]; },
        [&](uint32_t node, uint64_t when) {
          EXPECT_EQ(when, deadlines_[node]);
          EXPECT_LT(when, tick);
          due.push_back(node);
        });
    std::sort(due.begin(), due.end());
    return due;
  }
  TimingWheel wheel_{64};
  std::map<uint32_t, uint64_t> deadlines_;
};

TEST_F(TimingWheelTest, DueOnlyBeyondItsTick) {
  wheel_.Start(1000);
  Arm(3, 1005);
  EXPECT_TRUE(Advance(1005).empty());
  EXPECT_EQ(Advance(1006), std::vector<uint32_t>{3});
  EXPECT_FALSE(wheel_.armed(3));
  EXPECT_TRUE(Advance(5000).empty());
}

TEST_F(TimingWheelTest, DeadlineThatMovedAwayIsAskedFor) {
  wheel_.Start(0);
  Arm(1, 10);
  deadlines_[1] = 5000;
  EXPECT_TRUE(Advance(4000).empty());
  EXPECT_TRUE(wheel_.armed(1));
  EXPECT_TRUE(Advance(5000).empty());
  EXPECT_EQ(Advance(5001), std::vector<uint32_t>{1});
}

TEST_F(TimingWheelTest, SlotThatBeginsAtTheDeadlineOfAHigherLevelIsNotLate) {
  wheel_.Start(1);
  Arm(1, 64);
  Arm(2, 4096);
  EXPECT_EQ(Advance(65), std::vector<uint32_t>{1});
  EXPECT_EQ(Advance(4097), std::vector<uint32_t>{2});
}

TEST_F(TimingWheelTest, JumpOverTheWholeRange) {
  wheel_.Start(0);
  Arm(1, 5);
  Arm(2, uint64_t{1} << 43);
  EXPECT_EQ(Advance(uint64_t{1} << 44), (std::vector<uint32_t>{1, 2}));
}

// The wheel against a table of deadlines, with jumps of every size.
TEST_F(TimingWheelTest, AgreesWithATableOfDeadlines) {
  std::mt19937_64 random(1);
  uint64_t now = 1'700'000'000'000;
  wheel_.Start(now);
  std::map<uint32_t, uint64_t> waiting;
  for (int step = 0; step < 20000; ++step) {
    const uint32_t node = random() % 64;
    const uint64_t span = uint64_t{1} << (random() % 30);
    switch (random() % 4) {
      case 0:
      case 1:
        Arm(node, now + random() % span);
        waiting[node] = deadlines_[node];
        break;
      case 2:
        if (waiting.contains(node)) waiting[node] = deadlines_[node] += random() % span;
        break;
      case 3:
        if (random() % 4 == 0) {
          wheel_.Disarm(node);
          waiting.erase(node);
        }
        break;
    }
    now += random() % 3 == 0 ? random() % (uint64_t{1} << (random() % 24)) : 0;
    std::vector<uint32_t> expected;
    for (auto it = waiting.begin(); it != waiting.end();) {
      if (it->second < now) {
        expected.push_back(it->first);
        it = waiting.erase(it);
      } else {
        ++it;
      }
    }
    ASSERT_EQ(Advance(now), expected) << "step " << step;
  }
}

}  // namespace
}  // namespace nf
