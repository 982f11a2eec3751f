// What an NF may change in a packet, and what becomes of changes that it may not make (docs/packet_path.md, section 6).
#include <gtest/gtest.h>

#include "runtime/test_run.h"

namespace nf::test {
namespace {

using abi::FaultKind;
using abi::Verdict;

constexpr NfRights kHeaders{.view = View::kPayload, .edit = Edit::kHeaders};
constexpr NfRights kPayloads{.view = View::kPayload, .edit = Edit::kPayload};
constexpr NfRights kReshapes{.view = View::kPayload, .edit = Edit::kPayload, .reshape = true};
constexpr uint16_t kHeader = abi::kResultFlagModifiedHeader, kPayload = abi::kResultFlagModifiedPayload;

Answer SetHeader(uint16_t at, uint8_t value, uint16_t flags = kHeader) {
  return {.flags = flags, .op = Answer::kSetHeaderByte, .value = value, .at = at};
}
Answer SetPayload(uint16_t at, uint8_t value, uint16_t flags = kPayload) {
  return {.flags = flags, .op = Answer::kSetPayloadByte, .value = value, .at = at};
}
std::string With(std::string frame, size_t at, uint8_t value) {
  frame[at] = static_cast<char>(value);
  return frame;
}

TEST(EditsTest, HeaderBytesReachTheFrameAndTheNextNf) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders});
  // Takes the TTL into its state.
  run.AddNf({.name = "b", .process_burst = ForEachPacket(R"(
    (i32.store8 (i32.load offset=24 (local.get $descriptor)) (i32.load8_u offset=22 (i32.load (local.get $descriptor))))
    (i32.store8 (local.get $result) (i32.const 1)))")});
  const std::string frame = UdpFrame(1000, Payload({SetHeader(22, 9)}) + "the rest");
  run.Client(frame);
  run.Run();
  EXPECT_EQ(run.sent_frames(), std::vector<std::string>{With(frame, 22, 9)});
  EXPECT_EQ(Word(run.ended().at(0).states[1], 0), 9u);
}

TEST(EditsTest, WhatIsNotFlaggedIsNotTaken) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kPayloads});
  run.AddNf({.name = "b"});
  const std::string one = UdpFrame(1000, Payload({SetHeader(22, 9, 0), {}}));
  const std::string two = UdpFrame(1000, Payload({SetPayload(60, 9, kHeader), {}}) + "abc");
  const std::string three = UdpFrame(1000, Payload({SetHeader(22, 9, kPayload), {}}));
  for (const auto& frame : {one, two, three}) run.Client(frame);
  run.Run();
  EXPECT_EQ(run.sent_frames(), (std::vector<std::string>{one, two, three}));
}

TEST(EditsTest, ADroppedPacketsEditsAreNotLookedAt) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders});
  Answer answer = SetHeader(14, 0);
  answer.verdict = Verdict::kDrop;
  run.Client(UdpFrame(1000, Payload({answer})));
  run.Run();
  EXPECT_EQ(run.dropped("a.drop"), 1u);
  EXPECT_TRUE(run.faults().empty());
}

TEST(EditsTest, PayloadBytes) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kPayloads});
  run.AddNf({.name = "b"});
  // What a changes is b's answer: DROP with its reason 200.
  const Answer drop{.verdict = Verdict::kDrop};
  run.Client(UdpFrame(1000, Payload({SetPayload(33, 200), drop})));
  run.Client(UdpFrame(1000, Payload({SetPayload(63, 1), {}})));
  run.Run();
  EXPECT_EQ(run.dropped("b.200"), 1u);
  EXPECT_EQ(run.sent_frames(),
            std::vector<std::string>{With(UdpFrame(1000, Payload({SetPayload(63, 1), {}})), 42 + 63, 1)});
}

