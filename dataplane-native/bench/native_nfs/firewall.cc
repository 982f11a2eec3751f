// nf-wasm/firewall in C++. Rules are looked at when a flow begins, here in their order, which costs that flow's first
// packet more than the original's tries; what every packet pays is the same.
#include <algorithm>

#include "harness/configs.h"
#include "harness/shipped_nf.h"
#include "native_nfs/native_nfs.h"
#include "native_nfs/tcp_view.h"

namespace nf {
namespace {

constexpr uint32_t kPolicy = 128, kTcpState = 129, kOutOfWindow = 130, kTcpFlags = 131;
constexpr uint32_t kAckLag = 66'000, kWindowMax = 65'535u << 14, kScaleMax = 14, kNoScale = 255;
constexpr uint32_t kBegins = kSyn | kFin | kRst | kAck;
enum Stage : uint8_t {
  kNone,
  kSynSent,
  kSynReceived,
  kSimultaneous,
  kEstablished,
  kClosing,
  kReset,
  kOneSided,
};

struct Connection {
  uint32_t tag, rule;
  uint32_t end[2], limit[2], window[2], syn_next[2], new_syn;
  uint8_t scale[2], stage, opener, fins, new_syn_from, midstream, icmp_type, icmp_code;
};
static_assert(sizeof(Connection) == 56);

bool Behind(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) > 0; }

uint32_t InWindow(const TcpView& t, Connection& s, uint32_t d, uint32_t seq, uint32_t end) {
  const uint32_t o = d ^ 1;
  const uint32_t ack = t.ack();
  const uint32_t window = std::max<uint32_t>(t.window() << s.scale[d], 1);
  const uint32_t sent = s.end[d], acknowledgeable = s.end[o], offered = s.window[d];
  if (Behind(end, s.limit[d]) || Behind(sent - s.window[o] - 1, seq)) return kOutOfWindow;
  if (Behind(ack, acknowledgeable) || Behind(acknowledgeable - std::max(offered, kAckLag), ack)) return kOutOfWindow;
  if (Behind(end, sent)) s.end[d] = end;
  if (window > offered) s.window[d] = window;
  if (Behind(ack + window, s.limit[o])) s.limit[o] = ack + window;
  return 0;
}

uint32_t ScaleOption(const TcpView& t) {
  const uint32_t end = t.header_length() - 20;
  for (uint32_t i = 0; i < end;) {
    const uint32_t kind = t.option(i);
    if (kind == 0) break;
    if (kind == 1) {
      ++i;
      continue;
    }
    const uint32_t length = t.option(i + 1);
    if (length < 2 || i + length > end) break;
    if (kind == 3 && length == 3) return std::min(t.option(i + 2), kScaleMax);
    i += length;
  }
  return kNoScale;
}

void Begin(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d) {
  s.syn_next[d] = t.seq() + 1;
  s.end[d] = t.seq() + 1 + DataLength(p);
  s.window[d] = std::max<uint32_t>(t.window(), 1);
  s.scale[d] = static_cast<uint8_t>(ScaleOption(t));
}

void Meet(Connection& s) {
  if (s.scale[0] == kNoScale || s.scale[1] == kNoScale) s.scale[0] = s.scale[1] = 0;
  for (uint32_t d = 0; d < 2; ++d) {
    s.limit[d] = s.syn_next[d] + s.window[d ^ 1];
    if (Behind(s.end[d], s.limit[d])) s.limit[d] = s.end[d];
  }
}

bool Acknowledges(const TcpView& t, const Connection& s, uint32_t d) {
  return t.ack() - s.syn_next[d] <= s.end[d] - s.syn_next[d];
}

void Learn(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d) {
  const uint32_t o = d ^ 1;
  const uint32_t extra = (t.flags() & (kSyn | kFin)) != 0 ? 1 : 0;
  s.midstream = 1;
  s.stage = kOneSided;
  s.opener = static_cast<uint8_t>(d);
  s.fins = static_cast<uint8_t>((t.flags() & kFin) != 0 ? 1u << d : 0);
  s.scale[0] = s.scale[1] = kScaleMax;
  s.window[0] = s.window[1] = kWindowMax;
  s.end[d] = t.seq() + DataLength(p) + extra;
  s.limit[d] = s.end[d] + kWindowMax;
  s.end[o] = t.ack();
  s.limit[o] = t.ack() + kWindowMax;
}

uint32_t PickUp(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d) {
  if ((t.flags() & kRst) != 0 || (t.flags() & kAck) == 0) return 0;
  Learn(p, t, s, d);
  return 0;
}

uint32_t Again(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d, uint32_t flags) {
  if (flags == kSyn) {
    Begin(p, t, s, d);
    return 0;
  }
  return (flags & kRst) != 0 ? 0 : PickUp(p, t, s, d);
}

uint32_t Answer(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d, uint32_t flags) {
  const uint32_t o = d ^ 1;
  if (flags == kSyn) {
    Begin(p, t, s, d);
    Meet(s);
    s.stage = kSimultaneous;
    return 0;
  }
  if ((flags & kAck) == 0) return kTcpState;
  const bool known = Acknowledges(t, s, o);
  if ((flags & kSyn) != 0) {
    if (!known) return kOutOfWindow;
    Begin(p, t, s, d);
    Meet(s);
    s.stage = kSynReceived;
    return 0;
  }
  if ((flags & kRst) != 0) {
    if (!known) return kOutOfWindow;
    s.stage = kReset;
    return 0;
  }
  if (!known) return DataLength(p) == 0 && (flags & kFin) == 0 ? 0 : kOutOfWindow;
  return PickUp(p, t, s, d);
}

uint32_t SynAck(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d) {
  const uint32_t o = d ^ 1;
  if (s.new_syn_from == o + 1 && t.ack() == s.new_syn) {
    s.fins = 0;
    s.new_syn_from = 0;
    Learn(p, t, s, d);
    s.syn_next[o] = s.new_syn;
    s.syn_next[d] = t.seq() + 1;
    return 0;
  }
  if (s.midstream == 0 && (t.seq() + 1 != s.syn_next[d] || !Acknowledges(t, s, o))) return kOutOfWindow;
  return InWindow(t, s, d, t.seq(), t.seq() + 1 + DataLength(p));
}

uint32_t Segment(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d, bool fin) {
  uint32_t end = t.seq() + DataLength(p) + (fin ? 1 : 0);
  if (IsFragment(p)) {
    const uint32_t most = t.seq() + 65'535;
    end = Behind(most, s.limit[d]) && !Behind(end, s.limit[d]) ? s.limit[d] : most;
  }
  if ((s.fins & 1u << d) != 0 && Behind(end, s.end[d])) return kTcpState;
  if (s.stage == kOneSided) {
    if (d != s.opener) {
      s.stage = s.fins != 0 ? kClosing : kEstablished;
    } else {
      if (Behind(t.ack(), s.end[d ^ 1])) s.end[d ^ 1] = t.ack();
      if (Behind(end, s.end[d])) s.limit[d] = end + kWindowMax;
    }
  }
  const uint32_t reason = InWindow(t, s, d, t.seq(), end);
  if (reason != 0) return reason;
  if (fin) {
    s.fins |= static_cast<uint8_t>(1u << d);
    if (s.stage != kReset && s.stage != kOneSided) s.stage = kClosing;
  } else if (s.stage == kSimultaneous || (s.stage == kSynReceived && d == s.opener)) {
    s.stage = kEstablished;
  }
  return 0;
}

[[gnu::noinline]] uint32_t Special(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d) {
  const uint32_t flags = t.flags() & kBegins;
  const bool syn = (flags & kSyn) != 0;
  if (flags == 0 || flags == kFin || (syn && (flags & (kFin | kRst)) != 0)) return kTcpFlags;
  if ((flags & (kFin | kRst)) == (kFin | kRst)) return kTcpFlags;
  if (s.stage == kNone) {
    if (flags != kSyn) return PickUp(p, t, s, d);
    Begin(p, t, s, d);
    s.opener = static_cast<uint8_t>(d);
    s.stage = kSynSent;
    return 0;
  }
  if (s.stage == kSynSent) return d == s.opener ? Again(p, t, s, d, flags) : Answer(p, t, s, d, flags);
  if (flags == kSyn) {
    if (t.seq() + 1 == s.syn_next[d] && s.midstream == 0) return 0;
    s.new_syn = t.seq() + 1;
    s.new_syn_from = static_cast<uint8_t>(d + 1);
    return 0;
  }
  if ((flags & kRst) != 0) {
    if (Behind(t.seq(), s.limit[d]) || Behind(s.limit[d] - s.window[d ^ 1] - 1, t.seq())) return kOutOfWindow;
    s.stage = kReset;
    return 0;
  }
  return syn ? SynAck(p, t, s, d) : Segment(p, t, s, d, (flags & kFin) != 0);
}

uint32_t FollowTcp(const NativePacket& p, const TcpView& t, Connection& s, uint32_t d) {
  if (s.stage == kEstablished && (t.flags() & kBegins) == kAck && !IsFragment(p)) [[likely]] {
    const uint32_t seq = t.seq();
    return InWindow(t, s, d, seq, seq + DataLength(p));
  }
  return Special(p, t, s, d);
}

class Firewall : public NativeNf {
 public:
  Firewall() : rules_(FirewallRules(kFirewallRules)) {}

