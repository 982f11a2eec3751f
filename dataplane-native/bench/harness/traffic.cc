#include "harness/traffic.h"

#include <array>
#include <bit>
#include <cstring>

#include "base/byte_order.h"
#include "base/check.h"
#include "harness/configs.h"

namespace nf {
namespace {

constexpr uint8_t kFin = 0x01, kSyn = 0x02, kPsh = 0x08, kAck = 0x10;
constexpr uint32_t kFrameBytes = 60;
constexpr uint32_t kTcpHeaders = 54, kLongestBody = 1500 - kTcpHeaders;
constexpr char kRequest[] = "POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: 999999999999\r\n\r\n";
constexpr char kResponse[] = "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n";
constexpr uint32_t kRequestBytes = sizeof kRequest - 1, kResponseBytes = sizeof kResponse - 1;
constexpr auto kBody = [] {
  std::array<char, kLongestBody> body{};
  for (size_t i = 0; i < body.size(); ++i) body[i] = "body "[i % 5];
  return body;
}();
constexpr uint32_t kTcpSteps = 5, kUdpSteps = 2;

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

uint32_t InitialSeq(uint32_t flow, uint8_t side) { return static_cast<uint32_t>(Mix(flow * 2u + side + 1)); }

uint32_t Sum(const uint8_t* bytes, uint32_t length) {
  uint32_t sum = 0;
  uint32_t i = 0;
  for (; i + 1 < length; i += 2) {
    uint16_t word;
    std::memcpy(&word, bytes + i, sizeof word);
    sum += word;
  }
  if (i < length) sum += bytes[i];
  return sum;
}

uint16_t Fold(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void PutBe16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void PutBe32(uint8_t* at, uint32_t value) {
  PutBe16(at, value >> 16);
  PutBe16(at + 2, value & 0xffff);
}

struct Endpoint {
  uint32_t address;
  uint16_t port;
};

}  // namespace

TrafficSource::TrafficSource(const Traffic& traffic)
    : traffic_(traffic),
      opening_steps_(traffic.protocol == 6 ? kTcpSteps
                     : traffic.replies     ? kUdpSteps
                                           : 1),
      flow_bits_(static_cast<uint32_t>(std::countr_zero(traffic.flows))) {
  for (const BalancedService& service : BalancedServices()) {
    if (traffic.balanced && service.protocol == traffic.protocol) {
      backends_ = std::make_unique<MaglevTable>(service.backends, kBalancerSlots);
    }
  }
  NF_CHECK(std::has_single_bit(traffic.flows), "flows of a benchmark are a power of 2");
  NF_CHECK(traffic.frame_bytes >= kFrameBytes && traffic.frame_bytes <= kTcpHeaders + kLongestBody, "frame's bytes");
}

// Odd multiplications, sums and shifted exclusive ors of a number of so many bits: each is a permutation.
uint32_t TrafficSource::FlowOf(uint64_t round, uint32_t place) const {
  if (traffic_.order == Traffic::Order::kRoundRobin) return place;
  const uint32_t mask = traffic_.flows - 1;
  const uint64_t key = Mix(traffic_.seed * 0x9e3779b97f4a7c15u + round);
  uint32_t x = (place + static_cast<uint32_t>(key)) & mask;
  for (uint32_t i = 0; i < 3; ++i) {
    x = (x * (static_cast<uint32_t>(key >> (8 * i)) | 1)) & mask;
    x ^= x >> (flow_bits_ / 2 + 1);
    x = (x + static_cast<uint32_t>(key >> 32)) & mask;
  }
  return x;
}

TrafficSource::Packet TrafficSource::Opening(uint64_t number) const {
  const auto flow = static_cast<uint32_t>(number) & (traffic_.flows - 1);
  const uint32_t client = InitialSeq(flow, 0), server = InitialSeq(flow, 1);
  Packet packet{.flow = flow, .side = 0, .tcp_flags = kAck, .seq = client + 1, .ack = server + 1};
  packet.payload = kBody.data();
  const auto step = static_cast<uint32_t>(number >> flow_bits_);
  if (traffic_.protocol != 6) {
    packet.side = static_cast<uint8_t>(step);
    packet.payload_bytes = kDatagramBytes;
    return packet;
  }
  switch (step) {
    case 0:
      packet.tcp_flags = kSyn;
      packet.seq = client;
      packet.ack = 0;
      packet.scales = true;
      break;
    case 1:
      packet.side = 1;
      packet.tcp_flags = kSyn | kAck;
      packet.seq = server;
      packet.ack = client + 1;
      packet.scales = true;
      break;
    case 2:
      break;
    case 3:
      packet.tcp_flags = kAck | kPsh;
      packet.payload = kRequest;
      packet.payload_bytes = kRequestBytes;
      break;
    case 4:
      packet.side = 1;
      packet.tcp_flags = kAck | kPsh;
      packet.seq = server + 1;
      packet.ack = client + 1 + kRequestBytes;
      packet.payload = kResponse;
      packet.payload_bytes = kResponseBytes;
      break;
  }
  return packet;
}

TrafficSource::Packet TrafficSource::Steady(uint64_t number) const {
  const uint64_t visit = number / traffic_.in_a_row, visits = visit >> flow_bits_;
  const uint32_t flow = FlowOf(visits, static_cast<uint32_t>(visit) & (traffic_.flows - 1));
  const uint64_t round = visits * traffic_.in_a_row + number % traffic_.in_a_row;
  const uint32_t body_bytes = traffic_.frame_bytes - kTcpHeaders;
  // Sides take turns, and neighbouring flows are on different sides.
  const auto side = static_cast<uint8_t>(traffic_.replies ? (round + flow) & 1 : 0);
  const auto half = static_cast<uint32_t>(round / 2), half_up = static_cast<uint32_t>((round + 1) / 2);
  uint32_t sent[2] = {(flow & 1) == 0 ? half_up : half, (flow & 1) == 0 ? half : half_up};
  if (!traffic_.replies) {
    sent[0] = static_cast<uint32_t>(round);
    sent[1] = 0;
  }
  const uint32_t next[2] = {InitialSeq(flow, 0) + 1 + kRequestBytes + sent[0] * body_bytes,
                            InitialSeq(flow, 1) + 1 + kResponseBytes + sent[1] * body_bytes};
  return {.flow = flow,
          .side = side,
          .tcp_flags = kAck,
          .seq = next[side],
          .ack = next[side ^ 1],
          .scales = false,
          .odd = traffic_.odd_every != 0 && number % traffic_.odd_every == traffic_.odd_every - 1,
          .payload = kBody.data(),
          .payload_bytes = traffic_.protocol == 6 ? body_bytes : kDatagramBytes};
}

void TrafficSource::Write(const Packet& packet, rte_mbuf* mbuf) const {
  const uint32_t n = packet.flow;
  const bool is_tcp = traffic_.protocol == 6;
  const bool is_blocked = traffic_.blocked_every != 0 && n % traffic_.blocked_every == traffic_.blocked_every - 1;
  Endpoint server = {(is_blocked ? kBlockedNet : kServerNet) + (n * 40503u >> 3 & 0xffff),
                     static_cast<uint16_t>(is_tcp ? 80 : 53)};
  Endpoint client = {0x0a000001u + n / 8, static_cast<uint16_t>(20000 + n % 8 * 4001)};
  if (traffic_.balanced && !is_blocked) {
    server.address = kServerNet + 1 + (n * 40503u >> 3) % kServiceAddresses;
    if (packet.side == 1) {
      const Backend& backend = backends_->For({.client = client.address,
                                               .service = server.address,
                                               .client_port = client.port,
                                               .service_port = server.port,
                                               .protocol = traffic_.protocol});
      server = {backend.address, backend.port};
    }
  }
  if (packet.side == 1 && traffic_.translated) {
    client = {kOutsideNet + n / kPortsPerAddress, static_cast<uint16_t>(1024 + n % kPortsPerAddress)};
  }
  const Endpoint& from = packet.side == 0 ? client : server;
  const Endpoint& to = packet.side == 0 ? server : client;

  uint8_t* frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
  const uint32_t l4_header = is_tcp ? (packet.scales ? 24 : 20) : 8;
  const uint32_t total = 20 + l4_header + packet.payload_bytes;
  const uint32_t frame_bytes = 14 + total < kFrameBytes ? kFrameBytes : 14 + total;
  std::memset(frame + 14, 0, frame_bytes - 14);
  std::memcpy(frame, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0", 14);
  uint8_t* ip = frame + 14;
  ip[0] = 0x45;
  PutBe16(ip + 2, total);
  PutBe16(ip + 6, 0x4000);
  ip[8] = 64;
  ip[9] = traffic_.protocol;
  PutBe32(ip + 12, from.address);
  PutBe32(ip + 16, to.address);
  const uint16_t ip_sum = Fold(Sum(ip, 20));
  std::memcpy(ip + 10, &ip_sum, 2);

  uint8_t* l4 = ip + 20;
  PutBe16(l4, from.port);
  PutBe16(l4 + 2, to.port);
  uint8_t* checksum = l4 + 6;
  if (is_tcp) {
    // What is wrong with an odd one: half of them are far outside of the window, half have no flag.
    PutBe32(l4 + 4, packet.seq + (packet.odd && (n & 2) != 0 ? 0x40000000u : 0));
    PutBe32(l4 + 8, packet.ack);
    l4[12] = static_cast<uint8_t>(l4_header / 4 << 4);
    l4[13] = packet.odd && (n & 2) == 0 ? 0 : packet.tcp_flags;
    PutBe16(l4 + 14, 0xffff);
    if (packet.scales) std::memcpy(l4 + 20, "\x03\x03\x07\0", 4);
    checksum = l4 + 16;
  } else {
    PutBe16(l4 + 4, l4_header + packet.payload_bytes);
  }
  std::memcpy(l4 + l4_header, packet.payload, packet.payload_bytes);
  if (is_tcp || !packet.odd) {
    const uint32_t pseudo =
        Sum(ip + 12, 8) + uint32_t{traffic_.protocol} * 256 + rte_cpu_to_be_16(static_cast<uint16_t>(total - 20));
    uint16_t sum = Fold(pseudo + Sum(l4, total - 20));
    if (!is_tcp && sum == 0) sum = 0xffff;
    std::memcpy(checksum, &sum, 2);
  }
  mbuf->data_len = static_cast<uint16_t>(frame_bytes);
  mbuf->pkt_len = frame_bytes;
}

void TrafficSource::WriteDatagram(uint32_t flow, uint8_t side, rte_mbuf* mbuf) const {
  static_assert(kDatagramOffset + kDatagramBytes == kFrameBytes);
  Write({.flow = flow, .side = side, .payload = kBody.data(), .payload_bytes = kDatagramBytes}, mbuf);
}

uint8_t TrafficSource::Next(rte_mbuf* mbuf) {
  const uint64_t number = next_++;
  const Packet packet = number < opening_packets() ? Opening(number) : Steady(number - opening_packets());
  Write(packet, mbuf);
  return packet.side;
}

}  // namespace nf
