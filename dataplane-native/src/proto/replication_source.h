// The owner's side of replication: which flows have changed, what was sent of them where, and what they have caused,
// which waits until it is safe to leave.
//
// A flow belongs to a bucket, a bucket has a home: the runtime where V looks for replicas when the owner dies. Updates
// to a runtime are numbered by its channel; each output knows the number of its flow's latest update, and leaves when
// the replica has had that. Output of a bucket leaves in order, so that of a flow does, whatever becomes of the bucket.
//
// A bucket changes its home so: all of its flows are copied to the next one (copying); then output waits for both,
// while V is told (telling); when V has answered, the next one is the home. V may look at either as long as it hasn't
// answered, so both must have what has left. With `available` a bucket may have no home: V is told so before output
// leaves unprotected.
//
// Where replicas relay output (replication_relay.cc), the home sends it to V behind the update that it waits for; what
// waits here are copies, until the home has said that it has come so far.
#pragma once

#include <array>
#include <bit>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/huge_vector.h"
#include "proto/actor.h"
#include "proto/endpoint.h"
#include "proto/messages.h"
#include "proto/replication.h"

namespace nf::proto {

// Buckets of which something is to be done.
class BucketSet {
 public:
  void set(uint32_t bucket) { words_[bucket / 64] |= uint64_t{1} << bucket % 64; }
  void reset(uint32_t bucket) { words_[bucket / 64] &= ~(uint64_t{1} << bucket % 64); }
  void reset() { words_ = {}; }
  bool operator[](uint32_t bucket) const { return (words_[bucket / 64] >> bucket % 64 & 1) != 0; }
  // Each once; those that are added meanwhile, perhaps.
  template <typename Do>
  void ForEach(Do&& what) const {
    for (uint32_t i = 0; i < words_.size(); ++i)
      for (uint64_t left = words_[i]; left != 0; left &= left - 1)
        what(64 * i + static_cast<uint32_t>(std::countr_zero(left)));
  }

 private:
  std::array<uint64_t, (kBuckets + 63) / 64> words_{};
};

// What waits until its flow is safe: output, or a word that must not overtake it.
struct HeldOutput {
  HeldOutput() : header{} {}
  enum class Kind : uint8_t {
    kOutput,     // packet and header.
    kMarker,     // marker: behind the flow's output.
    kInstalled,  // marker.id: the flow lives here; marker.member: tell so.
    kOpened,     // marker.id, marker.sequence = handle: the flow's first packet caused no output.
  };
  PacketRef packet = 0;
  union {
    PacketHeader header;
    Marker marker;
  };
  uint32_t handle = kNoHandle;  // Of the flow's actor. If that has gone, the flow is safe elsewhere, or over.
  uint32_t position[2] = {};    // In the streams of the bucket's two places.
  uint32_t next = kNone;
  Kind kind = Kind::kOutput;
  bool waits[2] = {};
  // Relayed: given to the bucket's place of this round (0: to nobody) behind this update of the flow, for this V. Its
  // own number in that stream is position[0].
  uint32_t round = 0;
  uint32_t update = 0;
  uint32_t vswitch = 0;
  bool was_given = false;
  bool is_lost = false;  // Nobody knows whether it has left, nor can V tell.
  bool exempt = false;   // The replica has no room for the flow.
  bool unsafe = false;   // The flow has moved to where there is no replica of it.
};

struct ReplicationCounters {
  uint64_t updates = 0;
  uint64_t update_bytes = 0;  // With their records.
  uint64_t copies = 0;        // Full ones.
  uint64_t held = 0;
  uint64_t released = 0;
  uint64_t unprotected = 0;     // Of those: without a replica.
  uint64_t unprotected_ns = 0;  // While some flow had none.
  uint64_t dropped_room = 0;
  uint64_t dropped_unprotected = 0;
  uint64_t dropped_lost = 0;  // Given to a replica that died, by way of a V that is no more.
  uint64_t refused = 0;
  uint64_t given = 0;       // Frames and words that replicas are to send.
  uint64_t again = 0;       // Of those: another time.
  uint64_t relayed = 0;     // Frames that they have sent.
  uint64_t moved_home = 0;  // Buckets.
  uint64_t forgotten = 0;   // Replicas that nobody could be told are over.
};

class ReplicationSource {
 public:
  static constexpr uint32_t kRing = 17;  // Prime, above all ids.
  // Where what was held goes.
  class Outlet {
   public:
    virtual void Leave(const HeldOutput& held) = 0;
    // The replica has sent it.
    virtual void Relayed(const HeldOutput& held) = 0;

