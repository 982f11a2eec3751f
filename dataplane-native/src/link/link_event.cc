#include "link/link_event.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace nf::link {

LinkEvents::LinkEvents() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { NF_CHECK(fd_ >= 0, "eventfd"); }

LinkEvents::~LinkEvents() { close(fd_); }

void LinkEvents::Put(const LinkEvent& event) {
  const uint32_t head = head_.load(std::memory_order_relaxed);
  if (head - tail_.load(std::memory_order_acquire) == kEvents) return;
  events_[head % kEvents] = event;
  head_.store(head + 1, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

std::optional<LinkEvent> LinkEvents::Take() {
  uint64_t count;
  [[maybe_unused]] const ssize_t taken = read(fd_, &count, sizeof count);
  const uint32_t tail = tail_.load(std::memory_order_relaxed);
  if (tail == head_.load(std::memory_order_acquire)) return std::nullopt;
  const LinkEvent event = events_[tail % kEvents];
  tail_.store(tail + 1, std::memory_order_release);
  return event;
}

}  // namespace nf::link
