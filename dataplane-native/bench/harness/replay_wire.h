// Two ports that give out the packets of some traffic as fast as they come back, and count them: first those that open
// the flows, then the same two rounds of all flows again and again, copied from where they were made before, so that a
// packet costs little more than a card's write. For one lcore.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "harness/traffic.h"
#include "port/port.h"

namespace nf {

class ReplayWire {
 public:
  static constexpr uint32_t kInFlight = 384;

  explicit ReplayWire(const Traffic& traffic);
  ~ReplayWire();
  ReplayWire(const ReplayWire&) = delete;
  ReplayWire& operator=(const ReplayWire&) = delete;

  Port& port(uint32_t side) { return *ports_[side]; }
  rte_mempool* pool() { return pool_; }

  // ---- Any thread.
  void SetRunning(bool on) { running_.store(on, std::memory_order_release); }
  bool is_opened() const { return received() >= source_.opening_packets(); }
  // Packets that have not come back for so long that they never will.
  uint64_t lost() const { return lost_.load(std::memory_order_acquire); }
  uint64_t sent() const { return sent_.load(std::memory_order_acquire); }
  uint64_t received() const { return received_.load(std::memory_order_acquire); }

 private:
  class WirePort;
  struct Frame {
    uint8_t bytes[60];
  };

  uint32_t Give(uint32_t side, rte_mbuf** packets, uint32_t count);
  uint32_t Room(uint64_t now_ns);
  bool Fill(uint32_t side, rte_mbuf* mbuf);

  TrafficSource source_;
  rte_mempool* pool_;
  std::array<std::unique_ptr<Port>, 2> ports_;
  std::array<std::vector<Frame>, 2> frames_;
  std::array<uint32_t, 2> at_{};
  rte_mbuf* opening_ = nullptr;  // The next one of those that open flows, and its side.
  uint8_t opening_side_ = 0;
  uint64_t opened_ = 0;
  uint64_t arrival_ = 0;
  uint64_t came_back_ns_ = 0, seen_ = 0;  // When something did, and how many there were then.
  std::atomic<bool> running_{true};
  std::atomic<uint64_t> sent_{0}, received_{0}, lost_{0};
};

}  // namespace nf
