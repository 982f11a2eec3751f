// What do reliable messages cost, and how much of a lossy link do they use? Both ends of a channel are driven in turns
// by one thread, over rings of mbufs: `message` is what both ends together spend on one. Goodput is measured on virtual
// time: what was delivered in order, of what the link could have carried, the frames' own headers included.
#include <rte_cycles.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bench_report.h"
#include "harness/go_back_n.h"
#include "harness/must.h"
#include "harness/ring_link.h"
#include "harness/virtual_link.h"
#include "port/eal.h"
#include "proto/endpoint.h"

namespace nf {
namespace {

using proto::Channel;
using proto::ChannelConfig;
using proto::Endpoint;
using proto::MessageType;

constexpr uint16_t kA = 0, kB = 1, kMembers = 2;
constexpr uint32_t kLifeOfA = 10, kLifeOfB = 20;

double NsOf(uint64_t cycles) { return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()); }
uint64_t NowNs() { return static_cast<uint64_t>(NsOf(rte_rdtsc())); }

// Messages carry their number in front; none may be missing, twice, or in another place.
class Numbered final : public proto::MessageHandler {
 public:
  void OnMessage(uint16_t, std::span<const uint8_t> message) override { Take(message.data()); }
  void Take(const uint8_t* message) {
    uint64_t number;
    std::memcpy(&number, message, sizeof number);
    in_order_ &= number == count_++;
  }
  uint64_t count() const { return count_; }
  bool in_order() const { return in_order_; }

 private:
  uint64_t count_ = 0;
  bool in_order_ = true;
};

// States of flows with a tail, 64 bytes together: what runtimes say to each other by the thousand.
class NumberedStates final : public proto::MessageHandler {
 public:
  void OnMessage(uint16_t, std::span<const uint8_t> bytes) override {
    auto message = proto::DecodeMessage(bytes);
    Must(message.has_value(), "a message can't be read");
    while (const auto state = message->Next<proto::StateRecord>()) numbers.Take(state->bytes.data());
  }
  Numbered numbers;
};

struct Cycles {
  uint64_t sender = 0, receiver = 0;
};

class OverChannel {
 public:
  explicit OverChannel(uint32_t bytes) : message_(bytes) {
    a_.Reset(kLifeOfA, kLifeOfB);
    b_.Reset(kLifeOfB, kLifeOfA);
  }
  // Both ends' part in `count` messages that are said in one turn.
  void Turn(uint32_t count, Cycles* cycles) {
    const uint64_t begin = rte_rdtsc();
    for (uint32_t i = 0; i < count; ++i, ++said_) {
      std::memcpy(message_.data(), &said_, sizeof said_);
      if (!a_.Send(message_)) break;
    }
    a_.Poll(NowNs(), &to_b_);
    const uint64_t sent = rte_rdtsc();
    const uint64_t now_ns = NowNs();
    to_b_.Take([&](std::span<const uint8_t> frame) { b_.Receive(frame, now_ns, &inbox_); });
    b_.Poll(now_ns, &to_a_);
    const uint64_t received = rte_rdtsc();
    const uint64_t later_ns = NowNs();
    to_a_.Take([&](std::span<const uint8_t> frame) { a_.Receive(frame, later_ns, &inbox_); });
    cycles->sender += rte_rdtsc() - received + sent - begin;
    cycles->receiver += received - sent;
  }
  uint64_t delivered() const { return inbox_.in_order() ? inbox_.count() : 0; }

 private:
  static constexpr ChannelConfig kConfig{};
  Channel a_{kA, kB, kConfig}, b_{kB, kA, kConfig};
  RingLink to_b_{"to_b"}, to_a_{"to_a"};
  Numbered inbox_;
  std::vector<uint8_t> message_;
  uint64_t said_ = 0;
};

class OverEndpoint {
 public:
  explicit OverEndpoint(uint32_t bytes) : tail_(bytes - sizeof(proto::StateRecord)) {
    a_.SetOwnIncarnation(kLifeOfA);
    b_.SetOwnIncarnation(kLifeOfB);
    a_.SetPeer(kB, kLifeOfB);
    b_.SetPeer(kA, kLifeOfA);
    record_.bytes = static_cast<uint32_t>(tail_.size());
  }
  bool Say() {
    std::memcpy(tail_.data(), &said_, sizeof said_);
    if (!a_.Say(kB, MessageType::kState, {reinterpret_cast<const uint8_t*>(&record_), sizeof record_}, tail_))
      return false;
    ++said_;
    return true;
  }
  void Turn(uint32_t count, Cycles* cycles) {
    const uint64_t begin = rte_rdtsc();
    for (uint32_t i = 0; i < count && Say(); ++i) continue;
    a_.Poll(NowNs(), &to_b_);
    const uint64_t sent = rte_rdtsc();
    const uint64_t now_ns = NowNs();
    to_b_.Take([&](std::span<const uint8_t> frame) { b_.Receive(kA, frame, now_ns, &inbox_); });
    b_.Poll(now_ns, &to_a_);
    const uint64_t received = rte_rdtsc();
    const uint64_t later_ns = NowNs();
    to_a_.Take([&](std::span<const uint8_t> frame) { a_.Receive(kB, frame, later_ns, &inbox_); });
    cycles->sender += rte_rdtsc() - received + sent - begin;
    cycles->receiver += received - sent;
  }
  uint64_t delivered() const { return inbox_.numbers.in_order() ? inbox_.numbers.count() : 0; }

