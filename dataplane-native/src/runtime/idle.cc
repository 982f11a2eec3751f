#include "runtime/idle.h"

#include <immintrin.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"

namespace nf {
namespace {

constexpr uint32_t kPolls = 64, kYields = 32;
// What comes over a link wakes nobody up, and an answer mostly comes soon: so sleeps are short at first, and twice as
// long after so many of them.
constexpr int64_t kFirstSleepNs = 50'000;
constexpr uint32_t kSleepsOfALength = 4, kLengths = 8;
constexpr int64_t kNsPerMs = 1'000'000, kNsPerS = 1'000'000'000;

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
    return true;
  }
  if (turns_ <= kPolls + kYields) {
    sched_yield();
    return true;
  }
  return false;
}

void Idle::Sleep(int sleep_ms_max) {
  const uint32_t length = (turns_ - kPolls - kYields) / kSleepsOfALength;
  const int64_t most = sleep_ms_max * kNsPerMs;
  const int64_t ns = length < kLengths ? std::min(kFirstSleepNs << length, most) : most;
  const timespec time{.tv_sec = ns / kNsPerS, .tv_nsec = ns % kNsPerS};
  if (ppoll(fds_.data(), fds_.size(), &time, nullptr) <= 0 || fds_[0].revents == 0) return;
  uint64_t count;
  while (read(event_fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
  turns_ = 0;
}

}  // namespace nf
