// For tests: a runtime with its own thread between two wires, and the other ends of them. Not part of the product.
#pragma once

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "runtime/runtime.h"
#include "runtime/test_run.h"

namespace nf::test {

// Frames go in and out as values under a lock, and mbufs stay with the lcore: ThreadSanitizer does not see the fences
// by which DPDK's rings and pools hand memory from thread to thread.
class WirePort : public Port {
 public:
  WirePort(uint8_t side, uint32_t room) : side_(side), room_(room) {}

  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override {
    std::unique_lock lock(mutex_);
    uint32_t taken = 0;
    for (; taken < count && !in_.empty(); ++taken, in_.pop_front()) {
      const std::string& frame = in_.front();
      rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool());
      NF_CHECK(mbuf != nullptr, "packets leak, or more wait than there are mbufs");
      std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size())), frame.data(), frame.size());
      PacketMeta* meta = MetaOf(mbuf);
      meta->wire_length = static_cast<uint32_t>(frame.size());
      meta->in_port = side_;
      meta->arrival = arrival_++;
      packets[taken] = mbuf;
    }
    if (taken != 0 || !found_empty_) return taken;
    const auto found_empty = std::exchange(found_empty_, {});
    lock.unlock();
    found_empty();
    return 0;
  }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    std::lock_guard lock(mutex_);
    for (uint32_t i = 0; i < count; ++i) {
      out_.emplace_back(rte_pktmbuf_mtod(packets[i], const char*), packets[i]->data_len);
      rte_pktmbuf_free(packets[i]);
    }
    return count;
  }

  uint64_t missed() override { return missed_; }

  // The other end, any thread.
  bool Give(const std::string& frame) {
    std::lock_guard lock(mutex_);
    if (in_.size() == room_) return false;
    in_.push_back(frame);
    return true;
  }
  std::deque<std::string> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(out_, {});
  }
  void Miss(uint64_t packets) { missed_ += packets; }
  // Once, when the lcore has looked and found nothing, and before it goes on.
  void WhenFoundEmpty(std::function<void()> happens) {
    std::lock_guard lock(mutex_);
    found_empty_ = std::move(happens);
  }

 private:
  const uint8_t side_;
  const uint32_t room_;
  uint64_t arrival_ = 0;
  std::mutex mutex_;
  std::deque<std::string> in_, out_;
  std::function<void()> found_empty_;
  std::atomic<uint64_t> missed_ = 0;
};

class Wires {
 public:
  Wires() {
    StartTestEal();
    spec.input = FabricInput{.client = &ports_[0], .server = &ports_[1], .pool = TestPool()};
    spec.flows_max = 1024;
  }
  ~Wires() {
    runtime.reset();
    EXPECT_EQ(rte_mempool_avail_count(TestPool()), mbufs_) << "packets leak";
  }

  void AddNf(const TestNf& nf) { spec.chain.push_back(TestRun::Spec(nf, static_cast<uint32_t>(spec.chain.size()))); }
  Runtime& Make() {
    auto made = Runtime::Create(TestRun::engine(), spec);
    NF_CHECK(made.has_value(), made ? "" : made.error().message.c_str());
    runtime = std::move(*made);
    return *runtime;
  }

  // False when the wire is full.
  bool Send(const std::string& frame, uint8_t side) { return ports_[side].Give(frame); }
  // What has come out of that side by now.
  uint32_t Receive(uint8_t side, const std::function<void(const std::string&)>& take = {}) {
    const auto frames = ports_[side].Take();
    if (take) {
      for (const std::string& frame : frames) take(frame);
    }
    return static_cast<uint32_t>(frames.size());
  }
  // The wire itself loses some.
  void Miss(uint64_t packets, uint8_t side) { ports_[side].Miss(packets); }

  RuntimeSpec spec;
  std::unique_ptr<Runtime> runtime;

 private:
  static constexpr uint32_t kRoom = 1023;
  WirePort ports_[2] = {{0, kRoom}, {1, kRoom}};
  const uint32_t mbufs_ = rte_mempool_avail_count(TestPool());
};

// Waits for what must come, for a minute at most.
inline bool Eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

}  // namespace nf::test
