// nf-wasm/http_parser in C++; its lines are read in http_message.cc.
#include <algorithm>

#include "native_nfs/http_state.h"
#include "native_nfs/native_nfs.h"
#include "native_nfs/tcp_view.h"

namespace nf {
namespace {

constexpr uint64_t kStep = 1 << 30;

void SkipBody(Http& s, uint32_t d) {
  const uint64_t step = std::min(s.body_left[d], kStep);
  s.next_seq[d] += static_cast<uint32_t>(step);
  s.body_left[d] -= step;
  if (s.body_left[d] == 0) s.phase[d] = s.chunked[d] != 0 ? kChunkSize : kStartLine;
}

uint32_t ReadLines(Http& s, uint32_t d, const uint8_t* at, uint32_t count) {
  uint8_t* kept = s.lines[d];
  uint32_t length = s.line_length[d];
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t c = at[i];
    if (c != '\n') {
      if (length < kLineBytes) kept[length] = c;
      if (length < 0xffff) ++length;
      continue;
    }
    if (length > 0 && length <= kLineBytes && kept[length - 1] == '\r') --length;
    HttpLine(s, d, kept, length);
    length = 0;
    if (s.phase[d] == kBody || s.phase[d] >= kUntilClose) {
      s.line_length[d] = 0;
      return i + 1;
    }
  }
  s.line_length[d] = static_cast<uint16_t>(length);
  if (s.phase[d] == kStartLine && length > 0 && !LooksLikeStart(kept, std::min(length, kLineBytes))) {
    s.phase[d] = kOpaque;
  }
  return count;
}

void Lose(Http& s, uint32_t d, uint32_t seq) {
  ++s.resyncs;
  s.phase[d] = kResync;
  s.line_length[d] = 0;
  s.body_left[d] = 0;
  s.next_seq[d] = seq;
  for (uint8_t& direction : s.early_direction) {
    if (direction == d + 1) direction = 0;
  }
}

// `count` bytes of the segment were captured, `length` were on the wire. False if its bytes come too early.
bool Take(Http& s, uint32_t d, uint32_t seq, const uint8_t* at, uint32_t count, uint32_t length) {
  uint32_t used = 0;
  while (used < length) {
    const uint8_t phase = s.phase[d];
    if (phase == kUntilClose || phase == kOpaque) return true;
    const auto behind = static_cast<int32_t>(seq + used - s.next_seq[d]);
    if (behind < 0) {
      used += std::min(static_cast<uint32_t>(-behind), length - used);
      continue;
    }
    if (phase == kBody) {
      SkipBody(s, d);
      continue;
    }
    if (behind > 0) return false;
    if (phase == kResync) {
      if (used >= count || !LooksLikeStart(at + used, count - used)) {
        s.next_seq[d] = seq + length;
        return true;
      }
      s.phase[d] = kStartLine;
    }
    if (used >= count) {
      Lose(s, d, seq + length);
      return true;
    }
    const uint32_t n = ReadLines(s, d, at + used, count - used);
    used += n;
    s.next_seq[d] += n;
  }
  if (s.phase[d] == kBody) SkipBody(s, d);
  return true;
}

bool Keep(Http& s, uint32_t d, uint32_t seq, const uint8_t* at, uint32_t length) {
  uint32_t free = kEarlySegments, end = 0;
  for (uint32_t i = 0; i < kEarlySegments; ++i) {
    const uint32_t owner = s.early_direction[i];
    if (owner == 0) {
      free = i;
      continue;
    }
    if (owner == d + 1 && s.early_seq[i] == seq && s.early_length[i] >= length) return true;
    end = std::max<uint32_t>(end, s.early_offset[i] + s.early_length[i]);
  }
  if (free == kEarlySegments || end + length > kEarlyBytes) return false;
  s.early_direction[free] = static_cast<uint8_t>(d + 1);
  s.early_seq[free] = seq;
  s.early_length[free] = static_cast<uint16_t>(length);
  s.early_offset[free] = static_cast<uint16_t>(end);
  std::memcpy(s.early_bytes + end, at, length);
  ++s.early;
  return true;
}

void TakeKept(Http& s, uint32_t d) {
  for (uint32_t i = 0; i < kEarlySegments; ++i) {
    if (s.early_direction[i] != d + 1) continue;
    const uint32_t length = s.early_length[i];
    if (!Take(s, d, s.early_seq[i], s.early_bytes + s.early_offset[i], length, length)) continue;
    s.early_direction[i] = 0;
    i = UINT32_MAX;  // From the start: an earlier place may be next now.
  }
}

void Segment(Http& s, uint32_t d, uint32_t seq, const uint8_t* at, uint32_t count, uint32_t length) {
  if (s.phase[d] == kOpaque || s.phase[d] == kUntilClose) return;
  if (s.sequence_known[d] == 0) {
    s.sequence_known[d] = 1;
    s.next_seq[d] = seq;
    s.phase[d] = kResync;
  }
  if (!Take(s, d, seq, at, count, length)) {
    if (count == length && Keep(s, d, seq, at, length)) return;
    Lose(s, d, seq);
    Take(s, d, seq, at, count, length);
  }
  TakeKept(s, d);
}

class HttpParser : public NativeNf {
 public:
  void Process(const NativePacket* packets, uint32_t count, uint8_t d, uint64_t, abi::Result* results) override {
    for (uint32_t i = 0; i < count; ++i) {
      const NativePacket& packet = packets[i];
      Forward(results[i]);
      const TcpView tcp(packet);
      if (tcp.at == nullptr || IsFragment(packet)) continue;
      Http& s = *reinterpret_cast<Http*>(packet.state);
      const bool syn = (tcp.flags() & kSyn) != 0;
      if (syn) {
        s.sequence_known[d] = 1;
        s.next_seq[d] = tcp.seq() + 1;
      }
      // Benchmarks send whole frames: what was on the wire is there.
      const uint32_t length = DataLength(packet);
      if (length == 0) continue;
      Segment(s, d, syn ? tcp.seq() + 1 : tcp.seq(), packet.frame + packet.meta->parsed.payload_offset, length, length);
    }
  }
};

}  // namespace

std::unique_ptr<NativeNf> NativeHttpParser() { return std::make_unique<HttpParser>(); }

}  // namespace nf
