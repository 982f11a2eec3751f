#include "base/private_memory.h"

#include <linux/mman.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/huge_pages.h"

namespace nf {
namespace {

constexpr size_t kPage = 4096;

size_t RoundUp(size_t value, size_t to) { return (value + to - 1) / to * to; }

// Kernels before 5.14 don't know the advice (EINVAL): pages then come on first touch.
bool Populate(uint8_t* data, size_t bytes) { return madvise(data, bytes, MADV_POPULATE_WRITE) == 0 || errno == EINVAL; }

uint8_t* Map(size_t bytes, int flags) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<uint8_t*>(at);
}

// Pages of the kernel's pool; null when it has not enough, which is no error: somebody may take them at any time.
uint8_t* MapFromPool(size_t bytes) {
  if (FreeHugePages() < bytes / kHugePageBytes) return nullptr;
  uint8_t* data = Map(bytes, MAP_HUGETLB | MAP_HUGE_2MB);
  if (data == nullptr || Populate(data, bytes)) return data;
  munmap(data, bytes);
  return nullptr;
}

// Begins where a huge page can begin.
uint8_t* MapAligned(size_t bytes) {
  uint8_t* wide = Map(bytes + kHugePageBytes, 0);
  if (wide == nullptr) return nullptr;
  const auto at = reinterpret_cast<uintptr_t>(wide);
  const size_t front = RoundUp(at, kHugePageBytes) - at;
  if (front != 0) munmap(wide, front);
  munmap(wide + front + bytes, kHugePageBytes - front);
  madvise(wide + front, bytes, MADV_HUGEPAGE);
  return wide + front;
}

}  // namespace

PrivateMemory::PrivateMemory(PrivateMemory&& other) noexcept { *this = std::move(other); }

PrivateMemory& PrivateMemory::operator=(PrivateMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

PrivateMemory::~PrivateMemory() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

Expected<PrivateMemory> PrivateMemory::Create(const char* what, size_t bytes) {
  PrivateMemory memory;
  const bool is_large = bytes >= kHugePageBytes;
  if (is_large) {
    memory.bytes_ = RoundUp(bytes, kHugePageBytes);
    memory.data_ = MapFromPool(memory.bytes_);
    if (memory.data_ != nullptr) return memory;
  }
  memory.bytes_ = RoundUp(bytes == 0 ? 1 : bytes, kPage);
  memory.data_ = is_large ? MapAligned(memory.bytes_) : Map(memory.bytes_, 0);
  if (memory.data_ == nullptr || !Populate(memory.data_, memory.bytes_)) {
    return Fail(ErrorCode::kEalMemory, std::string("no memory for ") + what + ": " + std::to_string(bytes) +
                                           " bytes are wanted (" + std::strerror(errno) + "). Fewer flows need less.");
  }
  return memory;
}

}  // namespace nf
