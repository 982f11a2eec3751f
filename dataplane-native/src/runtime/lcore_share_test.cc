// How the tasks of one lcore share its time.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "port/test_eal.h"
#include "runtime/lcore.h"
#include "runtime/test_wires.h"

namespace nf::test {
namespace {

struct IdleTask : LcoreTask {
  uint32_t Turn() override {
    turns.fetch_add(1);
    return 0;
  }
  void End() override {}
  int sleep_ms_max() const override { return 10; }
  std::atomic<uint32_t> turns{0};
};

// Its first turn takes as long as when its CPU was somebody else's for a while.
struct LateTask final : IdleTask {
  explicit LateTask(const IdleTask* of_other) : other(*of_other) {}
  uint32_t Turn() override {
    if (IdleTask::Turn(); turns == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      others_before = other.turns.load();
      return 1;
    }
    if (turns == 2) others_after = other.turns.load();
    return 0;
  }
  const IdleTask& other;
  std::atomic<uint32_t> others_before{0}, others_after{0};
};

TEST(LcoreShareTest, WhoUsedMoreThanItsShareWaitsForNobodyWhenNobodyHasWork) {
  StartTestEal();
  IdleTask other;
  LateTask late(&other);
  Lcore lcore({&late, &other}, -1, false);
  lcore.Start();
  ASSERT_TRUE(Eventually([&] { return late.turns >= 2; }));
  EXPECT_LE(late.others_after - late.others_before, 2u);
}

}  // namespace
}  // namespace nf::test
