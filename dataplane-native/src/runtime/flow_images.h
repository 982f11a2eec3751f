// Images of flows by place: replicas of others' flows, or what was last sent of one's own. Memory is there for the
// longest image everywhere; places that were never used cost none.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "base/check.h"

namespace nf {

class FlowImages {
 public:
  FlowImages(uint32_t places, uint32_t bytes_max)
      : bytes_max_(bytes_max),
        sizes_(std::make_unique<uint32_t[]>(places)),
        images_(new uint8_t[size_t{places} * bytes_max]) {}

  // False: longer than any image may be.
  bool Put(uint32_t place, std::span<const uint8_t> image) {
    if (image.size() > bytes_max_) return false;
    if (!image.empty()) std::memcpy(At(place), image.data(), image.size());
    sizes_[place] = static_cast<uint32_t>(image.size());
    return true;
  }
  void Clear(uint32_t place) { sizes_[place] = 0; }
  std::span<const uint8_t> image(uint32_t place) const { return {At(place), sizes_[place]}; }

 private:
  uint8_t* At(uint32_t place) const { return images_.get() + size_t{place} * bytes_max_; }

  uint32_t bytes_max_;
  std::unique_ptr<uint32_t[]> sizes_;
  std::unique_ptr<uint8_t[]> images_;
};

}  // namespace nf