TEST(EditsTest, WritingWithoutTheRightTraps) {
  for (const auto& [rights, answer] :
       {std::pair{NfRights{.view = View::kPayload}, SetHeader(22, 9, 0)},
        std::pair{NfRights{.view = View::kPayload}, SetPayload(0, 9, 0)}, std::pair{kHeaders, SetPayload(0, 9, 0)}}) {
    TestRun run;
    run.AddNf({.name = "a", .rights = rights, .on_fault = OnFault::kDrop});
    run.Client(UdpFrame(1000, Payload({answer})));
    run.Run();
    EXPECT_EQ(run.dropped("nf_fault"), 1u);
    EXPECT_EQ(run.faults().at(0).kind, FaultKind::kOutOfBounds);
  }
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders, .on_fault = OnFault::kDrop});
  run.Client(UdpFrame(1000, Payload({SetPayload(0, 9, kPayload)})));
  run.Client(UdpFrame(1000, Payload({{.flags = kPayload}})));
  run.Run();
  EXPECT_EQ(run.dropped("nf_fault"), 2u);
}

TEST(EditsTest, StructureStaysAsItIs) {
  const auto udp = [](const std::string& answer) { return UdpFrame(1000, answer); };
  const auto tcp = [](const std::string& answer) { return TcpFrame(1000, 0x10, false, answer); };
  const auto tagged = [](const std::string& answer) {
    return Ethernet(0x8100, Tag(5, 0x0800, Ipv4({}, Udp(1000, 53, answer))));
  };
  const auto six = [](const std::string& answer) { return Ethernet(0x86dd, Ipv6({}, Udp(1000, 53, answer))); };
  const auto options = [](const std::string& answer) {
    return Ethernet(0x0800, Ipv4({.options = std::string(4, '\1')}, Udp(1000, 53, answer)));
  };
  struct Case {
    const char* what;
    std::string (*frame)(const std::string&);
    uint16_t at;
    uint8_t value;
    bool is_allowed;
  };
  const std::vector<Case> cases = {
      {"MAC address", udp, 3, 1, false},
      {"first byte", udp, 0, 1, false},
      {"EtherType", udp, 13, 6, false},
      {"VLAN id", tagged, 15, 6, false},
      {"VLAN's EtherType", tagged, 16, 6, false},
      {"version", udp, 14, 0x65, false},
      {"IHL", udp, 14, 0x46, false},
      {"TOS", udp, 15, 0xb8, true},
      {"total length", udp, 17, 59, false},
      {"identification", udp, 18, 1, true},
      {"DF", udp, 20, 0x40, true},
      {"MF", udp, 20, 0x20, false},
      {"fragment offset", udp, 21, 1, false},
      {"TTL", udp, 22, 1, true},
      {"protocol", udp, 23, 6, false},
      {"UDP's protocol to UDP-Lite", udp, 23, 136, false},
      {"IP checksum", udp, 24, 1, true},
      {"UDP length beyond the datagram", udp, 38, 1, false},
      {"UDP length within it", udp, 39, 20, true},
      {"UDP checksum", udp, 40, 1, true},
      {"TCP sequence", tcp, 38, 1, true},
      {"TCP data offset", tcp, 46, 0x60, false},
      {"TCP flags", tcp, 47, 0x11, true},
      {"behind a VLAN tag: TTL", tagged, 26, 1, true},
      {"behind options: TTL", options, 22, 1, true},
      {"behind options: an option", options, 34, 0, true},
      {"behind options: IHL", options, 14, 0x45, false},
      {"IPv6 version", six, 14, 0x40, false},
      {"IPv6 flow label", six, 17, 9, true},
      {"IPv6 payload length", six, 19, 1, false},
      {"IPv6 next header", six, 20, 60, false},
      {"IPv6 hop limit", six, 21, 1, true},
  };
  for (const Case& c : cases) {
    TestRun run;
    run.AddNf({.name = "a", .rights = kHeaders, .on_fault = OnFault::kDrop});
    const std::string frame = c.frame(Payload({SetHeader(c.at, c.value)}));
    run.Client(frame);
    run.Run();
    EXPECT_EQ(run.dropped("nf_fault"), c.is_allowed ? 0u : 1u) << c.what;
    const std::vector<std::string> changed = {With(frame, c.at, c.value)};
    EXPECT_EQ(run.sent_frames(), c.is_allowed ? changed : std::vector<std::string>{}) << c.what;
  }
}

TEST(EditsTest, ABreachLeavesThePacketAsItWas) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kHeaders, .on_fault = OnFault::kBypass});
  const std::string frame = UdpFrame(1000, Payload({SetHeader(17, 59)}));
  run.Client(frame);
  run.Run();
  EXPECT_EQ(run.sent_frames(), std::vector<std::string>{frame});
}

