#include "proto/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

namespace nf::proto {
namespace {

uint32_t Of(std::string_view text) { return Crc32c({reinterpret_cast<const uint8_t*>(text.data()), text.size()}); }

// By the definition, bit for bit.
uint32_t Slowly(std::span<const uint8_t> bytes) {
  uint32_t crc = 0xffffffff;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

// RFC 3720, appendix B.4, and the usual check.
TEST(Crc32cTest, KnownSums) {
  EXPECT_EQ(Of("123456789"), 0xe3069283u);
  EXPECT_EQ(Of(std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32)), 0x8a9136aau);
  EXPECT_EQ(Of(""), 0u);
}

TEST(Crc32cTest, EveryLengthIsSummedByItsDefinition) {
  std::mt19937 random(1);
  std::vector<uint8_t> bytes(7000);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  for (size_t size = 0; size <= bytes.size(); size += size < 1500 ? 1 : 97)
    ASSERT_EQ(Crc32c(std::span(bytes).first(size)), Slowly(std::span(bytes).first(size))) << size << " bytes";
}

TEST(Crc32cTest, PartsAreSummedOneAfterTheOther) {
  std::vector<uint8_t> bytes(3000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  const auto all = std::span(bytes);
  for (const size_t cut : {0u, 1u, 127u, 128u, 1000u, 2999u})
    EXPECT_EQ(Crc32c(all.subspan(cut), Crc32c(all.first(cut))), Crc32c(all)) << "cut at " << cut;
}

}  // namespace
}  // namespace nf::proto
