// The vswitch of the simulator: V's state machine with its channels, a table from flows to entries, and placement.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "proto/endpoint.h"
#include "proto/vswitch_machine.h"
#include "sim/tuple_book.h"
#include "sim/world.h"

namespace nf::sim {

inline constexpr uint32_t kEntries = 32;
proto::ChannelConfig SimChannel();

class SimVswitch final : public proto::VswitchHost,
                         public proto::RebuildHost,
                         public proto::MessageHandler,
                         public proto::FrameSink {
 public:
  // Of this term; the incarnation is the term, too.
  SimVswitch(World* world, uint8_t term);
  // Dies: what was in it is lost in failure.
  ~SimVswitch();
  SimVswitch(const SimVswitch&) = delete;

  void Arrive(uint16_t from, const DataItem& item) { data_.push_back({from, item}); }
  void Arrive(uint16_t from, std::vector<uint8_t> frame) { frames_.push_back({from, std::move(frame)}); }
  void Arrive(const Membership& membership) { memberships_.push_back(membership); }
  void ArriveFromOutside(uint32_t packet) { outside_.push_back(packet); }
  // Whether there was anything to do.
  bool Turn();

  const proto::VswitchMachine& machine() const { return machine_; }
  const proto::Endpoint& endpoint() const { return endpoint_; }
  uint32_t entry_of(uint32_t flow) const { return entry_of_[flow]; }
  const TupleBook& tuples() const { return tuples_; }
  bool idle() const;
  // What another V is told when it starts.
  void Knows(uint16_t member, uint32_t incarnation);
  void BeginRebuild() {
    tuples_.BeginAgain();
    machine_.BeginRebuild(this, sizeof(Told));
  }
  bool has_heard_all() const { return memberships_.empty(); }

  void Release(proto::PacketRef packet, const proto::PacketHeader& header) override;
  void DropHeld(proto::PacketRef packet, const proto::PacketHeader& header, proto::GateDrop reason) override;
  void SendMarker(uint16_t runtime, const proto::Marker& marker) override;
  void EntryRemoved(uint32_t entry, bool state_lost) override;
  bool EntryRebuilt(uint32_t entry, std::span<const uint8_t> told) override;
  void Rebuilt() override { tuples_.RebuiltAll(began_ns_); }
  void OnMessage(uint16_t peer, std::span<const uint8_t> message) override;
  void SendFrame(uint16_t peer, std::span<const uint8_t> frame) override;

 private:
  void TakeOutside();
  void TakeData();
  void TakeFrames();
  void Forward(uint32_t packet);
  void Answer(uint32_t packet);
  void Stamp(uint32_t packet, uint32_t entry, uint8_t flags);
  uint16_t Place();

  struct Data {
    uint16_t from;
    DataItem item;
  };
  struct Frame {
    uint16_t from;
    std::vector<uint8_t> bytes;
  };
  World* world_;
  uint64_t began_ns_;
  proto::Endpoint endpoint_;
  proto::VswitchMachine machine_;
  std::vector<uint32_t> entry_of_;  // By flow.
  std::multiset<uint32_t> inside_;  // Outputs held.
  TupleBook tuples_;
  std::deque<uint32_t> outside_;
  std::deque<Data> data_;
  std::deque<Frame> frames_;
  std::deque<Membership> memberships_;
};

}  // namespace nf::sim
