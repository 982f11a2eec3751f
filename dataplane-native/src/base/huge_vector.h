// A vector that asks for huge pages where it is large enough for one, as PrivateMemory does, for tables of machines
// that know nothing of the system: half of a look-up at random is finding out where its page lies.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

#include "base/huge_pages.h"

namespace nf {

template <typename T>
struct HugeAllocator {
  using value_type = T;
  HugeAllocator() = default;
  template <typename U>
  explicit(false) HugeAllocator(const HugeAllocator<U>&) {}

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    void* memory = ::operator new(bytes, AlignmentOf(bytes));
    // Only a wish: without such pages it is slower, nothing else.
    if (bytes >= kHugePageBytes) static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t count) { ::operator delete(memory, AlignmentOf(count * sizeof(T))); }
  bool operator==(const HugeAllocator&) const { return true; }

 private:
  static std::align_val_t AlignmentOf(size_t bytes) {
    return std::align_val_t{bytes >= kHugePageBytes ? kHugePageBytes : alignof(T)};
  }
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace nf
