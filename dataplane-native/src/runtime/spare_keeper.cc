#include "runtime/spare_keeper.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.h"

namespace nf {

SpareKeeper::SpareKeeper(Chain& chain) : chain_(chain), event_fd_(eventfd(0, EFD_CLOEXEC)) {
  NF_CHECK(event_fd_ >= 0, "eventfd");
  for (uint32_t i = 0; i < chain_.size(); ++i) chain_.nf(i).set_wake([this] { Wake(); });
  thread_ = std::thread([this] { Run(); });
}

SpareKeeper::~SpareKeeper() {
  stopping_.store(true, std::memory_order_release);
  Wake();
  thread_.join();
  close(event_fd_);
}

void SpareKeeper::Wake() {
  const uint64_t one = 1;
  while (write(event_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void SpareKeeper::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    for (uint32_t i = 0; i < chain_.size(); ++i) chain_.nf(i).Maintain();
    uint64_t count;
    while (read(event_fd_, &count, sizeof count) < 0 && errno == EINTR) {
    }
  }
}

}  // namespace nf
