// Also what the decoder promises for any bytes: each case lies in a buffer of exactly its size, so that the sanitizer
// build sees every read too far. The seed is fixed.
#include "proto/messages.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace nf::proto {
namespace {

using Bytes = std::vector<uint8_t>;

template <typename T>
void Append(Bytes* to, const T& value) {
  const size_t at = to->size();
  to->resize(at + sizeof value);
  std::memcpy(to->data() + at, &value, sizeof value);
}

template <typename Record>
Bytes MessageOf(MessageType type, const std::vector<Record>& records) {
  Bytes bytes;
  Append(&bytes, MessageHeader{.type = type,
                               .zero = 0,
                               .count = static_cast<uint16_t>(records.size()),
                               .bytes = static_cast<uint32_t>(records.size() * sizeof(Record))});
  for (const Record& record : records) Append(&bytes, record);
  return bytes;
}

Bytes StateMessage(const std::vector<Bytes>& states) {
  Bytes body;
  for (const Bytes& state : states) {
    StateRecord record{};
    record.handle = static_cast<uint32_t>(state.size());
    record.bytes = static_cast<uint32_t>(state.size());
    Append(&body, record);
    body.insert(body.end(), state.begin(), state.end());
  }
  Bytes bytes;
  Append(&bytes, MessageHeader{.type = MessageType::kState,
                               .zero = 0,
                               .count = static_cast<uint16_t>(states.size()),
                               .bytes = static_cast<uint32_t>(body.size())});
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

std::optional<Message> DecodeExact(const Bytes& bytes, std::unique_ptr<uint8_t[]>* keep) {
  keep->reset(new uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), keep->get());
  return DecodeMessage({keep->get(), bytes.size()});
}

bool Decodes(const Bytes& bytes) {
  std::unique_ptr<uint8_t[]> keep;
  return DecodeExact(bytes, &keep).has_value();
}

TEST(MessagesTest, ManyFlowsShareAMessage) {
  const std::vector<Note> notes{{{1, 2, 3}, 4}, {{5, 6, 7}, 8}};
  const Bytes bytes = MessageOf(MessageType::kOpened, notes);
  const auto message = DecodeMessage(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->type(), MessageType::kOpened);
  ASSERT_EQ(message->count(), 2u);
  EXPECT_EQ(message->At<Note>(1).id, (MigrationId{5, 6, 7}));
  EXPECT_EQ(message->At<Note>(1).value, 8u);
}

TEST(MessagesTest, StatesOfDifferentSizesComeOneAfterTheOther) {
  const Bytes bytes = StateMessage({Bytes(3, 'a'), {}, Bytes(700, 'b')});
  auto message = DecodeMessage(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->Next<StateRecord>()->bytes.size(), 3u);
  EXPECT_EQ(message->Next<StateRecord>()->bytes.size(), 0u);
  const auto last = message->Next<StateRecord>();
  EXPECT_EQ(last->bytes.size(), 700u);
  EXPECT_EQ(last->bytes[699], 'b');
  EXPECT_FALSE(message->Next<StateRecord>());
}

TEST(MessagesTest, EveryWrongLengthIsRefused) {
  for (const Bytes& good :
       {MessageOf<Note>(MessageType::kAsk, {{}, {}}), MessageOf<OpenRecord>(MessageType::kOpen, {{}}),
        MessageOf<RouteRecord>(MessageType::kRoute, {{}}), StateMessage({Bytes(5), Bytes(9)})}) {
    EXPECT_TRUE(Decodes(good));
    for (size_t size = 0; size < good.size(); ++size)
      EXPECT_FALSE(Decodes(Bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(size))));
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_FALSE(Decodes(longer));
  }
}

TEST(MessagesTest, NoRecordsUnknownTypesAndStrayBitsAreRefused) {
  EXPECT_FALSE(Decodes(MessageOf<Note>(MessageType::kAsk, {})));
  EXPECT_FALSE(Decodes(MessageOf<Note>(static_cast<MessageType>(0), {{}})));
  EXPECT_FALSE(Decodes(MessageOf<Note>(static_cast<MessageType>(99), {{}})));
  Bytes stray = MessageOf<Note>(MessageType::kAsk, {{}});
  stray[1] = 1;
  EXPECT_FALSE(Decodes(stray));
  Bytes route = MessageOf<RouteRecord>(MessageType::kRoute, {{}});
  route[sizeof(MessageHeader) + offsetof(RouteRecord, target) + 2] = 1;
  EXPECT_FALSE(Decodes(route));
  // A key with stray bits would be found by no packet.
  Bytes open = MessageOf<OpenRecord>(MessageType::kOpen, {{}});
  open[sizeof(MessageHeader) + offsetof(OpenRecord, key) + offsetof(FlowKey, zero_1)] = 1;
  EXPECT_FALSE(Decodes(open));
}

TEST(MessagesTest, AStateThatClaimsMoreBytesThanThereAreIsRefused) {
  Bytes bytes = StateMessage({Bytes(8)});
  const uint32_t huge = 0xfffffff0;
  std::memcpy(bytes.data() + sizeof(MessageHeader) + offsetof(StateRecord, bytes), &huge, sizeof huge);
  EXPECT_FALSE(Decodes(bytes));
}

TEST(MessagesFuzz, WhateverDecodesHasItsRecordsWithinItsBytes) {
  constexpr uint32_t kSeed = 20;
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const std::vector<Bytes> seeds{
      MessageOf<Note>(MessageType::kCancel, {{}, {}, {}}), MessageOf<OpenRecord>(MessageType::kOpen, {{}, {}}),
      MessageOf<RouteRecord>(MessageType::kRoute, {{}, {}}), StateMessage({Bytes(5), {}, Bytes(90)})};
  int decoded = 0;
  for (int round = 0; round < 200'000; ++round) {
    Bytes bytes = seeds[random() % seeds.size()];
    for (uint32_t change = random() % 4; change > 0; --change) bytes[random() % bytes.size()] ^= 1u << (random() % 8);
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 20), static_cast<uint8_t>(random()));
    std::unique_ptr<uint8_t[]> keep;
    auto message = DecodeExact(bytes, &keep);
    if (!message) continue;
    ++decoded;
    ASSERT_GT(message->count(), 0u);
    uint64_t sum = 0;
    if (message->type() == MessageType::kState) {
      uint32_t states = 0;
      while (const auto state = message->Next<StateRecord>()) {
        ++states;
        for (const uint8_t byte : state->bytes) sum += byte;
      }
      ASSERT_EQ(states, message->count());
    } else {
      const uint32_t last = message->count() - 1;
      if (message->type() == MessageType::kOpen)
        sum += message->At<OpenRecord>(last).key.source_port;
      else if (message->type() == MessageType::kRoute)
        sum += message->At<RouteRecord>(last).target.incarnation;
      else
        sum += message->At<Note>(last).value;
    }
    ASSERT_LT(sum, UINT64_MAX);
  }
  EXPECT_GT(decoded, 1000);
}

}  // namespace
}  // namespace nf::proto
