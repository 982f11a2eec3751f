// The vswitch's side of all links: its packets, markers and mail to runtimes and theirs to it, and what runtimes say to
// each other passed on unread. Whoever's end of a link breaks, or who is silent for too long, is fenced here at once.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "link/bridge.h"
#include "link/life_page.h"
#include "link/silence.h"
#include "runtime/runtime_link.h"
#include "runtime/vswitch.h"

namespace nf::link {

// A runtime in one life, as the vswitch reaches it. Made and destroyed by control threads; in between it is the
// lcore's.
struct Remote {
  struct Options {
    uint16_t member;
    uint32_t incarnation;
    std::unique_ptr<Port> port;
    rte_mempool* markers;
    Lcore* lcore;         // Of the vswitch.
    uint64_t suspect_ns;  // 0: silence says nothing.
    LinkCounters* counters;
    std::optional<LifePage> life = {};  // Of its lcore. Only where processes share memory.
    uint32_t frame_bytes = 0;           // Of messages that the link has room for; 0: for all.
  };
  // Errors: eal.memory.
  static Expected<std::unique_ptr<Remote>> Create(Options options);

  enum class State : uint8_t {
    kWaiting,  // Nobody is there, or has said anything genuine.
    kUp,
    kLost,
  };
  static constexpr uint32_t kForwardMax = 256;

  const uint16_t member;
  const uint32_t incarnation;
  const uint32_t frame_bytes;
  std::unique_ptr<Port> port;
  std::unique_ptr<RuntimeLink> link;
  std::unique_ptr<MailBox> outbox;
  std::atomic<State> state{State::kWaiting};  // Any thread reads.
  std::atomic<bool> is_member{false};         // The vswitch knows it. Any thread reads.

  LinkEnd end;
  SilenceDetector silence;
  const std::optional<LifePage> life;
  uint64_t beat_ns = 0;
  uint64_t worked_ns = 0;  // When there was something else than heartbeats.
  OuterHeader packet_header;
  std::array<rte_mbuf*, kForwardMax> forwards;
  uint32_t first_forward = 0, forwards_count = 0;

  explicit Remote(Options options)
      : member(options.member),
        incarnation(options.incarnation),
        frame_bytes(options.frame_bytes),
        port(std::move(options.port)),
        end(port.get(), options.counters),
        silence(options.suspect_ns),
        life(std::move(options.life)) {}
  ~Remote();
};

class VswitchBridge final : public Bridge {
 public:
  static Expected<std::unique_ptr<VswitchBridge>> Create(const Surroundings& surroundings, Vswitch* vswitch);

  // ---- Through Perform.
  // From now on the link is worked on.
  void Open(Remote* remote);
  // The vswitch gives it flows. False: its link isn't up.
  bool Admit(uint16_t member);
  // The vswitch fences it, if it was let in; the link is no longer worked on. Nothing when there is none.
  Remote* Close(uint16_t member);
  Remote* remote(uint16_t member) { return remotes_[member]; }

  bool has_work() const override;

 private:
  VswitchBridge(const Surroundings& surroundings, ControlCodec codec, Vswitch* vswitch)
      : Bridge(surroundings, std::move(codec)), vswitch_(*vswitch) {}

  uint32_t Round(uint64_t mono_ns) override;
  void Publish(CounterFileLayout* layout, bool is_tick) override;
  uint32_t Serve(Remote& remote, uint64_t mono_ns);
  uint32_t Send(Remote& remote, uint64_t mono_ns);
  void StageDown(Remote& remote, uint32_t count);
  uint32_t Receive(Remote& remote, uint64_t mono_ns);
  // Something to put into the vswitch's ring, or null.
  rte_mbuf* TakeFrame(Remote& remote, rte_mbuf* frame, uint64_t mono_ns);
  rte_mbuf* TakePacket(const Remote& remote, rte_mbuf* frame);
  void Forward(uint16_t to, rte_mbuf* frame);
  void Lose(Remote& remote, LinkEvent::Kind why);
  void Fence(Remote& remote);

  Vswitch& vswitch_;
  std::array<Remote*, kMembersMax> remotes_{};
  uint64_t turned_ns_ = 0;
};

}  // namespace nf::link
