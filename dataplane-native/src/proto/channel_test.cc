#include "proto/channel.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace nf::proto {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr ChannelConfig kConfig{.frame_bytes = 256, .send_frames = 64, .max_message_bytes = 2000};

class Inbox final : public MessageHandler {
 public:
  void OnMessage(uint16_t, std::span<const uint8_t> message) override {
    messages.emplace_back(message.begin(), message.end());
  }
  std::vector<std::string> messages;
};

class Wire final : public FrameSink {
 public:
  void SendFrame(uint16_t, std::span<const uint8_t> frame) override { frames.emplace_back(frame.begin(), frame.end()); }
  std::vector<Bytes> frames;
};

std::span<const uint8_t> BytesOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

struct Pair {
  explicit Pair(const ChannelConfig& config = kConfig) : a{1, 2, config}, b{2, 1, config} {
    a.Reset(10, 20);
    b.Reset(20, 10);
  }
  void Deliver(Channel* to, Wire* from, Inbox* inbox, uint64_t now_ns) {
    for (const Bytes& frame : std::exchange(from->frames, {})) to->Receive(frame, now_ns, inbox);
  }
  // Everything under way arrives, both ways, until nothing more is said.
  void Settle(uint64_t now_ns) {
    do {
      a.Poll(now_ns, &to_b);
      b.Poll(now_ns, &to_a);
      Deliver(&b, &to_b, &at_b, now_ns);
      Deliver(&a, &to_a, &at_a, now_ns);
    } while (!(a.idle() && b.idle()));
  }
  Channel a, b;
  Wire to_a, to_b;
  Inbox at_a, at_b;
};

TEST(ChannelTest, SmallMessagesShareAFrame) {
  Pair pair;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pair.a.Send(BytesOf("message " + std::to_string(i))));
  pair.a.Poll(0, &pair.to_b);
  ASSERT_EQ(pair.to_b.frames.size(), 1u);
  pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, 0);
  EXPECT_EQ(pair.at_b.messages, (std::vector<std::string>{"message 0", "message 1", "message 2"}));
}

TEST(ChannelTest, AMessageLongerThanAFrameComesWhole) {
  Pair pair;
  std::string text(1999, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 26);
  EXPECT_TRUE(pair.a.Send(BytesOf(text)));
  EXPECT_TRUE(pair.a.Send(BytesOf("next")));
  pair.Settle(0);
  EXPECT_EQ(pair.at_b.messages, (std::vector<std::string>{text, "next"}));
}

TEST(ChannelTest, AFullQueuePushesBackAndTakesAgainWhatItSaidNoTo) {
  Pair pair;
  const std::string text(200, 'x');
  size_t taken = 0;
  while (pair.a.Send(BytesOf(text))) ++taken;
  EXPECT_EQ(taken, kConfig.send_frames);
  EXPECT_EQ(pair.a.counters().pushed_back, 1u);
  pair.Settle(0);
  EXPECT_EQ(pair.at_b.messages.size(), taken);
  EXPECT_TRUE(pair.a.Send(BytesOf(text)));
}

TEST(ChannelTest, NothingLongerThanTheLimitAndNothingEmptyIsTaken) {
  Pair pair;
  EXPECT_FALSE(pair.a.Send(BytesOf(std::string(2001, 'x'))));
  EXPECT_FALSE(pair.a.Send({}));
}

TEST(ChannelTest, AFrameThatIsLostComesAgainAfterThreeLaterOnes) {
  Pair pair;
  pair.a.Poll(0, &pair.to_b);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(pair.a.Send(BytesOf(std::to_string(i))));
    pair.a.Poll(0, &pair.to_b);
  }
  ASSERT_EQ(pair.to_b.frames.size(), 5u);
  pair.to_b.frames.erase(pair.to_b.frames.begin());
  pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, 100);
  EXPECT_TRUE(pair.at_b.messages.empty());
  pair.b.Poll(100, &pair.to_a);
  pair.Deliver(&pair.a, &pair.to_a, &pair.at_a, 200);
  pair.a.Poll(200, &pair.to_b);  // Long before a time-out.
  EXPECT_EQ(pair.to_b.frames.size(), 1u);
  pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, 300);
  EXPECT_EQ(pair.at_b.messages, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

// A link falls silent for a round trip otherwise, each time that a frame is lost.
TEST(ChannelTest, OthersGoOnWhileALostFrameIsOnItsWayAgain) {
  ChannelConfig config = kConfig;
  config.send_frames = 256;
  Pair pair(config);
  const std::string text(200, 'x');  // One in a frame.
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(pair.a.Send(BytesOf(text)));
  pair.a.Poll(0, &pair.to_b);
  ASSERT_EQ(pair.to_b.frames.size(), Channel::kUnderWay);
  pair.to_b.frames.erase(pair.to_b.frames.begin());
  pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, 100);
  pair.b.Poll(100, &pair.to_a);
  pair.Deliver(&pair.a, &pair.to_a, &pair.at_a, 200);
  pair.a.Poll(200, &pair.to_b);
  EXPECT_EQ(pair.to_b.frames.size(), Channel::kUnderWay);
  EXPECT_EQ(pair.a.counters().frames_repeated, 1u);
  // The lost one is the last to come; nothing of what came before needs to be sent again, however late it is.
  const Bytes lost = std::exchange(pair.to_b.frames.front(), {});
  pair.to_b.frames.erase(pair.to_b.frames.begin());
  pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, 300);
  EXPECT_TRUE(pair.at_b.messages.empty());
  pair.b.Receive(lost, 300, &pair.at_b);
  EXPECT_EQ(pair.at_b.messages.size(), 2 * Channel::kUnderWay - 1);
}

