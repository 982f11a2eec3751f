// What members are told that can't be right, or may be right but makes no sense: made-up entries, epochs, handles and
// members, letters that come again, late, or from somebody else. Members are in the middle of moves then.
#include <algorithm>
#include <numeric>
#include <random>
#include <sstream>

#include "proto/test_members.h"

namespace nf::proto::test {
namespace {

constexpr uint32_t kFirstSeed = 1, kSeeds = 60;
constexpr uint32_t kEntriesOfTest = 8, kActorsOfTest = 4;

template <typename Reasons>
uint64_t Sum(const Reasons& reasons) {
  return std::accumulate(std::begin(reasons), std::end(reasons), uint64_t{0});
}

class MachinesFuzz : public MembersTest {
 protected:
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random() % bound); }
  uint16_t Somebody() { return static_cast<uint16_t>(1 + Below(kMembers - 1)); }

  // A step of ordinary work; what is said stays under way for a while.
  void Work() {
    const uint16_t id = Somebody();
    const uint32_t entry = Below(kEntriesOfTest);
    const uint32_t actor = Below(kActorsOfTest);
    switch (Below(9)) {
      case 0:
        vswitch.machine.Open({}, id, now_ns);
        return;
      case 1:
      case 2:
        if (vswitch.machine.entry(entry).used && vswitch.machine.Alive(vswitch.machine.entry(entry).owner))
          Send(entry, Below(26));
        return;
      case 3:
        At(id).machine.MoveOne(++operations, Somebody(), actor, now_ns);
        return;
      case 4:
        if (Below(4) == 0) At(id).machine.Close(actor, now_ns);
        return;
      case 5:
        return DeliverToRuntime(id);
      case 6:
        return DeliverFromRuntime(id);
      case 7:
        for (uint32_t count = Below(20); count > 0 && !letters.empty(); --count) {
          past.push_back(letters.front());
          Hand(letters.front());
          letters.pop_front();
        }
        return;
      default:
        if (Below(4) == 0) Turn();
    }
  }

  // Every field that decides what a member does next.
  std::string PrintOfVswitch() const {
    std::ostringstream out;
    const VswitchMachine& v = vswitch.machine;
    for (uint32_t i = 0; i < kEntriesOfTest; ++i) {
      const RouteEntry& e = v.entry(i);
      out << e.used << ' ' << e.owner.id << ' ' << e.owner.incarnation << ' ' << e.handle << ' ' << e.epoch << ' '
          << e.next_sequence << ' ' << e.previous_epoch << ' ' << e.switch_sequence << ' ' << e.draining << e.switched
          << e.returned << e.confirmed << e.may_open << e.lost << e.ever_opened << e.has_cancelled << ' ' << e.released
          << ' ' << e.previous.id << ' ' << e.previous.incarnation << ' ' << e.previous_handle << ' ' << e.attempt
          << ' ' << e.cancelled_attempt << ' ' << e.held.count << ' ' << e.timer.armed << ' ' << e.timer.armed_ns
          << '\n';
    }
    for (uint16_t id = 0; id < kMembers; ++id) out << v.alive(id) << v.accepts(id);
    out << ' ' << v.entries_used() << ' ' << v.held() << ' ' << vswitch.released << ' ' << vswitch.removed.size();
    return out.str();
  }
  std::string PrintOf(uint16_t id) {
    std::ostringstream out;
    const RuntimeMachine& machine = At(id).machine;
    for (uint32_t i = 0; i < kActorsOfTest; ++i) {
      const Actor& a = machine.actor(i);
      out << static_cast<int>(a.state) << ' ' << a.entry << ' ' << a.epoch << ' ' << a.expected << ' '
          << int{a.generation} << ' ' << int{a.last_part} << ' ' << a.migration << ' ' << a.came_epoch << ' '
          << a.came_attempt << ' ' << a.came_from << ' ' << a.denied << a.denied_sequence << a.no_state << ' '
          << a.held.count << ' ' << a.timer.armed << ' ' << a.timer.armed_ns << ' ' << At(id).state[i] << '\n';
    }
    for (uint32_t entry = 0; entry < kEntriesOfTest; ++entry) out << machine.actor_of_entry(entry) << ' ';
    out << machine.actors_used() << ' ' << machine.migrations_used() << ' ' << machine.operations_used() << ' '
        << machine.held() << ' ' << machine.draining();
    return out.str();
  }

