// Bridges against each other, and against whoever is in between.
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>

#include <filesystem>
#include <random>

#include "link/test_bridges.h"

namespace nf::link {
namespace {

using test::Members;
using test::Must;

uint64_t Count(const Bridge& bridge, LinkCount which) { return bridge.counters().value(which); }

uint16_t EtherTypeOf(const std::string& frame) { return LoadBe16(reinterpret_cast<const uint8_t*>(&frame[12])); }
bool IsControl(const std::string& frame, ControlKind kind) {
  return EtherTypeOf(frame) == kEtherTypeControl && static_cast<ControlKind>(frame[15]) == kind;
}

TEST(Bridge, PacketsGoThereAndBack) {
  Members members(2);
  EXPECT_TRUE(members.RoundTrip(50, 20)) << members.received() << " of " << members.sent();
  EXPECT_EQ(members.runtime(1).runtime->flows_open() + members.runtime(2).runtime->flows_open(), 50u);
  EXPECT_EQ(Count(members.bridge(), LinkCount::kMalformed) + Count(members.bridge(), LinkCount::kUnsound), 0u);
}

TEST(Bridge, FlowsMoveBetweenRuntimesThatHaveNoLinkToEachOther) {
  Members members(2);
  ASSERT_TRUE(members.RoundTrip(40));
  Operation operation;
  Command command{.kind = Command::Kind::kMove};
  command.targets = {2};
  command.flows_wanted = 20;
  command.operation = &operation;
  members.runtime(1).runtime->Execute(command);
  ASSERT_TRUE(members.Until([&] { return operation.done.load(); }));
  EXPECT_EQ(operation.result.moved, 20u);
  EXPECT_EQ(members.runtime(2).runtime->flows_open(), 40u);
  EXPECT_GT(Count(members.bridge(), LinkCount::kForwarded), 0u);
  EXPECT_TRUE(members.RoundTrip(40, 5));
}

TEST(Bridge, LeasesComeWithPackets) {
  auto engine = Must(Engine::Create({}));
  NfSpec nf{.entry = "lease", .name = "lease", .version = "1.0.0", .native = NativeTest(*engine, {})};
  nf.rights.lease = true;
  nf.lease_size = 100;
  Members members(1, {nf});
  ASSERT_TRUE(members.RoundTrip(3));
  for (uint32_t entry = 0; entry < 256; ++entry) {
    std::array<uint32_t, abi::kChainNfsMax> given{}, come{};
    members.vswitch().leases().Read(entry, given.data());
    members.runtime(1).leases->Read(entry, come.data());
    EXPECT_EQ(come[0], given[0]) << entry;
  }
}

TEST(Bridge, TheOthersHearFromTheVswitchWhomItHasFenced) {
  Members members(3);
  ASSERT_TRUE(members.RoundTrip(30));
  const auto can_move_to = [&](uint16_t from, uint16_t to) {
    Operation operation;
    Command command{.kind = Command::Kind::kMove};
    command.targets = {to};
    command.flows_wanted = 1;
    command.operation = &operation;
    members.runtime(from).runtime->Execute(command);
    if (command.operation == nullptr) return false;
    EXPECT_TRUE(members.Until([&] { return operation.done.load(); }));
    return operation.result.moved == 1;
  };
  EXPECT_TRUE(can_move_to(2, 1));
  members.bridge().Close(1);
  for (uint16_t other : {2, 3})
    EXPECT_TRUE(members.Until([&] { return !members.runtime(other).bridge->knows(1); })) << other;
  EXPECT_TRUE(members.runtime(2).bridge->knows(3)) << "who lives is not forgotten";
  EXPECT_TRUE(can_move_to(2, 3));
}

TEST(Bridge, ControlFramesAreGenuineOrNothing) {
  Members members(2);
  ASSERT_TRUE(members.RoundTrip(20));
  Members::Runtime& one = members.runtime(1);
  std::string beat;
  one.up.on_frame = [&beat](const std::string& frame) {
    if (beat.empty() && IsControl(frame, ControlKind::kHeartbeat)) {
      beat = frame;
      return std::string();  // It goes astray.
    }
    return frame;
  };
  ASSERT_TRUE(members.Until([&] { return !beat.empty(); }));
  one.up.on_frame = {};
  const auto counts_as = [&](const std::string& frame, LinkCount which) {
    const uint64_t before = Count(members.bridge(), which);
    one.up.frames.push_back(frame);
    return members.Until([&] { return one.up.frames.empty(); }) && Count(members.bridge(), which) == before + 1;
  };
  for (size_t bit = sizeof(OuterHeader) * 8; bit < beat.size() * 8; bit += 5) {
    std::string flipped = beat;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    const uint64_t before = Count(members.bridge(), LinkCount::kForged) +
                            Count(members.bridge(), LinkCount::kWrongLife) +
                            Count(members.bridge(), LinkCount::kMalformed);
    one.up.frames.push_back(flipped);
    ASSERT_TRUE(members.Until([&] { return one.up.frames.empty(); }));
    EXPECT_EQ(Count(members.bridge(), LinkCount::kForged) + Count(members.bridge(), LinkCount::kWrongLife) +
                  Count(members.bridge(), LinkCount::kMalformed),
              before + 1)
        << "bit " << bit;
  }
  const uint64_t replayed = Count(members.bridge(), LinkCount::kReplayed);
  one.up.frames.push_back(beat);
  ASSERT_TRUE(members.Until([&] { return one.up.frames.empty(); }));
  EXPECT_EQ(Count(members.bridge(), LinkCount::kReplayed), replayed) << "late, but the first time";
  EXPECT_TRUE(counts_as(beat, LinkCount::kReplayed));
  // Another tenant's key, another life, another member's name.
  const auto made_by = [&](Identity identity) {
    auto codec = Must(ControlCodec::Create(identity));
    LinkCounters counters;
    codec.set_counters(&counters);
    rte_mbuf* mbuf = rte_pktmbuf_alloc(test::Packets());
    NF_CHECK(mbuf != nullptr && codec.Seal(mbuf, ControlKind::kHeartbeat, 0), "sealed");
    std::string frame(rte_pktmbuf_mtod(mbuf, const char*), mbuf->data_len);
    rte_pktmbuf_free(mbuf);
    return frame;
  };
  Identity stranger = Members::IdentityOf(1);
  stranger.key.fill(0x43);
  EXPECT_TRUE(counts_as(made_by(stranger), LinkCount::kForged));
  Identity earlier = Members::IdentityOf(1);
  --earlier.incarnation;
  EXPECT_TRUE(counts_as(made_by(earlier), LinkCount::kWrongLife));
  EXPECT_TRUE(counts_as(made_by(Members::IdentityOf(2)), LinkCount::kMalformed)) << "over the link of 1";
  EXPECT_TRUE(members.RoundTrip(20, 5)) << "all is as it was";
}

TEST(Bridge, DamageOnTheWayCostsWhatWasDamaged) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Members members(2);
    ASSERT_TRUE(members.RoundTrip(30));
    const auto damage = [&random](const std::string& frame) {
      std::string bad = frame;
      switch (random() % 12) {
        case 0:
          bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
          break;
        case 1:
          bad.resize(1 + random() % bad.size());
          break;
        case 2:
          for (char& byte : bad) byte = static_cast<char>(random());
          break;
        default:
          break;
      }
      return bad;
    };
    for (const uint16_t id : {1, 2}) {
      members.runtime(id).up.on_frame = damage;
      members.runtime(id).down.on_frame = damage;
    }
    for (uint32_t round = 0; round < 20; ++round) {
      for (uint16_t flow = 0; flow < 30; ++flow) members.Send(flow, round);
      for (int turn = 0; turn < 5; ++turn) members.Turn();
      members.Collect();
    }
    for (const uint16_t id : {1, 2}) {
      members.runtime(id).up.on_frame = {};
      members.runtime(id).down.on_frame = {};
    }
    // Whatever a damaged stamp did to the flows of before, new ones work.
    const uint64_t before = members.received();
    EXPECT_TRUE(members.Until([&] {
      for (uint16_t flow = 100; flow < 110; ++flow) members.Send(flow, 0);
      members.Turn();
      members.Collect();
      return members.received() >= before + 30;
    }));
    EXPECT_GT(Count(members.bridge(), LinkCount::kMalformed) + Count(members.bridge(), LinkCount::kUnsound), 0u);
  }
}

