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

uint8_t* Map(uint8_t* at, size_t bytes, int flags) {
  void* data = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  return data == MAP_FAILED ? nullptr : static_cast<uint8_t*>(data);
}

// Pages of the kernel's pool; null when it has not enough, which is no error: somebody may take them at any time.
uint8_t* MapFromPool(size_t bytes) {
  if (FreeHugePages() < bytes / kHugePageBytes) return nullptr;
  uint8_t* data = Map(nullptr, bytes, MAP_HUGETLB | MAP_HUGE_2MB);
  if (data == nullptr || Populate(data, bytes)) return data;
  munmap(data, bytes);
  return nullptr;
}

uint8_t* MapAligned(size_t bytes) {
  uint8_t* at = ReserveAligned(bytes);
  if (at == nullptr) return nullptr;
  if (Map(at, bytes, MAP_FIXED) == nullptr) {
    munmap(at, bytes);
    return nullptr;
  }
  madvise(at, bytes, MADV_HUGEPAGE);
  return at;
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
    memory.bytes_ = RoundUpToPages(bytes, kHugePageBytes);
    memory.data_ = MapFromPool(memory.bytes_);
    if (memory.data_ != nullptr) return memory;
  }
  memory.bytes_ = RoundUpToPages(bytes == 0 ? 1 : bytes, kSmallPageBytes);
  memory.data_ = is_large ? MapAligned(memory.bytes_) : Map(nullptr, memory.bytes_, 0);
  if (memory.data_ == nullptr || !Populate(memory.data_, memory.bytes_)) {
    return Fail(ErrorCode::kEalMemory, std::string("no memory for ") + what + ": " + std::to_string(bytes) +
                                           " bytes are wanted (" + std::strerror(errno) + "). Fewer flows need less.");
  }
  return memory;
}

}  // namespace nf
