#include "base/shared_region.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/huge_pages.h"

namespace nf {
namespace {

// Linux 6.1; Debian 12's C library does not know the name.
constexpr int kMadviseCollapse = 25;

// What a region is made of while it is not yet one: closed and unmapped unless it is complete.
struct Draft {
  int fd = -1;
  uint8_t* data = nullptr;
  size_t bytes = 0;

  bool Make(const char* name, size_t wanted, unsigned flags) {
    bytes = wanted;
    fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(bytes)) != 0) return false;
    uint8_t* at = ReserveAligned(bytes);
    if (at == nullptr) return false;
    if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
      munmap(at, bytes);
      return false;
    }
    data = at;
    return true;
  }
  // Has the kernel make huge pages where whole ones fit, whatever its settings for shared memory are: later mappings
  // then take over an entry for 2 MiB instead of 512. What does not become one stays as it is. A page must be there for
  // it to see anything to collapse, and only one, since it copies those that are.
  void Collapse() {
    const size_t whole = bytes / kHugePageBytes * kHugePageBytes;
    for (size_t at = 0; at < whole; at += kHugePageBytes) {
      if (madvise(data + at, kSmallPageBytes, MADV_POPULATE_WRITE) != 0) return;
    }
    if (whole != 0) madvise(data, whole, kMadviseCollapse);
  }
  void Drop() {
    if (data != nullptr) munmap(data, bytes);
    if (fd >= 0) close(fd);
    *this = Draft{};
  }
};

}  // namespace

SharedRegion::SharedRegion(SharedRegion&& other) noexcept { *this = std::move(other); }

SharedRegion& SharedRegion::operator=(SharedRegion&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(page_bytes_, other.page_bytes_);
  return *this;
}

SharedRegion::~SharedRegion() {
  if (data_ != nullptr) munmap(data_, bytes_);
  CloseDescriptor();
}

void SharedRegion::CloseDescriptor() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Expected<SharedRegion> SharedRegion::Create(const char* name, size_t bytes, bool prefer_huge) {
  SharedRegion region;
  Draft draft;
  // A failure of huge pages is no error: they may be taken between the look and the mapping.
  if (prefer_huge && bytes >= kHugePageBytes &&
      FreeHugePages() >= RoundUpToPages(bytes, kHugePageBytes) / kHugePageBytes) {
    if (draft.Make(name, RoundUpToPages(bytes, kHugePageBytes), MFD_HUGETLB | MFD_HUGE_2MB) &&
        Populate(draft.data, draft.bytes)) {
      region.page_bytes_ = kHugePageBytes;
    } else {
      draft.Drop();
    }
  }
  if (draft.data == nullptr) {
    bool made = draft.Make(name, RoundUpToPages(bytes == 0 ? 1 : bytes, kSmallPageBytes), 0);
    if (made && prefer_huge) draft.Collapse();
    if (!made || !Populate(draft.data, draft.bytes)) {
      std::string why = std::strerror(errno);
      draft.Drop();
      return Fail(ErrorCode::kEalMemory, "no memory for " + std::string(name) + ": " + std::to_string(bytes) +
                                             " bytes are wanted (" + why +
                                             "). Fewer flows or smaller flow states need less.");
    }
  }
  // Someone who could shrink the file would make the host fault on its own mapping.
  fcntl(draft.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  region.fd_ = draft.fd;
  region.data_ = draft.data;
  region.bytes_ = draft.bytes;
  return region;
}

}  // namespace nf
