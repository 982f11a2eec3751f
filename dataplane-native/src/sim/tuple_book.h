// What V keeps of the tuples by which flows are answered: for each entry one that it leased when the flow opened, and
// by each tuple that it has learnt the entry it leads to. A flow for which there was no lease shares its tuple with
// another, as NFs do that take no care: then the second one of them is in conflict.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "flow/leases.h"
#include "proto/protection.h"
#include "sim/scenario.h"

namespace nf::sim {

class TupleBook {
 public:
  // Longer than V may pause and an answer be on its way.
  static constexpr uint64_t kRestNs = 4'000'000;

  TupleBook(const Conditions& conditions, uint32_t entries)
      : in_use_(conditions.aliases),
        size_(conditions.leases),
        leases_(size_, proto::InForce(proto::Protection::kLeaseQuarantine) ? kRestNs : 0),
        entries_(entries) {}

  void Opened(uint32_t entry, uint32_t flow, bool calm, uint64_t now_ns) {
    if (!in_use_) return;
    const uint32_t lease = leases_.Take(now_ns);
    entries_[entry] = {.tuple = lease != 0 ? lease : calm ? kOwn + flow : kShared + flow / 2};
  }
  void Removed(uint32_t entry, uint64_t now_ns) {
    if (!in_use_) return;
    const uint32_t tuple = entries_[entry].tuple;
    if (entry_of(tuple) == entry) aliases_.erase(tuple);
    if (is_leased(tuple)) leases_.Return(tuple, now_ns);
    entries_[entry] = {};
  }
  // After another V: what a flow has that was told of. False: another has it.
  void BeginAgain() {
    if (in_use_) leases_.BeginAgain();
  }
  // `taught`: an answer has come by it.
  bool Rebuilt(uint32_t entry, uint32_t tuple, bool taught) {
    if (!in_use_) return true;
    const bool claims = is_leased(tuple) && proto::InForce(proto::Protection::kRebuildLeases);
    if (tuple == 0 || (claims && !leases_.MayClaim(tuple))) return false;
    if (claims) leases_.Claim(tuple);
    entries_[entry] = {.tuple = tuple, .taught = taught};
    if (!proto::InForce(proto::Protection::kRebuildAliases) || Learn(entry)) return true;
    // Of two that say so, whoever has had an answer is right.
    uint32_t& known = aliases_[tuple];
    if (!taught || entries_[known].taught) return true;
    entries_[known].in_conflict = true;
    entries_[entry].in_conflict = false;
    known = entry;
    return true;
  }
  void RebuiltAll(uint64_t began_ns) {
    if (in_use_) leases_.OfferOthers(began_ns + kRestNs);
  }
  // Answers find the entry from now on. False: they find another.
  bool Learn(uint32_t entry) {
    Entry& e = entries_[entry];
    const auto known = aliases_.find(e.tuple);
    e.in_conflict = known != aliases_.end() && known->second != entry;
    if (e.in_conflict || known != aliases_.end()) return !e.in_conflict;
    if (proto::InForce(proto::Protection::kAliasBeforeRelease))
      aliases_[e.tuple] = entry;
    else
      later_.push_back(entry);
    return true;
  }
  void Turn() {
    for (const uint32_t entry : due_)
      if (entries_[entry].tuple != 0) aliases_.try_emplace(entries_[entry].tuple, entry);
    due_.swap(later_);
    later_.clear();
  }

  uint32_t tuple_of(uint32_t entry) const { return entries_[entry].tuple; }
  uint32_t entry_of(uint32_t tuple) const {
    const auto found = aliases_.find(tuple);
    return found == aliases_.end() ? kNone : found->second;
  }
  bool is_leased(uint32_t tuple) const { return tuple != 0 && tuple < kShared; }
  bool in_conflict(uint32_t entry) const { return entries_[entry].in_conflict; }
  bool any_in_conflict() const { return std::ranges::any_of(entries_, &Entry::in_conflict); }
  bool empty() const { return aliases_.empty() && leases_.available() == size_; }

 private:
  static constexpr uint32_t kNone = 0xffffffff;
  static constexpr uint32_t kShared = 1000, kOwn = 2000;  // Leases count from 1.
  struct Entry {
    uint32_t tuple = 0;
    bool in_conflict = false;
    bool taught = false;  // As was told of it.
  };

  bool in_use_;
  uint32_t size_;
  Leases leases_;
  std::vector<Entry> entries_;
  std::map<uint32_t, uint32_t> aliases_;
  std::vector<uint32_t> later_, due_;  // Learnt too late, without the protection.
};

}  // namespace nf::sim
