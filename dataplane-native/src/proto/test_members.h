// V and three runtimes on one bench: what one says to another waits in a queue until the test delivers it.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/runtime_machine.h"
#include "proto/vswitch_machine.h"

namespace nf::proto::test {

inline constexpr uint16_t kMembers = 4;

struct Letter {
  uint16_t from, to;
  std::vector<uint8_t> bytes;
  MessageType type() const { return DecodeMessage(bytes)->type(); }
};

class Post final : public MessageSink {
 public:
  Post(uint16_t own, std::deque<Letter>* letters) : own_(own), letters_(letters) {}
  using MessageSink::Say;
  bool Say(uint16_t peer, MessageType type, std::span<const uint8_t> record, std::span<const uint8_t> tail) override {
    if (is_full || peer == full_to) return false;
    const MessageHeader header{
        .type = type, .zero = 0, .count = 1, .bytes = static_cast<uint32_t>(record.size() + tail.size())};
    Letter letter{own_, peer, std::vector<uint8_t>(sizeof header + header.bytes)};
    std::memcpy(letter.bytes.data(), &header, sizeof header);
    std::memcpy(letter.bytes.data() + sizeof header, record.data(), record.size());
    if (!tail.empty()) std::memcpy(letter.bytes.data() + sizeof header + record.size(), tail.data(), tail.size());
    letters_->push_back(std::move(letter));
    return true;
  }
  bool IsBusy(uint16_t) const override { return is_busy; }
  bool is_full = false;
  uint32_t full_to = kNone;  // To this member alone.
  bool is_busy = false;

 private:
  uint16_t own_;
  std::deque<Letter>* letters_;
};

// A packet, an output or a marker on the way between V and a runtime.
struct OnData {
  bool marker;
  Marker what;
  PacketRef packet;
  PacketHeader header;
};

struct TestRuntime final : RuntimeHost, ReplicationHost {
  TestRuntime(uint16_t id, std::deque<Letter>* letters, const RuntimeConfig& config, bool replicated)
      : post(id, letters),
        machine(config, &post, this, replicated ? this : nullptr),
        state(config.actors),
        sent(config.actors),
        images(config.replication.replicas) {}

  void StartFresh(uint32_t actor, const FlowKey&, bool state_lost) override { state[actor] = state_lost ? "lost" : ""; }
  void ProcessHeld(uint32_t actor, PacketRef packet, const PacketHeader&) override { Process(actor, packet); }
  void DropHeld(PacketRef packet, const PacketHeader&, PacketDrop reason) override {
    dropped.emplace_back(packet, reason);
  }
  uint32_t WriteState(uint32_t actor, std::span<uint8_t> out) override {
    std::memcpy(out.data(), state[actor].data(), state[actor].size());
    return static_cast<uint32_t>(state[actor].size());
  }
  Refusal InstallState(uint32_t actor, const FlowKey&, std::span<const uint8_t> bytes) override {
    ++states_shown;
    if (refuses_states) return Refusal::kNf;
    state[actor].assign(bytes.begin(), bytes.end());
    return Refusal::kNo;
  }
  void Resume(uint32_t) override {}
  void FreeState(uint32_t actor) override { state[actor] = "freed"; }
  void SendMarker(const Marker& marker) override { to_vswitch.push_back({true, marker, 0, {}}); }
  void OperationEnded(uint32_t operation, const OperationResult& result) override { ended[operation] = result; }
  uint32_t WriteReport(uint32_t actor, std::span<uint8_t> out) override { return WriteState(actor, out); }

  // States grow by letters, so a delta is what was added.
  uint32_t WriteDelta(uint32_t actor, std::span<uint8_t> out) override {
    if (has_no_deltas) return kNoDelta;
    const std::string added = state[actor].substr(sent[actor].size());
    std::memcpy(out.data(), added.data(), added.size());
    return static_cast<uint32_t>(added.size());
  }
  uint32_t WriteFull(uint32_t actor, std::span<uint8_t> out) override { return WriteState(actor, out); }
  void Sent(uint32_t actor) override { sent[actor] = state[actor]; }
  void ReleaseOutput(PacketRef packet, const PacketHeader& header) override {
    to_vswitch.push_back({false, {}, packet, header});
  }
  void DropOutput(PacketRef packet, const PacketHeader&) override {
    outputs_dropped += static_cast<char>('a' + packet);
  }
  bool StoreFull(uint32_t place, const FlowKey&, std::span<const uint8_t> bytes) override {
    images[place].assign(bytes.begin(), bytes.end());
    return true;
  }
  bool StoreDelta(uint32_t place, std::span<const uint8_t> bytes) override {
    images[place].append(bytes.begin(), bytes.end());
    return true;
  }
  bool Promote(uint32_t place, uint32_t actor, const FlowKey&) override {
    state[actor] = images[place];
    return true;
  }
  uint32_t ReadReplica(uint32_t place, std::span<uint8_t> out) override {
    std::memcpy(out.data(), images[place].data(), images[place].size());
    return static_cast<uint32_t>(images[place].size());
  }
  void FreeReplica(uint32_t place) override { images[place].clear(); }
  uint32_t WriteOutput(PacketRef packet, std::span<uint8_t> out) override {
    out[0] = static_cast<uint8_t>(packet);
    return 1;
  }
  void OutputRelayed(PacketRef packet, const PacketHeader&) override {
    outputs_relayed += static_cast<char>('a' + packet);
  }
  void RelayOutput(const PacketHeader& header, std::span<const uint8_t> bytes) override {
    to_vswitch.push_back({false, {}, bytes[0], header});
  }
  uint32_t WriteReplicaReport(uint32_t place, std::span<uint8_t> out) override { return ReadReplica(place, out); }

