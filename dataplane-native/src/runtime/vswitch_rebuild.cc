// A vswitch after another one: what runtimes tell it of their flows, and until when it takes nothing in.
#include "base/clock.h"
#include "runtime/flow_report.h"
#include "runtime/vswitch.h"

namespace nf {

void Vswitch::BeginRebuild(std::span<const proto::MemberRef> members) {
  for (const proto::MemberRef& member : members) machine_.MemberUp(member.id, member.incarnation);
  began_ns_ = ClockNs();
  leases_.BeginAgain();
  machine_.BeginRebuild(this, FlowReport::kBytesMax - sizeof(uint32_t) * (abi::kChainNfsMax - leases_.count()));
  PublishRebuild();
}

void Vswitch::Forget(uint16_t member, uint32_t incarnation) {
  if (runtimes_[member].link != nullptr || !machine_.Alive({.id = member, .zero = 0, .incarnation = incarnation}))
    return;
  machine_.MemberDown(member);
  PublishRebuild();
}

void Vswitch::PublishRebuild() {
  uint64_t awaited = 0;
  for (uint16_t id = 1; id < kMembersMax; ++id) awaited |= uint64_t{machine_.awaits(id)} << id;
  awaited_shown_.Set(awaited);
  reports_shown_.Set(machine_.counters().reports);
  rebuilt_shown_.Set(machine_.counters().rebuilt);
  disowned_shown_.Set(machine_.counters().disowned);
  serves_shown_.Set(machine_.serves());
}

bool Vswitch::EntryRebuilt(uint32_t entry, std::span<const uint8_t> told) {
  const FlowKey& key = machine_.entry(entry).key;
  FlowReport report;
  const uint64_t hash = FlowTable::Hash(key);
  if (!FlowReport::Read(told, leases_.mask(), &report) || table_->Find(key, hash).found()) return false;
  if (report.has_alias && !may_edit_) return false;
  if (!leases_.Claim(entry, report.leases)) return false;
  table_->Insert(entry, hash);
  info_[entry] = {.number = ++numbers_, .in_conflict = false, .taught = report.taught};
  if (!report.has_alias || table_->SetAlias(entry, report.alias)) return true;
  // Of two that say that they are answered so, whoever has had an answer is right. The other one ends with its next
  // packet.
  const FlowMatch known = table_->Find(report.alias);
  if (!report.taught || !known.found() || !known.by_alias || info_[known.flow].taught) {
    SetConflict(entry, true);
    return true;
  }
  table_->ClearAlias(known.flow);
  SetConflict(known.flow, true);
  SetConflict(entry, !table_->SetAlias(entry, report.alias));
  return true;
}

// A flow that ended just before the other one did may still be answered.
void Vswitch::Rebuilt() {
  rested_ns_ = began_ns_ + Leases::kRestNs;
  leases_.OfferOthers(rested_ns_);
  rested_ns_ = leases_.mask() != 0 ? rested_ns_ : 0;
}

}  // namespace nf
