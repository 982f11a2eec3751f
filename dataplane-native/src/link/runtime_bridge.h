// A runtime's side of its link to the vswitch, through which it reaches the other runtimes as well.
#pragma once

#include <memory>

#include "flow/lease_table.h"
#include "link/bridge.h"
#include "link/life_page.h"
#include "runtime/runtime_link.h"
#include "runtime/switched_runtime.h"

namespace nf::link {

class RuntimeBridge final : public Bridge {
 public:
  // What the member itself is made with, too.
  struct Parts {
    RuntimeLink* link;
    LeaseTable* leases;  // A mirror.
    MailBox* outbox;     // For all peers.
    SwitchedRuntime* runtime;
  };
  static Expected<std::unique_ptr<RuntimeBridge>> Create(const Surroundings& surroundings, const Parts& parts);

  // ---- Through Perform.
  // A peer's life from now on; incarnation 0: it is gone.
  void SetPeer(uint16_t member, uint32_t incarnation, uint32_t frame_bytes = 0);
  // The way to the vswitch, and where it sees that this lcore lives, if it can. Both outlive their use here; those
  // before may go.
  void SetPort(Port* port, LifePage* life = nullptr);

  // A life of it.
  bool knows(uint16_t member) const { return codec_.incarnation_of(member) != 0; }

  // ---- Any thread.
  bool is_up() const { return is_up_.load(std::memory_order_relaxed); }

  bool has_work() const override;
  bool BeforeSleep() override;
  int sleep_ms_max() const override { return rests_ ? kRestingSleepMs : kSleepMs; }
  std::span<const int> wait_fds() const override { return {&wake_fd_, 1}; }
  ~RuntimeBridge() override;

 private:
  RuntimeBridge(const Surroundings& surroundings, ControlCodec codec, const Parts& parts)
      : Bridge(surroundings, std::move(codec)),
        parts_(parts),
        header_(PacketHeaderTo(proto::kVswitch)),
        wake_fd_(NewEventFd()) {}

  uint32_t Round(uint64_t mono_ns) override;
  void Publish(CounterFileLayout* layout, bool is_tick) override;
  uint32_t Send(uint64_t mono_ns);
  uint32_t Receive();
  void TakeFenced(uint16_t member, uint32_t incarnation) override;
  rte_mbuf* TakeFrame(rte_mbuf* frame);
  rte_mbuf* TakePacket(rte_mbuf* frame);
  void SetUp(bool is_up);
  static int NewEventFd();
  void EndRest();
  Parts parts_;
  OuterHeader header_;
  std::optional<LinkEnd> end_;
  LifePage* life_ = nullptr;
  bool shows_life_ = false;
  uint64_t beat_ns_ = 0;
  uint64_t worked_ns_ = 0;  // When the link had something else than heartbeats.
  // For the lcore, what the vswitch wakes it with, whichever that is: the number stays.
  const int wake_fd_;
  bool rests_ = false;
  bool is_ringing_ = false;  // What was asked for is in the pipe, or about to be.
  std::atomic<bool> is_up_{false};
};

}  // namespace nf::link
