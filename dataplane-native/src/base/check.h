// NF_CHECK: an invariant of ours that must hold, in production too. A guest or a packet can never make one fail.
#pragma once

#include <cstdio>
#include <cstdlib>

#define NF_CHECK(condition, context)                                                                           \
  do {                                                                                                         \
    if (!(condition)) [[unlikely]] {                                                                           \
      std::fprintf(stderr, "nfactor: %s:%d: %s does not hold: %s\n", __FILE__, __LINE__, #condition, context); \
      std::abort();                                                                                            \
    }                                                                                                          \
  } while (false)