 private:
  static constexpr ChannelConfig kConfig{};
  Endpoint a_{kA, kMembers, kConfig}, b_{kB, kMembers, kConfig};
  RingLink to_b_{"to_b"}, to_a_{"to_a"};
  NumberedStates inbox_;
  proto::StateRecord record_{};
  std::vector<uint8_t> tail_;
  uint64_t said_ = 0;
};

// The same messages in the same frames over the same ring, and nothing else: no numbers, sums, acks, and no memory of
// what was sent.
class OverRing {
 public:
  explicit OverRing(uint32_t bytes) : message_(bytes), frame_(ChannelConfig{}.frame_bytes) {}
  void Turn(uint32_t count, Cycles* cycles) {
    const uint64_t begin = rte_rdtsc();
    size_t used = 0;
    const auto send = [&] {
      link_.SendFrame(kB, std::span(frame_).first(used));
      used = 0;
    };
    for (uint32_t i = 0; i < count; ++i, ++said_) {
      std::memcpy(message_.data(), &said_, sizeof said_);
      if (used + sizeof(uint32_t) + message_.size() > frame_.size() - sizeof(proto::FrameHeader)) send();
      const auto bytes = static_cast<uint32_t>(message_.size());
      std::memcpy(frame_.data() + used, &bytes, sizeof bytes);
      std::memcpy(frame_.data() + used + sizeof bytes, message_.data(), bytes);
      used += sizeof bytes + bytes;
    }
    send();
    const uint64_t sent = rte_rdtsc();
    link_.Take([this](std::span<const uint8_t> frame) {
      while (!frame.empty()) {
        uint32_t bytes;
        std::memcpy(&bytes, frame.data(), sizeof bytes);
        handler_->OnMessage(kA, frame.subspan(sizeof bytes, bytes));
        frame = frame.subspan(sizeof bytes + bytes);
      }
    });
    cycles->sender += sent - begin;
    cycles->receiver += rte_rdtsc() - sent;
  }
  uint64_t delivered() const { return inbox_.in_order() ? inbox_.count() : 0; }

