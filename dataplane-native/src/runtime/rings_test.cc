// The two rings between the lcore and control threads. Run under ThreadSanitizer too.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "runtime/command.h"
#include "runtime/command_ring.h"
#include "runtime/event_ring.h"

namespace nf {
namespace {

TEST(CommandRingTest, GivesCommandsInOrderAndSaysWhenItIsFull) {
  CommandRing ring;
  std::vector<Command> commands(17);
  EXPECT_EQ(ring.Front(), nullptr);
  for (uint32_t round = 0; round < 5; ++round) {
    for (uint32_t i = 0; i < 16; ++i) EXPECT_TRUE(ring.Push(&commands[i]));
    EXPECT_FALSE(ring.Push(&commands[16]));
    for (uint32_t i = 0; i < 16; ++i) {
      EXPECT_EQ(ring.Front(), &commands[i]);
      EXPECT_EQ(ring.Front(), &commands[i]);  // It stays until it is popped.
      ring.Pop();
    }
    EXPECT_EQ(ring.Front(), nullptr);
  }
}

TEST(CommandRingTest, HandsOverWhatTheCommandHolds) {
  constexpr uint32_t kCommands = 20'000;
  CommandRing ring;
  std::vector<Command> commands(kCommands);
  std::thread lcore([&] {
    for (uint32_t i = 0; i < kCommands;) {
      Command* command = ring.Front();
      if (command == nullptr) continue;
      command->count = command->cursor + 1;
      ring.Pop();
      command->done.store(true, std::memory_order_release);
      ++i;
    }
  });
  for (uint32_t i = 0; i < kCommands; ++i) {
    commands[i].cursor = i;
    while (!ring.Push(&commands[i])) {
    }
  }
  for (uint32_t i = 0; i < kCommands; ++i) {
    while (!commands[i].done.load(std::memory_order_acquire)) {
    }
    ASSERT_EQ(commands[i].count, i + 1);
  }
  lcore.join();
}

std::vector<uint8_t> RecordOf(uint32_t number, size_t bytes) {
  std::vector<uint8_t> record(bytes);
  for (size_t i = 0; i < bytes; ++i) record[i] = static_cast<uint8_t>(number + i);
  return record;
}
bool Write(EventRing& ring, const std::vector<uint8_t>& record, size_t cut) {
  const std::span<const uint8_t> all(record);
  const std::span<const uint8_t> parts[] = {all.first(cut), {}, all.subspan(cut)};
  return ring.Write(parts);
}

TEST(EventRingTest, TakesARecordWholeOrNotAtAll) {
  EventRing ring(4096);
  std::vector<uint8_t> record;
  EXPECT_FALSE(ring.Read(&record));
  for (uint32_t round = 0; round < 50; ++round) {
    uint32_t written = 0;
    while (Write(ring, RecordOf(written, 301), written % 301)) ++written;
    EXPECT_EQ(written, 4096 / 305);
    EXPECT_FALSE(ring.empty());
    for (uint32_t i = 0; i < written; ++i) {
      ASSERT_TRUE(ring.Read(&record));
      EXPECT_EQ(record, RecordOf(i, 301));
    }
    EXPECT_FALSE(ring.Read(&record));
    EXPECT_TRUE(ring.empty());
  }
  EXPECT_FALSE(Write(ring, RecordOf(0, 5000), 7));  // Never fits.
  EXPECT_TRUE(Write(ring, {}, 0));
  EXPECT_TRUE(ring.Read(&record));
  EXPECT_TRUE(record.empty());
}

TEST(EventRingTest, NothingIsLostOrTornBetweenThreads) {
  constexpr uint32_t kRecords = 50'000;
  EventRing ring(4096);
  std::thread lcore([&ring] {
    std::mt19937 random(7);
    for (uint32_t i = 0; i < kRecords; ++i) {
      const auto record = RecordOf(i, 1 + random() % 400);
      while (!Write(ring, record, record.size() / 2)) {
      }
    }
  });
  std::mt19937 random(7);
  std::vector<uint8_t> record;
  for (uint32_t i = 0; i < kRecords; ++i) {
    while (!ring.Read(&record)) {
    }
    ASSERT_EQ(record, RecordOf(i, 1 + random() % 400)) << i;
  }
  lcore.join();
}

}  // namespace
}  // namespace nf
