// An instance of a chain whose flows a controller moves (controlled_run.h): processes what the switch sends it, hands
// packets of flows that it was made to give up to the controller, and keeps those back that come before it may go on.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "flow/lease_table.h"
#include "harness/controlled_words.h"
#include "proto/held_packets.h"
#include "runtime/chain_worker.h"
#include "runtime/flow_joiner.h"
#include "runtime/ring_queue.h"
#include "runtime/runtime_link.h"

namespace nf {

class ControlledNf final : public ChainWorker, private MailHandler {
 public:
  struct Surroundings {
    RuntimeLink* to_switch;
    RuntimeLink* to_controller;
    MemberMail* mail;
    const LeaseTable* leases;
    rte_mempool* pool;
  };
  ControlledNf(Engine& engine, const RuntimeSpec& spec, const Surroundings& surroundings);
  ~ControlledNf() override;

  void End() override {}
  int sleep_ms_max() const override { return 1; }

 private:
  enum class Mode : uint8_t { kOwned, kEvents, kKeeping };  // By entry, which is also the flow's place.
  class Output;

  uint32_t Round() override;
  void OnMail(uint16_t peer, proto::Message message, uint64_t mono_ns) override;
  void TakeFromSwitch(rte_mbuf* mbuf);
  void TakeFromController(rte_mbuf* mbuf);
  void Release(const proto::MigrationId& id);
  void Process(rte_mbuf* mbuf);
  uint32_t GiveUp();
  void Take(proto::Message* message);

  RuntimeLink& to_switch_;
  RuntimeLink& to_controller_;
  MemberMail& mail_;
  controlled::Outbox outbox_;
  const LeaseTable& leases_;
  std::unique_ptr<Output> to_wire_;
  RingQueue event_queue_;
  std::optional<FlowJoiner> joiner_;
  std::vector<Mode> modes_;
  std::vector<proto::HeldList> kept_lists_;
  proto::HeldPackets kept_;
  std::deque<proto::MigrationId> asked_for_;
  std::vector<uint8_t> image_;
  uint64_t idle_ns_ = 0;
};

}  // namespace nf
