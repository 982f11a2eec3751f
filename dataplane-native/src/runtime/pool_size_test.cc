#include "runtime/pool_size.h"

#include <gtest/gtest.h>

#include "runtime/inputs.h"

namespace nf {
namespace {

constexpr uint64_t kMib = 1 << 20;

TEST(PoolSizeTest, IsWholeWithTheStandardMemory) {
  EXPECT_EQ(PoolPacketsIn(256 * kMib, kPoolPacketsOfTenant), kPoolPacketsOfTenant);
  EXPECT_EQ(PoolPacketsIn(512 * kMib, kPoolPacketsReplicated), kPoolPacketsReplicated);
  EXPECT_EQ(PoolPacketsIn(uint64_t{1} << 40, kPoolPacketsOfTenant), kPoolPacketsOfTenant);
}

TEST(PoolSizeTest, HalvesWithTheMemoryDownToWhatIsNeeded) {
  EXPECT_EQ(PoolPacketsIn(128 * kMib, kPoolPacketsOfTenant), 8191u);
  EXPECT_EQ(PoolPacketsIn(96 * kMib, kPoolPacketsOfTenant), 4095u);
  EXPECT_EQ(PoolPacketsIn(1 * kMib, kPoolPacketsOfTenant), kPoolPacketsLeast);
}

TEST(PoolSizeTest, LeavesThreeEighthsToTheRest) {
  for (uint64_t mib = 64; mib <= 1024; ++mib) {
    EXPECT_LE(PoolPacketsIn(mib * kMib, kPoolPacketsReplicated) * uint64_t{9'800}, mib * kMib / 8 * 5) << mib;
  }
}

}  // namespace
}  // namespace nf
