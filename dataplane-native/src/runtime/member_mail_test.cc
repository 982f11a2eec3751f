#include "runtime/member_mail.h"

#include <gtest/gtest.h>

#include <vector>

#include "port/test_eal.h"

namespace nf {
namespace {

class Inbox final : public MailHandler {
 public:
  void OnMail(uint16_t peer, proto::Message message, uint64_t) override {
    for (uint32_t i = 0; i < message.count(); ++i) values.emplace_back(peer, message.At<proto::Note>(i).value);
  }
  std::vector<std::pair<uint16_t, uint32_t>> values;
};

class MemberMailTest : public testing::Test {
 protected:
  MemberMailTest() {
    StartTestEal();
    pool_ = CreateFramePool().value();
    for (uint16_t id : {1, 2}) {
      auto mail = MemberMail::Create(id, pool_, 1024);
      NF_CHECK(mail.has_value(), "");
      (id == 1 ? one : two) = std::move(*mail);
    }
    one->set_incarnation(11);
    two->set_incarnation(22);
    one->SetPeer(2, 22, two->box());
    two->SetPeer(1, 11, one->box());
  }
  ~MemberMailTest() override {
    one.reset(), two.reset();
    rte_mempool_free(pool_);
  }
  void Deliver() {
    one->Send(now_ns_);
    two->Take(now_ns_, &inbox);
    now_ns_ += 1'000'000;
  }

  std::unique_ptr<MemberMail> one, two;
  Inbox inbox;

 private:
  rte_mempool* pool_;
  uint64_t now_ns_ = 1'000'000;
};

TEST_F(MemberMailTest, WhatIsSaidArrivesInOrder) {
  for (uint32_t value : {5u, 6u, 7u})
    ASSERT_TRUE(one->Say(2, proto::MessageType::kOpened, proto::Note{.value = value}));
  Deliver();
  EXPECT_EQ(inbox.values, (std::vector<std::pair<uint16_t, uint32_t>>{{1, 5}, {1, 6}, {1, 7}}));
  EXPECT_EQ(two->refused(), 0u);
}

TEST_F(MemberMailTest, AMessageThatCannotBeReadIsCountedAndTheNextOnesArrive) {
  const uint8_t half[8] = {};
  ASSERT_TRUE(one->Say(2, proto::MessageType::kOpened, half, {}));
  ASSERT_TRUE(one->Say(2, proto::MessageType::kCancelled, proto::Note{.value = 9}));
  Deliver();
  EXPECT_EQ(two->refused(), 1u);
  EXPECT_EQ(inbox.values, (std::vector<std::pair<uint16_t, uint32_t>>{{1, 9}}));
}

}  // namespace
}  // namespace nf
