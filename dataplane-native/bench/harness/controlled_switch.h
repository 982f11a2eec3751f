// The switch of controlled moves (controlled_run.h): forwards each flow by a rule that the controller installs. Parses,
// looks up and learns aliases as the vswitch does; it has no gate. New flows are the first instance's.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "chain/packet_counters.h"
#include "chain/port_queues.h"
#include "flow/flow_table.h"
#include "flow/lease_table.h"
#include "harness/controlled_words.h"
#include "runtime/lcore_task.h"
#include "runtime/ring_queue.h"
#include "runtime/runtime_link.h"

namespace nf {

class ControlledSwitch final : public LcoreTask, private MailHandler {
 public:
  struct Surroundings {
    std::array<RuntimeLink*, controlled::kNfs> to_nf;
    RuntimeLink* to_controller;
    MemberMail* mail;
  };
  ControlledSwitch(const RuntimeSpec& spec, const Surroundings& surroundings);

  uint32_t Turn() override;
  void End() override {}
  int sleep_ms_max() const override { return 1; }

  const PacketCounters& counters() const { return counters_; }
  const LeaseTable& leases() const { return leases_; }
  // The instance that flows move from: what it has sent leaves before what others send.
  void set_source(uint16_t nf) { source_ = nf; }

 private:
  struct alignas(64) Entry {
    FlowKey key{};
    uint32_t sequence = 0;  // Of the last packet.
    uint16_t owner = 0;
    bool copies = false;  // The controller sees what the owner gets.
  };
  struct Nf {
    explicit Nf(RuntimeLink* of_link) : link(of_link), queue(of_link->down, of_link->markers) {}
    RuntimeLink* link;
    RingQueue queue;
    std::array<rte_mbuf*, 2 * abi::kBurstPackets> staged;
    uint32_t staged_count = 0;
  };
  void OnMail(uint16_t peer, proto::Message message, uint64_t mono_ns) override;
  uint32_t TakeOutputs();
  uint32_t TakeOutputsOf(Nf& nf);
  uint32_t TakeInputs();
  void Process(rte_mbuf** packets, uint32_t count);
  void Forward(rte_mbuf* mbuf, FlowMatch match);
  void FlushStaged(Nf& nf);

  FabricInput input_;
  MemberMail& mail_;
  controlled::Outbox outbox_;
  RuntimeLink& to_controller_;
  RingQueue copies_;
  std::vector<Entry> entries_;
  uint32_t used_ = 0;
  uint16_t source_ = controlled::kFirstNf;
  std::optional<FlowTable> table_;
  LeaseTable leases_;
  std::vector<std::unique_ptr<Nf>> nfs_;
  PacketCounters counters_;
  PortQueues queues_;
};

}  // namespace nf
