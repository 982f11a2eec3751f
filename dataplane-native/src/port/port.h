// A port gives and takes bursts of packets. One lcore uses a port; it is opened and closed by control threads.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>

#include "base/result.h"

namespace nf {

class Port {
 public:
  virtual ~Port() = default;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // Up to `count` (at most 32) packets into `packets`. Fills timestamp_ns, wire_length, in_port, arrival of each
  // PacketMeta; parses nothing.
  virtual uint32_t RxBurst(rte_mbuf** packets, uint32_t count) = 0;
  // Takes as many of the packets as there is room for, in order, and owns those; the caller keeps the rest.
  virtual uint32_t TxBurst(rte_mbuf** packets, uint32_t count) = 0;
  // True when no packet will ever come again (the end of a capture, or an error in it).
  virtual bool at_end() const { return false; }
  // Called once, after the last packet was given to TxBurst: completes what the port writes. The first error that the
  // port met while it received or sent, which also means that its output is gone.
  virtual Expected<void> Finish() { return {}; }
  // The lcore asks nothing of it any more: it lets go of what it shares with other ports.
  virtual void Retire() {}
  // Descriptors to poll() on while idle; empty if there are none.
  virtual std::span<const int> wait_fds() const { return {}; }
  // Whether somebody is at the other end. Lost is for good, also if somebody comes again. Any thread.
  enum class Carrier : uint8_t { kUnknown, kWaiting, kUp, kLost };
  virtual Carrier carrier() const { return Carrier::kUnknown; }
  // Packets that the receive side lost by itself, since the start: the driver's and the kernel's counts.
  virtual uint64_t missed() { return 0; }

 protected:
  Port() = default;
};

}  // namespace nf