   protected:
    ~Outlet() = default;
  };

  ReplicationSource(uint16_t own, const ReplicationConfig& config, uint64_t retry_ns, uint32_t state_bytes,
                    uint64_t layout, const std::vector<Actor>* actors, const std::vector<uint32_t>* members,
                    MessageSink* messages, ReplicationHost* host, Outlet* outlet);

  // The runtimes that may keep replicas.
  void SetPlaces(std::span<const uint16_t> places, uint64_t now_ns);
  // Of them those that are to, as long as one of them can: bits by id. 0: any.
  void SetHomes(uint32_t homes, uint64_t now_ns);
  // A member has another life, or none.
  void MemberChanged(uint16_t id, uint64_t now_ns);

  // An actor has a state; it has another epoch; it is to be freed; it has changed.
  void Opened(uint32_t actor);
  void Renewed(uint32_t actor);
  void Freed(uint32_t actor);
  // It has moved, and is not replicated there.
  void LeftUnprotected(uint32_t actor);
  void Touch(uint32_t actor) {
    Flow& flow = flows_[actor];
    if (flow.dirty) return;
    flow.dirty = true;
    if (!flow.queued) Queue(actor);
  }

  void Prefetch(uint32_t actor) const { __builtin_prefetch(&flows_[actor], 1); }

  // False: no room.
  bool Hold(uint8_t bucket, const HeldOutput& held);
  uint8_t bucket_of(uint32_t actor) const { return flows_[actor].bucket; }

  void OnStored(uint16_t peer, uint32_t position, uint64_t now_ns);
  void OnUnstored(uint16_t peer, uint32_t actor, uint32_t position, Refusal reason, uint64_t now_ns);
  // It stores nothing of ours.
  void OnUnfit(uint16_t peer, uint64_t now_ns);
  void OnTarget(const TargetRecord& record, uint64_t now_ns);
  // This update was not stored, so what was given behind it was not relayed.
  void TakeBack(uint16_t peer, uint32_t update);
  void OnPathEnded(const MigrationId& id);
  // The end of a poll: what has changed goes out, and what may leave leaves.
  void Flush(uint64_t now_ns);
  void Turn(uint64_t now_ns);
  void DropAllHeld();

  uint32_t held() const { return held_; }
  // Flows without a replica at home, roughly: updates under way are taken for stored.
  uint32_t unprotected() const;
  // Whether every flow could be had from where V would look for it. Looks at all of them.
  bool all_protected() const;
  // Whether a runtime that lives has been sent all of the flow.
  bool has_replica(uint32_t actor) const {
    const Flow& flow = flows_[actor];
    const Bucket& bucket = buckets_[flow.bucket];
    for (int s = 0; s < 2; ++s)
      if (flow.used && Alive(bucket.slots[s].peer) && flow.copies[s].round == bucket.slots[s].round) return true;
    return false;
  }
  // Updates that no replica has answered yet.
  uint32_t lag() const;
  MemberRef home(uint8_t bucket) const { return buckets_[bucket].slots[buckets_[bucket].home].peer; }
  bool idle() const;
  const ReplicationCounters& counters() const { return counters_; }