TEST(Bridge, HeartbeatsAreNoReasonToStayAwake) {
  Members members(2);
  ASSERT_TRUE(members.RoundTrip(20));
  const auto passed = [](uint64_t ms) {
    return [end = MonotonicNs() + ms * 1'000'000] { return MonotonicNs() > end; };
  };
  ASSERT_TRUE(members.Until(passed(50))) << "what else they have to say";
  uint32_t work = 0;
  for (const auto is_over = passed(20); !is_over();) {
    work += members.bridge().Turn();
    for (const uint16_t id : {1, 2}) work += members.runtime(id).bridge->Turn();
  }
  EXPECT_EQ(work, 0u);
  EXPECT_TRUE(members.RoundTrip(20)) << "packets are work as ever";
}

TEST(Bridge, ARuntimeThatRestsIsWokenByTheNextPacket) {
  std::string folder = (std::filesystem::temp_directory_path() / "nfactor-rest-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  {
    Members members(1, {}, 0, folder);
    ASSERT_TRUE(members.RoundTrip(20));
    RuntimeBridge& bridge = *members.runtime(1).bridge;
    const auto is_woken = [&bridge] {
      pollfd fd{.fd = bridge.wait_fds()[0], .events = POLLIN, .revents = 0};
      return poll(&fd, 1, 0) == 1;
    };
    // As its lcore does before each sleep.
    const auto sleeps = [&bridge] { return !bridge.BeforeSleep() && bridge.sleep_ms_max() > 1; };
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(bridge.sleep_ms_max(), 1) << "there were packets just now";
      ASSERT_TRUE(members.Until(sleeps));
      EXPECT_FALSE(is_woken());
      // Heartbeats go on, and wake it as well.
      EXPECT_TRUE(members.Until([&] {
        members.bridge().Turn();
        return is_woken();
      }));
      ASSERT_TRUE(members.Until(sleeps)) << "and it goes on resting";
      members.Send(1, 7);
      const auto turns_of_vswitch = [&] {
        members.vswitch().Turn();
        members.bridge().Turn();
        return is_woken();
      };
      EXPECT_TRUE(turns_of_vswitch() || turns_of_vswitch());
      ASSERT_TRUE(members.RoundTrip(20));
    }
  }
  std::filesystem::remove_all(folder);
}

