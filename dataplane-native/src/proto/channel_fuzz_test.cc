// Frames of whoever may put something on the link. Each lies in a buffer of exactly its size, so that the sanitizer
// build sees every read too far.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "proto/channel.h"

namespace nf::proto {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr ChannelConfig kConfig{.frame_bytes = 300, .send_frames = 64, .max_message_bytes = 2000};

class Inbox final : public MessageHandler {
 public:
  void OnMessage(uint16_t, std::span<const uint8_t> message) override {
    messages.emplace_back(message.begin(), message.end());
  }
  std::vector<Bytes> messages;
};

class Wire final : public FrameSink {
 public:
  void SendFrame(uint16_t, std::span<const uint8_t> frame) override { frames.emplace_back(frame.begin(), frame.end()); }
  std::vector<Bytes> frames;
};

struct Pair {
  Pair() {
    a.Reset(10, 20);
    b.Reset(20, 10);
  }
  Channel a{1, 2, kConfig}, b{2, 1, kConfig};
  Wire to_a, to_b;
  Inbox at_a, at_b;
};

void ReceiveExact(Channel* channel, const Bytes& frame, uint64_t now_ns, Inbox* inbox) {
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[frame.size()]);
  std::copy(frame.begin(), frame.end(), exact.get());
  channel->Receive({exact.get(), frame.size()}, now_ns, inbox);
}

FrameHeader HeaderOf(const Bytes& frame) {
  FrameHeader header;
  std::memcpy(&header, frame.data(), sizeof header);
  return header;
}

Bytes Sealed(Bytes frame, const FrameHeader& header) {
  std::memcpy(frame.data(), &header, sizeof header);
  SealFrame(frame);
  return frame;
}

// Made from a good frame; wrong in one respect, though most have the right sum.
Bytes Wrong(const Bytes& good, std::mt19937* random) {
  FrameHeader header = HeaderOf(good);
  Bytes frame = good;
  switch ((*random)() % 12) {
    case 0:
      frame.resize((*random)() % frame.size());
      return frame;
    case 1:
      frame[(*random)() % frame.size()] ^= static_cast<uint8_t>(1u << ((*random)() % 8));
      return frame;
    case 2:  // Longer than it says.
      frame.resize(frame.size() + 1 + (*random)() % 2000);
      return Sealed(frame, header);
    case 3:  // Longer than any.
      frame.resize(kConfig.frame_bytes + 1 + (*random)() % 2000);
      header.bytes = static_cast<uint32_t>(frame.size() - sizeof header);
      header.flags = kFrameHasData;
      return Sealed(frame, header);
    case 4:
      header.source ^= static_cast<uint16_t>(1u << ((*random)() % 16));
      return Sealed(frame, header);
    case 5:
      header.destination ^= static_cast<uint16_t>(1u << ((*random)() % 16));
      return Sealed(frame, header);
    case 6:
      header.source_incarnation ^= 1u << ((*random)() % 32);
      return Sealed(frame, header);
    case 7:
      header.destination_incarnation ^= 1u << ((*random)() % 32);
      return Sealed(frame, header);
    case 8:
      header.version ^= static_cast<uint8_t>(1u << ((*random)() % 8));
      return Sealed(frame, header);
    case 9:
      header.flags ^= static_cast<uint8_t>(1u << ((*random)() % 8));
      return Sealed(frame, header);
    case 10:  // Beyond the window.
      frame.resize(sizeof header + 1 + (*random)() % 100);
      header.bytes = static_cast<uint32_t>(frame.size() - sizeof header);
      header.flags = kFrameHasData;
      header.sequence += 2 * Channel::kWindow + (*random)() % 1'000'000;
      header.selective = (*random)();
      return Sealed(frame, header);
    default:
      frame.resize((*random)() % 400);
      for (uint8_t& byte : frame) byte = static_cast<uint8_t>((*random)());
      return frame;
  }
}

