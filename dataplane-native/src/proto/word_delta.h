// What has changed in an image: runs of 8-byte words, each under its first word's index and the count. Most packets
// change a counter and a time of a flow, so the runs are short and few. The last word may be shorter than 8 bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace nf::proto {

struct DeltaRun {
  uint16_t first;
  uint16_t words;
};
inline constexpr size_t kDeltaWord = 8;

// From `before` to `after`, which are of one length. Bytes written; more than `out` has: it doesn't fit, or wouldn't
// pay.
inline size_t WriteWordDelta(std::span<const uint8_t> before, std::span<const uint8_t> after, std::span<uint8_t> out) {
  const size_t words = (after.size() + kDeltaWord - 1) / kDeltaWord;
  const size_t limit = std::min(out.size(), after.size());
  const auto bytes_of = [&](size_t word) { return std::min(kDeltaWord, after.size() - word * kDeltaWord); };
  const auto same = [&](size_t word) {
    const size_t at = word * kDeltaWord;
    if (bytes_of(word) != kDeltaWord) return std::memcmp(before.data() + at, after.data() + at, bytes_of(word)) == 0;
    uint64_t one, other;
    std::memcpy(&one, before.data() + at, kDeltaWord);
    std::memcpy(&other, after.data() + at, kDeltaWord);
    return one == other;
  };
  size_t written = 0;
  if (before.size() != after.size() || words > 0xffff) return out.size() + 1;
  for (size_t word = 0; word < words;) {
    if (same(word)) {
      ++word;
      continue;
    }
    const size_t first = word;
    size_t bytes = 0;
    for (; word < words && !same(word); ++word) bytes += bytes_of(word);
    if (written + sizeof(DeltaRun) + bytes > limit) return out.size() + 1;
    const DeltaRun run{static_cast<uint16_t>(first), static_cast<uint16_t>(word - first)};
    std::memcpy(out.data() + written, &run, sizeof run);
    std::memcpy(out.data() + written + sizeof run, after.data() + first * kDeltaWord, bytes);
    written += sizeof run + bytes;
  }
  return written;
}

// False, and the image is as it was, unless every run lies within it.
inline bool ApplyWordDelta(std::span<const uint8_t> delta, std::span<uint8_t> image) {
  for (const bool writes : {false, true}) {
    for (auto rest = delta; !rest.empty();) {
      DeltaRun run;
      if (rest.size() < sizeof run) return false;
      std::memcpy(&run, rest.data(), sizeof run);
      rest = rest.subspan(sizeof run);
      const size_t at = run.first * kDeltaWord;
      const size_t end = std::min(at + run.words * kDeltaWord, image.size());
      if (run.words == 0 || at >= image.size() || end + kDeltaWord <= at + run.words * kDeltaWord) return false;
      if (end - at > rest.size()) return false;
      if (writes) std::memcpy(image.data() + at, rest.data(), end - at);
      rest = rest.subspan(end - at);
    }
  }
  return true;
}

}  // namespace nf::proto
