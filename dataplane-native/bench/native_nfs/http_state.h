// The flow state of the native http_parser, as nf-wasm/http_parser lays it out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nf {

inline constexpr uint32_t kExchanges = 8, kMethodBytes = 8, kPathBytes = 64, kHostBytes = 40;
inline constexpr uint32_t kLineBytes = 160, kTailBytes = 16, kLineLengthMax = 65'535;
inline constexpr uint32_t kEarlySegments = 4, kEarlyBytes = 1536;

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
  uint32_t requests, responses, next_exchange, interim, resyncs, early;
  uint8_t request_direction, keep_alive;
  uint8_t phase[2], sequence_known[2], resuming[2], chunked[2], response_message[2];
  uint16_t status[2], line_length[2];
  uint32_t first_seq[2], next_seq[2];
  uint64_t body_left[2], content_length[2];
  uint8_t has_content_length[2], waiting[2];
  uint8_t early_direction[kEarlySegments];
  uint16_t early_length[kEarlySegments], early_offset[kEarlySegments];
  uint32_t early_seq[kEarlySegments];
  uint8_t lines[2][kLineBytes], tails[2][kTailBytes];
  uint8_t early_bytes[kEarlyBytes];
  uint16_t statuses[kExchanges], path_lengths[kExchanges];
  Exchange exchanges[kExchanges];
};
static_assert(sizeof(Http) == 2952 && offsetof(Http, next_seq) == 52 && offsetof(Http, lines) == 136 &&
              offsetof(Http, statuses) == 2024 && offsetof(Http, exchanges) == 2056);

// http_message.cc: one line, without its end, in the phase that the direction is in. `whole` may be more than was kept.
void HttpLine(Http& s, uint32_t d, const uint8_t* at, uint32_t whole);
void NotHttp(Http& s, uint32_t d);
// Byte i of the line in hand, where it is kept.
inline uint8_t LineByte(const Http& s, uint32_t d, uint32_t i) {
  return i < kLineBytes ? s.lines[d][i] : s.tails[d][i % kTailBytes];
}
// Could these bytes begin a message? True also for too few bytes to tell.
bool LooksLikeStart(const uint8_t* at, uint32_t length);

}  // namespace nf