  void Process(const NativePacket* packets, uint32_t count, uint8_t d, uint64_t, abi::Result* results) override {
    for (uint32_t i = 0; i < count; ++i) {
      const NativePacket& packet = packets[i];
      Connection& s = *reinterpret_cast<Connection*>(packet.state);
      if (packet.first) Open(packet, s);
      const TcpView tcp(packet);
      uint32_t reason = s.tag;
      if (reason == 0) {
        reason = tcp.at != nullptr ? FollowTcp(packet, tcp, s, d) : 0;
      } else if (tcp.at != nullptr && d != 0 && (tcp.flags() & kBegins) == kSyn) {
        reason = Blocked(packet, tcp, s);
      }
      if (reason == 0) {
        Forward(results[i]);
      } else {
        Drop(results[i], reason);
      }
    }
  }

 private:
  // 1 + the number of the first rule that matches, 0: the default.
  uint32_t RuleFor(const FlowKey& key, uint32_t side) const {
    const uint32_t from = LoadBe32(key.source_address + 12), to = LoadBe32(key.destination_address + 12);
    const auto outside = [](uint32_t address, uint32_t net, uint32_t bits) {
      return bits != 0 && (address ^ net) >> (32 - bits) != 0;
    };
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      const FirewallRule& rule = rules_[i];
      if (rule.protocol != 0 && rule.protocol != key.protocol) continue;
      if (rule.side != 2 && rule.side != side) continue;
      if (outside(from, rule.from, rule.from_bits) || outside(to, rule.to, rule.to_bits)) continue;
      if (key.destination_port < rule.low || key.destination_port > rule.high) continue;
      return i + 1;
    }
    return 0;
  }
  bool IsDropped(uint32_t rule) const { return rule == 0 || rules_[rule - 1].drops; }

  void Open(const NativePacket& packet, Connection& s) const {
    s.rule = RuleFor(*packet.flow, packet.meta->in_port);
    if (IsDropped(s.rule)) s.tag = kPolicy;
  }
  // A connection from the other side of a blocked flow.
  uint32_t Blocked(const NativePacket& packet, const TcpView& tcp, Connection& s) const {
    const uint32_t rule = RuleFor(packet.flow->Reversed(), packet.meta->in_port);
    if (IsDropped(rule)) return s.tag;
    s.tag = 0;
    s.rule = rule;
    return FollowTcp(packet, tcp, s, 1);
  }

  std::vector<FirewallRule> rules_;
};

}  // namespace

std::unique_ptr<NativeNf> NativeFirewall() { return std::make_unique<Firewall>(); }

}  // namespace nf
