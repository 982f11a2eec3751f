#include "runtime/test_run.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nf::test {
namespace {

std::string Number(uint32_t value) { return std::to_string(value); }

// state[offset] += value, where the flow has a slot.
std::string AddToState(uint32_t offset, const std::string& value) {
  const std::string state = "(i32.load offset=24 (local.get $descriptor))";
  return "(i32.store offset=" + Number(offset) + " " + state + " (i32.add (i32.load offset=" + Number(offset) + " " +
         state + ") " + value + "))";
}

}  // namespace

std::string CountOne(uint32_t counter) {
  const std::string at = "(i32.const " + Number(abi::kCountersAddress + counter * 8) + ")";
  return "(i64.store " + at + " (i64.add (i64.load " + at + ") (i64.const 1)))";
}

std::string ScriptBody(uint32_t position) {
  const std::string offset = Number(position * kAnswerBytes);
  const std::string needed = Number((position + 1) * kAnswerBytes);
  return CountOne(3) +
         ForEachPacket(CountOne(0) + AddToState(0, "(i32.const 1)") +
                       AddToState(4, "(i32.and (i32.load16_u offset=22 (local.get $descriptor)) (i32.const 1))") +
                       AddToState(8, "(i32.load8_u offset=21 (local.get $descriptor))") + R"(
    (i32.store offset=12 (i32.load offset=24 (local.get $descriptor)) (i32.load offset=40 (local.get $descriptor)))
    (i32.store8 (local.get $result) (i32.const 1))
    (if (i32.ge_u (i32.load16_u offset=10 (local.get $descriptor)) (i32.const )" +
                       needed + R"()) (then
      (i32.store8 (local.get $result) (i32.const 0))
      (local.set $x (i32.add (i32.load offset=4 (local.get $descriptor)) (i32.const )" +
                       offset + R"()))
      (local.set $y (i32.load8_u offset=16 (local.get $x)))
      (if (i32.eq (local.get $y) (i32.const 1)) (then unreachable))
      (if (i32.eq (local.get $y) (i32.const 2)) (then (loop $forever (br $forever))))
      (if (i32.eq (local.get $y) (i32.const 3)) (then
        (i32.store8 (i32.add (i32.load (local.get $descriptor)) (i32.load16_u offset=18 (local.get $x)))
                    (i32.load8_u offset=17 (local.get $x)))))
      (if (i32.eq (local.get $y) (i32.const 4)) (then
        (i32.store8 (i32.add (i32.load offset=4 (local.get $descriptor)) (i32.load16_u offset=18 (local.get $x)))
                    (i32.load8_u offset=17 (local.get $x)))))
      (if (i32.eq (local.get $y) (i32.const 5)) (then
        (call $emit (local.get $descriptor) (local.get $packet) (local.get $x))))
      (if (i32.eq (local.get $y) (i32.const 6)) (then
        (i32.store8 (i32.add (i32.load offset=24 (local.get $descriptor)) (i32.load16_u offset=18 (local.get $x)))
                    (i32.load8_u offset=17 (local.get $x)))))
      (if (i32.eq (local.get $y) (i32.const 7)) (then
        (i32.store (i32.const )" +
                       Number(abi::kEmitRecordsAddress) + R"() (i32.const 77))
        (i32.store16 (i32.const )" +
                       Number(abi::kEmitRecordsAddress + 4) + R"() (i32.const 60))))
      (i64.store (local.get $result) (i64.load (local.get $x)))
      (i64.store offset=8 (local.get $result) (i64.load offset=8 (local.get $x)))))
  )");
}

namespace {

std::string ScriptClose() {
  const std::string at = "(i32.const " + Number(abi::kCountersAddress + 16) + ")";
  return CountOne(1) + "(i64.store " + at + " (i64.add (i64.mul (i64.load " + at +
         ") (i64.const 16)) (i64.extend_i32_u (local.get $reason))))";
}

std::string ScriptMore(const TestNf& nf) {
  std::string more = R"(
    (global $emits (mut i32) (i32.const 0))
    (func $copy (param $to i32) (param $from i32) (param $n i32)
      (block $done (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (i32.store8 (local.get $to) (i32.load8_u (local.get $from)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next))))
    (func $emit (param $descriptor i32) (param $packet i32) (param $answer i32)
      (local $record i32) (local $frame i32) (local $index i32) (local $times i32) (local $length i32)
      (local.set $times (i32.load16_u offset=18 (local.get $answer)))
      (block $done (loop $next
        (br_if $done (i32.eqz (local.get $times)))
        (local.set $index (i32.and (global.get $emits) (i32.const 63)))
        (global.set $emits (i32.add (global.get $emits) (i32.const 1)))
        (local.set $record (i32.add (i32.const )" +
                     Number(abi::kEmitRecordsAddress) + R"() (i32.mul (local.get $index) (i32.const 16))))
        (local.set $frame (i32.add (i32.const )" +
                     Number(abi::kEmitAreaAddress) + R"() (i32.mul (local.get $index) (i32.const )" +
                     Number(abi::kEmitStride) + R"())))
        (local.set $length (i32.load16_u offset=22 (local.get $answer)))
        (if (local.get $length) (then
          (call $copy (local.get $frame) (i32.add (i32.load offset=4 (local.get $descriptor))
                                                  (i32.load16_u offset=20 (local.get $answer)))
                (local.get $length)))
        (else
          (local.set $length (i32.load16_u offset=8 (local.get $descriptor)))
          (call $copy (local.get $frame) (i32.load (local.get $descriptor)) (local.get $length))
          (call $copy (i32.add (local.get $frame) (local.get $length)) (i32.load offset=4 (local.get $descriptor))
                (i32.load16_u offset=10 (local.get $descriptor)))
          (local.set $length (i32.add (local.get $length) (i32.load16_u offset=10 (local.get $descriptor))))))
        (i32.store (local.get $record) (local.get $frame))
        (i32.store16 offset=4 (local.get $record) (local.get $length))
        (i32.store8 offset=6 (local.get $record) (i32.load8_u offset=17 (local.get $answer)))
        (i32.store8 offset=7 (local.get $record) (local.get $packet))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br $next)))))";
  if (nf.timer) {
    more += "(func (export \"flow-timer\") (param $flow i32) (param $state i32) (param $now i64) " + CountOne(4) +
            nf.on_timer + ")";
  }
  if (nf.tick) more += "(func (export \"tick\") (param $now i64) " + CountOne(5) + nf.on_tick + ")";
  return more + nf.more;
}

uint32_t FreeMbufs() { return rte_mempool_avail_count(TestPool()); }

}  // namespace

Engine& TestRun::engine() {
  static std::unique_ptr<Engine> engine = [] {
    auto made = Engine::Create({});
    NF_CHECK(made.has_value(), made ? "" : made.error().message.c_str());
    return std::move(*made);
  }();
  return *engine;
}

NfSpec TestRun::Spec(const TestNf& nf, uint32_t position) {
  const TestModule module{.state_bytes = kScriptStateBytes,
                          .heap_pages = nf.heap_pages,
                          .init = nf.init,
                          .configure = nf.configure,
                          .process_burst = nf.process_burst.empty() ? ScriptBody(position) : nf.process_burst,
                          .flow_close = ScriptClose() + nf.on_close,
                          .more = ScriptMore(nf)};
  NfSpec spec{.entry = nf.name, .name = "script", .version = nf.version, .digest = std::string(64, 'a')};
  spec.native = NativeTest(engine(), module);
  spec.state_bytes = kScriptStateBytes;
  spec.state_digest = "layout";
  spec.rights = nf.rights;
  spec.rights.lease = nf.lease_size != 0;
  spec.on_fault = nf.on_fault;
  spec.quarantine = nf.quarantine;
  spec.lease_size = nf.lease_size;
  spec.heap_pages = nf.heap_pages;
  spec.drop_reasons = nf.drop_reasons;
  spec.counters = {"packets", "closes", "reasons", "calls", "timers", "ticks"};
  if (nf.timer) spec.exports.push_back("flow-timer");
  if (nf.tick) spec.exports.push_back("tick");
  return spec;
}

TestRun::~TestRun() {
  if (worker_) worker_->events().Abandon();
}

Worker& TestRun::worker() {
  if (!worker_) {
    if (!std::holds_alternative<FabricInput>(spec.input))
      spec.input = FabricInput{.client = &port, .server = &port, .pool = TestPool(), .is_capture = true};
    spec.flows_max = std::min(spec.flows_max, 1024u);
    if (spec.keep_ended_flows == 0) spec.keep_ended_flows = 1024;
    auto made = Worker::Create(engine(), spec, {});
    NF_CHECK(made.has_value(), made ? "" : made.error().message.c_str());
    worker_ = std::move(*made);
    mbufs_ = FreeMbufs();
  }
  return *worker_;
}

void TestRun::Turns() {
  while (worker().Turn() != 0) CheckBooks();
}

void TestRun::Run() {
  Turns();
  worker().End();
  CheckBooks();
  EXPECT_EQ(worker().counters().held.value(), 0u);
  EXPECT_EQ(worker().flows_open(), 0u);
  EXPECT_EQ(FreeMbufs(), mbufs_) << "packets leak";
}

void TestRun::CheckBooks() {
  const PacketCounters& counters = worker().counters();
  uint64_t dropped = dropped_by_host();
  for (uint32_t i = 0; i < worker().chain().size(); ++i) {
    for (const Counter& counter : worker().chain().nf(i).dropped) dropped += counter.value();
  }
  EXPECT_EQ(counters.received.value() + counters.emitted.value(),
            counters.sent.value() + dropped + counters.held.value());
}

uint64_t TestRun::dropped_by_host() const {
  uint64_t dropped = 0;
  for (const Counter& counter : worker_->counters().dropped) dropped += counter.value();
  return dropped;
}

uint64_t TestRun::dropped(const std::string& name) const {
  for (uint32_t i = 0; i < abi::kDropReasonCount; ++i) {
    if (name == abi::DropReasonName(static_cast<abi::DropReason>(i))) return worker_->counters().dropped[i].value();
  }
  for (uint32_t i = 0; i < worker_->chain().size(); ++i) {
    const ChainNf& nf = worker_->chain().nf(i);
    const std::string prefix = nf.spec().entry + ".";
    if (!name.starts_with(prefix)) continue;
    const std::string reason = name.substr(prefix.size());
    if (reason == "drop") return nf.dropped[0].value();
    return nf.dropped[std::stoul(reason) - 127].value();
  }
  NF_CHECK(false, name.c_str());
}

uint64_t TestRun::counter(uint32_t nf, uint32_t which) {
  worker().chain().PublishCounters();
  return worker().chain().nf(nf).counter(which);
}

std::vector<Event>& TestRun::events() {
  for (Event& event : worker().events().Read(SIZE_MAX)) events_.push_back(std::move(event));
  return events_;
}

std::vector<FlowSnapshot> TestRun::ended() {
  std::vector<FlowSnapshot> flows;
  for (const Event& event : events()) {
    if (const auto* ended = std::get_if<FlowEndedEvent>(&event)) flows.push_back(ended->flow);
  }
  return flows;
}

std::vector<FaultEvent> TestRun::faults() {
  std::vector<FaultEvent> faults;
  for (const Event& event : events()) {
    if (const auto* fault = std::get_if<FaultEvent>(&event)) faults.push_back(*fault);
  }
  return faults;
}

std::vector<std::string> TestRun::sent_frames() const {
  std::vector<std::string> frames;
  for (const auto& sent : port.sent) frames.push_back(sent.frame);
  return frames;
}

std::string NatBody(bool later) {
  const std::string skip = later ? "0" : "4";
  return ForEachPacket(R"(
    (i32.store (local.get $result) (i32.const 1))
    (if (i32.eqz (i32.and (i32.load16_u offset=22 (local.get $descriptor)) (i32.const )" +
                       skip + R"())) (then
      (i32.store (local.get $result) (i32.const 0x10001))
      (local.set $x (i32.load (local.get $descriptor)))
      (local.set $y (i32.load offset=28 (local.get $descriptor)))
      (if (i32.load8_u offset=21 (local.get $descriptor)) (then
        (i32.store offset=30 (local.get $x) (i32.load offset=12 (local.get $y)))
        (i32.store8 offset=36 (local.get $x) (i32.load8_u offset=33 (local.get $y)))
        (i32.store8 offset=37 (local.get $x) (i32.load8_u offset=32 (local.get $y))))
      (else
        (i32.store offset=26 (local.get $x) (i32.const 0x0100000b))
        (local.set $y (i32.add (i32.const 5000) (i32.load offset=44 (local.get $descriptor))))
        (i32.store8 offset=34 (local.get $x) (i32.shr_u (local.get $y) (i32.const 8)))
        (i32.store8 offset=35 (local.get $x) (local.get $y))))))
  )");
}

}  // namespace nf::test
