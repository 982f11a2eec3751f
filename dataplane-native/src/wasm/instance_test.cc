// What a guest sees of its memory, and what the host sees of the guest.
#include "wasm/instance.h"

#include <gtest/gtest.h>

#include <cstring>

#include "wasm/test_modules.h"

namespace nf {
namespace {

using abi::FaultKind;

class InstanceTest : public testing::Test {
 protected:
  std::unique_ptr<Engine> engine_ = std::move(*Engine::Create({}));
  TestAreas areas_;

  Expected<std::unique_ptr<Instance>> Make(const TestModule& module, InstancePlan plan) {
    plan.heap_pages = module.heap_pages;
    plan.state_bytes = module.state_bytes;
    auto loaded = LoadTest(*engine_, module);
    if (!loaded) return std::unexpected(loaded.error());
    return Instance::Create(*engine_, *loaded, plan);
  }
  Expected<std::unique_ptr<Instance>> Make(const TestModule& module) { return Make(module, areas_.Plan()); }
};

std::string Load(uint32_t address) { return "(drop (i32.load8_u (i32.const " + std::to_string(address) + ")))"; }
std::string Store(uint32_t address, uint32_t value = 1) {
  return "(i32.store8 (i32.const " + std::to_string(address) + ") (i32.const " + std::to_string(value) + "))";
}

// Each area at its first and last byte, and the bytes around it.
struct Right {
  const char* name;
  uint32_t address;
  uint32_t bytes;
  Access access;
};

class AreaTest : public InstanceTest {
 protected:
  void Expect(const std::string& body, bool allowed, const std::string& what) {
    auto instance = Make({.state_bytes = 64, .process_burst = body}, plan_);
    ASSERT_TRUE(instance.has_value()) << instance.error().message;
    EXPECT_EQ((*instance)->ProcessBurst(1), allowed) << what;
    EXPECT_EQ((*instance)->dead(), !allowed) << what;
    if (allowed) return;
    EXPECT_EQ((*instance)->fault().kind, FaultKind::kOutOfBounds) << what;
  }
  void ExpectRights(const Right& area) {
    for (uint32_t address : {area.address, area.address + area.bytes - 1}) {
      Expect(Load(address), area.access != Access::kNone, std::string("load from ") + area.name);
      Expect(Store(address), area.access == Access::kWrite, std::string("store to ") + area.name);
    }
  }
  void ExpectHole(uint32_t address, const char* what) {
    Expect(Load(address), false, what);
    Expect(Store(address), false, what);
  }