 private:
  RingLink link_{"plain"};
  Numbered inbox_;
  proto::MessageHandler* volatile handler_ = &inbox_;  // Called as the channel calls it.
  std::vector<uint8_t> message_, frame_;
  uint64_t said_ = 0;
};

struct Rates {
  std::vector<double> message, sender, receiver, rate;
};

template <typename Way>
void Measure(Way* way, uint32_t messages, uint32_t in_a_turn, Rates* rates) {
  const uint64_t before = way->delivered();
  Cycles cycles;
  for (uint32_t said = 0; said < messages; said += in_a_turn) way->Turn(in_a_turn, &cycles);
  const uint64_t count = way->delivered() - before;
  Must(count == (messages + in_a_turn - 1) / in_a_turn * in_a_turn, "messages are missing or out of order");
  const double sender = NsOf(cycles.sender) / static_cast<double>(count);
  const double receiver = NsOf(cycles.receiver) / static_cast<double>(count);
  rates->sender.push_back(sender);
  rates->receiver.push_back(receiver);
  rates->message.push_back(sender + receiver);
  rates->rate.push_back(1e3 / (sender + receiver));
}

template <typename Way>
void Compare(BenchReport* report, const std::string& what, uint32_t bytes, uint32_t in_a_turn) {
  if (!report->Wants(what)) return;
  Way way(bytes);
  OverRing ring(bytes);
  Rates ours, theirs;
  const uint32_t messages = report->quick() ? 20'000 : 1'000'000;
  const int runs = report->quick() ? 3 : 15;
  for (int run = 0; run < runs; ++run) {
    Measure(&way, messages, in_a_turn, &ours);
    Measure(&ring, messages, in_a_turn, &theirs);
  }
  report->Add(what, "rate", "M/s", ours.rate, BenchReport::Median(theirs.rate));
  report->Add(what, "message", "ns", ours.message, BenchReport::Median(theirs.message));
  report->Add(what, "sender", "ns", ours.sender, BenchReport::Median(theirs.sender));
  report->Add(what, "receiver", "ns", ours.receiver, BenchReport::Median(theirs.receiver));
}

// Percent of what the link could have carried.
double Percent(uint64_t useful_bytes, const VirtualLink& link, uint64_t time_ns) {
  return 100 * link.NsOf(useful_bytes) / static_cast<double>(time_ns);
}

constexpr uint64_t kTurnNs = 1'000;
constexpr uint32_t kRecordBytes = 64;

double ChannelGoodput(const VirtualLinkConfig& config, uint32_t seed, uint64_t time_ns) {
  constexpr ChannelConfig kConfig{};
  Endpoint a(kA, kMembers, kConfig), b(kB, kMembers, kConfig);
  a.SetOwnIncarnation(kLifeOfA);
  b.SetOwnIncarnation(kLifeOfB);
  a.SetPeer(kB, kLifeOfB);
  b.SetPeer(kA, kLifeOfA);
  VirtualLink to_b(config, seed), to_a(config, seed + 1'000'000);
  NumberedStates inbox;
  uint64_t said = 0;
  uint8_t tail[kRecordBytes - sizeof(proto::StateRecord)] = {};
  const proto::StateRecord record{.bytes = sizeof tail};
  for (uint64_t now_ns = 0; now_ns < time_ns; now_ns += kTurnNs) {
    to_b.Tick(now_ns);
    to_a.Tick(now_ns);
    to_a.Take([&](std::span<const uint8_t> frame) { a.Receive(kB, frame, now_ns, &inbox); });
    do {
      std::memcpy(tail, &said, sizeof said);
    } while (a.Say(kB, MessageType::kState, {reinterpret_cast<const uint8_t*>(&record), sizeof record}, tail) &&
             ++said != 0);
    a.Poll(now_ns, &to_b);
    to_b.Take([&](std::span<const uint8_t> frame) { b.Receive(kA, frame, now_ns, &inbox); });
    b.Poll(now_ns, &to_a);
  }
  Must(inbox.numbers.in_order() && inbox.numbers.count() > 0, "messages are missing or out of order");
  return Percent(inbox.numbers.count() * kRecordBytes, to_b, time_ns);
}

double GoBackNGoodput(const VirtualLinkConfig& config, uint32_t seed, uint64_t time_ns) {
  constexpr ChannelConfig kConfig{};
  // As many records as the channel puts into a frame.
  constexpr uint32_t kOverhead = sizeof(proto::FrameHeader) + sizeof(proto::PieceHeader) + sizeof(proto::MessageHeader);
  constexpr uint32_t kUseful = (kConfig.frame_bytes - kOverhead) / kRecordBytes * kRecordBytes;
  ChannelConfig exact = kConfig;
  exact.frame_bytes = kUseful + kOverhead;
  GoBackN way(exact);
  VirtualLink to_b(config, seed), to_a(config, seed + 1'000'000);
  for (uint64_t now_ns = 0; now_ns < time_ns; now_ns += kTurnNs) {
    to_b.Tick(now_ns);
    to_a.Tick(now_ns);
    to_a.Take([&](std::span<const uint8_t> frame) { way.TakeAck(frame, now_ns); });
    way.PollSender(now_ns, &to_b);
    to_b.Take([&](std::span<const uint8_t> frame) { way.TakeData(frame); });
    way.PollReceiver(&to_a);
  }
  return Percent(way.delivered() * kUseful, to_b, time_ns);
}

void Goodput(BenchReport* report, const std::string& what, const VirtualLinkConfig& config) {
  if (!report->Wants(what)) return;
  std::vector<double> ours, theirs;
  const uint64_t time_ns = report->quick() ? 5'000'000 : 100'000'000;
  for (uint32_t seed = 1; seed <= (report->quick() ? 3u : 15u); ++seed) {
    ours.push_back(ChannelGoodput(config, seed, time_ns));
    theirs.push_back(GoBackNGoodput(config, seed, time_ns));
  }
  report->Add(what, "goodput", "percent", ours, BenchReport::Median(theirs));
}

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("messages", argc, argv);
  nf::Must(nf::StartEal({.use_hugepages = false, .memory_mb = 64}));
  // As many as fit the window.
  for (const auto& [bytes, in_a_turn] : {std::pair(64u, 512u), {256u, 128u}, {1024u, 32u}}) {
    const auto what = "channel, " + std::to_string(bytes) + " bytes, " + std::to_string(in_a_turn) + " a turn";
    nf::Compare<nf::OverChannel>(&report, what, bytes, in_a_turn);
  }
  nf::Compare<nf::OverChannel>(&report, "channel, 64 bytes, 32 a turn", 64, 32);
  nf::Compare<nf::OverChannel>(&report, "channel, 64 bytes, 1 a turn", 64, 1);
  nf::Compare<nf::OverEndpoint>(&report, "records, 64 bytes, 512 a turn", 64, 512);
  nf::Compare<nf::OverEndpoint>(&report, "records, 64 bytes, 32 a turn", 64, 32);
  for (const auto& [delay_ns, delay] : {std::pair(2'000u, "2 us"), {10'000u, "10 us"}, {25'000u, "25 us"}}) {
    for (const auto& [loss, percent] : {std::pair(0.0, "0"), {0.001, "0.1"}, {0.01, "1"}, {0.05, "5"}}) {
      nf::Goodput(&report, std::string("10 Gb/s, ") + delay + " each way, " + percent + " % lost",
                  {.delay_ns = delay_ns, .loss = loss});
    }
  }
}
