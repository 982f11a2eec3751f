// Events on their way out: live, what has no room is lost and counted; from a capture the lcore waits for the reader.
// And what NFs say in their logs.
#include <gtest/gtest.h>

#include "runtime/lcore.h"
#include "runtime/test_run.h"

namespace nf::test {
namespace {

constexpr uint32_t kManyFlows = 12'000;  // More ended flows than a ring of the smallest size holds.

// Flows that end with their first packet.
void AddEndingFlows(TestRun& run) {
  run.spec.keep_ended_flows = 1;
  run.AddNf({.name = "a"});
  const std::string payload = Payload({{.flags = abi::kResultFlagCloseFlow}});
  for (uint32_t i = 0; i < kManyFlows; ++i) run.Client(UdpFrame(static_cast<uint16_t>(1 + i), payload), i * 10);
}

TEST(EventsTest, LiveWhatHasNoRoomIsLostAndCounted) {
  TestRun run;
  run.spec.input = FabricInput{.client = &run.port, .server = &run.port, .pool = TestPool(), .is_capture = false};
  AddEndingFlows(run);
  run.Run();
  const auto ended = run.ended();
  const uint64_t lost = run.worker().events().lost();
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(ended.size() + lost, kManyFlows);
  // The newest is lost: those that are there are the first ones, whole and in order.
  for (size_t i = 0; i < ended.size(); ++i) ASSERT_EQ(ended[i].flow_id, i + 1);
  EXPECT_EQ(run.port.sent.size(), kManyFlows);  // Packets do not mind.
}

TEST(LcoreEventsTest, FromACaptureTheLcoreWaitsForTheReader) {
  TestRun run;
  AddEndingFlows(run);
  Lcore lcore({&run.worker()}, -1, true);
  lcore.Start();
  uint64_t next = 1;
  while (next <= kManyFlows) {
    for (const Event& event : run.worker().events().Read(100)) {
      ASSERT_EQ(std::get<FlowEndedEvent>(event).flow.flow_id, next);
      ++next;
    }
  }
  lcore.WaitUntilEnded();
  EXPECT_EQ(run.worker().events().lost(), 0u);
}

TEST(LcoreEventsTest, NobodyWaitsForAReaderThatHasGone) {
  TestRun run;
  AddEndingFlows(run);
  run.worker().events().Abandon();
  Lcore lcore({&run.worker()}, -1, true);
  lcore.Start();
  lcore.WaitUntilEnded();
  EXPECT_GT(run.worker().events().lost(), 0u);
}

// Writes `lines` records "hi" a call, of a level that there is or not, with a length that may be a lie.
std::string Says(uint32_t lines, uint32_t level, uint32_t length) {
  const auto at = [](uint32_t offset) {
    return "(i32.add (i32.const " + std::to_string(abi::kLogRecordsAddress + offset) +
           ") (i32.mul (i32.rem_u (i32.load (i32.const " + std::to_string(abi::kLogRingAddress) + ")) (i32.const " +
           std::to_string(abi::kLogRecords) + ")) (i32.const 256)))";
  };
  const std::string ring = "(i32.const " + std::to_string(abi::kLogRingAddress) + ")";
  return "(local.set $x (i32.const 0)) (loop $lines (i32.store8 " + at(0) + " (i32.const " + std::to_string(level) +
         ")) (i32.store16 " + at(2) + " (i32.const " + std::to_string(length) + ")) (i32.store " + at(8) +
         " (i32.const 0x690068)) (i32.store " + ring + " (i32.add (i32.load " + ring +
         ") (i32.const 1))) (local.set $x (i32.add (local.get $x) (i32.const 1))) (br_if $lines (i32.lt_u (local.get "
         "$x) (i32.const " +
         std::to_string(lines) + "))))" + AllPackets(abi::Verdict::kForward);
}
std::vector<LogEvent> LogsOf(TestRun& run) {
  std::vector<LogEvent> logs;
  for (const Event& event : run.events()) {
    if (const auto* log = std::get_if<LogEvent>(&event)) logs.push_back(*log);
  }
  return logs;
}

TEST(EventsTest, LogsOfAnNf) {
  TestRun run;
  run.AddNf({.name = "a", .process_burst = Says(2, 2, 4)});
  run.Client(UdpFrame(1000));
  run.Run();
  const auto logs = LogsOf(run);
  ASSERT_EQ(logs.size(), 2u);
  EXPECT_EQ(logs[0].entry, "a");
  EXPECT_EQ(logs[0].text, "hi");
  EXPECT_EQ(logs[0].level, abi::LogLevel::kWarn);
  EXPECT_EQ(logs[0].now_ns, TestRun::kStart);
}

TEST(EventsTest, LogsThatLieAreCutToWhatTheyMayBe) {
  TestRun run;
  run.AddNf({.name = "a", .process_burst = Says(1, 200, 65535)});
  run.Client(UdpFrame(1000));
  run.Run();
  const auto logs = LogsOf(run);
  ASSERT_EQ(logs.size(), 1u);
  EXPECT_EQ(logs[0].level, abi::LogLevel::kInfo);
  EXPECT_EQ(logs[0].text.substr(0, 2), "hi");
  EXPECT_EQ(logs[0].text.size(), abi::kLogTextBytesMax / 2);
}

TEST(EventsTest, LogsBeyondTheRingAndTheRateAreCountedAsLost) {
  TestRun run;
  run.AddNf({.name = "a", .process_burst = Says(20, 1, 4)});  // Four more than the ring holds.
  for (uint32_t i = 0; i < 10; ++i) run.Client(UdpFrame(1000), i * 1000);
  run.Client(UdpFrame(1000), 1'000'000);  // The next second.
  run.Run();
  uint64_t lost = 0;
  const auto logs = LogsOf(run);
  for (const LogEvent& log : logs) lost += log.lost;
  EXPECT_EQ(logs.size(), 100u + 16u);
  EXPECT_EQ(logs.size() + lost, 11u * 20);
}

}  // namespace
}  // namespace nf::test
