// Nothing on the packet path allocates: every call into the C heap is counted, of all libraries (the engine's too),
// while polls with all that can happen without a trap go by. Not under sanitizers, which have a heap of their own.
#include <gtest/gtest.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "runtime/test_run.h"
#include "runtime/test_tenant.h"

namespace {
thread_local uint64_t allocations = 0;
}

// The process's heap functions, in the place of the C library's own, which do the work.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* old, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

#define NF_HEAP [[gnu::visibility("default")]] void*
NF_HEAP malloc(size_t bytes) noexcept {
  ++allocations;
  return __libc_malloc(bytes);
}
NF_HEAP calloc(size_t count, size_t bytes) noexcept {
  ++allocations;
  return __libc_calloc(count, bytes);
}
NF_HEAP realloc(void* old, size_t bytes) noexcept {
  ++allocations;
  return __libc_realloc(old, bytes);
}
NF_HEAP memalign(size_t alignment, size_t bytes) noexcept {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
NF_HEAP aligned_alloc(size_t alignment, size_t bytes) noexcept {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
[[gnu::visibility("default")]] int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  ++allocations;
  *out = __libc_memalign(alignment, bytes);
  return *out == nullptr ? ENOMEM : 0;
}
#undef NF_HEAP
}

namespace nf::test {
namespace {

using abi::Verdict;

// Gives the same packets again and again, 32 a poll, a millisecond later each time; keeps nothing.
class LoopPort : public Port {
 public:
  struct Frame {
    std::string bytes;
    uint8_t side;
  };
  void Add(const std::string& bytes, uint8_t side = 0) { frames_.push_back({bytes, side}); }
  void GiveRounds(uint32_t rounds) { left_ = static_cast<uint64_t>(rounds) * frames_.size(); }

  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override {
    uint32_t taken = 0;
    time_ns_ += 1'000'000;
    seen = allocations;
    for (; taken < count && left_ != 0; ++taken, --left_) {
      const Frame& frame = frames_[next_++ % frames_.size()];
      rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool());
      NF_CHECK(mbuf != nullptr, "packets leak");
      std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.bytes.size())), frame.bytes.data(),
                  frame.bytes.size());
      PacketMeta* meta = MetaOf(mbuf);
      meta->timestamp_ns = time_ns_;
      meta->wire_length = static_cast<uint32_t>(frame.bytes.size());
      meta->in_port = frame.side;
      meta->arrival = next_;
      packets[taken] = mbuf;
    }
    return taken;
  }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    for (uint32_t i = 0; i < count; ++i) rte_pktmbuf_free(packets[i]);
    sent += count;
    return count;
  }

  std::atomic<uint64_t> sent = 0;
  std::atomic<uint64_t> seen = 0;  // Allocations of the thread that took packets, when it last did.

 private:
  std::vector<Frame> frames_;
  uint64_t next_ = 0, time_ns_ = TestRun::kStart;
  std::atomic<uint64_t> left_ = 0;
};

// Allocations of this thread in so many rounds over the port's packets.
uint64_t AllocationsIn(TestRun& run, LoopPort& port, uint32_t rounds) {
  port.GiveRounds(rounds);
  const uint64_t before = allocations;
  while (run.worker().Turn() != 0) {
  }
  return allocations - before;
}

TEST(AllocationsTest, TheCountSeesAllHeaps) {
  const uint64_t before = allocations;
  delete new int(1);
  auto wasm = WasmFromText("(module)");  // The engine's.
  EXPECT_GT(allocations, before + 2);
}

