// nf-wasm/flow_monitor in C++.
#include "native_nfs/native_nfs.h"
#include "native_nfs/tcp_view.h"

namespace nf {
namespace {

constexpr uint64_t kReorderNs = 3'000'000;
enum Stage : uint8_t { kNone, kSynSeen, kSynAckSeen, kDone, kAmbiguous };

struct Monitor {
  uint64_t packets[2], bytes[2], payload_bytes[2], first_ns[2], last_ns[2];
  uint64_t rtt_server_ns, rtt_client_ns, stage_ns, gap_ns[2];
  uint32_t next_seq[2], retransmissions[2], retransmitted_bytes[2], out_of_order[2], gaps[2], keep_alives[2];
  uint32_t syn[2], fin[2], rst[2], zero_window[2], fragments[2], icmp_errors[2];
  uint8_t tcp_flags[2], sequence_known[2], stage;
};
static_assert(sizeof(Monitor) == 224);

void Handshake(Monitor& s, uint32_t flags, uint32_t d, uint64_t now_ns) {
  const bool syn = (flags & kSyn) != 0, ack = (flags & kAck) != 0;
  if (syn && !ack && d == 0) {
    s.stage = s.stage == kNone ? kSynSeen : kAmbiguous;
    s.stage_ns = now_ns;
  } else if (syn && ack && d == 1) {
    if (s.stage == kSynSeen) {
      s.rtt_server_ns = now_ns - s.stage_ns;
      s.stage = kSynAckSeen;
      s.stage_ns = now_ns;
    } else if (s.stage == kSynAckSeen) {
      s.stage = kAmbiguous;
    }
  } else if (!syn && ack && d == 0 && s.stage == kSynAckSeen) {
    s.rtt_client_ns = now_ns - s.stage_ns;
    s.stage = kDone;
  }
}

void Follow(Monitor& s, uint32_t d, uint32_t seq, uint32_t length, uint64_t now_ns) {
  const uint32_t end = seq + length;
  if (s.sequence_known[d] == 0) {
    s.sequence_known[d] = 1;
    s.next_seq[d] = end;
    return;
  }
  if (length == 0) return;
  const uint32_t next = s.next_seq[d];
  const auto ahead = static_cast<int32_t>(seq - next);
  const auto end_ahead = static_cast<int32_t>(end - next);
  if (ahead >= 0) {
    if (ahead > 0) {
      ++s.gaps[d];
      s.gap_ns[d] = now_ns;
    }
    s.next_seq[d] = end;
    return;
  }
  if (length <= 1 && ahead == -1) {
    ++s.keep_alives[d];
    return;
  }
  if (s.gap_ns[d] != 0 && now_ns - s.gap_ns[d] < kReorderNs && end_ahead <= 0) {
    ++s.out_of_order[d];
    return;
  }
  ++s.retransmissions[d];
  s.retransmitted_bytes[d] += end_ahead > 0 ? static_cast<uint32_t>(-ahead) : length;
  if (end_ahead > 0) s.next_seq[d] = end;
}

void Tcp(const NativePacket& packet, const TcpView& tcp, Monitor& s, uint32_t d, uint64_t now_ns) {
  const uint32_t flags = tcp.flags();
  s.tcp_flags[d] |= static_cast<uint8_t>(flags);
  uint32_t length = DataLength(packet);
  if ((flags & kSyn) != 0) {
    ++s.syn[d];
    ++length;
  }
  if ((flags & kFin) != 0) {
    ++s.fin[d];
    ++length;
  }
  if ((flags & kRst) != 0) {
    ++s.rst[d];
    return;
  }
  if (tcp.window() == 0) ++s.zero_window[d];
  Handshake(s, flags, d, now_ns);
  Follow(s, d, tcp.seq(), length, now_ns);
}

class FlowMonitor : public NativeNf {
 public:
  void Process(const NativePacket* packets, uint32_t count, uint8_t d, uint64_t now_ns, abi::Result* results) override {
    for (uint32_t i = 0; i < count; ++i) {
      const NativePacket& packet = packets[i];
      Monitor& s = *reinterpret_cast<Monitor*>(packet.state);
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
