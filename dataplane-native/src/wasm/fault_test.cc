// How calls end that do not return, and that nothing else is harmed by them.
#include "wasm/fault.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "wasm/test_modules.h"

namespace nf {
namespace {

using abi::FaultKind;

class FaultTest : public testing::Test {
 protected:
  std::unique_ptr<Engine> engine_ = std::move(*Engine::Create({.start_budget_us = 20000}));
  TestAreas areas_;

  Expected<std::unique_ptr<Instance>> Make(const TestModule& module) {
    auto loaded = LoadTest(*engine_, module);
    if (!loaded) return std::unexpected(loaded.error());
    return Instance::Create(*engine_, *loaded, areas_.Plan());
  }
  FaultInfo FaultOf(const TestModule& module) {
    auto instance = Make(module);
    EXPECT_TRUE(instance.has_value()) << instance.error().message;
    EXPECT_FALSE((*instance)->ProcessBurst(1));
    EXPECT_TRUE((*instance)->dead());
    EXPECT_FALSE((*instance)->ProcessBurst(1));  // Stays dead.
    return (*instance)->fault();
  }
};

constexpr const char* kForever = "(loop $forever (br $forever))";

// Sixteen bytes of fault record and the two texts, as the SDK's abort writes them.
std::string Abort(uint32_t message_length, uint32_t file_length) {
  auto at = [](uint32_t offset) { return "(i32.const " + std::to_string(abi::kFaultRecordAddress + offset) + ") "; };
  return "(i32.store " + at(0) + "(i32.const 1)) (i32.store " + at(4) + "(i32.const 12)) (i32.store " + at(8) +
         "(i32.const 34)) (i32.store16 " + at(12) + "(i32.const " + std::to_string(message_length) +
         ")) (i32.store16 " + at(14) + "(i32.const " + std::to_string(file_length) + ")) (i32.store " + at(16) +
         "(i32.const 0x690068)) (i32.store " + at(520) + "(i32.const 0x620061)) (unreachable)";
}

TEST_F(FaultTest, EveryKind) {
  EXPECT_EQ(FaultOf({.process_burst = "(unreachable)"}).kind, FaultKind::kUnreachable);
  EXPECT_EQ(FaultOf({.process_burst = "(drop (i32.load (i32.const 0)))"}).kind, FaultKind::kOutOfBounds);
  EXPECT_EQ(FaultOf({.process_burst = "(drop (i32.div_u (i32.const 1) (local.get $x)))"}).kind, FaultKind::kInteger);
  EXPECT_EQ(FaultOf({.process_burst = "(drop (i32.div_s (i32.const -2147483648) (i32.const -1)))"}).kind,
            FaultKind::kInteger);
  EXPECT_EQ(FaultOf({.process_burst = "(drop (i32.trunc_f32_s (f32.const nan)))"}).kind, FaultKind::kBadConversion);
  EXPECT_EQ(FaultOf({.process_burst = "(call_indirect (i32.const 0))", .more = "(table 1 1 funcref)"}).kind,
            FaultKind::kIndirectCall);
  EXPECT_EQ(FaultOf({.process_burst = "(call_indirect (i32.const 9))", .more = "(table 1 1 funcref)"}).kind,
            FaultKind::kIndirectCall);
  EXPECT_EQ(FaultOf({.process_burst = "(call_indirect (param i32) (i32.const 1) (i32.const 0))",
                     .more = "(table 1 1 funcref) (elem (i32.const 0) $f) (func $f)"})
                .kind,
            FaultKind::kIndirectCall);
}

TEST_F(FaultTest, EndlessRecursionIsAStackFault) {
  FaultInfo fault = FaultOf({.process_burst = "(call $f)", .more = "(func $f (call $f))"});
  EXPECT_EQ(fault.kind, FaultKind::kStack);
  EXPECT_EQ(fault.backtrace_size, std::size(fault.backtrace));
}

TEST_F(FaultTest, EndlessLoopsEndAtTheDeadline) {
  for (std::string body : {kForever, "(loop $a (drop (i32.load (i32.const 0x10000))) (br $a))"}) {
    FaultInfo fault = FaultOf({.process_burst = body});
    EXPECT_EQ(fault.kind, FaultKind::kDeadline);
    EXPECT_STREQ(fault.call, "process-burst");
    EXPECT_GE(fault.cpu_ns, 1000 * EngineOptions().call_budget_us);
    EXPECT_GE(fault.backtrace_size, 1u);
  }
}

TEST_F(FaultTest, ExponentialRecursionEndsAtTheDeadline) {
  std::string functions;
  for (int i = 0; i < 60; ++i) {
    std::string next = "(call $f" + std::to_string(i + 1) + ")";
    functions += "(func $f" + std::to_string(i) + next + next + ")";
  }
  EXPECT_EQ(FaultOf({.process_burst = "(call $f0)", .more = functions + "(func $f60)"}).kind, FaultKind::kDeadline);
}

TEST_F(FaultTest, TheWatchdogWakesUpForEachLoopAfterQuietTimes) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(FaultOf({.process_burst = kForever}).kind, FaultKind::kDeadline);
    // Longer than it stays awake.
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
}

TEST_F(FaultTest, ALongCallWithinItsBudgetReturns) {
  // Many steps of the clock long, but not of the budget.
  auto engine = std::move(*Engine::Create({.tick_us = 50, .call_budget_us = 10000000}));
  auto module = LoadTest(*engine, {.process_burst = R"(
    (local.set $x (i32.const 20000000))
    (loop $more (local.set $x (i32.sub (local.get $x) (i32.const 1))) (br_if $more (local.get $x))))"});
  ASSERT_TRUE(module.has_value());
  auto instance = Instance::Create(*engine, *module, areas_.Plan());
  ASSERT_TRUE(instance.has_value());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE((*instance)->ProcessBurst(1));
}

TEST_F(FaultTest, OtherInstancesGoOn) {
  auto good = Make({});
  ASSERT_TRUE(good.has_value());
  for (int i = 0; i < 200; ++i) {
    FaultOf({.process_burst = "(unreachable)"});
    ASSERT_TRUE((*good)->ProcessBurst(32));
  }
}

TEST_F(FaultTest, AbortSaysWhatAndWhere) {
  FaultInfo fault = FaultOf({.process_burst = Abort(4, 4)});
  EXPECT_EQ(fault.kind, FaultKind::kAbort);
  EXPECT_EQ(fault.line, 12u);
  EXPECT_EQ(fault.column, 34u);
  EXPECT_EQ(FaultText(fault), "process-burst: abort \"hi\" at ab:12:34");
  ASSERT_EQ(fault.backtrace_size, 1u);
}

TEST_F(FaultTest, LengthsOfAFaultRecordAreClamped) {
  FaultInfo fault = FaultOf({.process_burst = Abort(65535, 7)});
  EXPECT_EQ(fault.message_bytes, abi::kFaultTextBytesMax);
  EXPECT_EQ(fault.file_bytes, 6u);
}

TEST_F(FaultTest, BacktracesAreOffsetsIntoTheModule) {
  TestModule module = {.process_burst = "(call $inner)", .more = "(func $inner (unreachable))"};
  size_t bytes = WasmFromText(TestText(module)).size();
  FaultInfo fault = FaultOf(module);
  ASSERT_EQ(fault.backtrace_size, 2u);
  EXPECT_GT(fault.backtrace[0], fault.backtrace[1]);  // $inner is defined last.
  EXPECT_LT(fault.backtrace[0], bytes);
  EXPECT_EQ(WasmFromText(TestText(module))[fault.backtrace[0]], 0x00);  // The opcode of unreachable.
}

// Failures while an instance starts.

TEST_F(FaultTest, FaultsInInitAndConfigureAreErrors) {
  struct Case {
    TestModule module;
    ErrorCode code;
    const char* says;
  };
  const Case cases[] = {
      {{.init = "(unreachable)"}, ErrorCode::kNfStart, "init: unreachable"},
      {{.init = kForever}, ErrorCode::kNfStart, "init: deadline"},
      {{.configure = std::string(kForever) + "(i32.const 0)"}, ErrorCode::kNfStart, "configure: deadline"},
      {{.configure = Abort(4, 4)}, ErrorCode::kNfStart, "configure: abort \"hi\" at ab:12:34"},
      {{.configure = "(i32.const 77)"}, ErrorCode::kConfigRefused, "code 77"},
      {{.abi_version = 2}, ErrorCode::kNfStart, "ABI version 2; this host runs version 1"},
      {{.state_bytes = 8}, ErrorCode::kNfStart, "8 bytes; 0 were admitted"},
      {{.heap_pages = 2}, ErrorCode::kNfStart, "2 heap pages; 1 were admitted"},
      {{.more = "(func $s (unreachable)) (start $s)"}, ErrorCode::kNfStart, "instantiated"},
      {{.more = "(func $s (loop $l (br $l))) (start $s)"}, ErrorCode::kNfStart, "instantiated"},
      {{.more = "(data (i32.const 0x80010000) \"a\")"}, ErrorCode::kNfStart, "instantiated"},
      {{.more = "(table 2000 2000 funcref)"}, ErrorCode::kNfStart, "instantiated"},
  };
  for (const Case& test : cases) {
    auto instance = Make(test.module);
    ASSERT_FALSE(instance.has_value()) << test.says;
    EXPECT_EQ(instance.error().code, test.code) << instance.error().message;
    EXPECT_NE(instance.error().message.find(test.says), std::string::npos) << instance.error().message;
  }
}

TEST_F(FaultTest, ARefusalCarriesWhatWasLogged) {
  // One record, "no" in UTF-16, and a forged length in a second one.
  auto instance = Make({.configure = "(i32.store (i32.const 0x18c00) (i32.const 2))"
                                     "(i32.store16 (i32.const 0x18c42) (i32.const 4))"
                                     "(i32.store (i32.const 0x18c48) (i32.const 0x006f006e))"
                                     "(i32.store16 (i32.const 0x18d42) (i32.const 0xffff))"
                                     "(i32.const 1)"});
  ASSERT_FALSE(instance.has_value());
  EXPECT_EQ(instance.error().code, ErrorCode::kConfigRefused);
  const std::string& message = instance.error().message;
  EXPECT_EQ(message.substr(0, message.rfind('\n')), "the NF refuses its configuration with code 1\nno");
  EXPECT_EQ(message.size() - message.rfind('\n') - 1, abi::kLogTextBytesMax / 2);
}

TEST_F(FaultTest, ConfigureSeesTheConfiguration) {
  auto module = LoadTest(*engine_, {.configure = "(i32.add (i32.load8_u (local.get $pointer)) (local.get $length))"});
  ASSERT_TRUE(module.has_value());
  std::vector<uint8_t> config(5000, 50);
  InstancePlan plan = areas_.Plan();
  plan.config = config;
  auto instance = Instance::Create(*engine_, *module, plan);
  ASSERT_FALSE(instance.has_value());
  EXPECT_NE(instance.error().message.find("code 5050"), std::string::npos) << instance.error().message;
  config.resize(abi::kConfigBytesMax + 1);
  plan.config = config;
  instance = Instance::Create(*engine_, *module, plan);
  ASSERT_FALSE(instance.has_value());
  EXPECT_EQ(instance.error().code, ErrorCode::kConfigTooLarge);
}

}  // namespace
}  // namespace nf
