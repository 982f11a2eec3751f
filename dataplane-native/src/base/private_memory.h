// Large memory of one owner inside the process, for tables that an lcore looks into at random: zero, there at once, and
// on huge pages where it is large enough for one (the kernel's pool, else transparent ones), since half of such an
// access is finding out where its page lies. Made and destroyed by control threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace nf {

class PrivateMemory {
 public:
  PrivateMemory() = default;
  PrivateMemory(PrivateMemory&& other) noexcept;
  PrivateMemory& operator=(PrivateMemory&& other) noexcept;
  PrivateMemory(const PrivateMemory&) = delete;
  PrivateMemory& operator=(const PrivateMemory&) = delete;
  ~PrivateMemory();

  // `bytes` is rounded up to pages. `what` is said in the error. Errors: eal.memory.
  static Expected<PrivateMemory> Create(const char* what, size_t bytes);

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace nf
