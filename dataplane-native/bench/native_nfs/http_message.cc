// Lines of HTTP/1 messages: nf-wasm/http_parser/assembly/message.ts and exchanges.ts in C++.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "native_nfs/http_state.h"

namespace nf {
namespace {

constexpr uint32_t kMethodCharactersMax = 24;
constexpr uint32_t kVersionBytes = 9;  // " HTTP/1." and a digit.

bool IsDigit(uint8_t c) { return c >= '0' && c <= '9'; }

bool StartsWith(const uint8_t* at, uint32_t length, std::string_view text) {
  return length >= text.size() && std::memcmp(at, text.data(), text.size()) == 0;
}

// `text` is in lower case.
bool StartsWithIgnoringCase(const uint8_t* at, uint32_t length, std::string_view text) {
  if (length < text.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t c = at[i];
    if (c >= 'A' && c <= 'Z') c += 0x20;
    if (c != static_cast<uint8_t>(text[i])) return false;
  }
  return true;
}

bool Contains(const uint8_t* at, uint32_t length, std::string_view text) {
  for (uint32_t i = 0; i + text.size() <= length; ++i) {
    if (StartsWithIgnoringCase(at + i, length - i, text)) return true;
  }
  return false;
}

uint32_t IndexOf(const uint8_t* at, uint32_t from, uint32_t length, uint8_t byte) {
  for (uint32_t i = from; i < length; ++i) {
    if (at[i] == byte) return i;
  }
  return length;
}

void SetText(char* to, uint32_t room, const uint8_t* from, uint32_t count) {
  const uint32_t kept = std::min(count, room);
  std::memcpy(to, from, kept);
  std::memset(to + kept, 0, room - kept);
}

void BeginExchange(Http& s, const uint8_t* method, uint32_t method_length, const uint8_t* path, uint32_t path_length) {
  const uint32_t place = s.requests++ % kExchanges;
  Exchange& exchange = s.exchanges[place];
  SetText(exchange.method, kMethodBytes, method, method_length);
  SetText(exchange.path, kPathBytes, path, path_length);
  std::memset(exchange.host, 0, kHostBytes);
  s.statuses[place] = 0;
  s.path_lengths[place] = static_cast<uint16_t>(std::min(path_length, 0xffffu));
}

bool AwaitsResponseTo(const Http& s, std::string_view method) {
  const uint32_t exchange = s.next_exchange;
  if (exchange == s.requests || s.requests - exchange > kExchanges) return false;
  const char* kept = s.exchanges[exchange % kExchanges].method;
  if (std::memcmp(kept, method.data(), method.size()) != 0) return false;
  return method.size() == kMethodBytes || kept[method.size()] == 0;
}

void EndExchange(Http& s, uint32_t status) {
  ++s.responses;
  const uint32_t exchange = s.next_exchange;
  if (exchange == s.requests) return;
  s.next_exchange = exchange + 1;
  if (s.requests - exchange <= kExchanges) s.statuses[exchange % kExchanges] = static_cast<uint16_t>(status);
}

bool EndsWithVersion(const Http& s, uint32_t d, uint32_t whole) {
  constexpr std::string_view kVersion = " HTTP/1.";
  for (uint32_t i = 0; i < kVersion.size(); ++i) {
    if (LineByte(s, d, whole - kVersionBytes + i) != static_cast<uint8_t>(kVersion[i])) return false;
  }
  return IsDigit(LineByte(s, d, whole - 1));
}

void RequestLine(Http& s, uint32_t d, const uint8_t* at, uint32_t length, uint32_t whole) {
  const uint32_t method_end = IndexOf(at, 0, std::min(length, kMethodCharactersMax + 1), ' ');
  if (method_end > kMethodCharactersMax || method_end + kVersionBytes >= whole || !EndsWithVersion(s, d, whole)) {
    return NotHttp(s, d);
  }
  s.request_direction = static_cast<uint8_t>(d + 1);
  s.keep_alive = LineByte(s, d, whole - 1) == '0' ? 0 : 1;
  s.response_message[d] = 0;
  s.resuming[d] = 0;
  BeginExchange(s, at, method_end, at + method_end + 1, whole - kVersionBytes - method_end - 1);
  s.phase[d] = kHeaders;
}

void StatusLine(Http& s, uint32_t d, const uint8_t* at, uint32_t length) {
  if (length < 12 || at[8] != ' ' || (length > 12 && at[12] != ' ')) return NotHttp(s, d);
  uint32_t status = 0;
  for (uint32_t i = 9; i < 12; ++i) {
    if (!IsDigit(at[i])) return NotHttp(s, d);
    status = status * 10 + (at[i] - uint32_t{'0'});
  }
  if (status < 100) return NotHttp(s, d);
  if (s.resuming[d] != 0) {
    s.resuming[d] = 0;
    if (s.next_exchange < s.requests) s.next_exchange = s.requests - 1;
  }
  s.response_message[d] = 1;
  if (s.request_direction == 0) s.request_direction = static_cast<uint8_t>(2 - d);
  s.status[d] = static_cast<uint16_t>(status);
  s.keep_alive = at[7] == '0' ? 0 : 1;
  s.phase[d] = kHeaders;
}

void StartLine(Http& s, uint32_t d, const uint8_t* at, uint32_t length, uint32_t whole) {
  if (length == 0) return;
  s.chunked[d] = 0;
  s.has_content_length[d] = 0;
  s.content_length[d] = 0;
  if (StartsWith(at, length, "HTTP/1.")) return StatusLine(s, d, at, length);
  if (!LooksLikeStart(at, length)) return NotHttp(s, d);
  RequestLine(s, d, at, length, whole);
}

uint32_t ValueStart(const uint8_t* at, uint32_t from, uint32_t length) {
  while (from < length && (at[from] == ' ' || at[from] == '\t')) ++from;
  return from;
}

void ContentLength(Http& s, uint32_t d, const uint8_t* at, uint32_t from, uint32_t length) {
  uint64_t value = 0;
  uint32_t digits = 0;
  for (uint32_t i = from; i < length; ++i, ++digits) {
    const uint32_t digit = at[i] - uint32_t{'0'};
    if (digit > 9 || digits == 18) break;
    value = value * 10 + digit;
  }
  if (digits == 0) return;
  s.content_length[d] = value;
  s.has_content_length[d] = 1;
}

void HeaderField(Http& s, uint32_t d, const uint8_t* at, uint32_t length) {
  if (StartsWithIgnoringCase(at, length, "content-length:")) {
    return ContentLength(s, d, at, ValueStart(at, 15, length), length);
  }
  if (StartsWithIgnoringCase(at, length, "transfer-encoding:")) {
    if (Contains(at + 18, length - 18, "chunked")) s.chunked[d] = 1;
    return;
  }
  if (StartsWithIgnoringCase(at, length, "connection:")) {
    if (Contains(at + 11, length - 11, "close")) {
      s.keep_alive = 0;
    } else if (Contains(at + 11, length - 11, "keep-alive")) {
      s.keep_alive = 1;
    }
    return;
  }
  if (s.response_message[d] == 0 && StartsWithIgnoringCase(at, length, "host:") && s.requests != 0) {
    const uint32_t from = ValueStart(at, 5, length);
    SetText(s.exchanges[(s.requests - 1) % kExchanges].host, kHostBytes, at + from, length - from);
  }
}

void Skip(Http& s, uint32_t d, uint64_t count, HttpPhase then) {
  s.body_left[d] = count;
  s.phase[d] = count > 0 ? kBody : then;
}

void EndOfRequestHeaders(Http& s, uint32_t d) {
  if (s.chunked[d] != 0) {
    s.phase[d] = kChunkSize;
  } else {
    Skip(s, d, s.content_length[d], kStartLine);
  }
}

void EndOfResponseHeaders(Http& s, uint32_t d) {
  const uint32_t status = s.status[d];
  if (status < 200 && status != 101) {
    ++s.interim;
    s.phase[d] = kStartLine;
    return;
  }
  const bool to_connect = AwaitsResponseTo(s, "CONNECT"), to_head = AwaitsResponseTo(s, "HEAD");
  EndExchange(s, status);
  if (status == 101 || (status < 300 && to_connect)) {
    s.phase[0] = s.phase[1] = kOpaque;
  } else if (status == 204 || status == 304 || to_head) {
    s.phase[d] = kStartLine;
  } else if (s.chunked[d] != 0) {
    s.phase[d] = kChunkSize;
  } else if (s.has_content_length[d] != 0) {
    Skip(s, d, s.content_length[d], kStartLine);
  } else {
    s.phase[d] = kUntilClose;
    s.keep_alive = 0;
  }
}

void ChunkSize(Http& s, uint32_t d, const uint8_t* at, uint32_t length) {
  if (length == 0) return;
  uint64_t size = 0;
  uint32_t digits = 0;
  for (uint32_t i = 0; i < length && digits < 15; ++i, ++digits) {
    const uint32_t c = at[i], lower = c | 0x20;
    const uint32_t digit = c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
    if (digit > 15) break;
    size = size << 4 | digit;
  }
  if (digits == 0) return NotHttp(s, d);
  if (size == 0) {
    s.phase[d] = kTrailers;
  } else {
    Skip(s, d, size, kChunkSize);
  }
}

}  // namespace

void NotHttp(Http& s, uint32_t d) { s.phase[d] = s.resuming[d] != 0 ? kResync : kOpaque; }

bool LooksLikeStart(const uint8_t* at, uint32_t length) {
  if (length == 0 || StartsWith(at, length, "HTTP/1.")) return true;
  if (length == 1 && at[0] == '\r') return true;
  const uint32_t n = std::min(length, kMethodCharactersMax + 1);
  for (uint32_t i = 0; i < n; ++i) {
    const uint8_t c = at[i];
    if (c == ' ') return i >= 2;
    const bool is_token = (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
    const bool is_version = i >= 4 && (c == '/' || c == '1' || c == '.');
    if (!is_token && !is_version) return false;
  }
  return length <= kMethodCharactersMax;
}

void HttpLine(Http& s, uint32_t d, const uint8_t* at, uint32_t whole) {
  const uint32_t length = std::min(whole, kLineBytes);
  switch (s.phase[d]) {
    case kStartLine:
      return StartLine(s, d, at, length, whole);
    case kChunkSize:
      return ChunkSize(s, d, at, length);
    case kTrailers:
      if (length == 0) s.phase[d] = kStartLine;
      return;
    default:
      if (length > 0) return HeaderField(s, d, at, length);
      if (s.response_message[d] != 0) return EndOfResponseHeaders(s, d);
      EndOfRequestHeaders(s, d);
  }
}

}  // namespace nf
