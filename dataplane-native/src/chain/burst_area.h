// Memory in which NFs are shown the packets of a call: one stride for each. The host writes it, instances map it with
// the rights of their NF. NFs that may only read share one area; an NF that may write has its own, so that what it
// leaves there is for nobody else to see.
//
// Bytes behind what was filled are zero: the host remembers how far earlier fills reached. Created by control threads,
// filled by one lcore.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "base/result.h"
#include "base/shared_region.h"
#include "nf_abi.h"

namespace nf {

class HeaderArea {
 public:
  static Expected<HeaderArea> Create() {
    HeaderArea area;
    auto region = SharedRegion::Create("nfactor-headers", abi::kHeaderAreaBytes);
    if (!region) return std::unexpected(region.error());
    area.region_ = std::move(*region);
    return area;
  }

  const SharedRegion& region() const { return region_; }
  uint8_t* at(uint32_t index) const { return region_.data() + index * abi::kHeaderStride; }

  // `frame` lies in an mbuf: it can be read up to the end of a header stride, whatever its length.
  void Fill(uint32_t index, const uint8_t* frame, uint32_t length) {
    uint8_t* to = at(index);
    if (length <= 64) [[likely]] {
      CopyMasked(to, frame, length, 0);
      if (used_[index] > 64) ClearFrom(index, 64);
      used_[index] = 64;
      return;
    }
    const uint32_t whole = length / 64 * 64;
    std::memcpy(to, frame, whole);
    uint32_t end = whole;
    if (length != whole) {
      CopyMasked(to, frame, length, whole);
      end += 64;
    }
    if (used_[index] > end) ClearFrom(index, end);
    used_[index] = static_cast<uint16_t>(end);
  }

 private:
  // 64 bytes from `offset` on, those from `length` on as zeros.
  static void CopyMasked(uint8_t* to, const uint8_t* from, uint32_t length, uint32_t offset) {
    const __m256i indexes = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                             21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    const __m256i left = _mm256_set1_epi8(static_cast<char>(length - offset));  // 1 to 64.
    const __m256i low = _mm256_cmpgt_epi8(left, indexes);
    const __m256i high = _mm256_cmpgt_epi8(left, _mm256_add_epi8(indexes, _mm256_set1_epi8(32)));
    const auto* source = reinterpret_cast<const __m256i*>(from + offset);
    auto* target = reinterpret_cast<__m256i*>(to + offset);
    const __m256i first = _mm256_loadu_si256(source), second = _mm256_loadu_si256(source + 1);
    _mm256_storeu_si256(target, _mm256_and_si256(first, low));
    _mm256_storeu_si256(target + 1, _mm256_and_si256(second, high));
  }
  void ClearFrom(uint32_t index, uint32_t from) { std::memset(at(index) + from, 0, used_[index] - from); }

  SharedRegion region_;
  std::array<uint16_t, abi::kBurstPackets> used_{};  // Bytes that may not be zero.
};

class PayloadArea {
 public:
  static Expected<PayloadArea> Create() {
    PayloadArea area;
    auto region = SharedRegion::Create("nfactor-payloads", abi::kPayloadAreaBytes);
    if (!region) return std::unexpected(region.error());
    area.region_ = std::move(*region);
    return area;
  }

  const SharedRegion& region() const { return region_; }
  uint8_t* at(uint32_t index) const { return region_.data() + index * abi::kPayloadStride; }

  void Fill(uint32_t index, const uint8_t* payload, uint32_t length) {
    std::memcpy(at(index), payload, length);
    if (used_[index] > length) std::memset(at(index) + length, 0, used_[index] - length);
    used_[index] = static_cast<uint16_t>(length);
  }

 private:
  SharedRegion region_;
  std::array<uint16_t, abi::kBurstPackets> used_{};
};

}  // namespace nf