TEST(AllocationsTest, PollsDoNotAllocate) {
  LoopPort port;
  TestRun run;
  run.spec.input = FabricInput{.client = &port, .server = &port, .pool = TestPool(), .is_capture = true};
  run.spec.idle_ms.udp = 2;  // Flows end all the time.
  run.spec.keep_ended_flows = 64;
  run.AddNf({.name = "edits",
             .rights = {.view = View::kPayload, .edit = Edit::kPayload, .reshape = true, .emits = 2},
             .on_fault = OnFault::kDrop,
             .lease_size = 8,
             .timer = true,
             .tick = true});
  run.AddNf({.name = "replies", .rights = {.view = View::kPayload, .reply = true}, .on_fault = OnFault::kDrop});

  const uint16_t kHeader = abi::kResultFlagModifiedHeader, kClose = abi::kResultFlagCloseFlow;
  for (uint16_t i = 0; i < 40; ++i) port.Add(UdpFrame(1000 + i));
  for (uint16_t i = 0; i < 40; ++i) port.Add(UdpFrame(1000 + i, "", true), 1);
  port.Add(UdpFrame(2000, Payload({{.flags = kHeader, .op = Answer::kSetHeaderByte, .value = 9, .at = 22}})));
  port.Add(UdpFrame(2001, Payload({{.flags = kHeader, .op = Answer::kSetHeaderByte, .value = 9, .at = 35}})));
  port.Add(UdpFrame(2002, Payload({{.op = Answer::kEmit, .at = 2}})));
  port.Add(UdpFrame(2003, Payload({{}, {.verdict = Verdict::kReply}})));
  port.Add(UdpFrame(2004, Payload({{.verdict = Verdict::kDrop, .drop_reason = 130}})));
  port.Add(UdpFrame(2005, Payload({{}, {.verdict = Verdict::kDrop, .flags = kClose}})));  // Refused.
  port.Add(UdpFrame(2005));
  port.Add(UdpFrame(2006, Payload({{.flags = abi::kResultFlagArmTimer, .timeout = 1}})));
  port.Add(UdpFrame(2007, Payload({{.flags = kClose, .timeout = 77}})));
  port.Add(TcpFrame(2008, 0x02));
  port.Add(TcpFrame(2008, 0x14, true), 1);
  port.Add(TcpFrame(2008, 0x02));
  port.Add(Ethernet(0x0800, Ipv4({.identification = 9, .offset_8 = 2}, "rest")));
  port.Add(Ethernet(0x0800, Ipv4({.identification = 9, .more_fragments = true}, Udp(2009, 53, "12345678", 24))));
  port.Add(Ethernet(0x0800, "malformed"));
  port.Add(Ethernet(0x0806, "who has"));
  port.Add(Ethernet(0x86dd, Ipv6({}, Udp(2010, 53, "six"))));

  AllocationsIn(run, port, 3);
  run.events();
  EXPECT_EQ(AllocationsIn(run, port, 20), 0u);
  run.events();
  EXPECT_EQ(AllocationsIn(run, port, 20), 0u);
  EXPECT_GT(port.sent, 3000u);
  // What was to happen did.
  EXPECT_GT(run.ended().size(), 100u);
  EXPECT_GT(run.worker().counters().emitted.value(), 0u);
  EXPECT_GT(run.dropped("flow_refused"), 0u);
  EXPECT_GT(run.counter(0, 4), 0u);
  EXPECT_GT(run.counter(0, 5), 0u);
  run.worker().End();
}

// Vswitch and runtimes share the lcore, whose allocations are all counted.
TEST(AllocationsTest, ReplicationDoesNotAllocate) {
  LoopPort client, server;
  TenantWires wires(2);
  wires.spec.input = FabricInput{.client = &client, .server = &server, .pool = TestPool()};
  wires.spec.idle_ms.udp = 5;  // Flows end all the time.
  wires.spec.switching->replication.replicas = 1;
  wires.AddNf({.name = "a", .rights = {.view = View::kPayload, .emits = 2}, .timer = true});
  for (uint16_t i = 0; i < 40; ++i) client.Add(UdpFrame(1000 + i, Payload({{}})));
  client.Add(UdpFrame(2000, Payload({{.op = Answer::kEmit, .at = 2}})));
  client.Add(UdpFrame(2001, Payload({{.flags = abi::kResultFlagArmTimer, .timeout = 1}})));
  client.Add(UdpFrame(2002, Payload({{.flags = abi::kResultFlagCloseFlow}})));
  wires.Start();
  const auto run = [&](uint32_t rounds) {
    for (uint32_t round = 0; round < rounds; ++round) {
      const uint64_t end = server.sent + 43;
      client.GiveRounds(1);
      ASSERT_TRUE(Eventually([&] { return server.sent >= end; }));
      if (round % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  };
  run(100);
  const uint64_t before = client.seen;
  run(300);
  EXPECT_EQ(client.seen, before);
  EXPECT_GT(wires.status(1).replicas + wires.status(2).replicas, 0u);
  EXPECT_GT(wires.Stop().flows_ended, 100u);
}

TEST(AllocationsTest, BadResultsDoNotAllocateEither) {
  LoopPort port;
  TestRun run;
  run.spec.input = FabricInput{.client = &port, .server = &port, .pool = TestPool(), .is_capture = true};
  run.AddNf({.name = "a", .on_fault = OnFault::kDrop, .quarantine = QuarantineMode::kOpen});
  port.Add(UdpFrame(1000, Payload({{.out_port = 1}})));
  port.Add(UdpFrame(1001));
  AllocationsIn(run, port, 1);
  EXPECT_EQ(AllocationsIn(run, port, 30), 0u);
  EXPECT_GE(run.dropped("nf_fault"), abi::kFaultQuarantineCount);
  EXPECT_TRUE(run.worker().chain().nf(0).is_quarantined());
  run.worker().End();
}

}  // namespace
}  // namespace nf::test

#else

TEST(AllocationsTest, NotUnderSanitizers) { SUCCEED(); }

#endif
