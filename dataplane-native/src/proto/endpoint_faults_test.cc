// Three members over links that lose, repeat, damage, delay and reorder frames: what was taken arrives once and in
// order; what was not taken is known to whoever said it; a new life begins from nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "proto/endpoint.h"

namespace nf::proto {
namespace {

constexpr uint16_t kMembers = 3;
constexpr uint64_t kTurnNs = 5'000;
// Few and small frames, so that members are pushed back.
constexpr ChannelConfig kConfig{.frame_bytes = 160, .send_frames = 64, .max_message_bytes = 2000};

struct Faults {
  uint32_t lost, repeated, damaged;  // Percent.
  uint64_t delay_ns;                 // At most, and in any order.
};

// A member that numbers what it says to each peer, in notes and in states with a tail, and keeps what it hears.
class Speaker final : public MessageHandler, public FrameSink {
 public:
  Speaker(uint16_t own, std::mt19937* random) : own_(own), random_(random), endpoint(own, kMembers, kConfig) {}

  // False: pushed back.
  bool SayNext(uint16_t peer) {
    const uint32_t number = said[peer];
    const MigrationId id{.entry = number, .epoch = life, .attempt = peer_life[peer]};
    bool taken;
    if (number % 5 == 0) {
      const std::vector<uint8_t> tail((*random_)() % 700, static_cast<uint8_t>(number));
      const StateRecord record{.id = id, .bytes = static_cast<uint32_t>(tail.size())};
      taken = endpoint.Say(peer, MessageType::kState, {reinterpret_cast<const uint8_t*>(&record), sizeof record}, tail);
    } else {
      taken = endpoint.Say(peer, number % 7 == 0 ? MessageType::kOpened : MessageType::kInstalled, Note{id, 0});
    }
    said[peer] += taken;
    return taken;
  }
  void Know(uint16_t peer, uint32_t incarnation) {
    endpoint.SetPeer(peer, incarnation);
    peer_life[peer] = incarnation;
    said[peer] = heard[peer] = 0;
  }
  void OnMessage(uint16_t peer, std::span<const uint8_t> bytes) override {
    auto message = DecodeMessage(bytes);
    ASSERT_TRUE(message);
    if (message->type() != MessageType::kState) {
      for (uint32_t i = 0; i < message->count(); ++i) Hear(peer, message->At<Note>(i).id);
      return;
    }
    while (const auto state = message->Next<StateRecord>()) {
      for (const uint8_t byte : state->bytes) ASSERT_EQ(byte, static_cast<uint8_t>(state->record.id.entry));
      Hear(peer, state->record.id);
    }
  }
  void SendFrame(uint16_t peer, std::span<const uint8_t> frame) override {
    sent.emplace_back(peer, std::vector<uint8_t>(frame.begin(), frame.end()));
  }
  uint16_t own() const { return own_; }

 private:
  void Hear(uint16_t peer, const MigrationId& id) {
    ASSERT_EQ(id.epoch, peer_life[peer]) << "said in another life";
    ASSERT_EQ(id.attempt, life) << "said to another life";
    ASSERT_EQ(id.entry, heard[peer]) << "of " << peer;
    ++heard[peer];
  }

  uint16_t own_;
  std::mt19937* random_;

