#include "runtime/idle.h"

#include <immintrin.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.h"

namespace nf {
namespace {

constexpr uint32_t kPolls = 64, kYields = 32;

}  // namespace

Idle::Idle(std::span<const int> fds) : event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  NF_CHECK(event_fd_ >= 0, "eventfd");
  fds_.push_back({.fd = event_fd_, .events = POLLIN, .revents = 0});
  for (int fd : fds) fds_.push_back({.fd = fd, .events = POLLIN, .revents = 0});
}

Idle::~Idle() { close(event_fd_); }

void Idle::Wake() {
  const uint64_t one = 1;
  while (write(event_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

bool Idle::Doze() {
  ++turns_;
  if (turns_ <= kPolls) {
    _mm_pause();
    return false;
  }
  if (turns_ <= kPolls + kYields) {
    sched_yield();
    return false;
  }
  return true;
}

void Idle::Sleep(int sleep_ms_max) {
  if (poll(fds_.data(), fds_.size(), sleep_ms_max) <= 0 || fds_[0].revents == 0) return;
  uint64_t count;
  while (read(event_fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
  turns_ = 0;
}

}  // namespace nf
