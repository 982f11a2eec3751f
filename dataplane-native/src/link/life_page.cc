#include "link/life_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/huge_pages.h"

namespace nf::link {
namespace {

// What the kernel goes through when the thread dies; the word is at a fixed distance from the node, wherever both lie.
// The list takes the place of the C library's, which has the robust mutexes of pthreads that a thread holds: no lcore
// holds one.
struct RobustList {
  robust_list_head head;
  robust_list node;
};
thread_local RobustList robust;

std::string PipeOf(const std::string& path) { return path + ".pipe"; }

// Open both ways, so that neither side waits for the other, nor gets a signal for its absence.
int OpenPipe(const std::string& path) { return open(PipeOf(path).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC); }

void SetWord(uint32_t* word, uint32_t value) { std::atomic_ref(*word).store(value, std::memory_order_release); }

}  // namespace

Expected<LifePage> LifePage::Create(const std::string& path) {
  auto region = SharedRegion::Create("life", kSmallPageBytes);
  if (!region) return std::unexpected(region.error());
  LifePage page;
  page.region_ = std::move(*region);
  page.word_ = reinterpret_cast<uint32_t*>(page.region_.data());
  // Memory whose size never changes has no name of its own; its descriptor has one.
  const std::string target = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(page.region_.fd());
  unlink(path.c_str());
  if (symlink(target.c_str(), path.c_str()) != 0)
    return Fail(ErrorCode::kHostSocket, "the file " + path + " could not be made: " + std::strerror(errno));
  page.path_ = path;
  unlink(PipeOf(path).c_str());
  if (mkfifo(PipeOf(path).c_str(), 0600) != 0 || (page.pipe_ = OpenPipe(path)) < 0)
    return Fail(ErrorCode::kHostSocket, "the pipe " + PipeOf(path) + " could not be made: " + std::strerror(errno));
  return page;
}

std::optional<LifePage> LifePage::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  void* mapped = mmap(nullptr, kSmallPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return std::nullopt;
  LifePage page;
  page.mapped_ = mapped;
  page.word_ = static_cast<uint32_t*>(mapped);
  page.pipe_ = OpenPipe(path);
  return page;
}

LifePage::~LifePage() {
  if (!path_.empty()) unlink(path_.c_str());
  if (!path_.empty()) unlink(PipeOf(path_).c_str());
  if (pipe_ >= 0) close(pipe_);
  if (mapped_ != nullptr) munmap(mapped_, kSmallPageBytes);
}

void LifePage::Take() {
  robust.head = {.list = {.next = &robust.node},
                 .futex_offset = reinterpret_cast<const char*>(word_) - reinterpret_cast<const char*>(&robust.node),
                 .list_op_pending = nullptr};
  robust.node.next = &robust.head.list;
  syscall(SYS_set_robust_list, &robust.head, sizeof robust.head);
  SetWord(word_, static_cast<uint32_t>(syscall(SYS_gettid)));
}

void LifePage::Release() {
  SetWord(word_, 0);
  robust.head.list.next = &robust.head.list;
}

// Asked once, so it is one byte at a time, also if the other side asks without end and never reads.
void LifePage::Ring() const {
  if (std::atomic_ref(*asks()).exchange(0, std::memory_order_relaxed) == 0) return;
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = write(pipe_, &byte, 1);
}

bool LifePage::HearWake() const {
  char bytes[16];
  return read(pipe_, bytes, sizeof bytes) > 0;
}

}  // namespace nf::link
