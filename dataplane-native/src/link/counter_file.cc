#include "link/counter_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace nf::link {
namespace {

constexpr char kMagic[] = "NFCOUNT1";
constexpr uint32_t kVersion = 1;

}  // namespace

void CounterFile::Unmap::operator()(CounterFileLayout* layout) const { munmap(layout, sizeof *layout); }

Expected<CounterFile> CounterFile::Create(const std::string& path, uint16_t member, uint32_t incarnation,
                                          uint32_t term) {
  const auto fail = [&path](const char* what) {
    return Fail(ErrorCode::kHostSocket,
                "the counter file " + path + " could not be " + what + ": " + std::strerror(errno));
  };
  const std::string making = path + ".new";
  const int fd = open(making.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail("made");
  void* mapped = MAP_FAILED;
  // Allocated now: a full disk must not be noticed by the lcore, as a signal.
  int why = posix_fallocate(fd, 0, sizeof(CounterFileLayout));
  if (why == 0) {
    mapped = mmap(nullptr, sizeof(CounterFileLayout), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    why = errno;
  }
  close(fd);
  errno = why;
  if (mapped == MAP_FAILED) return fail("mapped");
  auto* layout = new (mapped) CounterFileLayout{};
  std::memcpy(layout->magic, kMagic, sizeof layout->magic);
  layout->version = kVersion;
  layout->member = member;
  layout->words = kCounterFileWords;
  layout->incarnation = incarnation;
  layout->term = term;
  layout->pid = static_cast<uint64_t>(getpid());
  CounterFile file(layout);
  if (rename(making.c_str(), path.c_str()) != 0) return fail("put in its place");
  return file;
}

}  // namespace nf::link
