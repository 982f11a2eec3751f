#include "base/shared_region.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "base/huge_pages.h"

namespace nf {
namespace {

TEST(SharedRegion, IsZeroAndRoundedUpToPages) {
  auto region = SharedRegion::Create("test", 5000);
  ASSERT_TRUE(region.has_value());
  EXPECT_EQ(region->bytes(), 8192u);
  for (size_t i = 0; i < region->bytes(); ++i) ASSERT_EQ(region->data()[i], 0);
}

TEST(SharedRegion, ASecondReadOnlyMappingSeesWhatTheHostWrites) {
  auto region = SharedRegion::Create("test", 4096);
  ASSERT_TRUE(region.has_value());
  void* other = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, region->fd(), 0);
  ASSERT_NE(other, MAP_FAILED);
  region->data()[100] = 7;
  EXPECT_EQ(static_cast<uint8_t*>(other)[100], 7);
  munmap(other, 4096);
}

TEST(SharedRegion, ItsSizeCannotBeChanged) {
  auto region = SharedRegion::Create("test", 8192);
  ASSERT_TRUE(region.has_value());
  EXPECT_NE(ftruncate(region->fd(), 4096), 0);
  EXPECT_NE(ftruncate(region->fd(), 16384), 0);
}

TEST(SharedRegion, MovesAndOutlivesItsDescriptor) {
  auto made = SharedRegion::Create("test", 4096);
  ASSERT_TRUE(made.has_value());
  SharedRegion region = std::move(*made);
  region.CloseDescriptor();
  EXPECT_EQ(region.fd(), -1);
  std::memset(region.data(), 1, region.bytes());
  SharedRegion other;
  other = std::move(region);
  EXPECT_EQ(other.data()[4095], 1);
}

TEST(SharedRegion, HugePagesWhereThereAreEnoughElseOrdinaryOnes) {
  size_t free = FreeHugePages();
  auto region = SharedRegion::Create("test", 3u << 20, true);
  ASSERT_TRUE(region.has_value());
  EXPECT_EQ(region->page_bytes(), free >= 2 ? kHugePageBytes : 4096u);
  EXPECT_EQ(region->bytes(), free >= 2 ? 4u << 20 : 3u << 20);
  region->data()[region->bytes() - 1] = 1;
}

// KiB of the mapping at `address` that the kernel maps with huge pages.
size_t HugeKib(const uint8_t* address) {
  std::ostringstream begin;
  begin << std::hex << reinterpret_cast<uintptr_t>(address) << '-';
  std::ifstream maps("/proc/self/smaps");
  bool is_here = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" kB") == std::string::npos && line.find('-') < line.find(' '))
      is_here = line.starts_with(begin.str());
    if (is_here && line.starts_with("ShmemPmdMapped:")) return std::strtoul(line.c_str() + 15, nullptr, 10);
  }
  return 0;
}

TEST(SharedRegion, HugePagesOfFreeMemoryWhereThereIsNoPoolOfThem) {
  std::string setting;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/shmem_enabled"), setting);
  utsname kernel{};
  uname(&kernel);
  const double version = std::strtod(kernel.release, nullptr);
  if (version < 6 || std::string(kernel.release).starts_with("6.0.") || setting.empty() ||
      setting.find("[deny]") != std::string::npos) {
    GTEST_SKIP() << "the kernel makes no huge pages of shared memory on demand: Linux " << kernel.release;
  }
  if (FreeHugePages() >= 5) GTEST_SKIP() << "the kernel's pool has enough huge pages";
  auto region = SharedRegion::Create("test", (9u << 20) + 4096, true);
  ASSERT_TRUE(region.has_value());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(region->data()) % kHugePageBytes, 0u);
  EXPECT_EQ(HugeKib(region->data()), 8192u);
  for (size_t i = 0; i < region->bytes(); ++i) ASSERT_EQ(region->data()[i], 0) << i;
}

TEST(SharedRegion, TooMuchIsAnErrorWithTheFigure) {
  auto region = SharedRegion::Create("flows", size_t{1} << 62);
  ASSERT_FALSE(region.has_value());
  EXPECT_EQ(region.error().code, ErrorCode::kEalMemory);
  EXPECT_NE(region.error().message.find("4611686018427387904"), std::string::npos);
}

}  // namespace
}  // namespace nf
