#include "proto/ids.h"

#include <gtest/gtest.h>

namespace nf::proto {
namespace {

TEST(IdsTest, SequencesCompareOverTheWrap) {
  EXPECT_TRUE(SerialLess(1, 2));
  EXPECT_FALSE(SerialLess(2, 2));
  EXPECT_TRUE(SerialLess(0xffffffff, 0));
  EXPECT_FALSE(SerialLess(5, 0xfffffff0));
}

TEST(IdsTest, EpochsCompareOverTheWrapOfTheirCounterWithinATerm) {
  EXPECT_TRUE(EpochNewer(MakeEpoch(1, 2), MakeEpoch(1, 1)));
  EXPECT_FALSE(EpochNewer(MakeEpoch(1, 1), MakeEpoch(1, 1)));
  EXPECT_TRUE(EpochNewer(MakeEpoch(1, 0), MakeEpoch(1, 0xffffff)));
  EXPECT_FALSE(EpochNewer(MakeEpoch(1, 0xffffff), MakeEpoch(1, 0)));
}

TEST(IdsTest, ALaterTermIsNewerWhateverItsCounter) {
  EXPECT_TRUE(EpochNewer(MakeEpoch(2, 0), MakeEpoch(1, 900)));
  EXPECT_FALSE(EpochNewer(MakeEpoch(1, 900), MakeEpoch(2, 0)));
  EXPECT_TRUE(EpochNewer(MakeEpoch(1, 0), MakeEpoch(255, 0)));
}

TEST(IdsTest, NoEpochIsOlderThanAnyAndNewerThanNone) {
  for (const uint8_t term : {1, 127, 128, 200, 255}) {
    EXPECT_TRUE(EpochNewer(MakeEpoch(term, 3), 0));
    EXPECT_FALSE(EpochNewer(0, MakeEpoch(term, 3)));
  }
  EXPECT_FALSE(EpochNewer(0, 0));
}

TEST(IdsTest, AHandleIsIndexAndGeneration) {
  const uint32_t handle = MakeHandle(7, 123'456);
  EXPECT_EQ(HandleIndex(handle), 123'456u);
  EXPECT_EQ(HandleGeneration(handle), 7);
  EXPECT_NE(MakeHandle(8, 123'456), handle);
}

}  // namespace
}  // namespace nf::proto
