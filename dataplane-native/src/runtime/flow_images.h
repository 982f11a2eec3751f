// Images of flows by place: replicas of others' flows, or what was last sent of one's own. Each place has room for the
// longest image.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/private_memory.h"
#include "base/result.h"

namespace nf {

class FlowImages {
 public:
  // Errors: eal.memory.
  static Expected<FlowImages> Create(const char* what, uint32_t places, uint32_t bytes_max) {
    const size_t stride = (sizeof(uint32_t) + bytes_max + kLine - 1) / kLine * kLine;
    auto memory = PrivateMemory::Create(what, places * stride);
    if (!memory) return std::unexpected(memory.error());
    return FlowImages(std::move(*memory), stride, bytes_max);
  }

  // False: longer than any image may be.
  bool Put(uint32_t place, std::span<const uint8_t> image) {
    if (image.size() > bytes_max_) return false;
    SetSize(place, static_cast<uint32_t>(image.size()));
    if (!image.empty()) std::memcpy(At(place) + sizeof(uint32_t), image.data(), image.size());
    return true;
  }
  void Clear(uint32_t place) { SetSize(place, 0); }
  std::span<const uint8_t> image(uint32_t place) const {
    uint32_t size;
    std::memcpy(&size, At(place), sizeof size);
    return {At(place) + sizeof size, size};
  }
  void Prefetch(uint32_t place) const {
    for (size_t at = 0; at < std::min(stride_, kPrefetchLines * kLine); at += kLine)
      __builtin_prefetch(At(place) + at, 1);
  }

 private:
  static constexpr size_t kLine = 64, kPrefetchLines = 8;
  FlowImages(PrivateMemory memory, size_t stride, uint32_t bytes_max)
      : memory_(std::move(memory)), stride_(stride), bytes_max_(bytes_max) {}
  uint8_t* At(uint32_t place) const { return memory_.data() + place * stride_; }
  void SetSize(uint32_t place, uint32_t size) { std::memcpy(At(place), &size, sizeof size); }

  PrivateMemory memory_;
  size_t stride_;
  uint32_t bytes_max_;
};

}  // namespace nf
