// How counters become values that control threads own. Callers hold the lock of the NFs' names.
#pragma once

#include "chain/chain.h"
#include "chain/packet_counters.h"
#include "runtime/report.h"

namespace nf {

// What the counters call a drop for reason `number` of the NF.
std::string DropName(const ChainNf& nf, uint8_t number);
// What was received and sent, of the part that has the external ports.
void AddTraffic(const PacketCounters& counters, CountersSnapshot* snapshot);
// What a part dropped, made or holds.
void AddFates(const PacketCounters& counters, CountersSnapshot* snapshot);
// What the NFs of a chain dropped and counted: added to what is there of NFs of the same names.
void AddChain(const Chain& chain, CountersSnapshot* snapshot);
// All of `other`, which ends, but for levels.
void AddEnded(const CountersSnapshot& other, CountersSnapshot* snapshot);
// The chain's entry of this name. Errors: swap.entry.
Expected<uint32_t> FindEntry(const Chain& chain, const std::string& entry);
// What is wrong with the books of a run that has ended, or nothing.
std::optional<Error> CheckBooks(const CountersSnapshot& counters);

}  // namespace nf
