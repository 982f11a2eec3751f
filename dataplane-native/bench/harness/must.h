// Benchmarks end where something does not work.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/result.h"

namespace nf {

inline void Must(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "bench: %s\n", what);
  std::exit(1);
}

inline void Must(const Expected<void>& done) { Must(done.has_value(), done ? "" : done.error().message.c_str()); }

template <typename T>
T Must(Expected<T> value) {
  if (!value) Must(false, value.error().message.c_str());
  return std::move(*value);
}

}  // namespace nf
