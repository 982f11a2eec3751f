#include "port/ethdev_port.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <thread>

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

// On a thread with a network namespace of its own, which ends with it, and whose loopback is up. Needs root.
void InItsOwnNetwork(const std::function<void()>& what) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(ioctl(any, SIOCSIFFLAGS, &request), 0);
    request.ifr_mtu = 1500;  // What a packet of the pool has room for.
    ASSERT_EQ(ioctl(any, SIOCSIFMTU, &request), 0);
    close(any);
    what();
  }).join();
}

TEST(EthdevPort, OpensBesideAnotherProcessWhateverThatCallsItsSockets) {
  TestPool();
  InItsOwnNetwork([] {
    // The name that the driver would give its own.
    const uint32_t group =
        ((static_cast<uint32_t>(getpid()) ^ if_nametoindex("lo")) & 0xffff) | (uint32_t{PACKET_FANOUT_CPU} << 16);
    const int another = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex("lo"));
    ASSERT_EQ(bind(another, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    // Not through what the linker makes of it.
    ASSERT_EQ(syscall(SYS_setsockopt, another, SOL_PACKET, PACKET_FANOUT, &group, sizeof group), 0);
    auto port = EthdevPort::OpenAfPacket("lo", TestPool(), 0);
    EXPECT_TRUE(port.has_value()) << port.error().message;
    close(another);
  });
}

TEST(EthdevPort, SaysWhyADriverFailed) {
  TestPool();
  InItsOwnNetwork([] {
    auto port = EthdevPort::OpenDevice("net_af_packet", "iface=nosuch0", TestPool(), 0);
    ASSERT_FALSE(port.has_value());
    EXPECT_NE(port.error().message.find(std::strerror(ENODEV)), std::string::npos) << port.error().message;
  });
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