TEST(ChannelTest, WhatAnAckCannotTellOfWaitsForTheFirst) {
  ChannelConfig config = kConfig;
  config.send_frames = 256;
  Pair pair(config);
  const std::string text(200, 'x');
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(pair.a.Send(BytesOf(text)));
  // Of each turn's frames only the first of all is lost, time and again.
  for (uint64_t now_ns = 0; now_ns <= 200; now_ns += 100) {
    pair.a.Poll(now_ns, &pair.to_b);
    if (!pair.to_b.frames.empty()) pair.to_b.frames.erase(pair.to_b.frames.begin());
    pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, now_ns);
    pair.b.Poll(now_ns, &pair.to_a);
    pair.Deliver(&pair.a, &pair.to_a, &pair.at_a, now_ns);
  }
  const uint64_t sent = pair.a.counters().frames_sent;
  pair.a.Poll(10'000'000, &pair.to_b);  // Everything is overdue.
  EXPECT_EQ(pair.to_b.frames.size(), 1u);
  EXPECT_EQ(pair.a.counters().frames_sent, sent + 1);
  pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, 10'000'000);
  EXPECT_EQ(pair.at_b.messages.size(), Channel::kWindow - 1);
}

TEST(ChannelTest, TheLastFrameComesAgainAfterATimeOut) {
  Pair pair;
  EXPECT_TRUE(pair.a.Send(BytesOf("only")));
  pair.a.Poll(0, &pair.to_b);
  pair.to_b.frames.clear();
  pair.a.Poll(kConfig.first_timeout_ns - 1, &pair.to_b);
  EXPECT_TRUE(pair.to_b.frames.empty());
  pair.a.Poll(kConfig.first_timeout_ns, &pair.to_b);
  pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, kConfig.first_timeout_ns);
  EXPECT_EQ(pair.at_b.messages.size(), 1u);
}

TEST(ChannelTest, AFrameOfAnotherLifeIsRefused) {
  Pair pair;
  EXPECT_TRUE(pair.a.Send(BytesOf("before")));
  pair.a.Poll(0, &pair.to_b);
  pair.b.Reset(20, 11);
  pair.Deliver(&pair.b, &pair.to_b, &pair.at_b, 0);
  EXPECT_TRUE(pair.at_b.messages.empty());
  EXPECT_EQ(pair.b.counters().frames_refused, 1u);
}

TEST(ChannelTest, AfterAResetOnBothSidesItWorksAnew) {
  Pair pair;
  EXPECT_TRUE(pair.a.Send(BytesOf("forgotten")));
  pair.a.Reset(12, 20);
  pair.b.Reset(20, 12);
  EXPECT_TRUE(pair.a.Send(BytesOf("new")));
  pair.Settle(0);
  EXPECT_EQ(pair.at_b.messages, (std::vector<std::string>{"new"}));
}

TEST(ChannelTest, EveryFlippedBitIsRefused) {
  Pair pair;
  EXPECT_TRUE(pair.a.Send(BytesOf("whole")));
  pair.a.Poll(0, &pair.to_b);
  const Bytes good = pair.to_b.frames.at(0);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    pair.b.Receive(bad, 0, &pair.at_b);
    EXPECT_TRUE(pair.at_b.messages.empty()) << "bit " << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) pair.b.Receive(std::span(good).first(size), 0, &pair.at_b);
  EXPECT_TRUE(pair.at_b.messages.empty());
}

// Frames get lost, repeated, damaged and out of order; messages must come once, whole and in order, over the wrap of
// the sequence, both ways at once.
TEST(ChannelTest, AnyLinkGivesTheSameMessages) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    Pair pair;
    std::vector<std::string> said_by_a, said_by_b;
    std::multimap<uint64_t, std::pair<bool, Bytes>> under_way;  // By arrival; true: to b.
    const auto put = [&](Wire* wire, bool to_b, uint64_t now_ns) {
      for (Bytes& frame : std::exchange(wire->frames, {})) {
        for (uint32_t copies = random() % 10 == 0 ? 0 : 1 + (random() % 10 == 0); copies > 0; --copies) {
          Bytes copy = frame;
          if (random() % 20 == 0) copy[random() % copy.size()] ^= 0x10;
          under_way.emplace(now_ns + 1'000 + random() % 50'000, std::pair(to_b, std::move(copy)));
        }
      }
    };
    constexpr size_t kMessages = 400;
    uint64_t now_ns = 0;
    const auto done = [&] { return pair.at_b.messages.size() == kMessages && pair.at_a.messages.size() == kMessages; };
    for (; now_ns < 10'000'000'000 && !done(); now_ns += 5'000) {
      const auto speak = [&](Channel* channel, std::vector<std::string>* said) {
        if (said->size() == kMessages) return;
        std::string text = std::to_string(said->size()) + std::string(random() % 4 == 0 ? random() % 1500 : 5, '.');
        if (channel->Send(BytesOf(text))) said->push_back(std::move(text));
      };
      speak(&pair.a, &said_by_a);
      speak(&pair.b, &said_by_b);
      pair.a.Poll(now_ns, &pair.to_b);
      pair.b.Poll(now_ns, &pair.to_a);
      put(&pair.to_b, true, now_ns);
      put(&pair.to_a, false, now_ns);
      while (!under_way.empty() && under_way.begin()->first <= now_ns) {
        const auto [to_b, frame] = under_way.begin()->second;
        under_way.erase(under_way.begin());
        (to_b ? pair.b : pair.a).Receive(frame, now_ns, to_b ? &pair.at_b : &pair.at_a);
      }
    }
    EXPECT_EQ(pair.at_b.messages, said_by_a);
    EXPECT_EQ(pair.at_a.messages, said_by_b);
  }
}

}  // namespace
}  // namespace nf::proto
