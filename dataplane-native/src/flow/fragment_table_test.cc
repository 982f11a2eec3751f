#include "flow/fragment_table.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <vector>

namespace nf {
namespace {

ParsedPacket Fragment(uint32_t identification, uint8_t source = 1) {
  ParsedPacket packet{};
  packet.key.ip_version = 4;
  packet.key.source_address[15] = source;
  packet.fragment_protocol = 17;
  packet.fragment_identification = identification;
  return packet;
}

// The table never looks into an mbuf: an address that tells them apart is enough.
rte_mbuf* Mbuf(uintptr_t number) { return reinterpret_cast<rte_mbuf*>(number * 64 + 64); }
uintptr_t Number(const rte_mbuf* mbuf) { return reinterpret_cast<uintptr_t>(mbuf) / 64 - 1; }

class FragmentTableTest : public testing::Test {
 protected:
  void Make(const FragmentLimits& limits) { table_.emplace(std::move(*FragmentTable::Create(limits))); }
  FragmentOutcome Later(const ParsedPacket& packet, uintptr_t mbuf, uint64_t now = 0) {
    return table_->Later(packet, Mbuf(mbuf), now, &flow_);
  }
  std::vector<uintptr_t> First(const ParsedPacket& packet, uint64_t flow_number, uint64_t now = 0) {
    rte_mbuf* released[abi::kFragmentHeldPerDatagramMax];
    const uint32_t count =
        table_->First(packet, {.flow_number = flow_number, .flow = 5, .direction = 1}, now, released);
    std::vector<uintptr_t> numbers;
    for (uint32_t i = 0; i < count; ++i) numbers.push_back(Number(released[i]));
    return numbers;
  }
  std::vector<uintptr_t> Expire(uint64_t now) {
    std::vector<uintptr_t> dropped;
    table_->Expire(now, [&](rte_mbuf* mbuf) { dropped.push_back(Number(mbuf)); });
    return dropped;
  }
  using Numbers = std::vector<uintptr_t>;

  std::optional<FragmentTable> table_{std::move(*FragmentTable::Create())};
  FragmentFlow flow_{};
};

TEST_F(FragmentTableTest, LaterFragmentsGoWithTheirFirst) {
  EXPECT_EQ(First(Fragment(7), 33), Numbers{});
  EXPECT_EQ(Later(Fragment(7), 0), FragmentOutcome::kFlow);
  EXPECT_EQ(flow_.flow_number, 33u);
  EXPECT_EQ(flow_.flow, 5u);
  EXPECT_EQ(flow_.direction, 1u);
  // A second datagram with the same identification takes the entry over.
  EXPECT_EQ(First(Fragment(7), 34), Numbers{});
  EXPECT_EQ(Later(Fragment(7), 0), FragmentOutcome::kFlow);
  EXPECT_EQ(flow_.flow_number, 34u);
  EXPECT_EQ(table_->datagrams(), 1u);
}

TEST_F(FragmentTableTest, EarlyFragmentsWaitAndFollowInOrderOfArrival) {
  EXPECT_EQ(Later(Fragment(7), 3), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(8), 4), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(7), 1), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(7), 2), FragmentOutcome::kHeld);
  EXPECT_EQ(table_->held(), 4u);
  EXPECT_EQ(First(Fragment(7), 1), (Numbers{3, 1, 2}));
  EXPECT_EQ(table_->held(), 1u);
  EXPECT_EQ(Later(Fragment(7), 5), FragmentOutcome::kFlow);
  EXPECT_EQ(First(Fragment(8), 1), Numbers{4});
}

TEST_F(FragmentTableTest, EveryPartOfTheKeyCounts) {
  First(Fragment(7), 1);
  const auto held = [this](auto&& change) {
    ParsedPacket other = Fragment(7);
    change(other);
    return Later(other, 0) == FragmentOutcome::kHeld;
  };
  EXPECT_TRUE(held([](ParsedPacket& p) { p.fragment_identification = 0x10007; }));
  EXPECT_TRUE(held([](ParsedPacket& p) { p.fragment_protocol = 6; }));
  EXPECT_TRUE(held([](ParsedPacket& p) { p.key.ip_version = 6; }));
  EXPECT_TRUE(held([](ParsedPacket& p) { p.key.source_address[0] = 1; }));
  EXPECT_TRUE(held([](ParsedPacket& p) { p.key.destination_address[15] = 1; }));
  EXPECT_TRUE(held([](ParsedPacket& p) { p.key.vlan_count = 1; }));
  EXPECT_TRUE(held([](ParsedPacket& p) { p.key.vlan_outer = 1; }));
  EXPECT_TRUE(held([](ParsedPacket& p) { p.key.vlan_inner = 1; }));
  // Ports and protocol of the flow key do not: later fragments have no ports.
  EXPECT_FALSE(held([](ParsedPacket& p) { p.key.source_port = 1; }));
  EXPECT_FALSE(held([](ParsedPacket& p) { p.key.protocol = 60; }));
}

