// A runtime of the simulator: the state machine with its channels, and an NF whose state is a number of the model's.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "proto/endpoint.h"
#include "proto/runtime_machine.h"
#include "sim/world.h"

namespace nf::sim {

class SimRuntime final : public proto::RuntimeHost,
                         public proto::ReplicationHost,
                         public proto::MessageHandler,
                         public proto::FrameSink {
 public:
  SimRuntime(World* world, uint16_t id, uint32_t incarnation);
  // Dies: what was in it is lost in failure.
  ~SimRuntime();
  SimRuntime(const SimRuntime&) = delete;

  void Arrive(const DataItem& item, uint32_t vswitch) { data_.push_back({item, vswitch}); }
  void Arrive(uint16_t from, std::vector<uint8_t> frame) { frames_.push_back({from, std::move(frame)}); }
  void Arrive(const Membership& membership) { memberships_.push_back(membership); }
  void Arrive(const Action& action) { commands_.push_back(action); }
  // What it knows of the others when it starts.
  void Knows(uint16_t member, uint32_t incarnation);
  bool Turn();

  const proto::RuntimeMachine& machine() const { return machine_; }
  uint32_t incarnation() const { return incarnation_; }
  uint32_t flow_of(uint32_t actor) const { return machine_.actor(actor).key.source_port - 1u; }
  bool idle() const;
  // For the log of a run that doesn't come to rest.
  std::string WhatIsLeft() const;
  uint32_t knows(uint16_t member) const { return endpoint_.incarnation_of(member); }
  bool has_heard_all() const { return memberships_.empty(); }
  bool has_said_all() const { return endpoint_.idle(); }

  void StartFresh(uint32_t actor, const FlowKey& key, bool state_lost) override;
  void ProcessHeld(uint32_t actor, proto::PacketRef packet, const proto::PacketHeader& header) override;
  void DropHeld(proto::PacketRef packet, const proto::PacketHeader& header, proto::PacketDrop reason) override;
  uint32_t WriteState(uint32_t actor, std::span<uint8_t> out) override;
  proto::Refusal InstallState(uint32_t actor, const FlowKey& key, std::span<const uint8_t> state) override;
  void Resume(uint32_t) override {}
  void FreeState(uint32_t actor) override;
  void SendMarker(const proto::Marker& marker) override;
  void OperationEnded(uint32_t operation, const proto::OperationResult& result) override;
  uint32_t WriteReport(uint32_t actor, std::span<uint8_t> out) override;
  uint32_t WriteDelta(uint32_t actor, std::span<uint8_t> out) override;
  uint32_t WriteFull(uint32_t actor, std::span<uint8_t> out) override;
  void Sent(uint32_t actor) override;
  void ReleaseOutput(proto::PacketRef packet, const proto::PacketHeader& header) override;
  void DropOutput(proto::PacketRef packet, const proto::PacketHeader& header) override;
  bool StoreFull(uint32_t place, const FlowKey& key, std::span<const uint8_t> bytes) override;
  bool StoreDelta(uint32_t place, std::span<const uint8_t> bytes) override;
  bool Promote(uint32_t place, uint32_t actor, const FlowKey& key) override;
  uint32_t ReadReplica(uint32_t place, std::span<uint8_t> out) override;
  void FreeReplica(uint32_t place) override { images_[place].clear(); }
  uint32_t WriteOutput(proto::PacketRef packet, std::span<uint8_t> out) override;
  void OutputRelayed(proto::PacketRef packet, const proto::PacketHeader& header) override;
  void RelayOutput(const proto::PacketHeader& header, std::span<const uint8_t> bytes) override;
  uint32_t WriteReplicaReport(uint32_t place, std::span<uint8_t> out) override;
  void OnMessage(uint16_t peer, std::span<const uint8_t> message) override;
  void SendFrame(uint16_t peer, std::span<const uint8_t> frame) override;

 private:
  void TakeData();
  void TakeFrames();
  // Waits here while V has not heard everybody.
  void SendUp(const DataItem& item);
  void Obey(const Action& action);
  void SetPlaces(uint32_t bits);
  void Process(uint32_t actor, uint32_t packet);
  void Emit(uint32_t actor, uint32_t packet);
  void OnConflict(const proto::Marker& marker);
  void Live();  // What NFs do by themselves: timers, ends of flows.
  bool IsOwner(uint32_t actor);
  void SetState(uint32_t actor, uint32_t state) {
    state_of_[actor] = state;
    words_of_[actor][state % kWords] = state;
  }
  bool Take(uint32_t actor, uint32_t flow, std::span<const uint8_t> image);
  void Stored(uint32_t place);

  struct Frame {
    uint16_t from;
    std::vector<uint8_t> bytes;
  };
  World* world_;
  uint16_t id_;
  uint32_t incarnation_;
  std::vector<uint32_t> newest_;  // By member: the latest life heard of.
  uint32_t layout_;
  proto::Endpoint endpoint_;
  proto::RuntimeMachine machine_;
  // What the NF keeps of a flow besides its state.
  struct Tuple {
    uint32_t number = 0;    // By which the flow is answered; 0: by its key, or no packet of it has come yet.
    bool taught = false;    // V need not be told any more.
    bool conflict = false;  // V says that it is another flow's.
  };
  static constexpr uint32_t kWords = 4;
  std::vector<uint32_t> state_of_;  // By actor.
  std::vector<std::array<uint64_t, kWords>>
      words_of_;                              // Each the last state of its remainder: a change is one of them.
  std::vector<Tuple> tuple_of_;               // By actor.
  std::vector<uint32_t> leased_;              // By entry: what came with its last packet.
  std::deque<DataItem> up_;                   // Waits for V.
  std::multiset<uint32_t> inside_;            // Packets held.
  std::multiset<uint32_t> outputs_;           // Held until replicas have what they came from.
  std::vector<std::vector<uint8_t>> sent_;    // By actor: the image that the next delta begins at.
  std::vector<std::vector<uint8_t>> images_;  // By place of a replica.
  std::set<uint32_t> operations_;
  uint32_t operation_count_ = 0;
  bool told_to_drain_ = false;
  struct Data {
    DataItem item;
    uint32_t vswitch;  // Which V sent it.
  };
  std::deque<Data> data_;
  std::deque<Frame> frames_;
  std::deque<Membership> memberships_;
  std::deque<Action> commands_;
  std::vector<uint32_t> sent_on_;  // Flows that have just come and are to go.
};

}  // namespace nf::sim
