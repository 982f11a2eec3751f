// Images of flows by place: replicas of others' flows, or what was last sent of one's own. Each place has room for the
// longest image. An image begins where its actor's two cache lines are two cache lines here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/private_memory.h"
#include "base/result.h"
#include "runtime/flow_image.h"

namespace nf {

class FlowImages {
 public:
  // Errors: eal.memory.
  static Expected<FlowImages> Create(const char* what, uint32_t places, uint32_t bytes_max) {
    const size_t stride = (kBegin + bytes_max + kLine - 1) / kLine * kLine;
    auto memory = PrivateMemory::Create(what, places * stride);
    if (!memory) return std::unexpected(memory.error());
    auto sizes = PrivateMemory::Create(what, places * sizeof(uint32_t));
    if (!sizes) return std::unexpected(sizes.error());
    return FlowImages(std::move(*memory), std::move(*sizes), stride, bytes_max);
  }

  // False: longer than any image may be.
  bool Put(uint32_t place, std::span<const uint8_t> image) {
    if (image.size() > bytes_max_) return false;
    size(place) = static_cast<uint32_t>(image.size());
    if (!image.empty()) std::memcpy(At(place), image.data(), image.size());
    return true;
  }
  void Clear(uint32_t place) { size(place) = 0; }
  std::span<const uint8_t> image(uint32_t place) const { return {At(place), size(place)}; }
  // To change what is there.
  std::span<uint8_t> bytes(uint32_t place) { return {At(place), size(place)}; }
  // What a packet may have changed: not what identifies the flow.
  void Prefetch(uint32_t place) const {
    __builtin_prefetch(&size(place));
    const uint8_t* at = memory_.data() + place * stride_;
    for (size_t line = 2 * kLine; line < std::min(stride_, kPrefetchEnd); line += kLine)
      __builtin_prefetch(at + line, 1);
  }
  void PrefetchSize(uint32_t place) const { __builtin_prefetch(&size(place)); }
  void PrefetchAt(uint32_t place, size_t offset) const {
    __builtin_prefetch(At(place) + std::min<size_t>(offset, bytes_max_), 1);
  }

 private:
  static constexpr size_t kLine = 64, kBegin = kLine - kFlowImageActor, kPrefetchEnd = 8 * kLine;
  FlowImages(PrivateMemory memory, PrivateMemory sizes, size_t stride, uint32_t bytes_max)
      : memory_(std::move(memory)), sizes_(std::move(sizes)), stride_(stride), bytes_max_(bytes_max) {}
  uint8_t* At(uint32_t place) const { return memory_.data() + place * stride_ + kBegin; }
  uint32_t& size(uint32_t place) const { return reinterpret_cast<uint32_t*>(sizes_.data())[place]; }

  PrivateMemory memory_;
  PrivateMemory sizes_;
  size_t stride_;
  uint32_t bytes_max_;
};

}  // namespace nf