TEST(EditsTest, LinkPaddingIsNotShownAndStays) {
  TestRun run;
  run.AddNf({.name = "a", .rights = kPayloads});
  run.AddNf({.name = "b", .process_burst = ForEachPacket(R"(
    (i32.store (i32.load offset=24 (local.get $descriptor)) (i32.load16_u offset=10 (local.get $descriptor)))
    (i32.store8 (local.get $result) (i32.const 1)))")});
  const std::string frame = UdpFrame(1000, Payload({SetPayload(31, 1)})) + "padding";
  run.Client(frame);
  run.Run();
  EXPECT_EQ(run.sent_frames(), std::vector<std::string>{With(frame, 42 + 31, 1)});
  EXPECT_EQ(Word(run.ended().at(0).states[1], 0), kAnswerBytes);
}

// Looks whether anything behind the header and the payload is not zero.
const std::string kSumBehind = ForEachPacket(R"(
  (local.set $y (i32.const 0))
  (local.set $x (i32.load16_u offset=8 (local.get $descriptor)))
  (block $done (loop $header
    (br_if $done (i32.ge_u (local.get $x) (i32.const 256)))
    (local.set $y (i32.or (local.get $y) (i32.load8_u (i32.add (i32.load (local.get $descriptor)) (local.get $x)))))
    (local.set $x (i32.add (local.get $x) (i32.const 1)))
    (br $header)))
  (local.set $x (i32.load16_u offset=10 (local.get $descriptor)))
  (block $done (loop $payload
    (br_if $done (i32.ge_u (local.get $x) (i32.const 9216)))
    (local.set $y (i32.or (local.get $y)
      (i32.load8_u (i32.add (i32.load offset=4 (local.get $descriptor)) (local.get $x)))))
    (local.set $x (i32.add (local.get $x) (i32.const 1)))
    (br $payload)))
  (i32.store8 (local.get $result) (i32.add (i32.const 1) (i32.ne (local.get $y) (i32.const 0)))))");

TEST(EditsTest, NothingOfOtherPacketsIsLeftInSight) {
  for (Edit edit : {Edit::kNone, Edit::kPayload}) {
    TestRun run;
    run.AddNf({.name = "first", .process_burst = AllPackets(Verdict::kForward)});
    run.AddNf({.name = "looks", .rights = {.view = View::kPayload, .edit = edit}, .process_burst = kSumBehind});
    const auto tcp = [](size_t options, size_t payload) {
      return Ethernet(0x0800,
                      Ipv4({.protocol = 6}, Tcp({.options = std::string(options, 'o')}, std::string(payload, 'p'))));
    };
    uint32_t frames = 0;
    for (size_t options : {40, 0, 12, 40, 8, 0}) {
      for (size_t payload : {1400, 0, 9000, 31, 64, 1}) run.Client(tcp(options, payload), 200 * frames++);
    }
    run.Client(UdpFrame(1000), 100'000);  // Shorter, and several in one call.
    run.Client(tcp(40, 8000), 100'000);
    run.Client(tcp(0, 0), 100'000);
    run.Run();
    EXPECT_EQ(run.port.sent.size(), frames + 3);
  }
}

// Answers RESHAPED with these lengths; the bytes are set by `body`, where $x is the header and $y the payload.
struct Shape {
  uint32_t header_length, payload_length;
  std::string body = {};
  NfRights rights = kReshapes;

  std::string Text() const {
    return ForEachPacket(
        "(local.set $x (i32.load (local.get $descriptor))) (local.set $y (i32.load offset=4 (local.get "
        "$descriptor)))" +
        body + "(i32.store (local.get $result) (i32.const " + std::to_string(1 | abi::kResultFlagReshaped << 16) +
        ")) (i32.store offset=4 (local.get $result) (i32.const " +
        std::to_string(header_length | payload_length << 16) + "))");
  }
};
std::string Set8(const char* where, uint32_t at, uint32_t value) {
  return "(i32.store8 offset=" + std::to_string(at) + " (local.get " + where + ") (i32.const " + std::to_string(value) +
         "))";
}
std::string Set16(const char* where, uint32_t at, uint32_t value) {
  return Set8(where, at, value >> 8) + Set8(where, at + 1, value & 0xff);
}
// The lengths in IPv4 and UDP headers for a payload of so many bytes.
std::string Lengths(uint32_t payload) { return Set16("$x", 16, 28 + payload) + Set16("$x", 38, 8 + payload); }

std::vector<ScriptPort::Sent> Reshaped(const Shape& shape, const std::string& frame, uint32_t wire_length = 0,
                                       bool expect_fault = false) {
  TestRun run;
  run.AddNf({.name = "a", .rights = shape.rights, .on_fault = OnFault::kDrop, .process_burst = shape.Text()});
  run.Add(frame, 0, 0, wire_length);
  run.Run();
  EXPECT_EQ(run.dropped("nf_fault"), expect_fault ? 1u : 0u);
  return run.port.sent;
}

TEST(EditsTest, ReshapeCutsAndGrowsPayloads) {
  const std::string frame = UdpFrame(1000, "payload");
  auto sent = Reshaped({.header_length = 42, .payload_length = 3, .body = Lengths(3)}, frame);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].frame, UdpFrame(1000, "pay"));
  EXPECT_EQ(sent[0].wire_length, sent[0].frame.size());

  sent = Reshaped({.header_length = 42, .payload_length = 9, .body = Lengths(9) + Set16("$y", 7, 0x2121)}, frame);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].frame, UdpFrame(1000, "payload!!"));

  sent = Reshaped({.header_length = 42, .payload_length = 9000, .body = Lengths(9000)}, frame);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].frame.size(), 9042u);
}

