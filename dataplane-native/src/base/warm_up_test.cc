#include "base/warm_up.h"

#include <gtest/gtest.h>

namespace nf {
namespace {

TEST(WarmUp, TakesAsManyStepsAsItsLinesNeed) {
  WarmUp warm_up;
  warm_up.Add(reinterpret_cast<const void*>(4096), 64 * 10);  // Need not be there.
  warm_up.Add(nullptr, 1000);
  warm_up.Add(reinterpret_cast<const void*>(8192), 1);
  EXPECT_FALSE(warm_up.Step(10));
  EXPECT_TRUE(warm_up.Step(10));
  EXPECT_TRUE(warm_up.Step(10));
}

TEST(WarmUp, NeverTakesMoreOfOneThingThanTheCacheHolds) {
  WarmUp warm_up;
  warm_up.Add(reinterpret_cast<const void*>(4096), size_t{1} << 40);
  uint32_t steps = 1;
  while (!warm_up.Step(64)) ++steps;
  EXPECT_EQ(steps, 256u * 1024 / 64 / 64);
}

TEST(WarmUp, NothingIsDoneAtOnce) { EXPECT_TRUE(WarmUp().Step(1)); }

}  // namespace
}  // namespace nf
