// What has changed in an image: chunks of up to 16 words of 4 bytes, each chunk with where it begins, a bit for each of
// its words that has changed, and these words. Most packets change a few counters and a time of a flow, of which the
// upper halves stay.
//
// Who writes compares in place, part by part, 64 bytes at a time: the image as a whole need not exist at the sender.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace nf::proto {

struct DeltaChunk {
  uint16_t at;     // Of its first word, in bytes.
  uint16_t words;  // Bit i: the word at `at` + 4 i follows.
};
inline constexpr size_t kDeltaWord = 4;
inline constexpr size_t kDeltaChunkBytes = 16 * kDeltaWord;
// Room that the writer needs behind what it has written so far; give it so much more than the longest delta has.
inline constexpr size_t kDeltaSlack = sizeof(DeltaChunk) + kDeltaChunkBytes;

class DeltaWriter {
 public:
  explicit DeltaWriter(std::span<uint8_t> out) : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  // `bytes` of the image from `offset` on, as they were and are. Only an image's end may be part of a word.
  void Compare(size_t offset, const uint8_t* before, const uint8_t* after, size_t bytes) {
    for (; bytes >= kDeltaChunkBytes; bytes -= kDeltaChunkBytes) {
      Chunk(offset, Load(before), Load(before + 32), Load(after), Load(after + 32));
      offset += kDeltaChunkBytes, before += kDeltaChunkBytes, after += kDeltaChunkBytes;
    }
    if (bytes == 0) return;
    if (bytes % kDeltaWord != 0) [[unlikely]]
      return Odd(offset, before, after, bytes);
    const size_t words = bytes / kDeltaWord;
    const __m256i low = Lanes(words), none = _mm256_setzero_si256();
    if (words <= kHalf) return Chunk(offset, Load(before, low), none, Load(after, low), none);
    const __m256i high = Lanes(words - kHalf);
    Chunk(offset, Load(before), Load(before + 32, high), Load(after), Load(after + 32, high));
  }

  // That were written. More than there was room for: it doesn't fit.
  size_t bytes() const { return fits_ ? static_cast<size_t>(at_ - begin_) : static_cast<size_t>(end_ - begin_) + 1; }

 private:
  static constexpr size_t kHalf = 8;  // Words of a register.

  static __m256i Load(const uint8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
  // What is in no lane isn't read.
  static __m256i Load(const uint8_t* from, __m256i lanes) {
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(from), lanes);
  }
  // The first `words` lanes.
  static __m256i Lanes(size_t words) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(words)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static uint32_t Changed(__m256i before, __m256i after) {
    return 0xff ^ static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(before, after))));
  }
  // The words of these bits, one behind the other.
  void Put(__m256i words, uint32_t bits) {
    const uint64_t lanes = _pext_u64(0x0706050403020100, _pdep_u64(bits, 0x0101010101010101) * 0xff);
    const __m256i order = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(lanes)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at_), _mm256_permutevar8x32_epi32(words, order));
    at_ += kDeltaWord * static_cast<size_t>(std::popcount(bits));
  }
  void Chunk(size_t offset, __m256i before_low, __m256i before_high, __m256i after_low, __m256i after_high) {
    const uint32_t low = Changed(before_low, after_low), high = Changed(before_high, after_high);
    if ((low | high) == 0) return;
    if (static_cast<size_t>(end_ - at_) < kDeltaSlack || offset > 0xffff) [[unlikely]] {
      fits_ = false;
      return;
    }
    const DeltaChunk chunk{.at = static_cast<uint16_t>(offset), .words = static_cast<uint16_t>(low | high << kHalf)};
    std::memcpy(at_, &chunk, sizeof chunk);
    at_ += sizeof chunk;
    Put(after_low, low);
    Put(after_high, high);
  }
  void Odd(size_t offset, const uint8_t* before, const uint8_t* after, size_t bytes) {
    uint8_t padded[2][kDeltaChunkBytes] = {};
    std::memcpy(padded[0], before, bytes);
    std::memcpy(padded[1], after, bytes);
    Compare(offset, padded[0], padded[1], kDeltaChunkBytes);
  }

  uint8_t* begin_;
  uint8_t* at_;
  uint8_t* end_;
  bool fits_ = true;
};

// From `before` to `after`, which are of one length. Bytes written; more than `out` has: it doesn't fit, or wouldn't
// pay.
inline size_t WriteWordDelta(std::span<const uint8_t> before, std::span<const uint8_t> after, std::span<uint8_t> out) {
  if (before.size() != after.size()) return out.size() + 1;
  DeltaWriter writer(out);
  writer.Compare(0, before.data(), after.data(), after.size());
  return writer.bytes() > after.size() ? out.size() + 1 : writer.bytes();
}

// Whether every word lies within an image of so many bytes. `see` is shown each chunk.
template <typename See>
bool IsWordDelta(std::span<const uint8_t> delta, size_t image_bytes, See&& see) {
  const uint8_t* at = delta.data();
  for (size_t left = delta.size(); left != 0;) {
    DeltaChunk chunk;
    if (left < sizeof chunk) return false;
    std::memcpy(&chunk, at, sizeof chunk);
    const size_t bytes = sizeof chunk + kDeltaWord * static_cast<size_t>(std::popcount(chunk.words));
    const size_t last = kDeltaWord * static_cast<size_t>(std::bit_width(chunk.words));
    if (chunk.words == 0 || bytes > left || chunk.at + last >= image_bytes + kDeltaWord) return false;
    see(chunk);
    at += bytes;
    left -= bytes;
  }
  return true;
}

// A delta that IsWordDelta of this image. The last word of the image may be shorter.
inline void ApplyCheckedDelta(std::span<const uint8_t> delta, std::span<uint8_t> image) {
  const uint8_t* at = delta.data();
  for (const uint8_t* end = at + delta.size(); at != end;) {
    DeltaChunk chunk;
    std::memcpy(&chunk, at, sizeof chunk);
    at += sizeof chunk;
    for (uint32_t words = chunk.words; words != 0; words &= words - 1, at += kDeltaWord) {
      const size_t to = chunk.at + kDeltaWord * static_cast<size_t>(std::countr_zero(words));
      if (to + kDeltaWord <= image.size()) [[likely]]
        std::memcpy(image.data() + to, at, kDeltaWord);
      else
        std::memcpy(image.data() + to, at, image.size() - to);
    }
  }
}

// False, and the image is as it was, unless every word lies within it.
inline bool ApplyWordDelta(std::span<const uint8_t> delta, std::span<uint8_t> image) {
  if (!IsWordDelta(delta, image.size(), [](const DeltaChunk&) {})) return false;
  ApplyCheckedDelta(delta, image);
  return true;
}

}  // namespace nf::proto
