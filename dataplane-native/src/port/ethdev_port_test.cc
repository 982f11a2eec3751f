#include "port/ethdev_port.h"

#include <gtest/gtest.h>

#include "port/test_eal.h"

namespace nf {
namespace {

TEST(EthdevPort, SendsAndReceivesOnADevice) {
  rte_mempool* pool = TestPool();
  auto port = EthdevPort::OpenDevice("net_null", "size=60", pool, 1);
  ASSERT_TRUE(port.has_value()) << port.error().message;
  rte_mbuf* packets[32];
  ASSERT_EQ((*port)->RxBurst(packets, 32), 32u);
  for (uint32_t i = 0; i < 32; ++i) {
    EXPECT_EQ(MetaOf(packets[i])->wire_length, 60u);
    EXPECT_EQ(MetaOf(packets[i])->in_port, 1);
    EXPECT_EQ(MetaOf(packets[i])->arrival, i);
    EXPECT_GT(MetaOf(packets[i])->timestamp_ns, 0u);
  }
  EXPECT_EQ((*port)->TxBurst(packets, 32), 32u);
  EXPECT_EQ((*port)->missed(), 0u);
}

TEST(EthdevPort, SaysWhyAnInterfaceCannotBeOpened) {
  auto missing = EthdevPort::OpenAfPacket("nosuchiface0", TestPool(), 0);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kPortMissing);
  EXPECT_NE(missing.error().message.find("nosuchiface0"), std::string::npos);
  auto too_long = EthdevPort::OpenAfPacket("an_interface_name_that_is_too_long", TestPool(), 0);
  ASSERT_FALSE(too_long.has_value());
  EXPECT_EQ(too_long.error().code, ErrorCode::kPortMissing);
}

// The kernel's loopback has an MTU of 65,536.
TEST(EthdevPort, SaysHowLongFramesMayBe) {
  auto port = EthdevPort::OpenAfPacket("lo", TestPool(), 0);
  ASSERT_FALSE(port.has_value());
  if (port.error().code == ErrorCode::kHostPermission) GTEST_SKIP() << "needs CAP_NET_RAW";
  EXPECT_EQ(port.error().code, ErrorCode::kPortStart);
  EXPECT_NE(port.error().message.find("has an MTU of 65536; allowed are 9256 at most"), std::string::npos)
      << port.error().message;
}

TEST(EthdevPort, RefusesAnUnknownDriver) {
  auto port = EthdevPort::OpenDevice("net_nosuch", "", TestPool(), 0);
  ASSERT_FALSE(port.has_value());
  EXPECT_EQ(port.error().code, ErrorCode::kPortStart);
}

}  // namespace
}  // namespace nf
