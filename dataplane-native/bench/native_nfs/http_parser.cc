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
      if (length < kLineBytes) {
        kept[length] = c;
      } else if (length < kLineLengthMax) {
        s.tails[d][length % kTailBytes] = c;
      } else {
        s.line_length[d] = 0;
        NotHttp(s, d);
        return i + 1;
      }
      ++length;
      continue;
    }
    if (length > 0 && LineByte(s, d, length - 1) == '\r') --length;
    HttpLine(s, d, kept, length);
    length = 0;
    if (s.phase[d] == kBody || s.phase[d] >= kUntilClose) {
      s.line_length[d] = 0;
      return i + 1;
    }
  }
  s.line_length[d] = static_cast<uint16_t>(length);
  if (s.phase[d] == kStartLine && length > 0 && !LooksLikeStart(kept, std::min(length, kLineBytes))) NotHttp(s, d);
  return count;
}

void BeginAt(Http& s, uint32_t d, uint32_t seq, HttpPhase phase) {
  s.phase[d] = phase;
  s.resuming[d] = 0;
  s.line_length[d] = 0;
  s.body_left[d] = 0;
  s.next_seq[d] = seq;
}

void Resume(Http& s, uint32_t d, uint32_t seq) {
  BeginAt(s, d, seq, kResync);
  s.resuming[d] = 1;
}

void Lose(Http& s, uint32_t d, uint32_t seq) {
  ++s.resyncs;
  Resume(s, d, seq);
}

bool IsOver(const Http& s, uint32_t d) { return s.phase[d] == kOpaque || s.phase[d] == kUntilClose; }

// `count` bytes of the segment were captured, `length` were on the wire. False if its bytes come too early.
bool Take(Http& s, uint32_t d, uint32_t seq, const uint8_t* at, uint32_t count, uint32_t length) {
  uint32_t used = 0;
  while (used < length) {
    if (IsOver(s, d)) return true;
    const auto behind = static_cast<int32_t>(seq + used - s.next_seq[d]);
    if (behind < 0) {
      used += std::min(static_cast<uint32_t>(-behind), length - used);
      continue;
    }
    if (s.phase[d] == kBody) {
      SkipBody(s, d);
      continue;
    }
    if (s.phase[d] == kResync) {
      if (used > 0 || count == 0 || !LooksLikeStart(at, count)) {
        s.next_seq[d] = seq + length;
        return true;
      }
      s.next_seq[d] = seq;
      s.phase[d] = kStartLine;
    } else if (behind > 0) {
      return false;
    }
    if (used >= count) {
      Lose(s, d, seq + length);
      return true;
    }
    const uint32_t n = ReadLines(s, d, at + used, count - used);
    used += n;
    s.next_seq[d] += n;
    if (s.resuming[d] != 0) {
      s.phase[d] = kResync;
      s.line_length[d] = 0;
    }
  }
  return true;
}

// Moves what is kept to the front; returns where the free bytes begin.
uint32_t Compact(Http& s) {
  uint32_t end = 0;
  for (uint32_t moved = 0; moved < kEarlySegments; ++moved) {
    uint32_t next = kEarlySegments;
    for (uint32_t i = 0; i < kEarlySegments; ++i) {
      if (s.early_direction[i] == 0 || s.early_offset[i] < end) continue;
      if (next == kEarlySegments || s.early_offset[i] < s.early_offset[next]) next = i;
    }
    if (next == kEarlySegments) break;
    std::memmove(s.early_bytes + end, s.early_bytes + s.early_offset[next], s.early_length[next]);
    s.early_offset[next] = static_cast<uint16_t>(end);
    end += s.early_length[next];
  }
  return end;
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
  if (free == kEarlySegments) return false;
  if (end + length > kEarlyBytes) end = Compact(s);
  if (end + length > kEarlyBytes) return false;
  s.early_direction[free] = static_cast<uint8_t>(d + 1);
  s.early_seq[free] = seq;
  s.early_length[free] = static_cast<uint16_t>(length);
  s.early_offset[free] = static_cast<uint16_t>(end);
  std::memcpy(s.early_bytes + end, at, length);
  ++s.waiting[d];
  ++s.early;
  return true;
}

uint32_t Earliest(const Http& s, uint32_t d) {
  uint32_t first = kEarlySegments;
  for (uint32_t i = 0; i < kEarlySegments; ++i) {
    if (s.early_direction[i] != d + 1) continue;
    if (first == kEarlySegments || static_cast<int32_t>(s.early_seq[i] - s.early_seq[first]) < 0) first = i;
  }
  return first;
}

void TakeKept(Http& s, uint32_t d) {
  while (s.waiting[d] > 0) {
    const uint32_t i = Earliest(s, d);
    const uint32_t length = s.early_length[i];
    if (!Take(s, d, s.early_seq[i], s.early_bytes + s.early_offset[i], length, length)) return;
    s.early_direction[i] = 0;
    --s.waiting[d];
  }
}

void GiveUp(Http& s, uint32_t d) {
  Lose(s, d, s.early_seq[Earliest(s, d)]);
  TakeKept(s, d);
}

void Segment(Http& s, uint32_t d, uint32_t seq, const uint8_t* at, uint32_t count, uint32_t length) {
  if (IsOver(s, d)) return;
  if (s.sequence_known[d] == 0) {
    s.sequence_known[d] = 1;
    Resume(s, d, seq);
  }
  while (!Take(s, d, seq, at, count, length)) {
    if (count == length && Keep(s, d, seq, at, length)) return;
    if (s.waiting[d] > 0) {
      GiveUp(s, d);
    } else {
      Lose(s, d, seq);
    }
  }
  TakeKept(s, d);
}

void Acknowledged(Http& s, uint32_t d, uint32_t ack) {
  while (s.waiting[d] > 0 && !IsOver(s, d) && static_cast<int32_t>(ack - s.next_seq[d]) > 0) GiveUp(s, d);
}

// `asks`: a SYN without ACK.
void Begin(Http& s, uint32_t d, uint32_t seq, bool asks) {
  const uint32_t first = seq + 1;
  if (s.sequence_known[d] == 2 && s.first_seq[d] == first) return;
  if (asks && s.sequence_known[d] != 0) s.next_exchange = s.requests;
  s.sequence_known[d] = 2;
  s.first_seq[d] = first;
  BeginAt(s, d, first, kStartLine);
  s.waiting[d] = 0;
  for (uint8_t& direction : s.early_direction) {
    if (direction == d + 1) direction = 0;
  }
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
      const uint32_t flags = tcp.flags();
      const bool syn = (flags & kSyn) != 0;
      if (syn) Begin(s, d, tcp.seq(), (flags & kAck) == 0);
      // Benchmarks send whole frames: what was on the wire is there.
      const uint32_t length = DataLength(packet);
      if ((flags & kAck) != 0 && s.waiting[d ^ 1] > 0) Acknowledged(s, d ^ 1, tcp.ack());
      if (length == 0) continue;
      Segment(s, d, syn ? tcp.seq() + 1 : tcp.seq(), packet.frame + packet.meta->parsed.payload_offset, length, length);
    }
  }
};

}  // namespace

std::unique_ptr<NativeNf> NativeHttpParser() { return std::make_unique<HttpParser>(); }

}  // namespace nf