  void Process(uint32_t actor, PacketRef packet) {
    state[actor] += static_cast<char>('a' + packet);
    const auto header = machine.NextOutput(actor);
    if (!header) return;
    if (!machine.replicates())
      ReleaseOutput(packet, *header);
    else if (!machine.HoldOutput(actor, packet, *header))
      DropOutput(packet, *header);
  }
  void Take(const OnData& item, uint64_t now_ns) {
    if (item.marker) return machine.OnMarker(item.what, now_ns);
    const PacketOutcome outcome = machine.OnPacket(item.packet, item.header, {}, now_ns);
    if (outcome.verdict == PacketVerdict::kProcess) Process(outcome.actor, item.packet);
    if (outcome.verdict == PacketVerdict::kDropped) dropped.emplace_back(item.packet, outcome.reason);
  }

  Post post;
  RuntimeMachine machine;
  std::vector<std::string> state;  // By actor: the packets it has seen.
  std::vector<std::pair<PacketRef, PacketDrop>> dropped;
  std::vector<std::string> sent;    // By actor: what the next delta begins at.
  std::vector<std::string> images;  // By place of a replica.
  std::string outputs_dropped;
  std::string outputs_relayed;
  std::map<uint32_t, OperationResult> ended;
  std::deque<OnData> to_vswitch;
  bool refuses_states = false;
  bool has_no_deltas = false;
  uint32_t states_shown = 0;
};

// How much there is room for.
struct Rooms {
  uint32_t actors = 4;
  uint32_t entries = 8;
  uint32_t promotions = 1024;
};

struct TestVswitch final : VswitchHost, RebuildHost {
  explicit TestVswitch(std::deque<Letter>* letters, const Rooms& rooms = {})
      : post(kVswitch, letters),
        machine({.entries = rooms.entries, .members = kMembers, .held_packets = 8, .promotions = rooms.promotions},
                &post, this) {}

  void Release(PacketRef packet, const PacketHeader&) override { released += static_cast<char>('a' + packet); }
  void DropHeld(PacketRef, const PacketHeader&, GateDrop reason) override { dropped.push_back(reason); }
  void SendMarker(uint16_t runtime, const Marker& marker) override {
    to_runtime[runtime].push_back({true, marker, 0, {}});
  }
  bool EntryRebuilt(uint32_t, std::span<const uint8_t> bytes) override {
    told.emplace_back(bytes.begin(), bytes.end());
    return told.back() != "taken";
  }
  void Rebuilt() override { ++rebuilt; }
  void EntryRemoved(uint32_t entry, bool state_lost) override { removed.emplace_back(entry, state_lost); }

  Post post;
  VswitchMachine machine;
  std::string released;
  std::vector<std::string> told;  // Of flows that were told of.
  int rebuilt = 0;
  std::vector<GateDrop> dropped;
  std::vector<std::pair<uint32_t, bool>> removed;
  std::deque<OnData> to_runtime[kMembers];
};

class MembersTest : public testing::Test {
 protected:
  static constexpr uint64_t kTurnNs = 3'000'000;  // Longer than a retry.

