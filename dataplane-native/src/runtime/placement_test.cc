#include "runtime/placement.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace nf {
namespace {

constexpr auto kAll = [](uint16_t) { return true; };

// Who gets so many new flows, that come so fast that nobody says anything new of his load meanwhile.
std::map<uint16_t, int> Chosen(Placing& placing, const std::vector<uint16_t>& ids, int flows) {
  std::map<uint16_t, int> chosen;
  for (int i = 0; i < flows; ++i) ++chosen[placing.Choose(ids, kAll)];
  return chosen;
}

TEST(Placing, ThoseThatAreAboutAsIdleGetEquallyManyFlows) {
  Placing placing(Placement::kLeastLoaded);
  std::map<uint16_t, uint32_t> flows;
  // One has just had more to do than the other, now this one, now that one.
  for (int i = 0; i < 20; ++i) {
    placing.SetLoad(1, i % 3, 12, flows[1]);
    placing.SetLoad(2, 0, 31, flows[2]);
    ++flows[placing.Choose(std::vector<uint16_t>{1, 2}, kAll)];
  }
  EXPECT_EQ(flows[1], 10u);
  EXPECT_EQ(flows[2], 10u);
}

TEST(Placing, WhoHasFewerFlowsGetsThoseThatComeAtOnce) {
  Placing placing(Placement::kLeastLoaded);
  placing.SetLoad(1, 0, 5, 30);
  placing.SetLoad(2, 0, 5, 10);
  const auto chosen = Chosen(placing, {1, 2}, 40);
  EXPECT_EQ(chosen.at(1), 10);
  EXPECT_EQ(chosen.at(2), 30);
}

TEST(Placing, BusyOnesGetNothingHoweverFewFlowsTheyHave) {
  Placing placing(Placement::kLeastLoaded);
  placing.SetLoad(1, 0, 700, 3);
  placing.SetLoad(2, 0, 300, 900'000);
  EXPECT_EQ(Chosen(placing, {1, 2}, 50).at(2), 50);
  placing.SetLoad(2, 200, 300, 3);
  EXPECT_EQ(Chosen(placing, {1, 2}, 50).at(1), 50) << "packets wait for the other";
}

TEST(Placing, WhoDrainsGetsNothing) {
  for (const Placement policy : {Placement::kRoundRobin, Placement::kLeastLoaded}) {
    Placing placing(policy);
    for (int i = 0; i < 10; ++i)
      EXPECT_EQ(placing.Choose(std::vector<uint16_t>{1, 2, 3}, [](uint16_t id) { return id == 2; }), 2);
    EXPECT_EQ(placing.Choose(std::vector<uint16_t>{1, 2}, [](uint16_t) { return false; }), 0);
  }
}

TEST(Placing, ByTurns) {
  Placing placing(Placement::kRoundRobin);
  const auto chosen = Chosen(placing, {4, 5, 6}, 30);
  for (const uint16_t id : {4, 5, 6}) EXPECT_EQ(chosen.at(id), 10);
}

}  // namespace
}  // namespace nf
