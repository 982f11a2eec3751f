#include "base/huge_pages.h"

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

}  // namespace nf