  explicit MembersTest(bool replicated = false, const ReplicationConfig& replication = {}, const Rooms& rooms = {})
      : replicated(replicated), replication(replication), rooms(rooms), vswitch(&letters, rooms) {
    for (uint16_t id = 1; id < kMembers; ++id) StartRuntime(id);
    for (uint16_t id = 1; id < kMembers; ++id) Introduce(id, id);
  }
  void StartRuntime(uint16_t id) {
    const RuntimeConfig config{.id = id,
                               .actors = rooms.actors,
                               .entries = rooms.entries,
                               .members = kMembers,
                               .migrations = 4,
                               .operations = 4,
                               .held_packets = 8,
                               .held_packets_of_flow = 3,
                               .digests = digests[id],
                               .replication = replication};
    runtimes[id] = std::make_unique<TestRuntime>(id, &letters, config, replicated);
    runtimes[id]->machine.MemberUp(kVswitch, 99);
  }
  void Introduce(uint16_t id, uint32_t incarnation) {
    vswitch.machine.MemberUp(id, incarnation);
    for (uint16_t other = 1; other < kMembers; ++other)
      if (runtimes[other]) runtimes[other]->machine.MemberUp(id, incarnation);
  }
  void Die(uint16_t id) {
    runtimes[id].reset();
    vswitch.to_runtime[id].clear();
    std::erase_if(letters, [&](const Letter& letter) { return letter.to == id; });
    vswitch.machine.MemberDown(id);
    for (uint16_t other = 1; other < kMembers; ++other)
      if (runtimes[other]) runtimes[other]->machine.MemberDown(id, now_ns);
  }
  TestRuntime& At(uint16_t id) { return *runtimes[id]; }

  void Send(uint32_t entry, PacketRef packet) {
    uint16_t to = 0;
    PacketHeader header;
    ASSERT_EQ(vswitch.machine.StampPacket(entry, 0, now_ns, &to, &header), StampVerdict::kStamped);
    vswitch.to_runtime[to].push_back({false, {}, packet, header});
  }
  // The next letter, if it is of this type.
  bool DeliverLetter(MessageType type) {
    if (letters.empty() || letters.front().type() != type) return false;
    const Letter letter = letters.front();
    letters.pop_front();
    Hand(letter);
    return true;
  }
  void Hand(const Letter& letter) {
    const auto message = DecodeMessage(letter.bytes);
    ASSERT_TRUE(message);
    if (letter.to == kVswitch)
      vswitch.machine.OnMessage(letter.from, *message, now_ns);
    else if (runtimes[letter.to])
      runtimes[letter.to]->machine.OnMessage(letter.from, *message, now_ns);
  }
  void DeliverToRuntime(uint16_t id) {
    while (!vswitch.to_runtime[id].empty()) {
      const OnData item = vswitch.to_runtime[id].front();
      vswitch.to_runtime[id].pop_front();
      if (runtimes[id]) runtimes[id]->Take(item, now_ns);
    }
  }
  void DeliverFromRuntime(uint16_t id) {
    while (runtimes[id] && !runtimes[id]->to_vswitch.empty()) {
      const OnData item = runtimes[id]->to_vswitch.front();
      runtimes[id]->to_vswitch.pop_front();
      if (item.marker) {
        vswitch.machine.OnMarker(id, item.what, now_ns);
        continue;
      }
      GateDrop reason;
      const GateVerdict verdict = vswitch.machine.OnOutput(id, item.packet, item.header, &reason);
      if (verdict == GateVerdict::kRelease) vswitch.Release(item.packet, item.header);
      if (verdict == GateVerdict::kDropped) vswitch.dropped.push_back(reason);
    }
  }
  // Everything under way arrives until nothing is said any more.
  void Settle() {
    for (int round = 0; round < 20; ++round) {
      for (uint16_t id = 1; id < kMembers; ++id) {
        DeliverToRuntime(id);
        if (replicated && runtimes[id]) runtimes[id]->machine.Replicate(now_ns);
        DeliverFromRuntime(id);
      }
      while (!letters.empty()) {
        const Letter letter = letters.front();
        letters.pop_front();
        Hand(letter);
      }
    }
  }
  void Turn() {
    now_ns += kTurnNs;
    vswitch.machine.Turn(now_ns);
    for (uint16_t id = 1; id < kMembers; ++id)
      if (runtimes[id]) runtimes[id]->machine.Turn(now_ns);
  }
  // How the operation ended; the machine says so in its turn.
  const OperationResult& Ended(uint16_t id, uint32_t operation) {
    runtimes[id]->machine.Turn(now_ns);
    return runtimes[id]->ended.at(operation);
  }
  // A flow at runtime 1 that has seen packet a.
  uint32_t OpenFlow() {
    const uint32_t entry = vswitch.machine.Open({}, 1, now_ns);
    Send(entry, 0);
    Settle();
    return entry;
  }
  uint32_t ActorAt(uint16_t id, uint32_t entry) { return At(id).machine.actor_of_entry(entry); }
  std::string StateAt(uint16_t id, uint32_t entry) {
    const uint32_t actor = ActorAt(id, entry);
    return actor == kNone ? "none" : At(id).state[actor];
  }

  bool replicated;
  ReplicationConfig replication;
  Rooms rooms;
  Digests digests[kMembers] = {{7, 1}, {7, 1}, {7, 1}, {7, 1}};
  std::deque<Letter> letters;
  TestVswitch vswitch;
  std::unique_ptr<TestRuntime> runtimes[kMembers];
  uint64_t now_ns = 1'000;
};

}  // namespace nf::proto::test