 public:
  Endpoint endpoint;
  uint32_t life = 0;
  uint32_t peer_life[kMembers] = {};
  uint32_t said[kMembers] = {}, heard[kMembers] = {};
  std::vector<std::pair<uint16_t, std::vector<uint8_t>>> sent;
};

class Network {
 public:
  Network(uint32_t seed, const Faults& faults) : random(seed), faults_(faults) {
    for (uint16_t id = 0; id < kMembers; ++id) {
      members.emplace_back(id, &random);
      Begin(id, id + 1u);
    }
    for (Speaker& member : members)
      for (const Speaker& peer : members)
        if (peer.own() != member.own()) member.Know(peer.own(), peer.life);
  }
  void Begin(uint16_t id, uint32_t life) {
    members[id].life = life;
    members[id].endpoint.SetOwnIncarnation(life);
  }
  void Turn() {
    now_ns += kTurnNs;
    while (!under_way_.empty() && under_way_.begin()->first <= now_ns) {
      const auto [from, to, bytes] = under_way_.begin()->second;
      under_way_.erase(under_way_.begin());
      members[to].endpoint.Receive(from, bytes, now_ns, &members[to]);
    }
    for (Speaker& member : members) {
      member.endpoint.Poll(now_ns, &member);
      for (auto& [peer, bytes] : std::exchange(member.sent, {})) Put(member.own(), peer, bytes);
    }
  }
  void Mend() { faults_ = {.lost = 0, .repeated = 0, .damaged = 0, .delay_ns = 10'000}; }
  bool Idle() const {
    return std::ranges::all_of(members, [](const Speaker& member) { return member.endpoint.idle(); });
  }

  std::mt19937 random;
  std::vector<Speaker> members;
  uint64_t now_ns = 0;

 private:
  struct Frame {
    uint16_t from, to;
    std::vector<uint8_t> bytes;
  };
  bool Dice(uint32_t percent) { return random() % 100 < percent; }
  void Put(uint16_t from, uint16_t to, const std::vector<uint8_t>& bytes) {
    for (uint32_t copies = Dice(faults_.lost) ? 0 : Dice(faults_.repeated) ? 2 : 1; copies > 0; --copies) {
      Frame frame{from, to, bytes};
      if (Dice(faults_.damaged)) frame.bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1u << (random() % 8));
      under_way_.emplace(now_ns + 1'000 + random() % faults_.delay_ns, std::move(frame));
    }
  }

  Faults faults_;
  std::multimap<uint64_t, Frame> under_way_;
};

constexpr Faults kKinds[] = {{0, 0, 0, 50'000}, {10, 0, 0, 20'000}, {0, 30, 0, 300'000}, {30, 10, 10, 200'000}};

TEST(EndpointFaults, WhatWasTakenArrivesOnceAndInOrder) {
  constexpr uint32_t kRecords = 600;
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Network network(seed, kKinds[seed % std::size(kKinds)]);
    uint64_t pushed_back = 0;
    const auto all = [&](auto Speaker::*count) {
      for (const Speaker& member : network.members)
        for (uint16_t peer = 0; peer < kMembers; ++peer)
          if (peer != member.own() && (member.*count)[peer] != kRecords) return false;
      return true;
    };
    for (int turn = 0; turn < 200'000 && !(all(&Speaker::heard) && network.Idle()); ++turn) {
      for (Speaker& member : network.members)
        for (uint16_t peer = 0; peer < kMembers; ++peer)
          for (uint32_t count = network.random() % 12; count > 0 && member.said[peer] < kRecords; --count)
            if (peer != member.own()) pushed_back += !member.SayNext(peer);
      network.Turn();
      ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
    EXPECT_TRUE(all(&Speaker::said) && all(&Speaker::heard));
    EXPECT_TRUE(network.Idle());
    EXPECT_GT(pushed_back, 0u);
  }
}

// Members die and come back while frames of all their lives are under way, and hear of each other at any time.
TEST(EndpointFaults, ANewLifeHearsNothingOfTheLastAndAllOfItsOwn) {
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Network network(seed, kKinds[seed % std::size(kKinds)]);
    std::mt19937& random = network.random;
    // Who is to be told what, in the order in which it was announced.
    std::vector<std::tuple<uint64_t, uint16_t, uint16_t, uint32_t>> news;
    uint32_t lives = kMembers;
    const auto tell = [&] {
      std::erase_if(news, [&](const auto& item) {
        const auto& [at_ns, to, member, life] = item;
        if (at_ns > network.now_ns) return false;
        network.members[to].Know(member, life);
        return true;
      });
    };
    for (int turn = 0; turn < 6'000; ++turn) {
      tell();
      if (turn < 4'000 && random() % 200 == 0) {
        const auto who = static_cast<uint16_t>(random() % kMembers);
        network.Begin(who, ++lives);
        for (Speaker& peer : network.members) {
          if (peer.own() == who) continue;
          network.members[who].Know(peer.own(), peer.life);
          std::erase_if(news, [&](const auto& item) {
            return (std::get<1>(item) == peer.own() && std::get<2>(item) == who) ||
                   (std::get<1>(item) == who && std::get<2>(item) == peer.own());
          });
          news.emplace_back(network.now_ns + random() % 300'000, peer.own(), who, lives);
        }
      }
      if (turn == 5'000) network.Mend();
      for (Speaker& member : network.members)
        for (uint16_t peer = 0; peer < kMembers; ++peer)
          if (peer != member.own() && turn < 5'000 && random() % 4 == 0) static_cast<void>(member.SayNext(peer));
      network.Turn();
      ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
    EXPECT_GT(lives, 10u);
    EXPECT_TRUE(network.Idle());
    for (const Speaker& member : network.members) {
      for (const Speaker& peer : network.members) {
        if (peer.own() == member.own()) continue;
        EXPECT_GT(member.said[peer.own()], 0u);
        EXPECT_EQ(peer.heard[member.own()], member.said[peer.own()]) << member.own() << " to " << peer.own();
      }
    }
  }
}

}  // namespace
}  // namespace nf::proto