TEST(Bridge, WhatFindsTheQueueOfItsNextRuntimeFullWasNotSent) {
  Members members(2);
  ASSERT_TRUE(members.RoundTrip(20));
  Vswitch& vswitch = members.vswitch();
  // They wait for their runtimes: flows of the first, and of the second one more than all that it has room for.
  const auto waiting = [&members] { return rte_ring_count(members.runtime(2).remote->link->down); };
  std::optional<uint16_t> of_second;
  for (uint16_t flow = 0; flow < 20; ++flow) {
    members.Send(flow, 0);
    const uint32_t before = waiting();
    vswitch.Turn();
    if (waiting() != before) of_second = flow;
  }
  ASSERT_TRUE(of_second);
  for (uint32_t i = 0; vswitch.runtime_full(2) == 0; ++i) {
    ASSERT_LT(i, 3'500u);
    members.Send(*of_second, i);
    vswitch.Turn();
  }
  const uint64_t before = vswitch.runtime_full();
  members.bridge().Close(1);
  EXPECT_GT(vswitch.runtime_full(), before) << "its packets go to the other";
  const auto is_published = [&] {
    return vswitch.counters().received.value() == vswitch.stamped() + vswitch.runtime_full();
  };
  EXPECT_TRUE(members.Until(is_published)) << vswitch.stamped() << " stamped, " << vswitch.runtime_full()
                                           << " dropped of " << vswitch.counters().received.value();
}

TEST(Bridge, ABrokenLinkFencesAtOnce) {
  Members members(2);
  ASSERT_TRUE(members.RoundTrip(20));
  while (members.bridge().events().Take()) {
  }
  members.runtime(1).vswitch_port->set_carrier(Port::Carrier::kLost);
  for (uint16_t flow = 0; flow < 20; ++flow) members.Send(flow, 1);
  members.Turn();
  std::optional<LinkEvent> event;
  ASSERT_TRUE(members.Until([&] { return (event = members.bridge().events().Take()).has_value(); }));
  EXPECT_EQ(event->kind, LinkEvent::Kind::kFencedByLink);
  EXPECT_EQ(event->member, 1);
  EXPECT_EQ(members.bridge().Close(1), members.runtime(1).remote.get());
  // Everything goes to the other from now on.
  const uint64_t lost = members.sent() - members.received();
  for (uint16_t flow = 30; flow < 50; ++flow) members.Send(flow, 0);
  EXPECT_TRUE(members.Until([&] { return members.sent() - members.received() <= lost; }));
  EXPECT_GE(members.runtime(2).runtime->flows_open(), 20u);
}

TEST(Bridge, WhatWaitsForALostRuntimeGoesToAnother) {
  constexpr int kRounds = 100;  // More than a ring holds.
  Members members(2);
  ASSERT_TRUE(members.RoundTrip(20));
  members.runtime(1).vswitch_port->set_carrier(Port::Carrier::kWaiting);
  for (int i = 1; i <= kRounds; ++i) {
    for (uint16_t flow = 0; flow < 20; ++flow) members.Send(flow, static_cast<uint32_t>(i));
    members.Turn();
    members.Collect();
  }
  EXPECT_GT(members.sent() - members.received(), RuntimeLink::kRingPackets);
  members.runtime(1).vswitch_port->set_carrier(Port::Carrier::kLost);
  EXPECT_TRUE(members.Until([&] { return members.received() == members.sent(); }))
      << members.received() << " of " << members.sent();
  EXPECT_EQ(members.runtime(2).runtime->flows_open(), 20u);
}

TEST(SilenceDetector, TellsTheDeadFromTheLate) {
  constexpr uint64_t kMs = 1'000'000;
  SilenceDetector silence(100 * kMs);
  EXPECT_FALSE(silence.Suspects(1000'000 * kMs)) << "never heard of";
  uint64_t now = 5000 * kMs;
  for (int i = 0; i < 100; ++i) silence.Heard(now += kMs);
  EXPECT_FALSE(silence.Suspects(now + 100 * kMs));
  EXPECT_TRUE(silence.Suspects(now + 101 * kMs));
  silence.Excuse(50 * kMs);
  EXPECT_FALSE(silence.Suspects(now + 150 * kMs)) << "the listener was away";
  // Who is often late is given more time, and no longer once it is on time again.
  silence.Heard(now += 150 * kMs);
  EXPECT_FALSE(silence.Suspects(now + 300 * kMs));
  EXPECT_TRUE(silence.Suspects(now + 1001 * kMs)) << "ten times is the bound";
  for (int i = 0; i < 3000; ++i) silence.Heard(now += kMs);
  EXPECT_TRUE(silence.Suspects(now + 101 * kMs));
  SilenceDetector never(0);
  never.Heard(1);
  EXPECT_FALSE(never.Suspects(1'000'000 * kMs));
}

}  // namespace
}  // namespace nf::link
