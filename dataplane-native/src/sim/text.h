// printf into a string.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace nf::sim {

[[gnu::format(printf, 1, 2)]] inline std::string Text(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

}  // namespace nf::sim
