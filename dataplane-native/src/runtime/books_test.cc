// received + emitted = sent + dropped + held after every turn, and no mbuf leaks, whatever comes and whatever NFs do.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "runtime/test_run.h"

namespace nf::test {
namespace {

using abi::Verdict;

class Traffic {
 public:
  explicit Traffic(uint32_t seed) : random_(seed) {}
  uint32_t Below(uint32_t bound) { return std::uniform_int_distribution<uint32_t>(0, bound - 1)(random_); }

  bool OneIn(uint32_t count) { return Below(count) == 0; }

  // What an NF of the chain below may do, at its position.
  Answer FairAnswer(uint32_t nf) {
    Answer answer;
    if (OneIn(4)) answer.verdict = Verdict::kDrop;
    if (answer.verdict == Verdict::kDrop && OneIn(2)) answer.drop_reason = static_cast<uint8_t>(128 + Below(128));
    if (nf != 0 && OneIn(6)) answer.verdict = Verdict::kReply, answer.drop_reason = 0;
    if (OneIn(10)) answer.flags |= abi::kResultFlagCloseFlow;
    if (OneIn(10)) answer.flags |= abi::kResultFlagArmTimer;
    if (OneIn(5)) answer.timeout = Below(2000);
    if (nf == 2) return answer;
    if (OneIn(4)) return WithOp(answer, Answer::kEmit, Below(2), 1 + Below(2 - nf));
    if (OneIn(2)) return answer;
    answer.flags |= abi::kResultFlagModifiedHeader;
    return WithOp(answer, Answer::kSetHeaderByte, Below(256), OneIn(4) ? 26 + Below(10) : 22);  // TTL as a rule.
  }
  // Whatever fits into a result.
  Answer UnfairAnswer() {
    Answer answer{.verdict = static_cast<Verdict>(Below(6)),
                  .drop_reason = static_cast<uint8_t>(Below(256)),
                  .flags = static_cast<uint16_t>(1u << Below(8)),
                  .header_length = static_cast<uint16_t>(Below(3) * 21),
                  .payload_length = static_cast<uint16_t>(Below(200))};
    constexpr Answer::Op kOps[] = {Answer::kTrap, Answer::kSetHeaderByte, Answer::kEmit, Answer::kEmitBadFrame};
    return WithOp(answer, kOps[Below(4)], Below(256), Below(40));
  }
  static Answer WithOp(Answer answer, Answer::Op op, uint32_t value, uint32_t at) {
    answer.op = op;
    answer.value = static_cast<uint8_t>(value);
    answer.at = static_cast<uint16_t>(at);
    return answer;
  }
  Answer AnyAnswer(uint32_t nf) { return OneIn(60) ? UnfairAnswer() : FairAnswer(nf); }

  std::string AnyFrame(bool from_server) {
    const auto port = static_cast<uint16_t>(1000 + Below(12));
    const std::string payload = Payload({AnyAnswer(0), AnyAnswer(1), AnyAnswer(2)});
    const uint32_t kind = Below(20);
    const Ipv4Fields datagram{.source = from_server ? kServerAddress : kClientAddress,
                              .destination = from_server ? kClientAddress : kServerAddress,
                              .identification = static_cast<uint16_t>(Below(6))};
    if (kind < 9) return UdpFrame(port, payload, from_server);
    if (kind < 13) return TcpFrame(port, static_cast<uint8_t>(Below(32)), from_server, payload);
    if (kind == 13) {
      Ipv4Fields first = datagram;
      first.more_fragments = true;
      return Ethernet(0x0800, Ipv4(first, Udp(port, 53, payload)));
    }
    if (kind < 16) {
      Ipv4Fields later = datagram;
      later.offset_8 = static_cast<uint16_t>(1 + Below(100));
      return Ethernet(0x0800, Ipv4(later, payload));
    }
    if (kind == 16) {  // About a UDP packet of the other side.
      const std::string inner = Ipv4({.source = datagram.destination, .destination = datagram.source},
                                     from_server ? Udp(port, 53, "") : Udp(53, port, ""));
      Ipv4Fields icmp = datagram;
      icmp.protocol = 1;
      return Ethernet(0x0800, Ipv4(icmp, Icmp(3, 1, 0, inner)));
    }
    if (kind == 17) return Ethernet(0x86dd, Ipv6({}, Udp(port, 53, payload)));
    if (kind == 18) return Ethernet(0x0806, "arp");
    std::string cut = UdpFrame(port, payload, from_server);
    return cut.substr(0, Below(static_cast<uint32_t>(cut.size())));
  }

 private:
  std::mt19937 random_;
};

TEST(BooksTest, BalanceAfterEveryTurnWhateverHappens) {
  std::array<uint64_t, abi::kDropReasonCount> dropped{};
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Traffic traffic(seed);
    TestRun run;
    run.spec.flows_max = 24;
    run.AddNf({.name = "a",
               .rights = {.view = View::kPayload, .edit = Edit::kHeaders, .emits = 2},
               .on_fault = OnFault::kDrop,
               .lease_size = 4,
               .timer = true});
    run.AddNf({.name = "b",
               .rights = {.view = View::kPayload, .edit = Edit::kPayload, .reshape = true, .reply = true, .emits = 1},
               .on_fault = OnFault::kCloseFlow,
               .quarantine = QuarantineMode::kOpen});
    run.AddNf(
        {.name = "c", .rights = {.view = View::kPayload, .reply = true}, .on_fault = OnFault::kBypass, .tick = true});
    run.port.room = 6;  // In one burst.
    uint64_t time_us = 0;
    for (uint32_t i = 0; i < 4000; ++i) {
      const bool from_server = traffic.Below(3) == 0;
      time_us += traffic.OneIn(20) ? traffic.Below(2'000'000) : traffic.Below(40);
      run.Add(traffic.AnyFrame(from_server), from_server, time_us);
    }
    run.Run();
    const PacketCounters& counters = run.worker().counters();
    EXPECT_EQ(counters.received.value(), 4000u);
    EXPECT_EQ(run.port.sent.size(), counters.sent.value());
    EXPECT_GT(counters.sent.value(), 0u);
    EXPECT_GT(counters.emitted.value(), 0u);
    EXPECT_EQ(run.worker().flows_opened(), run.worker().chain().flows_ended());
    EXPECT_EQ(run.ended().size(), run.worker().flows_opened());
    uint64_t packets = 0;
    for (const FlowSnapshot& flow : run.ended()) packets += flow.packets[0] + flow.packets[1];
    EXPECT_GT(packets, 0u);
    for (uint32_t i = 0; i < abi::kDropReasonCount; ++i) dropped[i] += counters.dropped[i].value();
  }
  // That much happened; else the traffic is too tame.
  using enum abi::DropReason;
  for (abi::DropReason reason : {kMalformedEthernet, kMalformedIpv4, kIcmpErrorNoFlow, kFragmentNoFlow,
                                 kFragmentTimeout, kFlowTableFull, kFlowRefused, kNfFault, kKeyChanged, kPortFull}) {
    EXPECT_GT(dropped[static_cast<size_t>(reason)], 0u) << abi::DropReasonName(reason);
  }
}

}  // namespace
}  // namespace nf::test