 private:
  struct Copy {
    uint32_t round = 0;     // The slot's: all of the flow has been sent there.
    uint32_t number = 0;    // Of the last update sent there.
    uint32_t position = 0;  // In the stream.
    uint32_t refused = 0;   // The slot's round in which there was no room.
    uint32_t said = 0;      // The slot's round in which `position` was.
  };
  struct alignas(64) Flow {
    Copy copies[2];
    uint32_t number = 0;
    uint32_t before = kNone, after = kNone;  // Of the same bucket.
    uint8_t bucket = 0;
    bool used = false;
    bool dirty = false;
    bool queued = false;  // In dirty_, perhaps in vain.
  };
  struct Slot {
    MemberRef peer;
    uint32_t round = 0;
    uint32_t missing = 0;  // Flows not sent there yet.
  };
  struct Bucket {
    Slot slots[2];
    uint8_t home = 0;
    bool copying = false;  // The other slot is being filled.
    bool sent = false;     // All of it is on its way there, up to `mark` of the stream, and waited for.
    uint32_t mark = 0;
    bool telling = false;  // V was told that it is at `told`.
    uint16_t version = 0;
    MemberRef told;
    uint64_t told_ns = 0;
    // Relayed: output has gone on the present way since V was last known to have had all of it.
    bool is_path_used = false;
    uint32_t path_end = 0;  // 0: V was not asked.
    uint64_t path_end_ns = 0;
    uint32_t flows = 0;
    uint32_t first = kNone, last = kNone, cursor = kNone;
    uint32_t head = kNone, tail = kNone, untagged = kNone;
  };
  struct Over {
    uint32_t entry, epoch;
  };
  struct Peer {
    uint32_t sent = 0;
    uint32_t stored = 0;
    uint64_t progress_ns = 0;
    bool unfit = false;             // Its flows are laid out otherwise.
    bool silent = false;            // It has stored nothing for long.
    bool congested = false;         // Its channel takes no more in this turn; nothing is composed for it in vain.
    uint64_t refused_until_ns = 0;  // It has no room.
    std::bitset<kBuckets> over;     // Buckets of which it needs nothing any more, and doesn't know.
    std::vector<Over> overs;        // Flows likewise; a ring.
    uint32_t overs_first = 0, overs_count = 0;
  };
  enum class Gate : uint8_t { kBlocked, kHome, kBoth, kNext, kOpen };

  // replication_source.cc: updates and output.
  bool Alive(const MemberRef& ref) const { return ref.incarnation != 0 && (*members_)[ref.id] == ref.incarnation; }
  bool IsCurrent(const Flow& flow, const Slot& slot, int s) const {
    return flow.copies[s].round == slot.round && flow.copies[s].number == flow.number;
  }
  bool Based(const Flow& flow, const Slot& slot, int s) const {
    return flow.copies[s].round == slot.round || flow.copies[s].refused == slot.round;
  }
  bool MayRefuse(const Flow& flow, const Slot& slot, int s) const;
  void Queue(uint32_t actor) {
    flows_[actor].queued = true;
    uint32_t end = dirty_first_ + dirty_count_++;
    if (end >= dirty_.size()) end -= static_cast<uint32_t>(dirty_.size());
    dirty_[end] = actor;
  }
  uint32_t Unqueue() {
    const uint32_t actor = dirty_[dirty_first_];
    if (++dirty_first_ == dirty_.size()) dirty_first_ = 0;
    --dirty_count_;
    flows_[actor].queued = false;
    return actor;
  }
  void WriteAwaited(uint64_t now_ns);
  void WriteDirty(uint64_t now_ns);
  bool WriteFlow(uint32_t actor, uint64_t now_ns);
  bool WriteBoth(uint32_t actor, uint64_t now_ns);
  template <typename Record>
  bool SayUpdate(const MemberRef& peer, MessageType type, const Record& record, uint32_t bytes);
  bool SayFull(uint32_t actor, const MemberRef& peer, uint32_t number);
  bool SayDelta(uint32_t actor, const MemberRef& peer, uint32_t number, uint32_t bytes);
  void SentTo(Flow* flow, Bucket* bucket, int s, uint32_t number, uint64_t now_ns);
  void Tag(uint32_t bucket, Gate gate);
  bool TagOne(HeldOutput* held, const Bucket& bucket, Gate gate);
  void Release(uint32_t bucket, Gate gate);
  bool MayLeave(const HeldOutput& held, const Bucket& bucket, Gate gate) const;
  void Pop(Bucket* bucket, HeldOutput* held);
  void LeaveOrDrop(HeldOutput* held, bool is_protected);

