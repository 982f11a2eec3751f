#include "runtime/delay_meter.h"

#include <gtest/gtest.h>

#include <numeric>

namespace nf {
namespace {

constexpr uint64_t kUs = 1000, kSecond = 1'000'000'000;

uint64_t Samples(const DelayMeter& meter) {
  const DelayReport report = ReportOf(meter);
  return std::accumulate(report.counts.begin(), report.counts.end(), uint64_t{0});
}

proto::Stamp Packet(uint32_t entry, uint32_t sequence, uint32_t epoch = 1) {
  return {.handle = 0, .entry = entry, .epoch = epoch, .sequence = sequence};
}

TEST(DelayMeterTest, ABucketEndsWithItsBound) {
  EXPECT_EQ(DelayMeter::BucketOf(0), 0u);
  for (uint32_t i = 0; i + 1 < DelayMeter::kBuckets; ++i) {
    const uint64_t bound_ns = (uint64_t{2} << i) * kUs;
    EXPECT_EQ(DelayMeter::BucketOf(bound_ns), i);
    EXPECT_EQ(DelayMeter::BucketOf(bound_ns + 1), i + 1);
  }
  EXPECT_EQ(DelayMeter::BucketOf(~uint64_t{0} - 1000), DelayMeter::kBuckets - 1);
}

TEST(DelayMeterTest, MeasuresThePacketThatItBeganWithAndNoOther) {
  DelayMeter meter;
  EXPECT_FALSE(meter.is_armed());
  meter.Arm(kSecond);
  ASSERT_TRUE(meter.is_armed());
  meter.Begin(Packet(7, 5), kSecond);
  EXPECT_FALSE(meter.is_armed());
  EXPECT_FALSE(meter.IsMeasured(8));
  EXPECT_FALSE(meter.IsMeasured(7 + 64));
  meter.Out(Packet(7, 4), kSecond + 50 * kUs);  // One before it.
  ASSERT_TRUE(meter.IsMeasured(7));
  meter.Out(Packet(7, 5), kSecond + 100 * kUs);
  EXPECT_FALSE(meter.IsMeasured(7));
  EXPECT_EQ(meter.count(DelayMeter::BucketOf(100 * kUs)), 1u);
  EXPECT_EQ(Samples(meter), 1u);
  EXPECT_EQ(meter.sum_ns(), 100 * kUs);
}

TEST(DelayMeterTest, WhatALaterPacketTellsIsNoDelay) {
  for (const proto::Stamp& later : {Packet(7, 6), Packet(7, 5, 2), Packet(7, 1, 2)}) {
    DelayMeter meter;
    meter.Begin(Packet(7, 5), kSecond);
    meter.Out(later, 2 * kSecond);
    EXPECT_FALSE(meter.IsMeasured(7));
    EXPECT_EQ(Samples(meter), 0u);
  }
}

TEST(DelayMeterTest, NothingIsMeasuredBeforeItBegins) {
  const DelayMeter meter;
  EXPECT_FALSE(meter.IsMeasured(0));
}

TEST(DelayMeterTest, IsArmedNowAndThen) {
  DelayMeter meter;
  meter.Arm(kSecond);
  meter.Begin(Packet(1, 1), kSecond);
  meter.Arm(kSecond + DelayMeter::kEveryNs - 1);
  EXPECT_FALSE(meter.is_armed());
  meter.Arm(kSecond + DelayMeter::kEveryNs);
  EXPECT_TRUE(meter.is_armed());
}

TEST(DelayMeterTest, APacketThatNeverComesOutIsForgotten) {
  DelayMeter meter;
  meter.Begin(Packet(1, 1), kSecond);
  meter.Begin(Packet(1 + 64, 5), kSecond + DelayMeter::kPatienceNs - 1);
  EXPECT_TRUE(meter.IsMeasured(1));
  meter.Begin(Packet(1 + 64, 6), kSecond + DelayMeter::kPatienceNs);
  EXPECT_FALSE(meter.IsMeasured(1));
  EXPECT_TRUE(meter.IsMeasured(1 + 64));
  EXPECT_EQ(Samples(meter), 0u);
}

}  // namespace
}  // namespace nf
