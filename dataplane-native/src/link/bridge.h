// What the bridges of both sides share: control frames made and taken apart, the member's own mail, commands of the
// control thread, the counter file. See README.md. A bridge is a task of its member's lcore, before it in turn, so that
// nothing here is shared between threads but what says so.
#pragma once

#include <rte_mempool.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "link/control_codec.h"
#include "link/counter_file.h"
#include "link/link_end.h"
#include "link/link_event.h"
#include "runtime/cluster_board.h"
#include "runtime/lcore_task.h"
#include "runtime/member_mail.h"

namespace nf {
class Lcore;
}

namespace nf::link {

class Bridge : public LcoreTask {
 public:
  struct Surroundings {
    Identity identity;
    MemberMail* mail;                   // Of this member.
    rte_mempool* frames;                // Of messages.
    rte_mempool* markers;               // Of markers.
    ClusterBoard* board;                // This process's own.
    CounterFile* file;                  // Or null.
    uint32_t entries;                   // Of the vswitch.
    bool may_edit;                      // NFs of the chain change addresses, which the vswitch learns.
    std::vector<uint32_t> lease_sizes;  // By place in the chain; 0: leases nothing.
  };

  // ---- The control thread.
  // Has the lcore do this between turns, or does it itself when the lcore does not run. Blocks.
  void Perform(Lcore& lcore, bool runs, const std::function<void()>& what);
  LinkEvents& events() { return events_; }

  // ---- The lcore.
  uint32_t Turn() final;
  bool has_work() const override { return request_.load(std::memory_order_relaxed) != nullptr; }
  // A heartbeat is due by then, and devices of links wake nobody up.
  int sleep_ms_max() const override { return kSleepMs; }
  // The last word in the counter file.
  void End() override;

  // ---- Any thread.
  const LinkCounters& counters() const { return counters_; }
  // For the ends of links, which the lcore counts in.
  LinkCounters* link_counters() { return &counters_; }

 protected:
  static constexpr uint64_t kHeartbeatNs = 1'000'000;
  // A link inside a machine that has had nothing but heartbeats for so long rests: the runtime's lcore sleeps longer,
  // and the vswitch wakes it with whatever it sends, which is fewer heartbeats. While there are packets it looks for
  // them: to be woken by each would cost both more.
  static constexpr uint64_t kRestsAfterNs = 100'000'000;
  // A little less than a runtime with flows sleeps by itself, so that one wake-up serves both.
  static constexpr uint64_t kRestingHeartbeatNs = 9'000'000;
  static constexpr int kSleepMs = 1, kRestingSleepMs = 20;

  Bridge(const Surroundings& surroundings, ControlCodec codec);

  virtual uint32_t Round(uint64_t mono_ns) = 0;
  // How much work there was in so many frames of a link, all that were taken since heartbeats() was `before`.
  // Heartbeats are none: an lcore that stayed awake for each of them would never rest. Unless there may be more behind
  // them.
  uint32_t WorkIn(uint32_t frames, uint32_t before) const {
    return frames == LinkEnd::kBurst ? frames : frames - (heartbeats_ - before);
  }
  uint32_t heartbeats() const { return heartbeats_; }
  // What the file shows besides; after a turn of the member, before anything leaves.
  virtual void Publish(CounterFileLayout* layout, bool is_tick) = 0;

  // Takes a control frame apart, which ends its life. Mail is in the member's box then; markers come back as the member
  // wants them. `from` is whose frames the link may bring (kAnybody: through the vswitch); `source` is whose it was.
  static constexpr uint16_t kAnybody = 0xffff;
  struct Taken {
    bool is_genuine = false;
    rte_mbuf* markers = nullptr;
  };
  Taken TakeControl(rte_mbuf* frame, uint16_t from, uint16_t markers_from);
  // Seals and stages, or frees.
  void StageControl(LinkEnd* end, rte_mbuf* mbuf, ControlKind kind, uint16_t to);
  // With what is known of these runtimes.
  void StageHeartbeat(LinkEnd* end, uint16_t to, uint16_t first, uint16_t last);
  // Makes a frame of a packet and stages it; drops it when there is no room in front.
  void StagePacket(LinkEnd* end, rte_mbuf* mbuf, const OuterHeader& outer, uint8_t way, uint16_t port,
                   std::span<const uint32_t> leases);
  // What the vswitch says of another life.
  virtual void TakeFenced(uint16_t, uint32_t) {}
  void StageFenced(LinkEnd* end, uint16_t to, uint16_t member, uint32_t incarnation);
  OuterHeader PacketHeaderTo(uint16_t member) const;
  void Refuse(rte_mbuf* frame, LinkCount why) {
    counters_.Add(why);
    rte_pktmbuf_free(frame);
  }
  // The outer header of a frame that is one piece and long enough.
  const OuterHeader* Outer(const rte_mbuf* frame) const {
    if (frame->nb_segs != 1 || frame->data_len < sizeof(OuterHeader)) return nullptr;
    return rte_pktmbuf_mtod(frame, const OuterHeader*);
  }
  uint16_t tenant() const { return codec_.identity().tenant; }

  LinkCounters counters_;
  ControlCodec codec_;
  MemberMail& mail_;
  ClusterBoard& board_;
  rte_mempool* frames_;
  rte_mempool* markers_;
  uint32_t entries_;
  bool may_edit_;
  std::vector<uint32_t> leasing_;  // Places of NFs that lease.
  LinkEvents events_;

 private:
  struct Request {
    const std::function<void()>* what;
    std::atomic<bool> done{false};
  };
  void TakeStandings(std::span<const uint8_t> payload, uint16_t source);

  CounterFile* file_;
  std::atomic<Request*> request_{nullptr};
  uint64_t ticked_ns_ = 0;
  uint32_t heartbeats_ = 0;  // Taken.
  std::array<uint8_t, ControlCodec::kPayloadMax> payload_;
};

}  // namespace nf::link