// Two pairs that do the same; one is shown wrong frames besides. What it says and hears must not differ by a byte.
TEST(ChannelFuzz, WhatIsRefusedChangesNothing) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    Pair pair, twin;
    uint64_t wrong = 0;
    for (uint64_t now_ns = 0; now_ns < 5'000'000; now_ns += 10'000) {
      for (uint32_t count = random() % 4; count > 0; --count) {
        Bytes message(1 + random() % (random() % 8 == 0 ? 1500 : 60));
        for (uint8_t& byte : message) byte = static_cast<uint8_t>(random());
        const bool from_a = random() % 2 != 0;
        const bool taken = (from_a ? pair.a : pair.b).Send(message);
        ASSERT_EQ((from_a ? twin.a : twin.b).Send(message), taken);
      }
      pair.a.Poll(now_ns, &pair.to_b);
      twin.a.Poll(now_ns, &twin.to_b);
      pair.b.Poll(now_ns, &pair.to_a);
      twin.b.Poll(now_ns, &twin.to_a);
      ASSERT_EQ(pair.to_b.frames, twin.to_b.frames);
      ASSERT_EQ(pair.to_a.frames, twin.to_a.frames);
      const auto deliver = [&](Wire* wire, Wire* twin_wire, Channel* to, Channel* twin_to, Inbox* inbox,
                               Inbox* twin_inbox) {
        twin_wire->frames.clear();
        for (const Bytes& frame : std::exchange(wire->frames, {})) {
          for (uint32_t count = random() % 3; count > 0; --count, ++wrong)
            ReceiveExact(to, Wrong(frame, &random), now_ns, inbox);
          if (random() % 10 == 0) continue;  // Lost, so that there are gaps.
          ReceiveExact(to, frame, now_ns, inbox);
          ReceiveExact(twin_to, frame, now_ns, twin_inbox);
        }
      };
      deliver(&pair.to_b, &twin.to_b, &pair.b, &twin.b, &pair.at_b, &twin.at_b);
      deliver(&pair.to_a, &twin.to_a, &pair.a, &twin.a, &pair.at_a, &twin.at_a);
      ASSERT_EQ(pair.at_a.messages, twin.at_a.messages);
      ASSERT_EQ(pair.at_b.messages, twin.at_b.messages);
    }
    EXPECT_EQ(pair.a.counters().frames_refused + pair.b.counters().frames_refused, wrong);
    EXPECT_EQ(twin.a.counters().frames_refused + twin.b.counters().frames_refused, 0u);
    EXPECT_GT(wrong, 500u);
    EXPECT_GT(pair.at_b.messages.size(), 100u);
  }
}

// Replayed, reordered, or changed by somebody who knows the sum: whatever comes of it, it stays within bounds, every
// frame is counted once, and with the next life all is forgotten.
TEST(ChannelFuzz, NothingThatComesLeavesTheBounds) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    Pair pair;
    std::vector<Bytes> seen;
    uint64_t shown = 0;
    for (uint64_t now_ns = 0; now_ns < 3'000'000; now_ns += 10'000) {
      for (uint32_t count = random() % 4; count > 0; --count)
        static_cast<void>(pair.a.Send(Bytes(1 + random() % (random() % 4 == 0 ? 1999 : 60), 'a')));
      pair.a.Poll(now_ns, &pair.to_b);
      pair.b.Poll(now_ns, &pair.to_a);
      for (Bytes& frame : std::exchange(pair.to_b.frames, {})) seen.push_back(std::move(frame));
      for (Bytes& frame : std::exchange(pair.to_a.frames, {})) ReceiveExact(&pair.a, frame, now_ns, &pair.at_a);
      for (uint32_t count = seen.empty() ? 0 : 1 + random() % 6; count > 0; --count, ++shown) {
        Bytes frame = seen[random() % 2 == 0 ? seen.size() - 1 : random() % seen.size()];
        if (random() % 2 == 0) {
          for (uint32_t change = 1 + random() % 6; change > 0; --change)
            frame[sizeof(FrameHeader) + random() % (frame.size() - sizeof(FrameHeader))] =
                static_cast<uint8_t>(random() % 3 == 0 ? random() : random() % 4);
          FrameHeader header = HeaderOf(frame);
          if (random() % 4 == 0) header.sequence += random() % (2 * Channel::kWindow);
          if (random() % 4 == 0) header.ack += random() % (2 * Channel::kWindow) - Channel::kWindow;
          if (random() % 4 == 0) header.window = static_cast<uint16_t>(random());
          if (random() % 4 == 0) header.selective = uint64_t{random()} << 32 | random();
          frame = Sealed(frame, header);
        }
        ReceiveExact(&pair.b, frame, now_ns, &pair.at_b);
      }
      for (const Bytes& message : std::exchange(pair.at_b.messages, {}))
        ASSERT_LE(message.size(), kConfig.max_message_bytes);
    }
    EXPECT_EQ(pair.b.counters().frames_received + pair.b.counters().frames_refused, shown);
    pair.a.Reset(11, 21);
    pair.b.Reset(21, 11);
    EXPECT_TRUE(pair.a.Send(Bytes{'n', 'e', 'w'}));
    pair.a.Poll(0, &pair.to_b);
    for (const Bytes& frame : pair.to_b.frames) ReceiveExact(&pair.b, frame, 0, &pair.at_b);
    EXPECT_EQ(pair.at_b.messages, (std::vector<Bytes>{{'n', 'e', 'w'}}));
  }
}

}  // namespace
}  // namespace nf::proto
