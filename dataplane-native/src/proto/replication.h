// What replication needs from whoever holds the flows: an owner sends what its flows have become to another runtime,
// and what they cause leaves only when that has it (docs/protocol.md, Replication). ReplicationSource is the owner's
// side, ReplicaTable the other; RuntimeMachine has both.
#pragma once

#include <cstdint>
#include <span>

#include "packet/flow_key.h"
#include "proto/crc32c.h"
#include "proto/ids.h"
#include "proto/stamp.h"

namespace nf::proto {

// Flows share the place of their replicas by bucket; which one is part of the protocol, since V looks there.
#ifdef NF_REMOVABLE
inline constexpr uint32_t kBuckets = 8;  // The simulator has few flows, and they shall share.
#else
inline constexpr uint32_t kBuckets = 256;
#endif
inline uint8_t BucketOf(const FlowKey& key) {
  return static_cast<uint8_t>(Crc32c({reinterpret_cast<const uint8_t*>(&key), sizeof key}) % kBuckets);
}

// What becomes of output for which there is no replica: it waits, or it leaves and is counted.
enum class Unprotected : uint8_t { kStrict, kAvailable };

// Who sends what a flow causes to V: its owner, when the replica has the state; or the replica.
enum class ReplicationMode : uint8_t { kHold, kRelay };

struct ReplicationConfig {
  ReplicationMode mode = ReplicationMode::kHold;
  Unprotected unprotected = Unprotected::kStrict;
  uint32_t replicas = 0;                  // Of others that this runtime has room for.
  uint32_t held_outputs = 4096;           // For all flows together.
  uint32_t copies_per_turn = 64;          // Of flows that only change the place of their replica.
  uint64_t unreachable_ns = 100'000'000;  // A replica that stores nothing for so long is given up.
  uint64_t refused_ns = 100'000'000;      // One without room is asked again after so long.
  uint32_t relayed_bytes = 2048;          // The longest that WriteOutput writes.
};

inline constexpr uint32_t kNoDelta = 0xffffffff;

class ReplicationHost {
 public:
  // The owner's side. A delta says what has changed since what was written last and was Sent; 0 bytes: nothing has.
  // kNoDelta: it can't be said so, or is longer than all of it.
  virtual uint32_t WriteDelta(uint32_t actor, std::span<uint8_t> out) = 0;
  // All of the flow's state, as WriteState does.
  virtual uint32_t WriteFull(uint32_t actor, std::span<uint8_t> out) = 0;
  // What was written last, and still lies where it was written, is on its way: the next delta begins there.
  virtual void Sent(uint32_t actor) = 0;
  // Held output may leave, or never will.
  virtual void ReleaseOutput(PacketRef packet, const PacketHeader& header) = 0;
  virtual void DropOutput(PacketRef packet, const PacketHeader& header) = 0;
  // Where replicas relay output: what another's RelayOutput takes. 0 bytes: it can't be written.
  virtual uint32_t WriteOutput(PacketRef packet, std::span<uint8_t> out) = 0;
  // A replica has sent it: the owner's copy has had its time. Also at the end, when nobody knows whether it has.
  virtual void OutputRelayed(PacketRef packet, const PacketHeader& header) = 0;

  // For another V: as RuntimeHost::WriteReport, of the flow that the image at this place is of.
  virtual uint32_t WriteReplicaReport(uint32_t place, std::span<uint8_t> out) = 0;

  // The replica's side: images by place. False: not one of this chain, or not a change of what is there; the image is
  // as it was.
  virtual bool StoreFull(uint32_t place, const FlowKey& key, std::span<const uint8_t> bytes) = 0;
  virtual bool StoreDelta(uint32_t place, std::span<const uint8_t> bytes) = 0;
  // Makes the actor's state out of the image, which stays. False: it can't be.
  virtual bool Promote(uint32_t place, uint32_t actor, const FlowKey& key) = 0;
  // The image, as another's InstallState takes it.
  virtual uint32_t ReadReplica(uint32_t place, std::span<uint8_t> out) = 0;
  virtual void FreeReplica(uint32_t place) = 0;
  // Output of another runtime's flow, whose state is here: to V, with this header. What finds no room is counted.
  virtual void RelayOutput(const PacketHeader& header, std::span<const uint8_t> bytes) = 0;
  // It is about to become what this says, which may be nothing that StoreDelta takes.
  virtual void PrefetchReplica(uint32_t, std::span<const uint8_t>) {}

 protected:
  ~ReplicationHost() = default;
};

}  // namespace nf::proto
