#include "base/utf16.h"

#include <gtest/gtest.h>

#include <vector>

namespace nf {
namespace {

std::string Convert(std::u16string_view text) {
  std::vector<uint8_t> bytes;
  for (char16_t unit : text) bytes.push_back(unit & 0xff), bytes.push_back(unit >> 8);
  return Utf8FromUtf16(bytes);
}

TEST(Utf16, EveryLengthOfUtf8) { EXPECT_EQ(Convert(u"a\u00e9\u20ac\U0001f600"), "a\u00e9\u20ac\U0001f600"); }

TEST(Utf16, LoneSurrogatesAreReplaced) {
  const char16_t text[] = {0xd800, 'x', 0xdc00, 0xd83d};
  EXPECT_EQ(Convert({text, 4}), "\ufffdx\ufffd\ufffd");
}

TEST(Utf16, ControlCharactersDoNotReachATerminal) { EXPECT_EQ(Convert(u"a\u001b[31m\n\u202eb"), "a?[31m??b"); }

TEST(Utf16, OddLastByteIsIgnored) {
  std::vector<uint8_t> bytes = {'a', 0, 'b'};
  EXPECT_EQ(Utf8FromUtf16(bytes), "a");
}

}  // namespace
}  // namespace nf
