#include "base/huge_pages.h"

#include <sys/mman.h>

#include <cerrno>
#include <fstream>
#include <string>

namespace nf {

size_t FreeHugePages() {
  const char* folder = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
  size_t free = 0, reserved = 0;
  std::ifstream(std::string(folder) + "free_hugepages") >> free;
  std::ifstream(std::string(folder) + "resv_hugepages") >> reserved;
  return free > reserved ? free - reserved : 0;
}

uint8_t* ReserveAligned(size_t bytes) {
  void* at = mmap(nullptr, bytes + kHugePageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return nullptr;
  auto* const wide = static_cast<uint8_t*>(at);
  const auto begin = reinterpret_cast<uintptr_t>(at);
  const size_t front = RoundUpToPages(begin, kHugePageBytes) - begin;
  if (front != 0) munmap(wide, front);
  munmap(wide + front + bytes, kHugePageBytes - front);
  return wide + front;
}

bool Populate(uint8_t* data, size_t bytes) { return madvise(data, bytes, MADV_POPULATE_WRITE) == 0 || errno == EINVAL; }

}  // namespace nf