TEST_F(FragmentTableTest, EntriesEndWhenTheirTimeIsOver) {
  Make({.timeout_ns = 100});
  EXPECT_EQ(Later(Fragment(1), 1, 10), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(1), 2, 50), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(2), 3, 60), FragmentOutcome::kHeld);
  First(Fragment(3), 1, 60);
  EXPECT_EQ(Expire(109), Numbers{});
  EXPECT_EQ(Expire(110), (Numbers{1, 2}));
  EXPECT_EQ(table_->datagrams(), 2u);
  EXPECT_EQ(Later(Fragment(1), 4, 110), FragmentOutcome::kHeld);  // A new entry.
  EXPECT_EQ(Expire(160), Numbers{3});
  EXPECT_EQ(Later(Fragment(3), 5, 160), FragmentOutcome::kHeld);
  // The first fragment gives an entry a new life.
  First(Fragment(1), 1, 200);
  EXPECT_EQ(Expire(299), Numbers{5});
  EXPECT_EQ(Later(Fragment(1), 6, 299), FragmentOutcome::kFlow);
  EXPECT_EQ(Expire(300), Numbers{});
  EXPECT_EQ(Later(Fragment(1), 6, 300), FragmentOutcome::kHeld);
}

TEST_F(FragmentTableTest, KeepsWithinItsBounds) {
  Make({.datagrams_max = 3, .held_max = 4, .held_per_datagram_max = 2, .timeout_ns = 100});
  EXPECT_EQ(Later(Fragment(1), 1), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(1), 2), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(1), 3), FragmentOutcome::kOverflow);  // Of one datagram.
  EXPECT_EQ(Later(Fragment(2), 3), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(2), 4), FragmentOutcome::kHeld);
  EXPECT_EQ(Later(Fragment(3), 5), FragmentOutcome::kOverflow);  // Of all.
  EXPECT_EQ(table_->datagrams(), 2u);                            // It left no entry.
  First(Fragment(3), 1);
  First(Fragment(4), 1);  // No room for its entry.
  EXPECT_EQ(table_->datagrams(), 3u);
  EXPECT_EQ(First(Fragment(1), 1), (Numbers{1, 2}));
  EXPECT_EQ(Later(Fragment(4), 6), FragmentOutcome::kOverflow);  // Of datagrams.
  EXPECT_EQ(Expire(100), (Numbers{3, 4}));
  EXPECT_EQ(Later(Fragment(4), 6, 100), FragmentOutcome::kHeld);
}

TEST_F(FragmentTableTest, DrainGivesBackAllThatIsHeld) {
  Later(Fragment(1), 1);
  Later(Fragment(2), 2);
  First(Fragment(3), 1);
  Later(Fragment(1), 3);
  Numbers dropped;
  table_->Drain([&](rte_mbuf* mbuf) { dropped.push_back(Number(mbuf)); });
  EXPECT_EQ(dropped, (Numbers{1, 3, 2}));
  EXPECT_EQ(table_->datagrams(), 0u);
  EXPECT_EQ(table_->held(), 0u);
}

TEST_F(FragmentTableTest, BehavesLikeAMap) {
  constexpr uint32_t kDatagrams = 50, kHeld = 40, kEach = 5;
  Make({.datagrams_max = kDatagrams, .held_max = kHeld, .held_per_datagram_max = kEach, .timeout_ns = 1000});
  struct Entry {
    uint64_t created = 0, flow = 0, order = 0;
    Numbers held;
  };
  std::map<uint32_t, Entry> model;
  std::mt19937 random(3);
  uint64_t now = 0, order = 0;
  uint32_t held = 0;
  for (uintptr_t step = 0; step < 50000; ++step) {
    now += random() % 30;
    // In order of creation, which is the order of `order`.
    std::map<uint64_t, uint32_t> due;
    for (const auto& [id, entry] : model) {
      if (now >= entry.created + 1000) due[entry.order] = id;
    }
    Numbers want;
    for (const auto& [unused, id] : due) {
      want.insert(want.end(), model[id].held.begin(), model[id].held.end());
      model.erase(id);
    }
    held -= static_cast<uint32_t>(want.size());
    ASSERT_EQ(Expire(now), want);
    const uint32_t id = random() % 120;
    const auto known = model.find(id);
    if (random() % 4 == 0) {
      if (known == model.end() && model.size() == kDatagrams) {
        ASSERT_EQ(First(Fragment(id), step, now), Numbers{});
        continue;
      }
      Entry& entry = model[id];
      ASSERT_EQ(First(Fragment(id), step, now), entry.held);
      held -= static_cast<uint32_t>(entry.held.size());
      entry = {.created = now, .flow = step + 1, .order = ++order, .held = {}};
    } else if (known != model.end() && known->second.flow != 0) {
      ASSERT_EQ(Later(Fragment(id), step, now), FragmentOutcome::kFlow);
      ASSERT_EQ(flow_.flow_number, known->second.flow - 1);
    } else {
      const bool fits =
          held < kHeld && (known == model.end() ? model.size() < kDatagrams : known->second.held.size() < kEach);
      ASSERT_EQ(Later(Fragment(id), step, now), fits ? FragmentOutcome::kHeld : FragmentOutcome::kOverflow);
      if (!fits) continue;
      if (known == model.end()) model[id] = {.created = now, .flow = 0, .order = ++order, .held = {}};
      model[id].held.push_back(step);
      ++held;
    }
    ASSERT_EQ(table_->held(), held);
    ASSERT_EQ(table_->datagrams(), model.size());
  }
}

}  // namespace
}  // namespace nf
