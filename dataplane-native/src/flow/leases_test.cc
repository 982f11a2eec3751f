#include "flow/leases.h"

#include <gtest/gtest.h>

namespace nf {
namespace {

constexpr uint64_t kRest = uint64_t{abi::kLeaseQuarantineMs} * 1'000'000;

TEST(LeasesTest, GivesEachValueOnceInOrder) {
  Leases leases(3);
  EXPECT_EQ(leases.Take(0), 1u);
  EXPECT_EQ(leases.Take(0), 2u);
  EXPECT_EQ(leases.Take(0), 3u);
  EXPECT_EQ(leases.Take(0), 0u);
}

TEST(LeasesTest, AReturnedValueRestsBeforeItIsOfferedAgain) {
  Leases leases(1);
  EXPECT_EQ(leases.Take(5), 1u);
  leases.Return(1, 100);
  EXPECT_EQ(leases.Take(100 + kRest - 1), 0u);
  EXPECT_EQ(leases.Take(100 + kRest), 1u);
}

TEST(LeasesTest, FirstReturnedIsFirstOffered) {
  Leases leases(3);
  for (int i = 0; i < 3; ++i) leases.Take(0);
  leases.Return(2, 10);
  leases.Return(0, 11);  // No lease: nothing comes back.
  leases.Return(3, 12);
  EXPECT_EQ(leases.available(), 2u);
  EXPECT_EQ(leases.Take(kRest + 11), 2u);
  EXPECT_EQ(leases.Take(kRest + 11), 0u);  // The next one still rests.
  EXPECT_EQ(leases.Take(kRest + 12), 3u);
}

TEST(LeasesTest, WhatIsInUseWhenOneBeginsAgainIsNotOfferedAndTheRestRests) {
  Leases leases(4);
  leases.Take(0);
  leases.BeginAgain();
  EXPECT_EQ(leases.Take(5000 * kRest), 0u);
  EXPECT_TRUE(leases.MayClaim(3));
  leases.Claim(3);
  leases.Claim(0);  // No lease.
  EXPECT_FALSE(leases.MayClaim(3));
  EXPECT_FALSE(leases.MayClaim(5)) << "there are four";
  EXPECT_TRUE(leases.MayClaim(0));
  leases.OfferOthers(700);
  EXPECT_EQ(leases.available(), 3u);
  EXPECT_EQ(leases.Take(699), 0u);
  for (const uint32_t lease : {1, 2, 4, 0}) EXPECT_EQ(leases.Take(700), lease);
  leases.Return(3, 700);
  EXPECT_EQ(leases.Take(700 + kRest), 3u);
}

}  // namespace
}  // namespace nf
