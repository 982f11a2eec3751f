// Moving flows with a controller in the middle, as OpenNF does it (SIGCOMM 2014, the loss-free and order-preserving
// move), to compare the dataplane's own protocol with: on the same rings, channels, messages, chains and flow states,
// so that only the protocol differs. For benchmarks; driven by one thread.
//
// For each flow the controller
//   1. has the source hand over the state and delete it, and from then on each packet of the flow as an event;
//   2. puts the state to the target, which keeps the packets back that the switch sends it;
//   3. sends the target what events had to wait meanwhile, and from then on each one as it comes;
//   4. installs the route in two phases: to the source and itself, then to the target. The switch says the last
//      sequence that went to the source;
//   5. when it has forwarded the event of that packet, it tells the target to release what it has kept.
//
// To its advantage: enabling events, getting and deleting are one request, and so are putting and enabling the target's
// events; events are mbufs that nobody copies; the copies for the controller in phase one are headers; the switch
// counts exactly, so that the controller need not wait for a packet to know which was the last.
#pragma once

#include <memory>
#include <vector>

#include "harness/controlled_nf.h"
#include "harness/controlled_switch.h"
#include "harness/must.h"
#include "harness/switched_run.h"
#include "harness/turns.h"
#include "runtime/ring_queue.h"

namespace nf {

class Controller final : public LcoreTask, private MailHandler {
 public:
  struct Surroundings {
    std::array<RuntimeLink*, controlled::kNfs> to_nf;
    RuntimeLink* to_switch;
    MemberMail* mail;
  };
  Controller(uint32_t flows_max, const Surroundings& surroundings);

  uint32_t Turn() override;
  void End() override {}
  int sleep_ms_max() const override { return 1; }

  // The flows of entries 0 to `flows` - 1, so many at once.
  void Move(uint16_t from, uint16_t to, uint32_t flows, uint32_t at_once, Operation* operation);

 private:
  enum class Phase : uint8_t { kNone, kGetting, kPutting, kToBoth, kToTarget, kReleasing };
  struct Flow {  // By entry.
    Phase phase = Phase::kNone;
    uint32_t seen = 0;  // The last sequence that the source had, as far as known.
    uint32_t last = 0;  // That went there.
    proto::HeldList events;
  };
  struct Chunk {
    proto::StateRecord record;
    std::vector<uint8_t> bytes;
  };
  void OnMail(uint16_t peer, proto::Message message, uint64_t mono_ns) override;
  void Begin();
  void TakeEvents();
  void TakeCopies();
  void Put();
  void PutIsDone(const proto::MigrationId& id);
  void Install(const proto::MigrationId& id, controlled::Rule rule);
  void IsInstalled(const proto::MigrationId& id, uint32_t last);
  void ReleaseIfAll(uint32_t entry);
  void Replay(rte_mbuf* mbuf);
  RuntimeLink& source() { return *to_nf_[from_ - controlled::kFirstNf]; }

  MemberMail& mail_;
  controlled::Outbox outbox_;
  std::array<RuntimeLink*, controlled::kNfs> to_nf_;
  RuntimeLink& to_switch_;
  std::vector<std::unique_ptr<RingQueue>> replays_;
  std::vector<Flow> flows_;
  proto::HeldPackets events_;
  std::deque<Chunk> chunks_;
  uint16_t from_ = 0, to_ = 0;
  uint32_t next_ = 0, left_ = 0, under_way_ = 0, at_once_ = 0;
  Operation* operation_ = nullptr;
};

class ControlledRun {
 public:
  using Options = SwitchedRun::Options;
  ControlledRun(Engine& engine, const Options& options);
  ~ControlledRun();
  ControlledRun(const ControlledRun&) = delete;
  ControlledRun& operator=(const ControlledRun&) = delete;

  // Everybody's share once.
  uint32_t Round();
  void Move(uint16_t from, uint16_t to, uint32_t flows, Operation* operation) {
    switch_->set_source(from);
    controller_->Move(from, to, flows, migrations_, operation);
  }

 private:
  std::unique_ptr<RuntimeLink> Link() { return Must(RuntimeLink::Create(markers_)); }

  uint32_t migrations_;
  rte_mempool* frames_;
  rte_mempool* markers_;
  std::vector<std::unique_ptr<MemberMail>> mails_;   // By member id.
  std::vector<std::unique_ptr<RuntimeLink>> links_;  // Switch to each NF, controller to each NF, controller to switch.
  std::unique_ptr<ControlledSwitch> switch_;
  std::vector<std::unique_ptr<ControlledNf>> nfs_;
  std::unique_ptr<Controller> controller_;
  Turns turns_;
  std::vector<std::pair<LcoreTask*, Turns::Share>> shares_;
  uint64_t sent_ = 0;
};

}  // namespace nf
