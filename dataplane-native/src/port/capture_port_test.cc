#include "port/capture_port.h"

#include <gtest/gtest.h>

#include "packet/test_frames.h"
#include "port/test_captures.h"
#include "port/test_eal.h"

namespace nf {
namespace {

using namespace test;

constexpr Order kLittle{false};

class CapturePortTest : public testing::Test {
 protected:
  std::unique_ptr<CapturePort> Open(const std::string& file, const std::vector<std::string>& cidrs = {},
                                    bool with_output = true) {
    auto port = CapturePort::Open(
        {.in = folder_.Write("in", file), .out = with_output ? folder_ / "out" : "", .client_cidrs = cidrs},
        TestPool());
    if (port) return std::move(*port);
    error_ = port.error();
    return nullptr;
  }
  // Sizes of the polls until the end; all packets go out as they came.
  std::vector<uint32_t> RunAll(CapturePort& port) {
    std::vector<uint32_t> polls;
    while (!port.at_end()) {
      rte_mbuf* packets[32];
      polls.push_back(port.RxBurst(packets, 32));
      EXPECT_EQ(port.TxBurst(packets, polls.back()), polls.back());
    }
    return polls;
  }

  TempFolder folder_;
  std::optional<Error> error_;
};

TEST_F(CapturePortTest, PollsEndAfter32PacketsOrAtAGap) {
  std::string file = kLittle.PcapHeader();
  for (uint32_t i = 0; i < 70; ++i) file += kLittle.PcapRecord(1, i % 3, "frame");  // Times go back, too.
  file += kLittle.PcapRecord(1, 1000, "frame");
  file += kLittle.PcapRecord(1, 1100, "frame");  // Just within the gap.
  file += kLittle.PcapRecord(1, 1101, "frame");  // Beyond.
  file += kLittle.PcapRecord(0, 0, "frame");     // Earlier: ends no poll.
  file += kLittle.PcapRecord(1, 1201, "frame");
  file += kLittle.PcapRecord(1, 1202, "frame");
  auto port = Open(file);
  ASSERT_TRUE(port) << error_->message;
  EXPECT_EQ(RunAll(*port), (std::vector<uint32_t>{32, 32, 6, 2, 3, 1}));
  EXPECT_TRUE(port->Finish());
  EXPECT_EQ(ReadFile(folder_ / "out"), file);
}

TEST_F(CapturePortTest, PacketsCarryWhatTheRecordSaid) {
  auto port =
      Open(kLittle.PcapHeader() + kLittle.PcapRecord(5, 6, "0123456789", 60) + kLittle.PcapRecord(5, 7, "x", 1));
  rte_mbuf* packets[32];
  ASSERT_EQ(port->RxBurst(packets, 32), 2u);
  EXPECT_TRUE(port->at_end());
  const PacketMeta& meta = *MetaOf(packets[0]);
  EXPECT_EQ(meta.timestamp_ns, 5'000'006'000u);
  EXPECT_EQ(meta.wire_length, 60u);
  EXPECT_EQ(meta.arrival, 0u);
  EXPECT_EQ(meta.in_port, 0);
  EXPECT_EQ(packets[0]->pkt_len, 10u);
  EXPECT_EQ(packets[0]->data_len, 10u);
  EXPECT_EQ(std::string(rte_pktmbuf_mtod(packets[0], char*), 10), "0123456789");
  EXPECT_EQ(MetaOf(packets[1])->arrival, 1u);
  port->TxBurst(packets, 2);
}

TEST_F(CapturePortTest, AFrameThatIsTooLongStillComes) {
  auto port = Open(kLittle.PcapHeader() + kLittle.PcapRecord(0, 0, std::string(20000, 'x')) +
                   kLittle.PcapRecord(0, 0, std::string(9216, 'x')));
  rte_mbuf* packets[32];
  ASSERT_EQ(port->RxBurst(packets, 32), 2u);
  EXPECT_EQ(MetaOf(packets[0])->wire_length, 20000u);
  EXPECT_EQ(packets[0]->pkt_len, 9216u);
  EXPECT_EQ(packets[1]->pkt_len, 9216u);
  ParsedPacket parsed;
  EXPECT_EQ(ParsePacket(rte_pktmbuf_mtod(packets[0], uint8_t*), packets[0]->pkt_len, MetaOf(packets[0])->wire_length,
                        &parsed),
            abi::DropReason::kFrameTooLong);
  rte_pktmbuf_free_bulk(packets, 2);
}

TEST_F(CapturePortTest, SourceAddressesTellTheSides) {
  const auto v4 = [](uint32_t source) { return Ethernet(0x0800, Ipv4({.source = source}, Udp(1, 2, ""))); };
  const auto v6 = [](uint8_t source) { return Ethernet(0x86dd, Ipv6({.source = source}, Udp(1, 2, ""))); };
  const std::string error = Ethernet(
      0x0800, Ipv4({.protocol = 1, .source = 0x0a000001}, Icmp(3, 1, 0, Ipv4({.source = 0x01020304}, Udp(1, 2, "")))));
  const std::vector<std::pair<std::string, uint8_t>> frames = {
      {v4(0x0a000001), 0},
      {v4(0x0a7fffff), 0},
      {v4(0x0a800000), 1},
      {v4(0xc0a80101), 0},
      {v4(0xc0a80102), 1},
      {v6(1), 0},
      {v6(3), 0},
      {v6(4), 1},
      {error, 0},
      {v4(0x0b000001), 1},
      {Ethernet(0x0806, std::string(28, 'a')), 0},
      {"cut", 0},
      {Ethernet(0x86dd, Ipv6({.next = 58, .source = 9, .hop_limit = 255}, Icmp(135, 0, 0, ""))), 0}};
  std::string file = kLittle.PcapHeader();
  for (const auto& [frame, side] : frames) file += kLittle.PcapRecord(0, 0, frame);
  auto port = Open(file, {"10.0.0.0/9", "192.168.1.1", "2001:db8::/126", "ffff::/0"});
  ASSERT_TRUE(port) << error_->message;
  port = Open(file, {"10.0.0.0/9", "192.168.1.1", "2001:db8::/126"});
  rte_mbuf* packets[32];
  ASSERT_EQ(port->RxBurst(packets, 32), frames.size());
  for (size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(MetaOf(packets[i])->in_port, frames[i].second) << i;
  port->TxBurst(packets, static_cast<uint32_t>(frames.size()));

  // A prefix of one family says nothing about the other.
  port = Open(kLittle.PcapHeader() + kLittle.PcapRecord(0, 0, v4(1)) + kLittle.PcapRecord(0, 0, v6(1)), {"::/0"});
  ASSERT_EQ(port->RxBurst(packets, 32), 2u);
  EXPECT_EQ(MetaOf(packets[0])->in_port, 1);
  EXPECT_EQ(MetaOf(packets[1])->in_port, 0);
  port->TxBurst(packets, 2);
  for (const char* wrong :
       {"10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "fd00::/129", "10.0.0.0/8x", "", "/8", "1.1.1.1/-1"}) {
    EXPECT_FALSE(Open(file, {wrong})) << wrong;
    EXPECT_EQ(error_->code, ErrorCode::kConfigPrefix) << wrong;
  }
}

TEST_F(CapturePortTest, LateAndMissingPacketsLeaveTheOthersInOrder) {
  std::string file = kLittle.PcapHeader();
  for (uint32_t i = 0; i < 10; ++i) file += kLittle.PcapRecord(0, i, "frame " + std::to_string(i));
  auto port = Open(file);
  rte_mbuf* packets[32];
  ASSERT_EQ(port->RxBurst(packets, 32), 10u);
  rte_pktmbuf_free(packets[4]);
  std::swap(packets[4], packets[9]);
  std::swap(packets[2], packets[7]);
  port->TxBurst(packets, 9);
  EXPECT_TRUE(port->Finish());
  std::string wanted = kLittle.PcapHeader();
  for (uint32_t i = 0; i < 10; ++i) {
    if (i != 4) wanted += kLittle.PcapRecord(0, i, "frame " + std::to_string(i));
  }
  EXPECT_EQ(ReadFile(folder_ / "out"), wanted);
}

TEST_F(CapturePortTest, ADamagedInputLeavesNoOutput) {
  const std::string file = kLittle.PcapHeader() + kLittle.PcapRecord(0, 0, "one") + kLittle.PcapRecord(0, 0, "two");
  auto port = Open(file.substr(0, file.size() - 1));
  ASSERT_TRUE(port);
  EXPECT_EQ(RunAll(*port), std::vector<uint32_t>{1});
  const auto finished = port->Finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ErrorCode::kCaptureTruncated);
  port.reset();
  EXPECT_EQ(folder_.files(), 1u);
  // Damage at the first record is told when the file is opened.
  EXPECT_FALSE(Open(file.substr(0, 30)));
  EXPECT_EQ(error_->code, ErrorCode::kCaptureTruncated);
}

TEST_F(CapturePortTest, AnEmptyCaptureIsAtItsEnd) {
  auto port = Open(kLittle.PcapHeader());
  EXPECT_TRUE(port->at_end());
  rte_mbuf* packets[32];
  EXPECT_EQ(port->RxBurst(packets, 32), 0u);
  EXPECT_TRUE(port->Finish());
  EXPECT_EQ(ReadFile(folder_ / "out"), kLittle.PcapHeader());
}

TEST_F(CapturePortTest, NoPacketIsLostWhileThePoolIsEmpty) {
  std::string file = kLittle.PcapHeader();
  for (uint32_t i = 0; i < 40; ++i) file += kLittle.PcapRecord(0, 0, "frame " + std::to_string(i));
  auto port = Open(file);
  std::vector<rte_mbuf*> taken;
  while (rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool())) taken.push_back(mbuf);
  rte_mbuf* packets[32];
  EXPECT_EQ(port->RxBurst(packets, 32), 0u);
  EXPECT_FALSE(port->at_end());
  rte_pktmbuf_free_bulk(taken.data(), static_cast<unsigned>(taken.size()));
  EXPECT_EQ(RunAll(*port), (std::vector<uint32_t>{32, 8}));
  EXPECT_TRUE(port->Finish());
  EXPECT_EQ(ReadFile(folder_ / "out"), file);
}

}  // namespace
}  // namespace nf
