#include "proto/crc32c.h"

#include <wmmintrin.h>

#include <algorithm>
#include <array>

namespace nf::proto {
namespace {

constexpr size_t kLaneWords = 128;  // At most.

// x^(64 n - 33) modulo the polynomial, bits reflected. A sum of what lies n words before the end counts as its product
// with x^(64 n); that of two reflected numbers comes out multiplied by x, and the instruction multiplies by x^32.
constexpr auto kShift = [] {
  std::array<uint32_t, 2 * kLaneWords + 1> shift{};
  uint32_t power = 0x80000000;
  for (size_t exponent = 1; exponent <= 64 * (shift.size() - 1) - 33; ++exponent) {
    power = power >> 1 ^ (power & 1 ? 0x82f63b78u : 0);
    if ((exponent + 33) % 64 == 0) shift[(exponent + 33) / 64] = power;
  }
  return shift;
}();

uint64_t Shifted(uint64_t crc, size_t words) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<int64_t>(crc)),
                                               _mm_cvtsi32_si128(static_cast<int>(kShift[words])), 0);
  return _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(product)));
}

uint64_t WordAt(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

}  // namespace

uint32_t Crc32cLong(std::span<const uint8_t> bytes, uint32_t seed) {
  uint32_t crc = ~seed;
  while (bytes.size() >= kCrc32cLongBytes) {
    const size_t words = std::min(bytes.size() / 24, kLaneWords);
    const uint8_t* a = bytes.data();
    const uint8_t *b = a + 8 * words, *c = b + 8 * words;
    uint64_t sum_a = crc, sum_b = 0, sum_c = 0;
    for (size_t i = 0; i < 8 * words; i += 8) {
      sum_a = _mm_crc32_u64(sum_a, WordAt(a + i));
      sum_b = _mm_crc32_u64(sum_b, WordAt(b + i));
      sum_c = _mm_crc32_u64(sum_c, WordAt(c + i));
    }
    crc = static_cast<uint32_t>(Shifted(sum_a, 2 * words) ^ Shifted(sum_b, words) ^ sum_c);
    bytes = bytes.subspan(24 * words);
  }
  return Crc32c(bytes, ~crc);
}

}  // namespace nf::proto