  void CheckBooks() {
    const auto& v = vswitch.machine.counters();
    ASSERT_EQ(v.outputs, v.released + Sum(v.dropped) + vswitch.machine.held());
    ASSERT_LE(vswitch.machine.entries_used(), kEntriesOfTest);
    for (uint16_t id = 1; id < kMembers; ++id) {
      const RuntimeMachine& machine = At(id).machine;
      const auto& c = machine.counters();
      ASSERT_EQ(c.received, c.processed + Sum(c.dropped) + machine.held());
      ASSERT_LE(machine.actors_used(), kActorsOfTest);
      ASSERT_LE(machine.migrations_used(), machine.config().migrations);
    }
  }

  // Decoded from a buffer of its size.
  template <typename Record>
  void Tell(uint16_t to, uint16_t from, MessageType type, const Record& record) {
    Letter letter{from, to, std::vector<uint8_t>(sizeof(MessageHeader) + sizeof record)};
    const MessageHeader header{.type = type, .zero = 0, .count = 1, .bytes = sizeof record};
    std::memcpy(letter.bytes.data(), &header, sizeof header);
    std::memcpy(letter.bytes.data() + sizeof header, &record, sizeof record);
    HandExact(letter);
  }
  void HandExact(const Letter& letter) {
    const std::unique_ptr<uint8_t[]> exact(new uint8_t[letter.bytes.size()]);
    std::copy(letter.bytes.begin(), letter.bytes.end(), exact.get());
    const auto message = DecodeMessage({exact.get(), letter.bytes.size()});
    if (!message) return;
    if (letter.to == kVswitch)
      vswitch.machine.OnMessage(letter.from, *message, now_ns);
    else
      At(letter.to).machine.OnMessage(letter.from, *message, now_ns);
  }

  uint32_t AnyNumber() {
    constexpr uint32_t kEdges[] = {0, 1, 7, 8, 0xffff, 0x00ffffff, 0x01000000, 0x7fffffff, 0x80000000, 0xffffffff};
    return Below(3) == 0 ? static_cast<uint32_t>(random()) : kEdges[Below(std::size(kEdges))];
  }
  // An entry that isn't there, or an owner that never was: V's terms are 1.
  MigrationId MadeUpId() {
    if (Below(2) == 0) return {kEntriesOfTest + AnyNumber() % 0xfffffff0, AnyNumber(), AnyNumber()};
    return {Below(kEntriesOfTest), MakeEpoch(0, AnyNumber()), AnyNumber()};
  }
  MessageType AnyNote() {
    MessageType type;
    do {
      type = static_cast<MessageType>(1 + Below(static_cast<uint32_t>(kLastMessageType)));
    } while (RecordBytes(type) != sizeof(Note));
    return type;
  }
  MarkerType AnyMarker() { return static_cast<MarkerType>(1 + Below(static_cast<uint32_t>(kLastMarkerType))); }
  PacketHeader AnyHeader(const Stamp& stamp) {
    return {.stamp = stamp,
            .flags = static_cast<uint8_t>(random()),
            .part = static_cast<uint8_t>(random()),
            .port = static_cast<uint16_t>(random())};
  }

  std::mt19937 random;
  uint32_t operations = 0;
  std::vector<Letter> past;
};

TEST_F(MachinesFuzz, WhatCannotBeRightChangesNothingAtV) {
  random.seed(kFirstSeed);
  for (int round = 0; round < 20'000; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kFirstSeed << ", round " << round);
    for (uint32_t steps = Below(4); steps > 0; --steps) Work();
    const std::string before = PrintOfVswitch();
    const size_t said = letters.size();
    const VswitchCounters counters = vswitch.machine.counters();
    const uint16_t from = Somebody();
    switch (Below(6)) {
      case 0: {  // Nobody, V itself, somebody who has never been.
        const uint16_t nobody[] = {kVswitch, kMembers, 0x7fff, 0xffff};
        const MigrationId id{Below(kEntriesOfTest), MakeEpoch(1, Below(9)), AnyNumber()};
        if (Below(2) == 0)
          Tell(kVswitch, nobody[Below(4)], AnyNote(), Note{id, AnyNumber()});
        else
          vswitch.machine.OnMarker(nobody[Below(4)], MakeMarker(AnyMarker(), id, AnyNumber(), AnyNumber()), now_ns);
        break;
      }
      case 1:
        if (const MessageType type = AnyNote(); type != MessageType::kDraining)
          Tell(kVswitch, from, type, Note{MadeUpId(), AnyNumber()});
        break;
      case 2: {
        const MemberRef target{static_cast<uint16_t>(AnyNumber()), 0, AnyNumber()};
        Tell(kVswitch, from, MessageType::kRoute, RouteRecord{MadeUpId(), AnyNumber(), target});
        ASSERT_EQ(vswitch.machine.counters().refused, counters.refused + 1);
        break;
      }
      case 3:
        if (Below(2) == 0)
          Tell(kVswitch, from, MessageType::kOpen, OpenRecord{MadeUpId(), 0, {7, 1}, {}});
        else
          Tell(kVswitch, from, MessageType::kState, StateRecord{.id = MadeUpId(), .handle = AnyNumber()});
        break;
      case 4:
        vswitch.machine.OnMarker(from, MakeMarker(AnyMarker(), MadeUpId(), AnyNumber(), AnyNumber()), now_ns);
        break;
      default: {
        const MigrationId id = MadeUpId();
        GateDrop reason{};
        const auto verdict =
            vswitch.machine.OnOutput(from, 0, AnyHeader({AnyNumber(), id.entry, id.epoch, AnyNumber()}), &reason);
        ASSERT_EQ(verdict, GateVerdict::kDropped);
        ASSERT_EQ(reason, id.entry < kEntriesOfTest ? GateDrop::kStaleEpoch : GateDrop::kBadStamp);
        ASSERT_EQ(Sum(vswitch.machine.counters().dropped), Sum(counters.dropped) + 1);
      }
    }
    ASSERT_EQ(PrintOfVswitch(), before);
    letters.resize(said);  // What was answered is nobody's concern.
  }
  CheckBooks();
  EXPECT_GT(vswitch.machine.counters().switched, 50u);
}

