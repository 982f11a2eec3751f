#include "link/shared_port.h"

#include <gtest/gtest.h>

#include "link/test_bridges.h"

namespace nf::link {
namespace {

using test::Wire;
using test::WirePort;

constexpr uint16_t kTenant = 7;

class SharedPortTest : public testing::Test {
 protected:
  void SetUp() override {
    StartTestEal();
    free_ = rte_mempool_avail_count(TestPool());
    shared_ = std::make_shared<SharedPort>(std::make_unique<WirePort>(&in_, &out_), kTenant);
  }
  void TearDown() override { EXPECT_EQ(rte_mempool_avail_count(TestPool()), free_) << "packets leak"; }

  static std::string Frame(uint16_t from, char payload) {
    const MacAddress to = AddressOf(kTenant, 0), source = AddressOf(kTenant, from);
    return std::string(to.begin(), to.end()) + std::string(source.begin(), source.end()) + "\x89\x4f" + payload;
  }
  // Payloads of what a lane gives.
  static std::string Take(Port& lane, uint32_t most = 32) {
    std::array<rte_mbuf*, 32> frames;
    std::string payloads;
    const uint32_t count = lane.RxBurst(frames.data(), most);
    for (uint32_t i = 0; i < count; ++i) {
      payloads += *rte_pktmbuf_mtod_offset(frames[i], const char*, sizeof(OuterHeader));
      rte_pktmbuf_free(frames[i]);
    }
    return payloads;
  }

  uint32_t free_ = 0;
  Wire in_, out_;
  std::shared_ptr<SharedPort> shared_;
};

TEST_F(SharedPortTest, EachLaneHasTheFramesOfItsMemberInOrder) {
  const auto one = shared_->OpenLane(1), two = shared_->OpenLane(2);
  EXPECT_EQ(Take(*one), "");
  EXPECT_EQ(Take(*two), "");
  for (char payload = 'a'; payload < 'k'; ++payload) in_.Put(Frame(payload % 2 == 0 ? 1 : 2, payload));
  EXPECT_EQ(Take(*two, 2), "ac");
  EXPECT_EQ(Take(*one), "bdfhj");
  EXPECT_EQ(Take(*two), "egi");
  EXPECT_EQ(Take(*two), "");
}

TEST_F(SharedPortTest, WhatIsOfNobodyIsNothing) {
  const auto one = shared_->OpenLane(1);
  EXPECT_EQ(Take(*one), "");
  in_.Put(Frame(2, 'x'));            // Has no lane.
  in_.Put("short");                  // Is no frame.
  in_.Put(std::string(20, '\xff'));  // Has no member's address.
  in_.Put(Frame(1, 'a'));
  EXPECT_EQ(Take(*one), "a");
}

TEST_F(SharedPortTest, ALaneThatIsFullKeepsAllWaitingAndLosesNothing) {
  const auto one = shared_->OpenLane(1), two = shared_->OpenLane(2);
  Take(*one);
  Take(*two);
  for (int i = 0; i < 600; ++i) in_.Put(Frame(1, 'a'));
  in_.Put(Frame(2, 'b'));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Take(*two), "");
  size_t of_one = 0;
  std::string of_two;
  for (int i = 0; i < 100; ++i) {
    of_one += Take(*one).size();
    of_two += Take(*two);
  }
  EXPECT_EQ(of_one, 600u);
  EXPECT_EQ(of_two, "b");
}

TEST_F(SharedPortTest, ALaneThatRetiresTakesWhatItHoldsAlongAndLeavesTheOthersAlone) {
  auto one = shared_->OpenLane(1);
  const auto two = shared_->OpenLane(2);
  Take(*one);
  Take(*two);
  in_.Put(Frame(1, 'a'));
  in_.Put(Frame(2, 'b'));
  in_.Put(Frame(1, 'c'));
  EXPECT_EQ(Take(*two), "b");
  one->Retire();
  one.reset();
  in_.Put(Frame(1, 'd'));
  in_.Put(Frame(2, 'e'));
  EXPECT_EQ(Take(*two), "e");
  const auto next = shared_->OpenLane(1);
  EXPECT_EQ(Take(*next), "");
  in_.Put(Frame(1, 'f'));
  EXPECT_EQ(Take(*next), "f");
}

TEST_F(SharedPortTest, AllSendThroughTheOneDevice) {
  const auto one = shared_->OpenLane(1), two = shared_->OpenLane(2);
  for (Port* lane : {one.get(), two.get()}) {
    rte_mbuf* frame = rte_pktmbuf_alloc(TestPool());
    const std::string bytes = Frame(0, 'x');
    std::memcpy(rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size())), bytes.data(), bytes.size());
    EXPECT_EQ(lane->TxBurst(&frame, 1), 1u);
  }
  EXPECT_EQ(out_.frames.size(), 2u);
}

}  // namespace
}  // namespace nf::link