  SharedRegion state_ = std::move(*SharedRegion::Create("state", 8192));
  std::vector<uint8_t> config_ = {0x81, 0xa1, 'a', 1};
  InstancePlan plan_ = [this] {
    InstancePlan plan = areas_.Plan();
    plan.state = &state_;
    plan.config = config_;
    return plan;
  }();
};

TEST_F(AreaTest, LeastRights) {
  ExpectRights({"the call area", abi::kCallAreaAddress, abi::kCallAreaBytes, Access::kRead});
  ExpectRights({"results", abi::kResultAreaAddress, abi::kResultAreaBytes, Access::kWrite});
  ExpectRights({"headers", abi::kHeaderAreaAddress, abi::kHeaderAreaBytes, Access::kRead});
  ExpectRights({"payloads", abi::kPayloadAreaAddress, abi::kPayloadAreaBytes, Access::kNone});
  ExpectRights({"emits", abi::kEmitAreaAddress, abi::kEmitAreaBytes, Access::kNone});
  ExpectRights({"config", abi::kConfigAreaAddress, 4096, Access::kRead});
  ExpectRights({"state", abi::kStateAreaAddress, 8192, Access::kWrite});
  ExpectRights({"heap", abi::kModuleAreaAddress, abi::kPageBytes, Access::kWrite});
}

TEST_F(AreaTest, AllRights) {
  plan_.header_access = plan_.payload_access = Access::kWrite;
  plan_.emits = true;
  ExpectRights({"headers", abi::kHeaderAreaAddress, abi::kHeaderAreaBytes, Access::kWrite});
  ExpectRights({"payloads", abi::kPayloadAreaAddress, abi::kPayloadAreaBytes, Access::kWrite});
  ExpectRights({"emits", abi::kEmitAreaAddress, abi::kEmitAreaBytes, Access::kWrite});
  ExpectRights({"config", abi::kConfigAreaAddress, 4096, Access::kRead});
}

TEST_F(AreaTest, ReadOnlyPayloads) {
  plan_.payload_access = Access::kRead;
  ExpectRights({"payloads", abi::kPayloadAreaAddress, abi::kPayloadAreaBytes, Access::kRead});
}

TEST_F(AreaTest, HolesTrap) {
  ExpectHole(0, "null");
  ExpectHole(abi::kCallAreaAddress - 1, "before the call area");
  ExpectHole(abi::kCallAreaAddress + abi::kCallAreaBytes, "behind the call area");
  ExpectHole(abi::kResultAreaAddress + abi::kResultAreaBytes, "behind results");
  ExpectHole(abi::kHeaderAreaAddress + abi::kHeaderAreaBytes, "behind headers");
  ExpectHole(abi::kConfigAreaAddress + 4096, "behind config");
  ExpectHole(abi::kStagingAreaAddress, "staging");
  ExpectHole(abi::kStateAreaAddress - 1, "before state");
  ExpectHole(abi::kStateAreaAddress + 8192, "behind the quota of state");
  ExpectHole(abi::kModuleAreaAddress - 1, "before the heap");
  ExpectHole(abi::kModuleAreaAddress + abi::kPageBytes, "behind the heap");
  ExpectHole(0xffffffff, "the last address");
}

TEST_F(AreaTest, TheLargestAddressWithTheLargestOffsetTraps) {
  // Offsets up to the memory's end are computed without any comparison in compiled code.
  Expect("(drop (i64.load offset=0x8000fff8 (i32.const 0xffffffff)))", false, "offset to the end of the heap");
  Expect("(i64.store offset=0xffffffff (i32.const 0xffffffff) (i64.const 1))", false, "largest offset");
  Expect("(i64.store offset=0x8000ffff (i32.const 0) (i64.const 1))", false, "across the end");
}

TEST_F(AreaTest, AnAccessAcrossTheEdgeOfAnAreaTrapsWhole) {
  uint32_t last = abi::kResultAreaAddress + abi::kResultAreaBytes - 2;
  Expect("(i32.store (i32.const " + std::to_string(last) + ") (i32.const -1))", false, "across");
}

TEST_F(AreaTest, TheHostWritesWhatTheGuestOnlyReads) {
  auto instance = Make({.state_bytes = 64, .process_burst = ForEachPacket(R"(
    (i32.store8 (local.get $result) (i32.load8_u (i32.load (local.get $descriptor)))))")},
                       plan_);
  ASSERT_TRUE(instance.has_value());
  for (uint32_t i = 0; i < abi::kBurstPackets; ++i) {
    (*instance)->descriptors()[i].header = abi::kHeaderAreaAddress + i * abi::kHeaderStride;
    areas_.headers.data()[i * abi::kHeaderStride] = static_cast<uint8_t>(100 + i);
  }
  ASSERT_TRUE((*instance)->ProcessBurst(abi::kBurstPackets));
  for (uint32_t i = 0; i < abi::kBurstPackets; ++i) EXPECT_EQ((*instance)->results()[i].verdict, 100 + i);
}

TEST_F(AreaTest, TheHostSeesWhatTheGuestWrites) {
  plan_.header_access = plan_.payload_access = Access::kWrite;
  plan_.emits = true;
  auto instance =
      Make({.state_bytes = 64,
            .process_burst = Store(abi::kEmitRecordsAddress, 2) + Store(abi::kCountersAddress, 3) +
                             Store(abi::kLogRingAddress, 4) + Store(abi::kLogRecordsAddress, 5) +
                             Store(abi::kEmitAreaAddress, 6) + Store(abi::kStateAreaAddress + 64, 7) +
                             Store(abi::kHeaderAreaAddress + 256, 8) + Store(abi::kPayloadAreaAddress + 9216, 9)},
           plan_);
  ASSERT_TRUE(instance.has_value());
  ASSERT_TRUE((*instance)->ProcessBurst(1));
  EXPECT_EQ((*instance)->emit_records()[0].frame, 2u);
  EXPECT_EQ((*instance)->counters()[0], 3u);
  EXPECT_EQ((*instance)->log_ring()->written, 4u);
  EXPECT_EQ((*instance)->log_records()[0].level, 5u);
  EXPECT_EQ((*instance)->emit_area()[0], 6);
  EXPECT_EQ(state_.data()[64], 7);
  EXPECT_EQ(areas_.headers.data()[256], 8);
  EXPECT_EQ(areas_.payloads.data()[9216], 9);
}

TEST_F(AreaTest, DataSegmentsOutsideTheHeapHurtNobody) {
  // Wasmtime copies them in host code, where a page without rights would end the process.
  state_.data()[0] = 1;
  auto instance = Make({.state_bytes = 64,
                        .process_burst = Load(abi::kModuleAreaAddress),
                        .more = R"((data (i32.const 0) "zzzz") (data (i32.const 0x10000) "zzzz")
                                   (data (i32.const 0x1000000) "zzzz") (data (i32.const 0x7ffffffe) "zzzz"))"},
                       plan_);
  ASSERT_TRUE(instance.has_value()) << instance.error().message;
  EXPECT_EQ(state_.data()[0], 1);
  EXPECT_EQ((*instance)->burst_header()->now_ns, 0u);
  EXPECT_TRUE((*instance)->ProcessBurst(1));
}

TEST_F(AreaTest, TwoInstancesShareOneStateStore) {
  auto writer = Make({.state_bytes = 64, .process_burst = Store(abi::kStateAreaAddress, 42)}, plan_);
  auto reader = Make({.state_bytes = 64,
                      .process_burst = ForEachPacket("(i32.store8 (local.get $result) (i32.load8_u (i32.const " +
                                                     std::to_string(abi::kStateAreaAddress) + ")))")},
                     plan_);
  ASSERT_TRUE(writer.has_value() && reader.has_value());
  ASSERT_TRUE((*writer)->ProcessBurst(1));
  writer->reset();
  ASSERT_TRUE((*reader)->ProcessBurst(1));
  EXPECT_EQ((*reader)->results()[0].verdict, 42);
}

TEST_F(InstanceTest, AThousandInstancesOfOneModule) {
  auto module = LoadTest(*engine_, {.process_burst = Store(abi::kCountersAddress, 9)});
  ASSERT_TRUE(module.has_value());
  std::vector<std::unique_ptr<Instance>> instances;
  for (int i = 0; i < 1000; ++i) {
    auto instance = Instance::Create(*engine_, *module, areas_.Plan());
    ASSERT_TRUE(instance.has_value()) << i << ": " << instance.error().message;
    instances.push_back(std::move(*instance));
  }
  ASSERT_TRUE(instances[500]->ProcessBurst(1));
  EXPECT_EQ(instances[500]->counters()[0], 9u);
  EXPECT_EQ(instances[501]->counters()[0], 0u);
}

TEST_F(InstanceTest, OptionalExports) {
  auto plain = Make({});
  ASSERT_TRUE(plain.has_value());
  EXPECT_FALSE((*plain)->has(OptionalExport::kTick));
  EXPECT_TRUE((*plain)->Tick(5));
  EXPECT_TRUE((*plain)->FlowTimer(0, 0, 5));
  auto ticking = Make({.more = R"((func (export "tick") (param i64) (i64.store (i32.const )" +
                               std::to_string(abi::kCountersAddress) + R"() (local.get 0))))"});
  ASSERT_TRUE(ticking.has_value());
  EXPECT_TRUE((*ticking)->has(OptionalExport::kTick));
  EXPECT_FALSE((*ticking)->has(OptionalExport::kFlowTimer));
  ASSERT_TRUE((*ticking)->Tick(uint64_t{1} << 40));
  EXPECT_EQ((*ticking)->counters()[0], uint64_t{1} << 40);
}

TEST_F(InstanceTest, FlowCloseGetsItsArguments) {
  auto instance =
      Make({.flow_close = "(i32.store (i32.const " + std::to_string(abi::kCountersAddress) +
                          ") (i32.add (i32.add (local.get $flow) (local.get $state)) (local.get $reason)))"});
  ASSERT_TRUE(instance.has_value());
  ASSERT_TRUE((*instance)->FlowClose(1000, 200, abi::CloseReason::kFinished));
  EXPECT_EQ((*instance)->counters()[0], 1202u);
}

}  // namespace
}  // namespace nf
