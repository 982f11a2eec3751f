#include "flow/flow_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace nf {
namespace {

FlowKey Key(uint32_t source, uint32_t destination, uint16_t source_port = 1000, uint16_t destination_port = 80) {
  FlowKey key{};
  std::memcpy(key.source_address + 12, &source, 4);
  std::memcpy(key.destination_address + 12, &destination, 4);
  key.source_port = source_port;
  key.destination_port = destination_port;
  key.protocol = 6;
  key.ip_version = 4;
  return key;
}

// Actors as the table sees them: keys at a stride.
struct Actor {
  FlowKey key;
  uint8_t rest[80];
};
struct Fixture {
  explicit Fixture(uint32_t flows, bool with_aliases = true)
      : actors(flows),
        table(std::move(*FlowTable::Create(
            {.flows_max = flows, .with_aliases = with_aliases, .keys = actors.data(), .key_stride = sizeof(Actor)}))) {}
  void Insert(uint32_t flow, const FlowKey& key) {
    actors[flow].key = key;
    table.Insert(flow, FlowTable::Hash(key));
  }
  std::vector<Actor> actors;
  FlowTable table;
};

void ExpectMatch(const FlowMatch& match, uint32_t flow, uint32_t direction) {
  EXPECT_EQ(match.flow, flow);
  EXPECT_EQ(match.direction, direction);
}

TEST(FlowTable, FindsBothDirectionsOfAFlow) {
  Fixture f(100);
  const FlowKey key = Key(1, 2);
  EXPECT_FALSE(f.table.Find(key).found());
  f.Insert(42, key);
  ExpectMatch(f.table.Find(key), 42, 0);
  ExpectMatch(f.table.Find(key.Reversed()), 42, 1);
  EXPECT_EQ(f.table.Candidate(f.table.Start(key)), 42u);
  f.table.Erase(42);
  EXPECT_FALSE(f.table.Find(key).found());
  EXPECT_FALSE(f.table.Find(key.Reversed()).found());
  EXPECT_EQ(f.table.size(), 0u);
}

TEST(FlowTable, EveryPartOfTheKeyCounts) {
  Fixture f(100);
  const FlowKey key = Key(1, 2);
  f.Insert(0, key);
  const auto differs = [&](auto&& change) {
    FlowKey other = key;
    change(other);
    return !f.table.Find(other).found() && !f.table.Find(other.Reversed()).found();
  };
  EXPECT_TRUE(differs([](FlowKey& k) { k.source_address[0] = 1; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.destination_address[15] = 1; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.source_port = 1; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.destination_port = 1; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.protocol = 17; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.ip_version = 6; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.vlan_count = 1; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.vlan_outer = 5; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.vlan_inner = 5; }));
  EXPECT_TRUE(differs([](FlowKey& k) { std::swap(k.source_port, k.destination_port); }));
}

TEST(FlowTable, EqualEndpointsAreDirection0) {
  Fixture f(10);
  const FlowKey key = Key(7, 7, 9, 9);
  f.Insert(3, key);
  ExpectMatch(f.table.Find(key), 3, 0);
  ExpectMatch(f.table.Find(key.Reversed()), 3, 0);
}

TEST(FlowTable, AliasIsASecondKeyThatTheResponderShows) {
  Fixture f(10);
  f.Insert(1, Key(1, 2));
  f.Insert(2, Key(3, 2));
  const FlowKey answer = Key(2, 99, 80, 5000);
  EXPECT_EQ(f.table.AliasOf(1), nullptr);
  EXPECT_TRUE(f.table.SetAlias(1, answer));
  ExpectMatch(f.table.Find(answer), 1, 1);
  ExpectMatch(f.table.Find(answer.Reversed()), 1, 0);
  ExpectMatch(f.table.Find(Key(1, 2)), 1, 0);
  EXPECT_EQ(*f.table.AliasOf(1), answer);
  // Taken, in either orientation, by an alias or a key.
  EXPECT_FALSE(f.table.SetAlias(2, answer));
  EXPECT_FALSE(f.table.SetAlias(2, answer.Reversed()));
  EXPECT_FALSE(f.table.SetAlias(2, Key(1, 2).Reversed()));
  EXPECT_EQ(f.table.AliasOf(2), nullptr);
  // A key that is the flow's own already is no conflict and nothing new.
  EXPECT_TRUE(f.table.SetAlias(2, Key(3, 2)));
  EXPECT_EQ(f.table.AliasOf(2), nullptr);
  EXPECT_EQ(f.table.size(), 3u);
  f.table.Erase(1);
  EXPECT_FALSE(f.table.Find(answer).found());
  EXPECT_FALSE(f.table.Find(Key(1, 2)).found());
  EXPECT_EQ(f.table.size(), 1u);
  EXPECT_TRUE(f.table.SetAlias(2, answer));
  ExpectMatch(f.table.Find(answer), 2, 1);
}

TEST(FlowTable, TakesAllFlowsEvenIfAllShareABucket) {
  // Keys whose hashes agree in so many upper bits that they belong to the same bucket.
  constexpr uint32_t kFlows = 200;
  Fixture f(kFlows, false);
  std::vector<FlowKey> keys;
  for (uint32_t i = 0; keys.size() < kFlows; ++i) {
    const FlowKey key = Key(i, ~i);
    if (FlowTable::Hash(key) >> 57 == 0) keys.push_back(key);
  }
  for (int round = 0; round < 2; ++round) {
    for (uint32_t i = 0; i < kFlows; ++i) f.Insert(i, keys[i]);
    for (uint32_t i = 0; i < kFlows; ++i) ExpectMatch(f.table.Find(keys[i]), i, 0);
    for (uint32_t i = 0; i < kFlows; i += 2) f.table.Erase(i);
    for (uint32_t i = 0; i < kFlows; ++i) EXPECT_EQ(f.table.Find(keys[i]).found(), i % 2 == 1);
    for (uint32_t i = kFlows; i-- > 0;) {
      if (i % 2 == 1) f.table.Erase(i);
    }
    EXPECT_EQ(f.table.size(), 0u);
  }
}

TEST(FlowTable, BehavesLikeAMap) {
  std::mt19937 random(7);
  for (const uint32_t flows : {1u, 2u, 11u, 64u, 1000u}) {
    Fixture f(flows);
    std::map<uint32_t, std::vector<std::pair<FlowKey, uint16_t>>> model;  // Keys and their directions by flow.
    std::vector<FlowKey> universe;
    for (uint32_t i = 0; i < flows * 4; ++i) {
      universe.push_back(Key(random(), random(), static_cast<uint16_t>(random()), static_cast<uint16_t>(random())));
    }
    const auto expected = [&](const FlowKey& key) -> FlowMatch {
      for (const auto& [flow, keys] : model) {
        for (const auto& [known, direction] : keys) {
          if (known == key) return {flow, direction};
          if (known.Reversed() == key) return {flow, static_cast<uint16_t>(direction ^ 1)};
        }
      }
      return {kNoFlow, 0};
    };
    for (uint32_t step = 0; step < 5000; ++step) {
      FlowKey key = universe[random() % universe.size()];
      if (random() % 2) key = key.Reversed();
      const uint32_t flow = random() % flows;
      const FlowMatch want = expected(key), got = f.table.Find(key);
      ASSERT_EQ(got.flow, want.flow);
      if (want.found()) {
        ASSERT_EQ(got.direction, want.direction);
      }
      if (model.count(flow) == 0) {
        if (want.found()) continue;
        f.Insert(flow, key);
        model[flow].push_back({key, 0});
      } else if (random() % 3 == 0) {
        f.table.Erase(flow);
        model.erase(flow);
      } else if (model[flow].size() == 1) {
        ASSERT_EQ(f.table.SetAlias(flow, key), !want.found() || want.flow == flow);
        if (!want.found()) model[flow].push_back({key, 1});
      }
    }
    size_t keys = 0;
    for (const auto& entry : model) keys += entry.second.size();
    EXPECT_EQ(f.table.size(), keys);
  }
}

TEST(FlowTable, FindBurstIsFindForEach) {
  Fixture f(64);
  std::vector<FlowKey> keys;
  for (uint32_t i = 0; i < 32; ++i) {
    keys.push_back(Key(i, 500));
    if (i % 3 != 0) f.Insert(i, i % 2 ? keys[i] : keys[i].Reversed());
  }
  const FlowKey* pointers[32];
  for (uint32_t i = 0; i < 32; ++i) pointers[i] = &keys[i];
  FlowMatch matches[32];
  f.table.FindBurst(pointers, 32, matches);
  for (uint32_t i = 0; i < 32; ++i) {
    if (i % 3 == 0) {
      EXPECT_FALSE(matches[i].found());
    } else {
      ExpectMatch(matches[i], i, i % 2 ? 0 : 1);
    }
  }
}

TEST(FlowTable, HashesSpread) {
  // Neighbouring addresses and ports, as real traffic has them, must not gather: with 64 k keys in 64 k places the
  // fullest has about eight.
  std::vector<uint32_t> places(65536);
  for (uint32_t i = 0; i < 65536; ++i) {
    ++places[FlowTable::Hash(Key(0x0a000000 + i / 256, 0x0a010000, static_cast<uint16_t>(1024 + i % 256))) >> 48];
  }
  EXPECT_LE(*std::max_element(places.begin(), places.end()), 20u);
}

TEST(FlowTable, RefusesNonsense) {
  EXPECT_FALSE(FlowTable::Create({.flows_max = 0, .with_aliases = false, .keys = nullptr, .key_stride = 48}));
  const auto table =
      FlowTable::Create({.flows_max = 1u << 30, .with_aliases = false, .keys = nullptr, .key_stride = 1});
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::kRuntimeSpec);
}

TEST(FlowTable, CostsAtMostSixteenBytesAFlow) {
  const auto table =
      FlowTable::Create({.flows_max = 1 << 20, .with_aliases = false, .keys = nullptr, .key_stride = 128});
  ASSERT_TRUE(table);
  EXPECT_LE(table->memory_bytes(), size_t{16} << 20);
}

}  // namespace
}  // namespace nf
