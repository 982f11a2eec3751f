#include "runtime/snapshot.h"

#include <algorithm>

namespace nf {
namespace {

// The drops of one NF by name, added to `dropped`.
void AddDrops(const ChainNf& nf, std::map<std::string, uint64_t>* dropped) {
  for (size_t i = 0; i < std::size(nf.dropped); ++i) {
    const uint64_t count = nf.dropped[i].value();
    if (count == 0) continue;
    (*dropped)[DropName(nf, i == 0 ? uint8_t{0} : static_cast<uint8_t>(i + 127))] += count;
  }
}

NfCounters& CountersOf(const std::string& entry, CountersSnapshot* snapshot) {
  const auto found = std::ranges::find(snapshot->nfs, entry, &NfCounters::entry);
  if (found != snapshot->nfs.end()) return *found;
  snapshot->nfs.push_back({.entry = entry, .version = {}, .faults = 0, .quarantined = false, .counters = {}});
  return snapshot->nfs.back();
}

}  // namespace

std::string DropName(const ChainNf& nf, uint8_t number) {
  const NfSpec& spec = nf.spec();
  if (number == 0) return spec.entry + ".drop";
  const auto name = spec.drop_reasons.find(number);
  return spec.entry + "." + (name != spec.drop_reasons.end() ? name->second : "reason_" + std::to_string(number));
}

void AddTraffic(const PacketCounters& counters, CountersSnapshot* snapshot) {
  snapshot->received += counters.received.value();
  snapshot->received_bytes += counters.received_bytes.value();
  snapshot->sent += counters.sent.value();
  snapshot->sent_bytes += counters.sent_bytes.value();
}

void AddFates(const PacketCounters& counters, CountersSnapshot* snapshot) {
  snapshot->emitted += counters.emitted.value();
  snapshot->held += counters.held.value();
  for (uint32_t i = 0; i < abi::kDropReasonCount; ++i) {
    const uint64_t count = counters.dropped[i].value();
    if (count != 0) snapshot->dropped[abi::DropReasonName(static_cast<abi::DropReason>(i))] += count;
  }
}

void AddChain(const Chain& chain, CountersSnapshot* snapshot) {
  snapshot->flows_ended += chain.flows_ended();
  for (uint32_t i = 0; i < chain.size(); ++i) {
    const ChainNf& nf = chain.nf(i);
    AddDrops(nf, &snapshot->dropped);
    NfCounters& of_nf = CountersOf(nf.spec().entry, snapshot);
    of_nf.version = nf.spec().version;
    of_nf.faults += nf.faults_total.value();
    of_nf.quarantined |= nf.is_quarantined();
    for (uint32_t j = 0; j < nf.spec().counters.size(); ++j) of_nf.counters[nf.spec().counters[j]] += nf.counter(j);
  }
}

void AddEnded(const CountersSnapshot& other, CountersSnapshot* snapshot) {
  snapshot->emitted += other.emitted;
  for (const auto& [name, count] : other.dropped) snapshot->dropped[name] += count;
  snapshot->flows_opened += other.flows_opened;
  snapshot->flows_ended += other.flows_ended;
  snapshot->events_lost += other.events_lost;
  for (const NfCounters& nf : other.nfs) {
    NfCounters& of_nf = CountersOf(nf.entry, snapshot);
    if (of_nf.version.empty()) of_nf.version = nf.version;
    of_nf.faults += nf.faults;
    for (const auto& [name, count] : nf.counters) of_nf.counters[name] += count;
  }
}

Expected<uint32_t> FindEntry(const Chain& chain, const std::string& entry) {
  std::string known;
  for (uint32_t i = 0; i < chain.size(); ++i) {
    if (chain.nf(i).spec().entry == entry) return i;
    known += (i == 0 ? "" : ", ") + chain.nf(i).spec().entry;
  }
  return Fail(ErrorCode::kSwapEntry, "the chain has no entry " + entry + "; it has " + known);
}

std::optional<Error> CheckBooks(const CountersSnapshot& counters) {
  uint64_t dropped = 0;
  for (const auto& [name, count] : counters.dropped) dropped += count;
  if (counters.received + counters.emitted == counters.sent + dropped + counters.held) return std::nullopt;
  return Error{ErrorCode::kInternal, "the books do not balance: " + std::to_string(counters.received) +
                                         " received and " + std::to_string(counters.emitted) + " emitted, but " +
                                         std::to_string(counters.sent) + " sent, " + std::to_string(dropped) +
                                         " dropped and " + std::to_string(counters.held) + " held"};
}

}  // namespace nf
