// nf-wasm/flow_monitor in C++.
#include <algorithm>

#include "native_nfs/native_nfs.h"
#include "native_nfs/tcp_view.h"

namespace nf {
namespace {

constexpr uint64_t kReorderNs = 3'000'000;
enum Stage : uint8_t { kNone, kSynSeen, kSynAgain, kSynAckSeen, kSynAckAgain, kDone };

struct Monitor {
  uint64_t packets[2], bytes[2], payload_bytes[2], first_ns[2], last_ns[2];
  uint64_t rtt_server_ns, rtt_client_ns, stage_ns, gap_ns[2];
  uint32_t start_seq[2], next_seq[2];
  uint32_t retransmissions[2], retransmitted_bytes[2], out_of_order[2], gaps[2], keep_alives[2];
  uint32_t syn[2], fin[2], rst[2], zero_window[2], fragments[2], icmp_errors[2];
  uint8_t tcp_flags[2], sequence_known[2], stage;
};
static_assert(sizeof(Monitor) == 232);

// Of the packet: in a poll of a capture later than the poll's.
uint64_t TimeOf(const NativePacket& packet, uint64_t now_ns) {
  const uint64_t at = packet.meta->timestamp_ns;
  return at > now_ns ? now_ns + std::min<uint64_t>(at - now_ns, abi::kPollGapNs) : now_ns;
}
uint64_t Since(uint64_t earlier, uint64_t time) { return time > earlier ? time - earlier : 0; }

void Handshake(Monitor& s, uint32_t d, bool syn, bool ack, bool again, uint64_t now_ns) {
  const uint8_t stage = s.stage;
  if (syn && !ack && d == 0) {
    if (!again) {
      s.stage = kSynSeen;
      s.stage_ns = now_ns;
    } else if (stage == kSynSeen) {
      s.stage = kSynAgain;
    }
  } else if (syn && ack && d == 1) {
    if (stage == kSynSeen || stage == kSynAgain) {
      if (stage == kSynSeen) s.rtt_server_ns = Since(s.stage_ns, now_ns);
      s.stage = kSynAckSeen;
      s.stage_ns = now_ns;
    } else if (stage == kSynAckSeen) {
      s.stage = kSynAckAgain;
    }
  } else if (!syn && ack && d == 0 && (stage == kSynAckSeen || stage == kSynAckAgain)) {
    if (stage == kSynAckSeen) s.rtt_client_ns = Since(s.stage_ns, now_ns);
    s.stage = kDone;
  }
}

void Begin(Monitor& s, uint32_t d, uint32_t next) {
  s.sequence_known[d] = 1;
  s.next_seq[d] = next;
  s.gap_ns[d] = 0;
}

void Follow(Monitor& s, uint32_t d, uint32_t seq, uint32_t length, bool only_data, uint64_t now_ns) {
  const uint32_t end = seq + length;
  if (s.sequence_known[d] == 0) return Begin(s, d, end);
  const uint32_t next = s.next_seq[d];
  const auto ahead = static_cast<int32_t>(seq - next);
  if (ahead == -1 && length <= 1 && only_data) {
    ++s.keep_alives[d];
    return;
  }
  if (length == 0) return;
  if (ahead >= 0) {
    if (ahead > 0) {
      ++s.gaps[d];
      s.gap_ns[d] = now_ns;
    }
    s.next_seq[d] = end;
    return;
  }
  const bool beyond = static_cast<int32_t>(end - next) > 0;
  if (s.gap_ns[d] != 0 && Since(s.gap_ns[d], now_ns) < kReorderNs && !beyond) {
    ++s.out_of_order[d];
    return;
  }
  ++s.retransmissions[d];
  s.retransmitted_bytes[d] += beyond ? static_cast<uint32_t>(-ahead) : length;
  if (beyond) s.next_seq[d] = end;
}

void Tcp(const NativePacket& packet, const TcpView& tcp, Monitor& s, uint32_t d, uint64_t now_ns) {
  const uint32_t flags = tcp.flags();
  const uint32_t seq = tcp.seq();
  s.tcp_flags[d] |= static_cast<uint8_t>(flags);
  const bool syn = (flags & kSyn) != 0, fin = (flags & kFin) != 0;
  const bool again = syn && s.syn[d] != 0 && s.start_seq[d] == seq;
  if (syn) ++s.syn[d];
  if (fin) ++s.fin[d];
  if ((flags & kRst) != 0) {
    ++s.rst[d];
    return;
  }
  uint32_t length = DataLength(packet);
  if (syn) {
    s.start_seq[d] = seq;
    ++length;
  }
  if (fin) ++length;
  if (tcp.window() == 0) ++s.zero_window[d];
  Handshake(s, d, syn, (flags & kAck) != 0, again, now_ns);
  if (IsFragment(packet)) {
    s.sequence_known[d] = 0;
  } else if (syn && !again) {
    Begin(s, d, seq + length);
  } else {
    Follow(s, d, seq, length, !syn && !fin, now_ns);
  }
}

class FlowMonitor : public NativeNf {
 public:
  void Process(const NativePacket* packets, uint32_t count, uint8_t d, uint64_t poll_ns,
               abi::Result* results) override {
    for (uint32_t i = 0; i < count; ++i) {
      const NativePacket& packet = packets[i];
      Monitor& s = *reinterpret_cast<Monitor*>(packet.state);
      const uint64_t now_ns = TimeOf(packet, poll_ns);
      if (s.packets[d] == 0) s.first_ns[d] = now_ns;
      s.last_ns[d] = now_ns;
      ++s.packets[d];
      s.bytes[d] += packet.meta->wire_length;
      if (IsFragment(packet)) ++s.fragments[d];
      s.payload_bytes[d] += DataLength(packet);
      const TcpView tcp(packet);
      if (tcp.at != nullptr) Tcp(packet, tcp, s, d, now_ns);
      Forward(results[i]);
    }
  }
};

}  // namespace

std::unique_ptr<NativeNf> NativeFlowMonitor() { return std::make_unique<FlowMonitor>(); }

}  // namespace nf
