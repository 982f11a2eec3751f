// The flow state of the native http_parser, as nf-wasm/http_parser lays it out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nf {

inline constexpr uint32_t kExchanges = 8, kMethodBytes = 8, kPathBytes = 64, kHostBytes = 40;
inline constexpr uint32_t kLineBytes = 160, kEarlySegments = 4, kEarlyBytes = 1536;

enum HttpPhase : uint8_t {
  kStartLine,
  kHeaders,
  kBody,
  kChunkSize,
  kTrailers,
  kUntilClose,
  kResync,
  kOpaque,
};

struct Exchange {
  char method[kMethodBytes], path[kPathBytes], host[kHostBytes];
};

struct Http {
  uint32_t requests, responses, interim, resyncs, early;
  uint8_t request_direction, keep_alive;
  uint8_t phase[2], sequence_known[2], chunked[2], response_message[2];
  uint16_t status[2], line_length[2];
  uint32_t next_seq[2];
  uint64_t body_left[2], content_length[2];
  uint8_t has_content_length[2];
  uint8_t early_direction[kEarlySegments];
  uint16_t early_length[kEarlySegments], early_offset[kEarlySegments];
  uint32_t early_seq[kEarlySegments];
  uint8_t lines[2][kLineBytes];
  uint8_t early_bytes[kEarlyBytes];
  uint16_t statuses[kExchanges], path_lengths[kExchanges];
  Exchange exchanges[kExchanges];
};
static_assert(sizeof(Http) == 2904 && offsetof(Http, next_seq) == 40 && offsetof(Http, lines) == 120 &&
              offsetof(Http, statuses) == 1976 && offsetof(Http, exchanges) == 2008);

// http_message.cc: one line, without its end, in the phase that the direction is in. `whole` may be more than was kept.
void HttpLine(Http& s, uint32_t d, const uint8_t* at, uint32_t whole);
// Could these bytes begin a message? True also for too few bytes to tell.
bool LooksLikeStart(const uint8_t* at, uint32_t length);

}  // namespace nf
