#include "base/utf16.h"

namespace nf {
namespace {

constexpr uint32_t kReplacement = 0xfffd;

void Append(std::string& out, uint32_t point) {
  auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  auto tail = [&put](uint32_t bits) { put(0x80 | (bits & 0x3f)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6), tail(point);
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12), tail(point >> 6), tail(point);
  } else {
    put(0xf0 | point >> 18), tail(point >> 12), tail(point >> 6), tail(point);
  }
}

bool IsControl(uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x200b && point <= 0x200f) ||
         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

}  // namespace

std::string Utf8FromUtf16(std::span<const uint8_t> text) {
  std::string out;
  size_t units = text.size() / 2;
  auto unit = [&text](size_t i) { return static_cast<uint32_t>(text[2 * i] | text[2 * i + 1] << 8); };
  for (size_t i = 0; i < units; ++i) {
    uint32_t point = unit(i);
    if (point >= 0xd800 && point < 0xe000) {
      bool pair = point < 0xdc00 && i + 1 < units && (unit(i + 1) & 0xfc00) == 0xdc00;
      point = pair ? 0x10000 + ((point & 0x3ff) << 10) + (unit(++i) & 0x3ff) : kReplacement;
    }
    Append(out, IsControl(point) ? '?' : point);
  }
  return out;
}

}  // namespace nf
