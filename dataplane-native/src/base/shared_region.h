// Memory that the host owns and can map more than once: a memfd with the host's own read-write mapping of it. Instances
// map parts of it into their linear memory with the rights of their NF. Made and destroyed by control threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace nf {

class SharedRegion {
 public:
  SharedRegion() = default;
  SharedRegion(SharedRegion&& other) noexcept;
  SharedRegion& operator=(SharedRegion&& other) noexcept;
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;
  ~SharedRegion();

  // `bytes` is rounded up to pages; the memory is zero, and there at once: a packet never waits for a page of it.
  // `name` shows in /proc/self/maps. Where `prefer_huge` is set and whole ones fit, it is made of huge pages: of
  // the kernel's pool if that has enough, else of free memory, as far as there is unbroken memory for them (Linux 6.1).
  // Its size never changes. Errors: eal.memory.
  static Expected<SharedRegion> Create(const char* name, size_t bytes, bool prefer_huge = false);

  // Gives the descriptor up once nothing will be mapped from it any more; the memory stays.
  void CloseDescriptor();

  // -1 after CloseDescriptor.
  int fd() const { return fd_; }
  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // Size of the pages behind it: mappings with MAP_FIXED must be aligned to it.
  size_t page_bytes() const { return page_bytes_; }

 private:
  int fd_ = -1;
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
  size_t page_bytes_ = 4096;
};

}  // namespace nf
