// Two ports whose packets are numbered by flow and direction, and what has become of them: lost, out of order, how long
// each took. UDP, 64 bytes, both directions; each packet carries its flow, number and time. Packets are made when the
// vswitch polls the ports and looked at when it sends, by its own lcore; the time that takes is left out of the wire's
// clock, by which packets are due and delays are measured.
#pragma once

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "harness/traffic.h"
#include "port/port.h"

namespace nf {

class NumberedWire {
 public:
  struct Options {
    uint32_t flows = 1024;
    bool translated = true;
    bool balanced = true;
  };
  static constexpr uint32_t kInFlight = 384;  // Of saturating traffic.

  explicit NumberedWire(const Options& options);
  ~NumberedWire();
  NumberedWire(const NumberedWire&) = delete;
  NumberedWire& operator=(const NumberedWire&) = delete;

  Port& port(uint32_t side) { return *ports_[side]; }
  rte_mempool* pool() { return pool_; }
  uint32_t flows() const { return options_.flows; }

  // ---- Any thread. What comes from now on: nothing; the first packet of each flow from one side; so many packets a
  // second and flow, both sides together; as many as come back, of all flows in turn.
  void Stop() { mode_.store(Mode::kNone, std::memory_order_release); }
  void OpenFrom(uint32_t side);
  void Pace(double packets_per_flow);
  void Saturate() { mode_.store(Mode::kSaturate, std::memory_order_release); }
  // What has not come back until now will never do so: it is lost. When nothing is sent.
  void GiveUp();
  uint64_t lost() const { return lost_.load(std::memory_order_acquire); }
  bool has_under_way() const { return sent() != received() + lost(); }
  bool is_opened() const { return opened_.load(std::memory_order_acquire) == options_.flows; }

  uint64_t sent() const { return sent_.load(std::memory_order_acquire); }
  uint64_t received() const { return received_.load(std::memory_order_acquire); }
  uint64_t out_of_order() const { return out_of_order_.load(std::memory_order_acquire); }
  // Packets that were due when none was free.
  uint64_t late() const { return late_.load(std::memory_order_acquire); }

  // Begins to note delays, and hands out what was noted until then (cycles). While no lcore runs, or with Stop.
  std::vector<uint32_t> TakeDelays();

  // Cycles on this machine but for those that the wire itself has used.
  uint64_t Clock() const { return rte_rdtsc() - outside_.load(std::memory_order_relaxed); }

 private:
  enum class Mode : uint8_t { kNone, kOpen, kPace, kSaturate };
  class WirePort;
  struct Tag {
    uint32_t flow, number;
    uint64_t clock;
  };
  static_assert(sizeof(Tag) <= TrafficSource::kDatagramBytes);
  static constexpr uint32_t kPoolPackets = 16383;
  static constexpr uint64_t kLostAfterNs = 5'000'000;  // Of saturating traffic that does not come back.
  static constexpr uint32_t kDelaysMax = 1 << 22;

  uint32_t Room();
  uint32_t Give(uint32_t side, rte_mbuf** packets, uint32_t count);
  void Take(uint32_t side, rte_mbuf** packets, uint32_t count);
  uint32_t Due(uint32_t side, uint32_t count);
  uint32_t NextFlow(uint32_t side);

  Options options_;
  TrafficSource source_;
  rte_mempool* pool_;
  std::array<std::unique_ptr<Port>, 2> ports_;
  uint32_t stride_;  // From one flow to the next, all over the memory.
  std::array<uint32_t, 2> at_{};
  std::array<std::vector<uint32_t>, 2> numbers_, expected_;  // By the side that sends, then flow.
  std::vector<uint32_t> delays_;
  uint64_t arrival_ = 0;

  std::atomic<Mode> mode_{Mode::kNone};
  std::atomic<uint32_t> open_side_{0}, opened_{0};
  // Paced: packets of each side per cycle, since when, and how many of each side there were.
  std::atomic<double> per_cycle_{0};
  std::atomic<uint64_t> since_{0};
  std::array<uint64_t, 2> paced_{};
  uint64_t paced_since_ = 0;
  uint64_t came_back_ = 0;  // When something did.
  std::atomic<uint64_t> sent_{0}, received_{0}, out_of_order_{0}, late_{0}, outside_{0}, lost_{0};
  std::atomic<uint64_t> overdue_{0};  // Taken for lost while others are sent; some may still come.
};

}  // namespace nf
