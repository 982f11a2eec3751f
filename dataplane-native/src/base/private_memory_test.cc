#include "base/private_memory.h"

#include <gtest/gtest.h>

#include "base/huge_pages.h"

namespace nf {
namespace {

TEST(PrivateMemory, IsZeroAndRoundedUpToPages) {
  auto memory = PrivateMemory::Create("a test", 5000);
  ASSERT_TRUE(memory.has_value());
  ASSERT_EQ(memory->bytes(), 8192u);
  for (size_t i = 0; i < memory->bytes(); ++i) ASSERT_EQ(memory->data()[i], 0);
}

TEST(PrivateMemory, LargeMemoryBeginsWhereAHugePageCan) {
  // Not a whole number of huge pages; written from end to end, and its neighbours are not touched by giving it back.
  const size_t bytes = 3 * kHugePageBytes + 5000;
  for (int round = 0; round < 3; ++round) {
    auto memory = PrivateMemory::Create("a test", bytes);
    ASSERT_TRUE(memory.has_value());
    EXPECT_GE(memory->bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % kHugePageBytes, 0u);
    for (size_t i = 0; i < memory->bytes(); i += 64) ASSERT_EQ(memory->data()[i]++, 0);
  }
}

TEST(PrivateMemory, Moves) {
  auto made = PrivateMemory::Create("a test", 4096);
  ASSERT_TRUE(made.has_value());
  made->data()[1] = 5;
  PrivateMemory moved = std::move(*made);
  EXPECT_EQ(moved.data()[1], 5);
  EXPECT_EQ(made->data(), nullptr);
}

TEST(PrivateMemory, TooMuchIsAnErrorWithTheFigure) {
  auto memory = PrivateMemory::Create("a test", size_t{1} << 50);
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error().code, ErrorCode::kEalMemory);
  EXPECT_NE(memory.error().message.find("a test: 1125899906842624 bytes"), std::string::npos) << memory.error().message;
}

}  // namespace
}  // namespace nf
