// For tests: a tenant with its threads between two wires, and traffic whose packets are numbered. Not part of the
// product.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/tenant.h"
#include "runtime/test_wires.h"

namespace nf::test {

class TenantWires {
 public:
  explicit TenantWires(uint16_t runtimes, uint16_t lcores = 1) {
    StartTestEal();
    spec.input = FabricInput{.client = &ports_[0], .server = &ports_[1], .pool = TestPool()};
    spec.flows_max = 1024;
    spec.switching = SwitchingSpec{.runtimes = runtimes, .lcores = lcores};
  }
  ~TenantWires() {
    tenant_.reset();
    EXPECT_EQ(rte_mempool_avail_count(TestPool()), mbufs_) << "packets leak";
  }

  void AddNf(const TestNf& nf) { spec.chain.push_back(TestRun::Spec(nf, static_cast<uint32_t>(spec.chain.size()))); }
  Tenant& Make() {
    auto made = Tenant::Create(TestRun::engine(), spec);
    NF_CHECK(made.has_value(), made ? "" : made.error().message.c_str());
    tenant_ = std::move(*made);
    return *tenant_;
  }
  Tenant& Start() {
    Tenant& tenant = Make();
    NF_CHECK(tenant.Start().has_value(), "it starts once");
    return tenant;
  }
  Tenant& tenant() { return *tenant_; }
  const Tenant& tenant() const { return *tenant_; }

  bool Send(const std::string& frame, uint8_t side) { return ports_[side].Give(frame); }
  std::deque<std::string> Receive(uint8_t side) { return ports_[side].Take(); }
  void Miss(uint64_t packets, uint8_t side) { ports_[side].Miss(packets); }

  void WhenFoundEmpty(uint8_t side, std::function<void()> happens) { ports_[side].WhenFoundEmpty(std::move(happens)); }

  RuntimeStatus status(uint16_t runtime) const {
    for (const RuntimeStatus& status : tenant_->Runtimes()) {
      if (status.runtime == runtime) return status;
    }
    return {};
  }
  std::vector<FlowSnapshot> flows(uint16_t runtime = 0) {
    std::vector<FlowSnapshot> all;
    for (uint32_t cursor = 0;;) {
      auto page = tenant_->Flows(cursor, 100, runtime);
      NF_CHECK(page.has_value(), page ? "" : page.error().message.c_str());
      all.insert(all.end(), page->flows.begin(), page->flows.end());
      if (!page->next) return all;
      cursor = *page->next;
    }
  }
  // Ends the run when all of it has come out; the books balance.
  CountersSnapshot Stop() {
    tenant_->RequestStop(true);
    const RunReport report = tenant_->Wait();
    NF_CHECK(!report.error, report.error ? report.error->message.c_str() : "");
    return report.counters;
  }

  RuntimeSpec spec;

 private:
  static constexpr uint32_t kRoom = 4096;
  WirePort ports_[2] = {{0, kRoom}, {1, kRoom}};
  const uint32_t mbufs_ = rte_mempool_avail_count(TestPool());
  std::unique_ptr<Tenant> tenant_;
};

// UDP flows whose packets count up in each direction, and what has come of them.
class NumberedFlows {
 public:
  NumberedFlows(TenantWires* wires, uint16_t flows) : wires_(*wires), flows_(flows) {}

  // The next packet of each flow in each direction (answers once something has arrived there).
  void SendRound() {
    // No more under way than the queues hold while an lcore waits for its core.
    NF_CHECK(Eventually([this] { return Collect(), sent_ - received_ < kUnderWayMax; }), "packets are lost");
    SendRoundAnyway();
  }
  // Where packets may be lost.
  void SendRoundAnyway() {
    for (uint16_t flow = 0; flow < flows_; ++flow) {
      for (uint8_t side : {uint8_t{0}, uint8_t{1}}) {
        if (side == 1 && expected_[{flow, 0}] == 0) continue;
        const uint32_t number = next_[{flow, side}];
        if (!wires_.Send(UdpFrame(static_cast<uint16_t>(1000 + flow), Payload({{}}) + Be32(number), side == 1), side))
          continue;
        ++next_[{flow, side}];
        ++sent_;
      }
    }
  }
  // Takes what has come out, and counts what is out of order.
  void Collect() {
    for (uint8_t side : {uint8_t{0}, uint8_t{1}}) {
      for (const std::string& frame : wires_.Receive(side)) {
        const auto byte = [&frame](size_t at) { return static_cast<uint32_t>(static_cast<uint8_t>(frame[at])); };
        const size_t ports = 14 + 20;
        const uint32_t port = side == 1 ? byte(ports) << 8 | byte(ports + 1) : byte(ports + 2) << 8 | byte(ports + 3);
        const size_t end = frame.size();
        const uint32_t number = byte(end - 4) << 24 | byte(end - 3) << 16 | byte(end - 2) << 8 | byte(end - 1);
        uint32_t& expected = expected_[{static_cast<uint16_t>(port - 1000), side ^ 1}];
        if (number != expected) ++out_of_order_;
        if (number < expected) ++went_back_;
        ++back_[static_cast<uint16_t>(port - 1000)];
        expected = number + 1;
        ++received_;
      }
    }
  }
  bool AllBack() {
    Collect();
    return received_ == sent_;
  }

  uint64_t sent() const { return sent_; }
  uint64_t received() const { return received_; }
  uint64_t out_of_order() const { return out_of_order_; }
  // Behind later ones, or again.
  uint64_t went_back() const { return went_back_; }
  // Packets of a flow in both directions.
  uint32_t back_of_flow(uint16_t flow) { return back_[flow]; }
  uint32_t of_flow(uint16_t flow) { return next_[{flow, 0}] + next_[{flow, 1}]; }

 private:
  static constexpr uint64_t kUnderWayMax = 512;
  TenantWires& wires_;
  uint16_t flows_;
  std::map<std::pair<uint16_t, int>, uint32_t> next_, expected_;  // By flow and the side that sends.
  std::map<uint16_t, uint32_t> back_;
  uint64_t sent_ = 0, received_ = 0, out_of_order_ = 0, went_back_ = 0;
};

}  // namespace nf::test