TEST(EditsTest, ReshapeMovesThePayloadWithTheHeader) {
  // Four bytes of IPv4 options come in: the UDP header moves back.
  const std::string body = "(i64.store offset=38 (local.get $x) (i64.load offset=34 (local.get $x)))" +
                           Set8("$x", 14, 0x46) + Set16("$x", 16, 28 + 4 + 7) + Set16("$x", 34, 0x0101) +
                           Set16("$x", 36, 0x0101);
  const std::string wanted = Ethernet(0x0800, Ipv4({.options = "\1\1\1\1"}, Udp(1000, 53, "payload")));
  const NfRights headers{.view = View::kPayload, .edit = Edit::kHeaders, .reshape = true};
  const NfRights blind{.view = View::kHeaders, .edit = Edit::kHeaders, .reshape = true};
  for (const Shape& shape : {Shape{46, 7, body, kReshapes}, Shape{46, 7, body, headers}, Shape{46, 0, body, blind}}) {
    const auto sent = Reshaped(shape, UdpFrame(1000, "payload") + "padding");
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].frame, wanted);  // The padding is gone.
    EXPECT_EQ(sent[0].wire_length, wanted.size());
  }
}

TEST(EditsTest, ReshapeKeepsWhatTheCaptureLacks) {
  const std::string whole = UdpFrame(1000, std::string(100, 'x'));
  const auto sent =
      Reshaped({.header_length = 42, .payload_length = 8, .body = Lengths(98)}, whole.substr(0, 42 + 10), 142);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].frame.size(), 50u);
  EXPECT_EQ(sent[0].wire_length, 140u);
}

TEST(EditsTest, ShapesThatNoNfMayGive) {
  const std::string frame = UdpFrame(1000, "payload");
  const NfRights headers{.view = View::kPayload, .edit = Edit::kHeaders, .reshape = true};
  const NfRights blind{.view = View::kHeaders, .edit = Edit::kHeaders, .reshape = true};
  const std::vector<Shape> breaches = {
      {0, 7},
      {257, 7},
      {65535, 7},
      {13, 7},
      {41, 7},
      {43, 7},
      {42, 6},                    // The lengths inside say more.
      {42, 9216, Lengths(9216)},  // Longer than any frame.
      {42, 65535},
      {42, 8, Lengths(8), headers},  // Grows a payload that is not its own to write.
      {42, 7, {}, blind},            // Speaks of a payload that it is not shown.
      {42, 7, Set8("$x", 0, 9)},     // Link header.
      {42, 7, Set8("$x", 12, 9)},    // No IP any more.
      {42, 7, Set8("$x", 14, 0x44)},
      {42, 7, {}, kPayloads},  // Without the right.
  };
  for (size_t i = 0; i < breaches.size(); ++i) {
    SCOPED_TRACE(i);
    Reshaped(breaches[i], frame, 0, true);
  }
}

}  // namespace
}  // namespace nf::test
