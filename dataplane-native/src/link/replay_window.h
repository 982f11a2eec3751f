// Which numbers of a sender have come already: each is good once, and those far behind the highest are too old.
#pragma once

#include <array>
#include <cstdint>

namespace nf::link {

class ReplayWindow {
 public:
  static constexpr uint64_t kNumbers = 1024;

  // Whether `number` (from 1) is new; then it has come. Only for frames that are known to be genuine.
  bool Take(uint64_t number) {
    if (number == 0) return false;
    if (number > highest_) {
      // What is left behind in the ring belongs to numbers that are too old by now.
      const uint64_t first = number - highest_ >= kNumbers ? number - kNumbers : highest_;
      for (uint64_t passed = first + 1; passed < number; ++passed) Bits(passed) &= ~Bit(passed);
      highest_ = number;
      Bits(number) |= Bit(number);
      return true;
    }
    if (highest_ - number >= kNumbers || (Bits(number) & Bit(number)) != 0) return false;
    Bits(number) |= Bit(number);
    return true;
  }
  // Another life: its numbers begin anew.
  void Reset() { *this = {}; }

 private:
  uint64_t& Bits(uint64_t number) { return bits_[number / 64 % bits_.size()]; }
  static uint64_t Bit(uint64_t number) { return uint64_t{1} << number % 64; }

  uint64_t highest_ = 0;
  std::array<uint64_t, kNumbers / 64> bits_{};
};

}  // namespace nf::link
