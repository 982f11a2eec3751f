// V after another V: its table made anew of what the members say they are to their flows.
//
// Members have let go of the other V when they say so, so what it stamped and they haven't seen is lost; sequences go
// on behind what they have. Epochs stay, and later ones are of the higher term. A move that V had switched goes on:
// source and target settle it as ever.
#include <algorithm>

#include "proto/vswitch_machine.h"

namespace nf::proto {

void VswitchMachine::BeginRebuild(RebuildHost* host, uint32_t told_bytes) {
  rebuild_host_ = host;
  serves_ = false;
  claims_.assign(entries_.size(), {});
  told_bytes_ = told_bytes;
  told_.assign(entries_.size() * 3 * told_bytes, 0);
  top_ = static_cast<uint32_t>(entries_.size());
  to_tell_.assign(members_.size(), false);
  for (uint16_t id = 1; id < members_.size(); ++id) to_tell_[id] = alive(id);
}

void VswitchMachine::OnReport(uint16_t peer, const ReportRecord& report, std::span<const uint8_t> told) {
  ++counters_.reports;
  if (report.entry >= entries_.size() || told.size() > told_bytes_) return;
  Claims& claims = claims_[report.entry];
  Claim* claim = report.role == FlowRole::kOwner      ? &claims.owner
                 : report.role == FlowRole::kFinal    ? &claims.final
                 : report.role == FlowRole::kAwaiting ? &claims.awaiting
                                                      : &claims.replica;
  // A bucket that was changing its home has two replicas of one owner; the later has all that has left.
  const bool later = report.role == FlowRole::kReplica && report.epoch == claim->report.epoch &&
                     SerialLess(claim->report.sequence, report.sequence);
  if (Alive(claim->of) && !later && !EpochNewer(report.epoch, claim->report.epoch)) return;
  *claim = {.of = RefOf(peer), .report = report};
  if (report.role != FlowRole::kAwaiting) std::ranges::copy(told, ToldOf(report.entry, report.role).begin());
  if (report.role == FlowRole::kReplica) Begin(report.other);
}

void VswitchMachine::OnOver(const MigrationId& id) {
  if (id.entry >= entries_.size()) return;
  uint32_t& over = claims_[id.entry].over;
  if (EpochNewer(id.epoch, over)) over = id.epoch;
}

// Of those who have the state, the later epoch is right; who awaits it never is. A replica is newer than a holder only
// if the flow had moved on, to an owner that is dead. What was told by somebody who has died since is not there.
VswitchMachine::Claim* VswitchMachine::Rebuild(uint32_t index, uint64_t now_ns) {
  Claims& claims = claims_[index];
  const auto epoch_of = [this](const Claim& claim) { return Alive(claim.of) ? claim.report.epoch : 0; };
  const uint32_t owner = epoch_of(claims.owner), final = epoch_of(claims.final);
  // Who lives has said himself what he is to the flow: his replica may only not have heard yet that it is over.
  const uint32_t replica = Alive(claims.replica.report.other) ? 0 : epoch_of(claims.replica);
  const uint32_t holder = EpochNewer(final, owner) ? final : owner;
  const bool over = EpochNewer(claims.over, holder) && EpochNewer(claims.over, replica);
  // Its owner had asked whether it may end, and the other V may have agreed.
  const bool closes =
      holder == owner && (claims.owner.report.flags & kIsClosing) != 0 && InForce(Protection::kClosingIsOver);
  if (over || closes) return nullptr;
  if (EpochNewer(replica, holder)) return RebuildOfReplica(index);
  if (holder == 0) return nullptr;
  const bool moves = final != 0 && (holder == final || claims.final.report.new_epoch == owner);
  Claim* claim = holder == owner ? &claims.owner : &claims.final;
  const ReportRecord& report = claim->report;
  RouteEntry& e = entries_[index];
  e = {.key = report.key,
       .owner = claims.owner.of,
       .handle = report.handle,
       .epoch = report.epoch,
       .next_sequence = report.sequence + 1,
       .used = true,
       .confirmed = !moves || (holder == owner && (!config_.committed || (report.flags & kIsSafe) != 0)),
       .ever_opened = true,
       .stamped_ns = now_ns};
  if (moves) RebuildMove(index, holder == final, now_ns);
  e.confirmed_sequence = e.next_sequence;
  // What has left is not known, but that what comes is later, since links to the other V are no more.
  e.released = Position(e.next_sequence - (1u << 30), 0);
  return claim;
}

// The other V had switched; the source hasn't let go.
void VswitchMachine::RebuildMove(uint32_t index, bool awaits, uint64_t now_ns) {
  RouteEntry& e = entries_[index];
  const Claims& claims = claims_[index];
  const ReportRecord& source = claims.final.report;
  e.previous = claims.final.of;
  e.previous_handle = source.handle;
  e.previous_epoch = source.epoch;
  e.attempt = source.attempt;
  e.switch_sequence = source.switch_sequence;
  e.switched = e.draining = true;
  drains_.Arm(index, now_ns);
  if (!awaits) return;
  const ReportRecord& target = claims.awaiting.report;
  const bool known = claims.awaiting.of == source.other && source.other.incarnation != 0 &&
                     target.epoch == source.epoch && target.attempt == source.attempt;
  e.owner = source.other;
  e.epoch = source.new_epoch;
  e.handle = known ? target.handle : kNoHandle;
  e.next_sequence = source.switch_sequence + 1;
  if (known && SerialLess(source.switch_sequence, target.sequence)) e.next_sequence = target.sequence + 1;
  // What a target that is dead has let out nobody knows any more.
  e.confirmed = InForce(Protection::kUnknownTarget) && !config_.committed && !Alive(e.owner);
}

VswitchMachine::Claim* VswitchMachine::RebuildOfReplica(uint32_t index) {
  Claim& replica = claims_[index].replica;
  RouteEntry& e = entries_[index];
  e = {.key = replica.report.key,
       .owner = replica.report.other,
       .epoch = replica.report.epoch,
       .next_sequence = config_.first_sequence,
       .used = true,
       .recovering = true,
       .ever_opened = true,
       .released = Position(config_.first_sequence - 1, 0xff)};
  return &replica;
}

// The flow has no entry, but somebody has its state.
void VswitchMachine::Disown(uint32_t index) {
  const Claims& claims = claims_[index];
  for (const Claim* claim : {&claims.owner, &claims.final}) {
    if (!Alive(claim->of)) continue;
    // One that ends by itself, or that has come to its end for its host, is nobody's loss.
    if ((claim->report.flags & kIsClosing) == 0 && claim->report.bytes != 0) ++counters_.disowned;
    host_->SendMarker(claim->of.id,
                      MakeMarker(MarkerType::kDisowned, {index, claim->report.epoch, 0}, claim->report.sequence));
  }
}

void VswitchMachine::TurnRebuild(uint64_t now_ns) {
  for (uint16_t id = 1; id < members_.size(); ++id)
    if (to_tell_[id]) return;
  for (Life& life : lives_) {
    life.dead = life.ref.incarnation != 0 && !Alive(life.ref);
    life.unswept = static_cast<uint32_t>(entries_.size());
  }
  free_ = kNone;
  used_ = 0;
  // A flow of which there is but a replica may have begun anew in another entry.
  const auto rank_of = [this](const Claims& claims) {
    return Alive(claims.owner.of) || Alive(claims.final.of) ? 0 : 1;
  };
  for (const int rank : {0, 1}) {
    for (uint32_t index = 0; index < entries_.size(); ++index) {
      RouteEntry& e = entries_[index];
      const Claims& claims = claims_[index];
      if (e.used || rank_of(claims) != rank) continue;
      const Claim* claim = Rebuild(index, now_ns);
      if (claim == nullptr) {
        Disown(index);
        continue;
      }
      const auto told = ToldOf(index, claim->report.role).first(claim->report.bytes);
      if (!rebuild_host_->EntryRebuilt(index, told)) {
        drains_.Disarm(index);
        e = {.epoch = e.epoch};
        Disown(index);
        continue;
      }
      ++counters_.rebuilt;
      if (e.recovering) {
        PromoteAt(index, claims.replica.of, claims.replica.report.other, claims.replica.report.epoch);
      }
    }
  }
  for (uint32_t index = static_cast<uint32_t>(entries_.size()); index-- > 0;) {
    if (entries_[index].used) {
      ++used_;
      continue;
    }
    entries_[index].next_free = free_;
    free_ = index;
  }
  serves_ = true;
  claims_ = {};
  told_ = {};
  rebuild_host_->Rebuilt();
  for (uint16_t id = 1; id < members_.size(); ++id) to_tell_[id] = alive(id);
  has_to_tell_ = true;
}

void VswitchMachine::TellServing() {
  has_to_tell_ = false;
  for (uint16_t id = 1; id < members_.size(); ++id) {
    to_tell_[id] = to_tell_[id] && alive(id) && !messages_->Say(id, MessageType::kServing, Note{});
    has_to_tell_ = has_to_tell_ || to_tell_[id];
  }
}

}  // namespace nf::proto
