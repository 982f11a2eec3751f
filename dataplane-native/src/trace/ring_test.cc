#include "trace/ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace nf {
namespace {

bool Put(TraceRing* ring, uint16_t number, uint16_t captured) {
  TraceRecord record{};
  record.hop = TraceHop::kIn;
  record.number = number;
  record.captured = captured;
  record.bytes = TraceRing::RoomFor(captured);
  uint8_t* to = ring->Reserve(record.bytes);
  if (to == nullptr) return false;
  std::memcpy(to, &record, sizeof record);
  std::memset(to + sizeof record, number & 0xff, captured);
  ring->Commit();
  return true;
}

// Its number; 0: there is none. Every byte of its frame is what was put there.
uint16_t Take(TraceRing* ring) {
  const TraceRecord* record = ring->Front();
  if (record == nullptr) return 0;
  const auto* frame = reinterpret_cast<const uint8_t*>(record) + sizeof *record;
  for (uint32_t i = 0; i < record->captured; ++i) EXPECT_EQ(frame[i], record->number & 0xff);
  const uint16_t number = record->number;
  ring->Pop(record);
  return number;
}

TEST(TraceRingTest, WhatIsFullTakesNothingAndHasRoomAgainOnceItIsRead) {
  TraceRing ring(1024);
  uint16_t put = 0;
  while (Put(&ring, static_cast<uint16_t>(put + 1), 100)) ++put;
  EXPECT_EQ(put, 1024 / TraceRing::RoomFor(100));
  EXPECT_EQ(Take(&ring), 1);
  EXPECT_TRUE(Put(&ring, ++put, 10));
  for (uint16_t number = 2; number <= put; ++number) EXPECT_EQ(Take(&ring), number);
  EXPECT_EQ(Take(&ring), 0);
  EXPECT_EQ(ring.free(), 1024u);
}

TEST(TraceRingTest, RecordsOfAllLengthsComeThroughWholeAndInOrder) {
  TraceRing ring(4096);
  constexpr uint16_t kRecords = 60'000;
  std::thread lcore([&ring] {
    for (uint16_t number = 1; number <= kRecords;) {
      if (Put(&ring, number, static_cast<uint16_t>(number * 37 % 1500))) ++number;
    }
  });
  for (uint16_t expected = 1; expected <= kRecords;) {
    const uint16_t number = Take(&ring);
    if (number == 0) continue;
    ASSERT_EQ(number, expected++);
  }
  lcore.join();
}

}  // namespace
}  // namespace nf
