// One NF of a chain: instances that die and are replaced, faults that count, answers that are allowed.
#include "chain/chain_nf.h"

#include <gtest/gtest.h>

#include "chain/results.h"
#include "wasm/test_modules.h"

namespace nf {
namespace {

using abi::Verdict;

class ChainNfTest : public testing::Test {
 protected:
  std::unique_ptr<ChainNf> Make(const NfSpec& spec) {
    auto made = ChainNf::Create(
        *engine_, spec, {.index = 0, .flows_max = 16, .shared_headers = &headers_, .shared_payloads = &payloads_});
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return std::move(*made);
  }
  NfSpec Spec(const TestModule& module) {
    NfSpec spec{.entry = "a", .name = "test", .version = "1.0.0"};
    spec.native = NativeTest(*engine_, module);
    spec.counters = {"calls"};
    return spec;
  }
  // What Runtime::Swap and the lcore do.
  static void Swap(ChainNf& nf, const NfSpec& spec) {
    auto version = nf.Prepare(spec);
    ASSERT_TRUE(version.has_value()) << version.error().message;
    nf.PauseKeeper();
    nf.Flip(**version);
    nf.ResumeKeeper(version->get());
  }
  static void Die(ChainNf& nf) {
    ASSERT_NE(nf.active(), nullptr);
    ASSERT_FALSE(nf.active()->ProcessBurst(1));
    nf.ReplaceDead(nullptr);
  }

  std::unique_ptr<Engine> engine_ = std::move(*Engine::Create({}));
  HeaderArea headers_ = std::move(*HeaderArea::Create());
  PayloadArea payloads_ = std::move(*PayloadArea::Create());
};

const std::string kCountAndTrap =
    "(i64.store (i32.const " + std::to_string(abi::kCountersAddress) + ") (i64.const 5)) (unreachable)";

TEST_F(ChainNfTest, TheSpareTakesOverAndThenTheNfWaitsForTheKeeper) {
  auto nf = Make(Spec({.process_burst = kCountAndTrap}));
  Die(*nf);
  EXPECT_TRUE(nf->is_callable());
  Die(*nf);
  EXPECT_FALSE(nf->is_callable());
  nf->Recover();
  EXPECT_FALSE(nf->is_callable());
  nf->Maintain();
  nf->Recover();
  EXPECT_TRUE(nf->is_callable());
  nf->PublishCounters();
  EXPECT_EQ(nf->counter(0), 10u);  // Of the two that died.
}

TEST_F(ChainNfTest, SwapsWhoseInstancesAllDieNeedNoKeeper) {
  const NfSpec spec = Spec({.process_burst = kCountAndTrap});
  auto nf = Make(spec);
  for (uint32_t i = 0; i < 20; ++i) {
    Die(*nf);
    Die(*nf);
    Swap(*nf, spec);
  }
  nf->PublishCounters();
  EXPECT_EQ(nf->counter(0), 200u);
}

TEST_F(ChainNfTest, ThePausedKeeperMakesNoSpareOfTheOldVersion) {
  auto nf = Make(Spec({.process_burst = kCountAndTrap}));
  Die(*nf);
  Die(*nf);
  nf->PauseKeeper();
  nf->Maintain();
  nf->Recover();
  EXPECT_FALSE(nf->is_callable());
  nf->ResumeKeeper(nullptr);
  nf->Maintain();
  nf->Recover();
  EXPECT_TRUE(nf->is_callable());
}

TEST_F(ChainNfTest, FaultsAreCountedInAWindowThatMoves) {
  constexpr uint64_t kSecond = abi::kFaultQuarantineWindowNs;
  auto nf = Make(Spec({}));
  // Nine a second for a while are bearable.
  uint64_t now = 10 * kSecond;
  for (uint32_t i = 0; i < 90; ++i) {
    EXPECT_FALSE(nf->CountFault(now));
    now += kSecond / 9 + 1;
  }
  EXPECT_FALSE(nf->is_quarantined());
  EXPECT_EQ(nf->faults().in_minute(), 90u);
  EXPECT_FALSE(nf->CountFault(now));
  EXPECT_TRUE(nf->CountFault(now));  // Those of the last second and these two are ten.
  EXPECT_TRUE(nf->is_quarantined());
  EXPECT_FALSE(nf->CountFault(now));  // It is so only once.
  EXPECT_EQ(nf->faults_total.value(), 93u);
  nf->CountFault(now + 61 * kSecond);
  EXPECT_EQ(nf->faults().in_minute(), 1u);
}

ChainNf::Rights AllRights() {
  return {.edit_header = true,
          .edit_payload = true,
          .view_payload = true,
          .reshape = true,
          .reply = true,
          .emits = 2,
          .on_fault = OnFault::kDrop,
          .quarantine = QuarantineMode::kClosed};
}

// By bytes: verdict, reason and flags in every combination, against the rules said in other words.
TEST(ResultsTest, EveryVerdictReasonAndFlag) {
  for (uint32_t rights_mask = 0; rights_mask < 16; ++rights_mask) {
    ChainNf::Rights rights = AllRights();
    rights.edit_header = (rights_mask & 1) != 0;
    rights.edit_payload = (rights_mask & 2) != 0;
    rights.reshape = (rights_mask & 4) != 0;
    rights.reply = (rights_mask & 8) != 0;
    for (PacketRole role : {PacketRole::kPacket, PacketRole::kReply, PacketRole::kEmitted}) {
      for (uint32_t verdict = 0; verdict < 8; ++verdict) {
        for (uint32_t reason : {0u, 1u, 127u, 128u, 255u}) {
          for (uint32_t flags = 0; flags < 256; ++flags) {
            abi::Result result{};
            result.verdict = static_cast<uint8_t>(verdict);
            result.drop_reason = static_cast<uint8_t>(reason);
            result.flags = static_cast<uint16_t>(flags);
            const bool is_known =
                verdict == static_cast<uint32_t>(Verdict::kForward) ||
                verdict == static_cast<uint32_t>(Verdict::kDrop) ||
                (verdict == static_cast<uint32_t>(Verdict::kReply) && rights.reply && role == PacketRole::kPacket);
            const bool is_reason = reason == 0 || (reason >= 128 && verdict == static_cast<uint32_t>(Verdict::kDrop));
            const bool may = ((flags & 1) == 0 || rights.edit_header) && ((flags & 2) == 0 || rights.edit_payload) &&
                             ((flags & 4) == 0 || rights.reshape) && flags < 64;
            ASSERT_EQ(IsAllowed(result, rights, role), is_known && is_reason && may)
                << verdict << " " << reason << " " << flags << " " << rights_mask;
          }
        }
      }
    }
  }
}

TEST(ResultsTest, WhatIsReservedIsZero) {
  for (uint32_t byte = 4; byte < sizeof(abi::Result); ++byte) {
    abi::Result result{};
    result.verdict = static_cast<uint8_t>(Verdict::kForward);
    EXPECT_TRUE(IsPlainForward(result));
    reinterpret_cast<uint8_t*>(&result)[byte] = 1;
    EXPECT_FALSE(IsPlainForward(result));
    EXPECT_EQ(IsAllowed(result, AllRights(), PacketRole::kPacket), byte >= 8 && byte < 12) << byte;  // The timeout.
    result.flags = abi::kResultFlagReshaped;
    EXPECT_EQ(IsAllowed(result, AllRights(), PacketRole::kPacket), byte < 12) << byte;  // And the lengths.
  }
}

}  // namespace
}  // namespace nf
