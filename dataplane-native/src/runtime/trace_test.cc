// Traces: what is recorded of a packet on its way through a chain, and through a tenant.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "runtime/test_run.h"
#include "runtime/test_tenant.h"
#include "trace/control.h"

namespace nf::test {
namespace {

using abi::Verdict;
using Json = nlohmann::json;

constexpr uint64_t kMinuteNs = 60'000'000'000;

TraceSpec Spec(uint32_t frame_bytes = 256) {
  return {.id = 1, .chooses = true, .until_ns = MonotonicNs() + kMinuteNs, .frame_bytes = frame_bytes};
}

TraceFilter OnlyPort(uint16_t port) {
  TraceFilter filter;
  filter.ends[filter.ends_count++].port = port;
  return filter;
}

// A copy of a record, with the frame.
struct Seen {
  TraceRecord record;
  std::string frame;
};

std::vector<Seen> Take(TraceSession* session) {
  std::vector<Seen> all;
  while (const TraceRecord* record = session->ring().Front()) {
    const char* frame = reinterpret_cast<const char*>(record) + sizeof *record;
    all.push_back({*record, std::string(frame, record->captured)});
    session->ring().Pop(record);
  }
  return all;
}

// "in nf0:FORWARD nf1:DROP(130)"
std::string Story(const std::vector<Seen>& all, uint16_t number) {
  constexpr const char* kVerdicts[] = {"PENDING", "FORWARD", "DROP", "REPLY"};
  std::string text;
  for (const auto& [record, frame] : all) {
    if (record.number != number) continue;
    text += (text.empty() ? "" : " ") + std::string(kTraceHopNames[static_cast<size_t>(record.hop)]);
    if (record.hop == TraceHop::kNf) {
      text += std::to_string(record.nf) + ":" + kVerdicts[record.verdict];
      if (record.reason != 0) text += "(" + std::to_string(record.reason) + ")";
      if ((record.flags & TraceRecord::kChanged) != 0) text += "*";
      if ((record.flags & TraceRecord::kReply) != 0) text += "<";
    }
    if (record.hop == TraceHop::kDropped)
      text += std::string(":") + abi::DropReasonName(static_cast<abi::DropReason>(record.reason));
  }
  return text;
}

TEST(TraceTest, TheStoriesOfPacketsThatPassAreChangedDroppedAndTurned) {
  TestRun run;
  const NfRights all{.view = View::kPayload, .edit = Edit::kHeaders, .reply = true};
  run.AddNf({.name = "a", .rights = all});
  run.AddNf({.name = "b", .rights = all});
  const Answer ttl{.flags = abi::kResultFlagModifiedHeader, .op = Answer::kSetHeaderByte, .value = 7, .at = 22};
  const std::string first = UdpFrame(1000, Payload({{}, ttl}));
  run.Client(first);
  run.Client(UdpFrame(1001, Payload({{}, {.verdict = Verdict::kDrop, .drop_reason = 130}})));
  run.Client(UdpFrame(1002, Payload({{}, {.verdict = Verdict::kReply}})));
  run.Client(UdpFrame(1003, Payload({{.op = Answer::kTrap}, {}})));
  run.Client(Ethernet(0x0800, "E"));
  TraceSession session(Spec(), 100);
  run.worker().trace().Take(&session);
  run.Turns();
  run.worker().trace().Take(nullptr);
  const auto seen = Take(&session);
  EXPECT_EQ(Story(seen, 1), "in nf0:FORWARD nf1:FORWARD* out");
  EXPECT_EQ(Story(seen, 2), "in nf0:FORWARD nf1:DROP(130)");
  // NFs here may edit, so an answer is one only with the addresses the other way round.
  EXPECT_EQ(Story(seen, 3), "in nf0:FORWARD nf1:REPLY nf0:FORWARD< dropped:key_changed");
  EXPECT_EQ(Story(seen, 4), "in dropped:nf_fault");
  EXPECT_EQ(Story(seen, 5).substr(0, 21), "in dropped:malformed_");
  EXPECT_EQ(session.chosen(), 5u);
  EXPECT_EQ(session.missed() + session.lost(), 0u);
  std::vector<std::string> frames;
  for (const auto& [record, frame] : seen) {
    if (record.number == 1 && !frame.empty()) frames.push_back(frame);
  }
  std::string changed = first;
  changed[22] = 7;
  EXPECT_EQ(frames, (std::vector{first, changed}));
  run.Run();
}

TEST(TraceTest, WhatIsNotWantedIsNotRecordedAndNothingIsOnceItIsOver) {
  TestRun run;
  run.AddNf({.name = "a"});
  for (uint16_t port = 1000; port < 1010; ++port) run.Client(UdpFrame(port, Payload({{}})));
  TraceSpec spec = Spec();
  spec.filter = OnlyPort(1004);
  TraceSession session(spec, 100);
  run.worker().trace().Take(&session);
  run.Turns();
  EXPECT_EQ(session.chosen(), 1u);
  const auto seen = Take(&session);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen[0].frame, UdpFrame(1004, Payload({{}})));
  run.worker().trace().Take(nullptr);
  run.Client(UdpFrame(1004, Payload({{}})), 10);
  run.Turns();
  EXPECT_EQ(session.ring().Front(), nullptr);
  EXPECT_EQ(session.chosen(), 1u);
  run.Run();
}

TEST(TraceTest, ItEndsWithItsPacketsAndWithItsTime) {
  TestRun run;
  run.AddNf({.name = "a"});
  TraceSession few(Spec(), 3);
  run.worker().trace().Take(&few);
  for (uint16_t i = 0; i < 10; ++i) run.Client(UdpFrame(1000, Payload({{}})));
  run.Turns();
  EXPECT_EQ(few.chosen(), 3u);
  few.set_budget(5);
  for (uint16_t i = 0; i < 10; ++i) run.Client(UdpFrame(1000, Payload({{}})), 10);
  run.Turns();
  EXPECT_EQ(few.chosen(), 5u);
  TraceSpec spec = Spec();
  spec.until_ns = MonotonicNs() - 1;
  TraceSession late(spec, 100);
  run.worker().trace().Take(&late);
  run.Client(UdpFrame(1000, Payload({{}})), 20);
  run.Turns();
  EXPECT_EQ(late.chosen(), 0u);
  run.worker().trace().Take(nullptr);
  run.Run();
}

TEST(TraceTest, WhatFindsNoRoomIsMissedAndThePacketsGoOn) {
  TestRun run;
  run.AddNf({.name = "a"});
  TraceSession session(Spec(), 10'000, 8192);
  run.worker().trace().Take(&session);
  for (uint16_t i = 0; i < 1000; ++i) run.Client(UdpFrame(static_cast<uint16_t>(1000 + i), Payload({{}})), i);
  run.Turns();
  EXPECT_GT(session.missed(), 0u);
  EXPECT_EQ(session.chosen() + session.missed(), 1000u);
  EXPECT_EQ(run.port.sent.size(), 1000u);
  // Of those that were chosen nothing is lacking.
  const auto seen = Take(&session);
  for (uint16_t number = 1; number <= session.chosen(); ++number) EXPECT_EQ(Story(seen, number), "in nf0:FORWARD out");
  EXPECT_EQ(session.lost(), 0u);
  run.worker().trace().Take(nullptr);
  run.Run();
}

TEST(TraceTest, FramesAreKeptAtOnePointOfTheChain) {
  TestRun run;
  const NfRights edits{.view = View::kPayload, .edit = Edit::kHeaders};
  const Answer ttl{.flags = abi::kResultFlagModifiedHeader, .op = Answer::kSetHeaderByte, .value = 7, .at = 22};
  run.AddNf({.name = "a", .rights = edits});
  run.AddNf({.name = "b", .rights = edits});
  const std::string frame = UdpFrame(1000, Payload({ttl, {}}) + std::string(1000, 'x'));
  std::string changed = frame;
  changed[22] = 7;
  const auto frames_at = [&](TracePoint point, uint64_t time_us) {
    TraceSpec spec = Spec(9216);
    spec.point = point;
    TraceSession session(spec, 1);
    run.worker().trace().Take(&session);
    run.Client(frame, time_us);
    run.Turns();
    run.worker().trace().Take(nullptr);
    std::vector<std::string> frames;
    for (const auto& [record, bytes] : Take(&session)) {
      if (!bytes.empty()) frames.push_back(bytes);
    }
    return frames;
  };
  EXPECT_EQ(frames_at({.kind = TracePoint::kPort, .which = 0}, 0), std::vector{frame});
  EXPECT_EQ(frames_at({.kind = TracePoint::kPort, .which = 1}, 10), std::vector{changed});
  EXPECT_EQ(frames_at({.kind = TracePoint::kNfIn, .which = 0}, 20), std::vector{frame});
  EXPECT_EQ(frames_at({.kind = TracePoint::kNfOut, .which = 0}, 30), std::vector{changed});
  EXPECT_EQ(frames_at({.kind = TracePoint::kNfOut, .which = 1}, 40), std::vector{changed});
  run.Run();
}

TEST(TraceTest, AFrameThatAnNfMakesHasAStoryOfItsOwn) {
  TestRun run;
  run.AddNf({.name = "a", .rights = {.view = View::kPayload, .emits = 1}});
  run.AddNf({.name = "b"});
  const std::string inner = UdpFrame(2000, Payload({{}, {}}));
  run.Client(UdpFrame(1000, PayloadWith({{.op = Answer::kEmit, .value = 0, .at = 1}, {}}, inner)));
  TraceSession session(Spec(), 10);
  run.worker().trace().Take(&session);
  run.Turns();
  run.worker().trace().Take(nullptr);
  const auto seen = Take(&session);
  EXPECT_EQ(Story(seen, 1), "in nf0:FORWARD nf1:FORWARD out");
  EXPECT_EQ(Story(seen, 2), "emitted nf1:FORWARD out");
  for (const auto& [record, frame] : seen) {
    if (record.hop != TraceHop::kEmitted) continue;
    EXPECT_EQ(record.cause, 1);
    EXPECT_EQ(frame, inner);
  }
  run.Run();
}

Json Ask(Tenant& tenant, const Json& request) {
  const auto answer = tenant.Trace(request.dump());
  NF_CHECK(answer.has_value(), answer ? "" : answer.error().message.c_str());
  return Json::parse(*answer);
}

// The hops of one packet through vswitch and runtime belong together by their stamps.
TEST(TraceTest, ThroughATenantThePartsFitTogether) {
  TenantWires wires(2);
  wires.AddNf({.name = "a", .drop_reasons = {{130, "odd"}}});
  Tenant& tenant = wires.Start();
  const Json start = {{"do", "trace_start"},
                      {"trace", 7},
                      {"filter", {{"protocol", 17}, {"ends", Json::array()}}},
                      {"packets", 2},
                      {"ms", 60'000},
                      {"frameBytes", 64},
                      {"point", {{"kind", "all"}, {"which", 0}}}};
  Ask(tenant, start);
  ASSERT_TRUE(wires.Send(UdpFrame(1000, Payload({{}})), 0));
  ASSERT_TRUE(wires.Send(UdpFrame(1001, Payload({{.verdict = Verdict::kDrop, .drop_reason = 130}})), 0));
  std::map<int, std::vector<Json>> records;
  const auto count = [&records](const char* hop) {
    size_t found = 0;
    for (const auto& [member, all] : records) {
      for (const Json& one : all) found += one["hop"] == hop ? 1 : 0;
    }
    return found;
  };
  EXPECT_TRUE(Eventually([&] {
    for (const Json& answer : Ask(tenant, {{"do", "trace_read"}, {"trace", 7}, {"packets", 2}})) {
      for (const Json& record : answer["records"]) records[answer["member"].get<int>()].push_back(record);
    }
    return count("out") == 1 && count("nf") == 2;
  }));
  const auto find = [&](int member, const char* hop, const Json& stamp) {
    for (const Json& one : records[member]) {
      if (one["hop"] == hop && (stamp.is_null() || one["stamp"] == stamp)) return one;
    }
    return Json();
  };
  for (const Json& one : records[0]) {
    if (one["hop"] != "routed") continue;
    EXPECT_FALSE(find(one["to"].get<int>(), "taken", one["stamp"]).is_null());
  }
  const Json gate = find(0, "gate", nullptr);
  ASSERT_FALSE(gate.is_null());
  bool has_stamped = false, has_dropped = false;
  for (int runtime : {1, 2}) {
    has_stamped |= !find(runtime, "stamped", gate["stamp"]).is_null();
    for (const Json& one : records[runtime]) has_dropped |= one.value("reason", "") == "a.odd";
  }
  EXPECT_TRUE(has_stamped);
  EXPECT_TRUE(has_dropped);
  Ask(tenant, {{"do", "trace_stop"}, {"trace", 7}});
  EXPECT_EQ(Ask(tenant, {{"do", "trace_read"}, {"trace", 7}, {"packets", 2}}), Json::array());
  wires.Stop();
}

TEST(TraceTest, WhatIsNoTraceIsRefused) {
  TenantWires wires(1);
  wires.AddNf({.name = "a"});
  Tenant& tenant = wires.Start();
  const Json good = {
      {"do", "trace_start"}, {"trace", 7},       {"filter", {{"ends", Json::array()}}},     {"packets", 2},
      {"ms", 60'000},        {"frameBytes", 64}, {"point", {{"kind", "all"}, {"which", 0}}}};
  const auto without = [&good](const char* field, const Json& instead) {
    Json bad = good;
    bad[field] = instead;
    return bad;
  };
  for (const Json& bad : {without("packets", 0), without("ms", 0), without("frameBytes", 10'000),
                          without("point", {{"kind", "nowhere"}, {"which", 0}}), without("trace", nullptr),
                          without("filter", {{"ends", {{{"address", "10.0.0.1"}, {"bits", 32}}}}}),
                          without("filter", {{"ends", Json::array({1, 2})}}), without("filter", 3)}) {
    const auto answer = tenant.Trace(bad.dump());
    ASSERT_FALSE(answer.has_value()) << bad;
    EXPECT_EQ(answer.error().code, ErrorCode::kMemberCommand);
  }
  EXPECT_FALSE(tenant.Trace("{").has_value());
  wires.Stop();
}

}  // namespace
}  // namespace nf::test
