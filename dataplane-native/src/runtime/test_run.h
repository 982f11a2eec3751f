// For tests: a worker between scripted ports, with NFs that do what the packets themselves say. Not part of the
// product.
//
//   TestRun run;
//   run.AddNf({.name = "a"});
//   run.Client(UdpPacket(1000, {Answer{.verdict = abi::Verdict::kDrop}}));
//   run.Run();
//   EXPECT_EQ(run.dropped("a.drop"), 1);
#pragma once

#include <rte_mbuf.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "packet/packet_meta.h"
#include "packet/test_frames.h"
#include "port/port.h"
#include "port/test_eal.h"
#include "runtime/worker.h"
#include "wasm/engine.h"
#include "wasm/test_modules.h"

namespace nf::test {

// ---- Packets that carry what NFs are to answer.

// What the NF at one position of the chain does with the packet, as 32 bytes of its payload.
struct Answer {
  abi::Verdict verdict = abi::Verdict::kForward;
  uint8_t drop_reason = 0;
  uint16_t flags = 0;
  uint16_t header_length = 0, payload_length = 0;
  uint32_t timeout = 0;
  uint16_t out_port = 0;
  enum Op : uint8_t {
    kNothing,
    kTrap,
    kSpin,
    kSetHeaderByte,   // header[at] = value.
    kSetPayloadByte,  // payload[at] = value.
    kEmit,            // The packet itself, or its payload's `frame` bytes, in direction `value`; `at` records of it.
    kPoke,            // state[at] = value.
    kEmitBadFrame,    // A record that names no stride.
  } op = kNothing;
  uint8_t value = 0;
  uint16_t at = 0;
  uint16_t frame_at = 0, frame_length = 0;  // For kEmit: which part of the payload.

  std::string Bytes() const {
    const abi::Result result{.verdict = static_cast<uint8_t>(verdict),
                             .drop_reason = drop_reason,
                             .flags = flags,
                             .header_length = header_length,
                             .payload_length = payload_length,
                             .timeout = timeout,
                             .out_port = out_port,
                             .reserved_14 = {}};
    std::string bytes(reinterpret_cast<const char*>(&result), sizeof result);
    bytes += Byte(op) + Byte(value);
    bytes += Byte(at & 0xff) + Byte(at >> 8);
    bytes += Byte(frame_at & 0xff) + Byte(frame_at >> 8) + Byte(frame_length & 0xff) + Byte(frame_length >> 8);
    return bytes + std::string(8, '\0');
  }
};
inline constexpr uint32_t kAnswerBytes = 32;

inline std::string Payload(const std::vector<Answer>& answers) {
  std::string bytes;
  for (const Answer& answer : answers) bytes += answer.Bytes();
  return bytes;
}

// The same, where NFs that emit send `frame`, which lies behind the answers.
inline std::string PayloadWith(std::vector<Answer> answers, const std::string& frame) {
  for (Answer& answer : answers) {
    if (answer.op != Answer::kEmit) continue;
    answer.frame_at = static_cast<uint16_t>(answers.size() * kAnswerBytes);
    answer.frame_length = static_cast<uint16_t>(frame.size());
  }
  return Payload(answers) + frame;
}

inline constexpr uint32_t kClientAddress = 0x0a000001, kServerAddress = 0x0a000102;

struct Packet {
  std::string frame;
  uint8_t side = 0;
  uint64_t time_ns = 1'000'000'000'000;
  uint32_t wire_length = 0;  // 0: as long as the frame.
};

inline std::string UdpFrame(uint16_t port, const std::string& payload = {}, bool from_server = false) {
  const std::string udp = from_server ? Udp(53, port, payload) : Udp(port, 53, payload);
  return Ethernet(0x0800, Ipv4({.protocol = 17,
                                .source = from_server ? kServerAddress : kClientAddress,
                                .destination = from_server ? kClientAddress : kServerAddress},
                               udp));
}
inline std::string TcpFrame(uint16_t port, uint8_t flags, bool from_server = false, const std::string& payload = {}) {
  const std::string tcp = from_server ? Tcp({.source_port = 80, .destination_port = port, .flags = flags}, payload)
                                      : Tcp({.source_port = port, .destination_port = 80, .flags = flags}, payload);
  return Ethernet(0x0800, Ipv4({.protocol = 6,
                                .source = from_server ? kServerAddress : kClientAddress,
                                .destination = from_server ? kClientAddress : kServerAddress},
                               tcp));
}

// ---- Ports.

// Both ports of a capture: gives out a script, keeps what is sent.
class ScriptPort : public Port {
 public:
  struct Sent {
    std::string frame;
    uint32_t wire_length;
    uint64_t time_ns;
    uint64_t arrival;
    uint8_t out_port;
    bool emitted;
  };

  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override {
    uint32_t taken = 0;
    for (; taken < count && !script.empty(); ++taken) {
      const Packet packet = script.front();
      script.pop_front();
      rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool());
      NF_CHECK(mbuf != nullptr, "packets leak");
      std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(packet.frame.size())), packet.frame.data(),
                  packet.frame.size());
      PacketMeta* meta = MetaOf(mbuf);
      meta->timestamp_ns = packet.time_ns;
      meta->wire_length = packet.wire_length != 0 ? packet.wire_length : static_cast<uint32_t>(packet.frame.size());
      meta->in_port = packet.side;
      meta->arrival = arrival_++;
      packets[taken] = mbuf;
    }
    return taken;
  }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    const uint32_t taken = std::min(count, room);
    for (uint32_t i = 0; i < taken; ++i) {
      const PacketMeta* meta = MetaOf(packets[i]);
      sent.push_back({.frame = std::string(rte_pktmbuf_mtod(packets[i], const char*), packets[i]->data_len),
                      .wire_length = meta->wire_length,
                      .time_ns = meta->timestamp_ns,
                      .arrival = meta->arrival,
                      .out_port = meta->out_port,
                      .emitted = meta->emitted != 0});
      rte_pktmbuf_free(packets[i]);
    }
    return taken;
  }
  bool at_end() const override { return script.empty(); }

  std::deque<Packet> script;
  std::vector<Sent> sent;
  uint32_t room = UINT32_MAX;

 private:
  uint64_t arrival_ = 0;
};