  // replication_relay.cc: output that replicas send.
  bool relays() const { return config_.mode == ReplicationMode::kRelay; }
  bool IsWord(const HeldOutput& held) const {
    return held.kind == HeldOutput::Kind::kInstalled || held.kind == HeldOutput::Kind::kOpened;
  }
  Gate RelayGateOf(const Bucket& bucket) const;
  void GiveAll(uint32_t bucket, uint64_t now_ns);
  bool GiveOne(HeldOutput* held, uint32_t bucket, uint64_t now_ns);
  bool IsForHome(const HeldOutput& held) const;
  bool MayComeBack(const HeldOutput& held, const Bucket& bucket) const;
  // What V was asked about the way doesn't hold for this any more.
  static void UsePath(Bucket* bucket) {
    bucket->is_path_used = true;
    bucket->path_end = 0;
  }
  bool Give(HeldOutput* held, const Slot& slot, RelayRecord record, uint64_t now_ns);
  static bool IsGivenUp(const Bucket& bucket);
  void ReleaseRelayed(uint32_t bucket);
  bool HasEndedPath(uint32_t bucket, uint64_t now_ns);
  void TakeAllBack(uint16_t peer);

  // replication_homes.cc: where replicas are.
  Gate GateOf(const Bucket& bucket) const;
  MemberRef Wanted(uint32_t bucket, uint64_t now_ns) const;
  bool IsUsable(const MemberRef& ref, bool second_choice, uint64_t now_ns) const;
  MemberRef Next(uint32_t bucket, const std::bitset<kRing>& among, bool second_choice, uint64_t now_ns) const;
  void Reconsider(uint32_t bucket, uint64_t now_ns);
  void ReconsiderAll(uint64_t now_ns);
  void StartCopy(uint32_t bucket, const MemberRef& peer);
  void CopyBuckets(uint64_t now_ns);
  void CopySome(uint32_t bucket, uint32_t* budget, uint64_t now_ns);
  void StartTelling(uint32_t bucket, const MemberRef& target, uint64_t now_ns);
  void SayTarget(uint32_t bucket, uint64_t now_ns);
  void DropNext(uint32_t bucket);
  void Vacate(uint32_t bucket, int slot);
  void Retag(uint32_t bucket);
  void SayOver(uint16_t peer);
  void OweOver(const MemberRef& peer, uint32_t entry, uint32_t epoch);

  uint16_t own_;
  ReplicationConfig config_;
  uint64_t retry_ns_;
  uint64_t layout_;
  const std::vector<Actor>* actors_;
  const std::vector<uint32_t>* members_;
  MessageSink* messages_;
  ReplicationHost* host_;
  Outlet* outlet_;
  std::bitset<kRing> is_place_;
  std::bitset<kRing> is_home_;   // Empty: any place is as good.
  HugeVector<Flow> flows_;       // By actor.
  std::vector<uint32_t> dirty_;  // A ring with room for every actor once.
  uint32_t dirty_first_ = 0, dirty_count_ = 0;
  std::array<Bucket, kBuckets> buckets_;
  std::vector<Peer> peers_;
  std::vector<HeldOutput> pool_;
  std::vector<uint8_t> scratch_;
  std::vector<uint8_t> relayed_;
  uint32_t path_ends_ = 0;
  uint32_t free_ = kNone;
  uint32_t held_ = 0;
  uint32_t rounds_ = 0;
  BucketSet waiting_;    // With held output.
  bool copies_ = false;  // Some bucket may be copying.
  uint32_t next_copied_ = 0;
  uint64_t reconsidered_ns_ = 0;
  uint64_t turned_ns_ = 0;
  ReplicationCounters counters_;
};

}  // namespace nf::proto
