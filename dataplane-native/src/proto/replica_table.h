// The replicas that a runtime keeps of others' flows: which there are, how new each is, and whose. What the images look
// like the host knows. At most one of an entry: a newer owner's takes the place of an older one's.
//
// Owners are known by life. Updates of a life come in order and are counted; that count is what its owner waits for.
// When a flow of a life was taken from here, or the life was forgotten, it is sealed: nothing of it is stored any more.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/huge_vector.h"
#include "proto/endpoint.h"
#include "proto/messages.h"
#include "proto/replication.h"

namespace nf::proto {

struct ReplicaCounters {
  uint64_t fulls = 0;
  uint64_t deltas = 0;
  uint64_t refused_room = 0;
  uint64_t refused_base = 0;  // Updates of what isn't here, or has become something else.
  uint64_t sealed = 0;        // Updates of owners that are dead to V.
  uint64_t relayed = 0;       // Frames and words sent to V for others.
  uint64_t not_relayed = 0;   // Since the state they came from isn't here, or they are for another V.
};

class ReplicaTable {
 public:
  ReplicaTable(uint32_t replicas, uint32_t entries, uint16_t members, uint64_t layout, MessageSink* messages,
               ReplicationHost* host);

  struct alignas(32) Replica {
    uint32_t entry = kNone;
    uint32_t epoch = 0;
    uint32_t number = 0;
    uint16_t life = 0;
    uint8_t bucket = 0;
    uint32_t before = kNone, after = kNone;  // Of the same life and bucket; the next free one.
  };

  // From the owner in this life.
  void OnFull(const MemberRef& owner, const FullRecord& record, std::span<const uint8_t> bytes);
  void OnDeltas(const MemberRef& owner, Message* message);
  // Whether what goes with this is to be sent to V, whose life is `vswitch`.
  bool OnRelay(const MemberRef& owner, const RelayRecord& record, uint32_t vswitch);
  void OnReplicaOver(const MemberRef& owner, uint32_t entry, uint32_t epoch);
  void OnBucketOver(const MemberRef& owner, uint32_t bucket);
  // V has found all flows of this life.
  void Forget(const MemberRef& owner);
  void Seal(uint32_t place) { lives_[replicas_[place].life].sealed = true; }
  // The replica of an entry, no older than `epoch`, and older than `before`; or kNone.
  uint32_t Find(uint32_t entry, uint32_t epoch, uint32_t before) const;
  const Replica& at(uint32_t place) const { return replicas_[place]; }
  const FlowKey& key(uint32_t place) const { return keys_[place]; }
  const MemberRef& owner(uint32_t place) const { return lives_[replicas_[place].life].ref; }
  void Free(uint32_t place);
  // Tells owners how far their updates have come.
  void Answer();
  // Asks V about owners that are dead and not forgotten: it may never have known them.
  void AskAboutDead(const std::vector<uint32_t>& members);

  uint32_t used() const { return used_; }
  uint32_t capacity() const { return static_cast<uint32_t>(replicas_.size()); }
  const ReplicaCounters& counters() const { return counters_; }

 private:
  struct Owed {
    uint32_t entry, epoch;  // Of the epoch the last 8 bits, as in a delta.
    uint32_t position;
    Refusal reason;
  };
  struct Life {
    MemberRef ref;  // Nobody: free.
    uint32_t born = 0;
    bool sealed = false;
    bool broken = false;  // More refusals at once than there is room to tell: nothing more is stored.
    bool told_broken = false;
    bool is_owed = false;  // Among owed_.
    uint32_t received = 0;
    uint32_t said = 0;
    uint32_t replicas = 0;
    uint32_t owed_count = 0;
    std::array<Owed, 64> owed;
    std::array<uint32_t, kBuckets> first;
  };
  uint32_t FindLife(const MemberRef& owner) const;
  uint32_t LifeOf(const MemberRef& owner);
  void OnDelta(uint32_t life, const DeltaRecord& record, std::span<const uint8_t> bytes);
  // It is to be told how far its updates have come.
  void Owe(uint32_t life) {
    if (lives_[life].is_owed) return;
    lives_[life].is_owed = true;
    owed_.push_back(static_cast<uint16_t>(life));
  }
  bool Tell(Life* life);
  uint32_t NewReplica(uint32_t entry);
  void Link(uint32_t place, uint32_t life, uint8_t bucket);
  void Unlink(uint32_t place);
  static uint32_t BitOf(const Life& life) { return 1u << life.ref.id; }
  void Refuse(Life* life, uint32_t entry, uint32_t epoch, Refusal reason);

  uint64_t layout_;
  MessageSink* messages_;
  ReplicationHost* host_;
  HugeVector<Replica> replicas_;
  HugeVector<FlowKey> keys_;  // Of these; apart, since updates need none.
  std::vector<uint32_t> of_entry_;
  // By entry: a bit for each owner of which an update was refused. Nothing that it says of the flow is taken until it
  // has heard of that, and says all of the flow. While a flow moves it has two owners, of which this may be so.
  std::vector<uint32_t> refused_;
  std::vector<Life> lives_;
  std::vector<uint16_t> owed_;
  uint32_t free_ = kNone;
  uint32_t used_ = 0;
  uint32_t births_ = 0;
  ReplicaCounters counters_;
};

}  // namespace nf::proto
