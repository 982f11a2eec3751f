#include "runtime/flow_report.h"

#include <gtest/gtest.h>

#include <vector>

namespace nf {
namespace {

constexpr uint32_t kMask = 0b101;

FlowReport Some() {
  FlowReport report{.has_alias = true, .taught = true, .lease_mask = kMask};
  report.leases[0] = 7;
  report.leases[2] = 9;
  report.alias.ip_version = 4;
  report.alias.source_port = 80;
  return report;
}

std::vector<uint8_t> Bytes(const FlowReport& report) {
  std::vector<uint8_t> bytes(FlowReport::kBytesMax);
  bytes.resize(report.Write(bytes));
  return bytes;
}

TEST(FlowReportTest, IsReadAsItWasWritten) {
  FlowReport read;
  ASSERT_TRUE(FlowReport::Read(Bytes(Some()), kMask, &read));
  EXPECT_TRUE(read.has_alias && read.taught);
  EXPECT_EQ(read.leases, Some().leases);
  EXPECT_EQ(read.alias, Some().alias);
  FlowReport bare;
  ASSERT_TRUE(FlowReport::Read(Bytes({}), 0, &bare));
  EXPECT_FALSE(bare.has_alias || bare.taught);
}

TEST(FlowReportTest, WhatNoRuntimeOfThisChainWouldWriteIsRefused) {
  FlowReport read;
  EXPECT_FALSE(FlowReport::Read(Bytes(Some()), 0b001, &read));
  EXPECT_FALSE(FlowReport::Read({}, 0, &read));
  std::vector<uint8_t> bytes = Bytes(Some());
  bytes.push_back(0);
  EXPECT_FALSE(FlowReport::Read(bytes, kMask, &read));
  for (size_t size = 0; size < bytes.size() - 1; ++size)
    EXPECT_FALSE(FlowReport::Read(std::span(bytes).first(size), kMask, &read)) << size;
  FlowReport strange = Some();
  strange.alias.ip_version = 5;
  EXPECT_FALSE(FlowReport::Read(Bytes(strange), kMask, &read));
  strange = Some();
  strange.alias.vlan_count = 3;
  EXPECT_FALSE(FlowReport::Read(Bytes(strange), kMask, &read));
}

}  // namespace
}  // namespace nf
