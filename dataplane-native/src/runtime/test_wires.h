// For tests: a runtime with its own thread between two wires, and the other ends of them. Not part of the product.
#pragma once

#include <rte_mbuf.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "port/fabric_port.h"
#include "runtime/runtime.h"
#include "runtime/test_run.h"

namespace nf::test {

class Wires {
 public:
  explicit Wires(uint32_t packets = 1024) {
    StartTestEal();
    for (uint8_t side : {0, 1}) {
      auto pair = FabricPort::CreatePair(packets, side);
      NF_CHECK(pair.has_value(), "rings");
      near_[side] = std::move(pair->first);
      far_[side] = std::move(pair->second);
    }
    spec.input = FabricInput{.client = near_[0].get(), .server = near_[1].get(), .pool = TestPool()};
    spec.flows_max = 1024;
  }
  ~Wires() { runtime.reset(); }

  void AddNf(const TestNf& nf) { spec.chain.push_back(TestRun::Spec(nf, static_cast<uint32_t>(spec.chain.size()))); }
  Runtime& Make() {
    auto made = Runtime::Create(TestRun::engine(), spec);
    NF_CHECK(made.has_value(), made ? "" : made.error().message.c_str());
    runtime = std::move(*made);
    return *runtime;
  }

  // False when the wire is full.
  bool Send(const std::string& frame, uint8_t side) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool());
    NF_CHECK(mbuf != nullptr, "packets leak");
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size())), frame.data(), frame.size());
    if (far_[side]->TxBurst(&mbuf, 1) == 1) return true;
    rte_pktmbuf_free(mbuf);
    return false;
  }
  // What has come out of the other side by now.
  uint32_t Receive(uint8_t side, const std::function<void(const std::string&)>& take = {}) {
    rte_mbuf* packets[32];
    const uint32_t count = far_[side]->RxBurst(packets, 32);
    for (uint32_t i = 0; i < count; ++i) {
      if (take) take(std::string(rte_pktmbuf_mtod(packets[i], const char*), packets[i]->data_len));
      rte_pktmbuf_free(packets[i]);
    }
    return count;
  }
  uint32_t ReceiveAll(uint8_t side) {
    uint32_t received = 0;
    while (const uint32_t count = Receive(side)) received += count;
    return received;
  }

  RuntimeSpec spec;
  std::unique_ptr<Runtime> runtime;

 private:
  std::unique_ptr<FabricPort> near_[2], far_[2];
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
