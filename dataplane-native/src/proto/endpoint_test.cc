#include "proto/endpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace nf::proto {
namespace {

constexpr ChannelConfig kConfig{.frame_bytes = 512, .send_frames = 64, .max_message_bytes = 2000};

class Inbox final : public MessageHandler {
 public:
  void OnMessage(uint16_t, std::span<const uint8_t> bytes) override {
    const auto message = DecodeMessage(bytes);
    ASSERT_TRUE(message);
    types.push_back(message->type());
    records += message->count();
  }
  std::vector<MessageType> types;
  uint32_t records = 0;
};

class Wire final : public FrameSink {
 public:
  void SendFrame(uint16_t, std::span<const uint8_t> frame) override { frames.emplace_back(frame.begin(), frame.end()); }
  std::vector<std::vector<uint8_t>> frames;
};

class EndpointTest : public testing::Test {
 protected:
  EndpointTest() {
    a.SetOwnIncarnation(10);
    b.SetOwnIncarnation(11);
    a.SetPeer(1, 11);
    b.SetPeer(0, 10);
  }
  void AToB() {
    Wire wire;
    a.Poll(0, &wire);
    for (const auto& frame : wire.frames) b.Receive(0, frame, 0, &inbox);
    Wire back;
    b.Poll(0, &back);
    for (const auto& frame : back.frames) a.Receive(1, frame, 0, &inbox);
  }
  Endpoint a{0, 3, kConfig};
  Endpoint b{1, 3, kConfig};
  Inbox inbox;
};

TEST_F(EndpointTest, FramesToWhomTheWayIsNarrowAreShorterWhateverIsSaid) {
  constexpr uint32_t kNarrow = 128;
  a.SetPeer(1, 0);
  a.SetPeer(1, 11, kNarrow);
  a.SetPeer(2, 12);
  const std::vector<uint8_t> state(1000, 7);
  FullRecord record{};
  record.bytes = static_cast<uint32_t>(state.size());
  for (uint16_t peer : {1, 2}) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(a.Say(peer, MessageType::kOpened, Note{}));
    EXPECT_TRUE(a.Say(peer, MessageType::kFull, {reinterpret_cast<const uint8_t*>(&record), sizeof record}, state));
  }
  uint32_t wide = 0;
  for (int round = 0; round < 100 && inbox.records < 21; ++round) {
    Wire wire;
    a.Poll(0, &wire);
    for (const auto& frame : wire.frames) {
      FrameHeader header;
      std::memcpy(&header, frame.data(), sizeof header);
      if (header.destination == 2) {
        wide = std::max(wide, static_cast<uint32_t>(frame.size()));
        continue;
      }
      EXPECT_LE(frame.size(), kNarrow);
      b.Receive(0, frame, 0, &inbox);
    }
    Wire back;
    b.Poll(0, &back);
    for (const auto& frame : back.frames) a.Receive(1, frame, 0, &inbox);
  }
  EXPECT_EQ(inbox.records, 21u);
  EXPECT_EQ(inbox.types.back(), MessageType::kFull);
  EXPECT_GT(wide, kNarrow);
}

TEST_F(EndpointTest, RecordsOfOneTypeShareAMessageAndTheirOrderStays) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(a.Say(1, MessageType::kOpened, Note{}));
  EXPECT_TRUE(a.Say(1, MessageType::kRefused, Note{}));
  EXPECT_TRUE(a.Say(1, MessageType::kOpened, Note{}));
  AToB();
  EXPECT_EQ(inbox.types, (std::vector{MessageType::kOpened, MessageType::kRefused, MessageType::kOpened}));
  EXPECT_EQ(inbox.records, 7u);
  EXPECT_TRUE(a.idle());
}

TEST_F(EndpointTest, AMessageGrowsNoLongerThanAFrame) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(a.Say(1, MessageType::kOpened, Note{}));
  AToB();
  EXPECT_EQ(inbox.records, 100u);
  EXPECT_EQ(inbox.types.size(), 4u);
}

TEST_F(EndpointTest, NobodyUnknownDeadOrItselfIsSpokenTo) {
  EXPECT_FALSE(a.Say(2, MessageType::kOpened, Note{}));
  EXPECT_FALSE(a.Say(9, MessageType::kOpened, Note{}));
  EXPECT_FALSE(a.Say(0, MessageType::kOpened, Note{}));
  a.SetPeer(1, 0);
  EXPECT_FALSE(a.Say(1, MessageType::kOpened, Note{}));
}

TEST_F(EndpointTest, ToBeToldAgainWhatIsKnownChangesNothing) {
  EXPECT_TRUE(a.Say(1, MessageType::kOpened, Note{}));
  AToB();
  b.SetPeer(0, 10);
  EXPECT_TRUE(a.Say(1, MessageType::kOpened, Note{}));
  AToB();
  EXPECT_EQ(inbox.records, 2u);
}

TEST_F(EndpointTest, ANewLifeForgetsWhatWasUnderWay) {
  EXPECT_TRUE(a.Say(1, MessageType::kOpened, Note{}));
  a.SetPeer(1, 12);
  EXPECT_TRUE(a.idle());
  b.SetOwnIncarnation(12);
  EXPECT_TRUE(a.Say(1, MessageType::kRefused, Note{}));
  AToB();
  EXPECT_EQ(inbox.types, std::vector{MessageType::kRefused});
}

}  // namespace
}  // namespace nf::proto