// ---- NFs.

// The module whose answers the packets carry. The flow state counts: packets @0, FIRSTs @4, direction 1 @8, the last
// sequence @12; the rest is for kPoke. Counters: packets, flow-close calls, the reasons of these as hexadecimal digits,
// calls of process-burst, flow-timer calls, ticks.
std::string ScriptBody(uint32_t position);
// Text that adds 1 to a counter of the NF.
std::string CountOne(uint32_t counter);
inline constexpr uint32_t kScriptStateBytes = 32;
// Instead of the script, source NAT: direction 0 leaves from 11.0.0.1 and port 5000 + lease, direction 1 goes to the
// initiator. Fragments without ports too, if `later`.
std::string NatBody(bool later = true);

struct TestNf {
  std::string name;
  NfRights rights = {.view = View::kPayload};
  OnFault on_fault = OnFault::kCloseFlow;
  QuarantineMode quarantine = QuarantineMode::kClosed;
  uint32_t lease_size = 0;
  bool timer = false, tick = false;
  std::map<uint8_t, std::string> drop_reasons = {};
  std::string init = {}, configure = "(i32.const 0)";
  // Instead of the script:
  std::string process_burst = {};
  // After what the script does there:
  std::string on_close = {}, on_timer = {}, on_tick = {};
  std::string more = {};  // Further fields of the module.
  std::string version = "1.0.0";
  uint32_t heap_pages = 1;
};

class TestRun {
 public:
  TestRun() { StartTestEal(); }
  ~TestRun();

  void AddNf(const TestNf& nf) { spec.chain.push_back(Spec(nf, static_cast<uint32_t>(spec.chain.size()))); }
  static NfSpec Spec(const TestNf& nf, uint32_t position);
  static Engine& engine();

  // Packets in order, `time` in µs after the start.
  void Client(const std::string& frame, uint64_t time_us = 0) { Add(frame, 0, time_us); }
  void Server(const std::string& frame, uint64_t time_us = 0) { Add(frame, 1, time_us); }
  void Add(const std::string& frame, uint8_t side, uint64_t time_us = 0, uint32_t wire_length = 0) {
    port.script.push_back({frame, side, kStart + time_us * 1000, wire_length});
  }

  // Makes the worker if there is none yet.
  Worker& worker();
  // Until the script is at its end; flows stay open. The books must balance after each turn.
  void Turns();
  // Turns, then the end of the run: nothing is held, and all mbufs are back in their pool.
  void Run();
  void CheckBooks();

  uint64_t dropped(const std::string& name) const;
  uint64_t dropped_by_host() const;
  uint64_t counter(uint32_t nf, uint32_t which);
  uint64_t count(const Counter& counter) const { return counter.value(); }
  // Events so far.
  std::vector<Event>& events();
  std::vector<FlowSnapshot> ended();
  std::vector<FaultEvent> faults();
  // What was sent, as payload texts or whole frames.
  std::vector<std::string> sent_frames() const;

  static constexpr uint64_t kStart = 1'700'000'000'000'000'000;
  ScriptPort port;
  RuntimeSpec spec;

 private:
  std::unique_ptr<Worker> worker_;
  std::vector<Event> events_;
  uint32_t mbufs_ = 0;  // That were free before.
};

// Little-endian word of a flow state.
inline uint32_t Word(const std::vector<uint8_t>& state, uint32_t offset) {
  uint32_t word = 0;
  if (state.size() >= offset + 4) std::memcpy(&word, state.data() + offset, 4);
  return word;
}

}  // namespace nf::test