// A route to nobody, from the owner and for its flow, is a request like others: refused, and the flow stays.
TEST_F(MachinesFuzz, ARouteToNobodyIsRefusedAndTheFlowStays) {
  const uint32_t entry = OpenFlow();
  random.seed(kFirstSeed);
  for (int round = 0; round < 2'000; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    const RouteEntry& e = vswitch.machine.entry(entry);
    MemberRef target{static_cast<uint16_t>(AnyNumber()), 0, AnyNumber()};
    if (target.id > 0 && target.id < kMembers) target.incarnation += kMembers;  // Of another life.
    const uint64_t refused = vswitch.machine.counters().refused;
    Tell(kVswitch, 1, MessageType::kRoute, RouteRecord{{entry, e.epoch, AnyNumber()}, AnyNumber(), target});
    ASSERT_EQ(vswitch.machine.counters().refused, refused + 1);
    ASSERT_EQ(e.owner.id, 1);
    ASSERT_EQ(vswitch.machine.counters().switched, 0u);
  }
  Send(entry, 1);
  Settle();
  EXPECT_EQ(StateAt(1, entry), "ab");
}

TEST_F(MachinesFuzz, WhatCannotBeRightChangesNothingAtARuntime) {
  random.seed(kFirstSeed);
  for (int round = 0; round < 20'000; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kFirstSeed << ", round " << round);
    for (uint32_t steps = Below(4); steps > 0; --steps) Work();
    const uint16_t id = Somebody();
    RuntimeMachine& machine = At(id).machine;
    const std::string before = PrintOf(id);
    const size_t said = letters.size();
    const RuntimeCounters counters = machine.counters();
    const auto peer = static_cast<uint16_t>(Below(kMembers));
    switch (Below(7)) {
      case 0:  // Nobody.
        Tell(id, static_cast<uint16_t>(kMembers + AnyNumber() % 60'000), AnyNote(),
             Note{{Below(kEntriesOfTest), MakeEpoch(1, Below(9)), AnyNumber()}, AnyNumber()});
        break;
      case 1:
        // V's withdrawal is believed: of an entry that is there it forbids what is older.
        if (const MessageType type = AnyNote(); type != MessageType::kWithdraw || peer != kVswitch)
          Tell(id, peer, type, Note{MadeUpId(), AnyNumber()});
        break;
      case 2: {  // Another chain, another layout, no entry.
        OpenRecord open{{Below(kEntriesOfTest), MakeEpoch(2, AnyNumber()), AnyNumber()}, 0, {7, 1}, {}};
        if (Below(3) == 0)
          open.id.entry = kEntriesOfTest + AnyNumber() % 0xfffffff0;
        else
          (Below(2) == 0 ? open.digests.chain : open.digests.layout) = uint64_t{AnyNumber()} + 8;
        Tell(id, peer, MessageType::kOpen, open);
        ASSERT_EQ(machine.counters().refused, counters.refused + 1);
        break;
      }
      case 3:
        Tell(id, peer, MessageType::kState,
             StateRecord{.id = MadeUpId(), .handle = AnyNumber(), .new_epoch = AnyNumber(), .layout = 1});
        break;
      case 4:
        Tell(id, peer, MessageType::kRoute, RouteRecord{MadeUpId(), AnyNumber(), {id, 0, id}});
        break;
      case 5:
        machine.OnMarker(MakeMarker(AnyMarker(), MadeUpId(), AnyNumber(), AnyNumber()), now_ns);
        break;
      default: {
        const MigrationId made_up = MadeUpId();
        PacketHeader header = AnyHeader({AnyNumber(), made_up.entry, made_up.epoch, AnyNumber()});
        header.flags &= static_cast<uint8_t>(~kMayOpen);
        const PacketOutcome outcome = machine.OnPacket(0, header, {}, now_ns);
        ASSERT_EQ(outcome.verdict, PacketVerdict::kDropped);
        ASSERT_EQ(machine.counters().received, counters.received + 1);
        ASSERT_EQ(Sum(machine.counters().dropped), Sum(counters.dropped) + 1);
      }
    }
    ASSERT_EQ(PrintOf(id), before);
    letters.resize(said);
  }
  CheckBooks();
  EXPECT_GT(vswitch.machine.counters().switched, 50u);
}

// Anything that a member may be told by somebody who is taken for another: no sense is asked of it, but that the books
// balance, nothing leaves its bounds, and everything is given back when the runtimes are gone.
TEST_F(MachinesFuzz, WhateverMembersAreToldStaysWithinBounds) {
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    random.seed(seed);
    for (int round = 0; round < 1'000; ++round) {
      Work();
      if (Below(3) != 0) continue;
      const uint32_t entry = Below(kEntriesOfTest + 1);
      const uint32_t epoch = entry < kEntriesOfTest ? vswitch.machine.entry(entry).epoch + Below(3) - 1 : AnyNumber();
      const uint32_t attempt = Below(2) == 0 ? AnyNumber() : (1 + Below(8)) << MigrationTable::kIndexBits | Below(4);
      const MigrationId id{entry, epoch, attempt};
      const auto to = static_cast<uint16_t>(Below(kMembers)), from = static_cast<uint16_t>(Below(kMembers));
      const uint32_t handle = MakeHandle(static_cast<uint8_t>(Below(4)), Below(kActorsOfTest + 1));
      const Marker marker = MakeMarker(AnyMarker(), id, Below(40) - 10, epoch + Below(3));
      switch (Below(7)) {
        case 0:
          Tell(to, from, AnyNote(), Note{id, Below(2) == 0 ? handle : Below(12)});
          break;
        case 1:
          Tell(to, from, MessageType::kOpen, OpenRecord{id, 0, {7, 1}, {}});
          break;
        case 2:
          Tell(to, from, MessageType::kState, StateRecord{id, handle, epoch + 1, Below(40), 0, 0, {}, 1});
          break;
        case 3:
          Tell(to, from, MessageType::kRoute, RouteRecord{id, handle, {Somebody(), 0, Somebody()}});
          break;
        case 4:
          if (to == kVswitch)
            vswitch.machine.OnMarker(from, marker, now_ns);
          else
            At(to).machine.OnMarker(marker, now_ns);
          break;
        case 5: {
          const PacketHeader header = AnyHeader({handle, entry, epoch, Below(40) - 10});
          if (to == kVswitch) {
            GateDrop reason{};
            static_cast<void>(vswitch.machine.OnOutput(from, 0, header, &reason));
          } else if (const auto outcome = At(to).machine.OnPacket(0, header, {}, now_ns);
                     outcome.verdict == PacketVerdict::kProcess) {
            ASSERT_LT(outcome.actor, kActorsOfTest);
            At(to).Process(outcome.actor, 0);
          }
          break;
        }
        default:  // Again, or to somebody else.
          if (past.empty()) break;
          Letter letter = past[Below(static_cast<uint32_t>(past.size()))];
          if (Below(2) == 0) letter.to = to;
          if (Below(2) == 0) letter.bytes[Below(static_cast<uint32_t>(letter.bytes.size()))] ^= 1u << Below(8);
          HandExact(letter);
      }
      CheckBooks();
    }
    // All die. V, alone, has nothing left; those who come next find it working.
    past.clear();
    for (uint16_t id = 1; id < kMembers; ++id) Die(id);
    for (int i = 0; i < 10; ++i) vswitch.machine.Turn(now_ns += kTurnNs);
    ASSERT_EQ(vswitch.machine.entries_used(), 0u);
    ASSERT_EQ(vswitch.machine.held(), 0u);
    letters.clear();
    for (uint16_t id = 1; id < kMembers; ++id) StartRuntime(id);
    for (uint16_t id = 1; id < kMembers; ++id) Introduce(id, id);
    const uint32_t entry = OpenFlow();
    ASSERT_EQ(StateAt(1, entry), "a");
    At(1).machine.Close(ActorAt(1, entry), now_ns);
    Settle();
    ASSERT_EQ(vswitch.machine.entries_used(), 0u);
  }
}

}  // namespace
}  // namespace nf::proto::test
