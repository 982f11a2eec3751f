// Faults, what follows from them, and what guests say in their logs.
#include <cstring>

#include "chain/chain.h"

namespace nf {
namespace {

// Log lines of one NF per second; more are counted as lost.
constexpr uint32_t kLogLinesPerSecond = 100;
constexpr uint64_t kNsPerSecond = 1'000'000'000;

}  // namespace

void Chain::BlamePacket(ChainNf& nf, Walk& walk, uint32_t place, const FaultInfo* fault) {
  rte_mbuf* mbuf = walk.packets[place];
  const uint32_t flow = MetaOf(mbuf)->flow;
  const uint32_t sequence = MetaOf(mbuf)->sequence;
  const OnFault policy = nf.rights().on_fault;
  const bool quarantines = nf.CountFault(now_ns_);
  events_->OnFault({.nf = nf.index(),
                    .fault = fault,
                    .flow = flow,
                    .sequence = sequence,
                    .is_dropped = policy != OnFault::kBypass,
                    .faults_in_minute = nf.faults().in_minute(),
                    .now_ns = now_ns_});
  if (policy == OnFault::kBypass) {
    flows_->actor(flow).bypassed |= nf.bit();
    nf.any_bypassed = true;
  } else {
    counters_->Drop(mbuf, abi::DropReason::kNfFault);
    walk.packets[place] = nullptr;
    if (policy == OnFault::kCloseFlow) {
      AskToClose(flow, abi::CloseReason::kFault, nf.index());
      RefuseBehind(walk, place, flow);
    }
  }
  if (quarantines) events_->OnQuarantine(nf.index(), nf.faults().count(), now_ns_);
}

// The flow's packets behind the one at `place`: they would fault as it did, and so quarantine the NF for all flows.
void Chain::RefuseBehind(Walk& walk, uint32_t place, uint32_t flow) {
  for (uint32_t i = place + 1; i < walk.count; ++i) {
    if (walk.packets[i] == nullptr || i == trapped_ || MetaOf(walk.packets[i])->flow != flow) continue;
    counters_->Drop(walk.packets[i], abi::DropReason::kFlowRefused);
    walk.packets[i] = nullptr;
  }
}

void Chain::BlameCallback(ChainNf& nf) {
  const bool quarantines = nf.CountFault(now_ns_);
  events_->OnFault({.nf = nf.index(),
                    .fault = &nf.active()->fault(),
                    .flow = kNoFlow,
                    .sequence = 0,
                    .is_dropped = false,
                    .faults_in_minute = nf.faults().in_minute(),
                    .now_ns = now_ns_});
  if (quarantines) events_->OnQuarantine(nf.index(), nf.faults().count(), now_ns_);
  ReplaceDead(nf);
}

void Chain::ReplaceDead(ChainNf& nf) { nf.ReplaceDead(wait_for_spares_ ? &wait_for_spares_ : nullptr); }

void Chain::DrainLogs(ChainNf& nf) {
  Instance& instance = *nf.active();
  const uint32_t written = __atomic_load_n(&instance.log_ring()->written, __ATOMIC_RELAXED);
  uint32_t next = nf.logs_seen;
  nf.logs_seen = written;
  if (written - next > abi::kLogRecords) {
    nf.logs_lost += written - next - abi::kLogRecords;
    next = written - abi::kLogRecords;
  }
  const uint64_t second = now_ns_ / kNsPerSecond;
  if (nf.log_second != second) {
    nf.log_second = second;
    nf.logs_in_second = 0;
  }
  for (; next != written; ++next) {
    if (nf.logs_in_second == kLogLinesPerSecond) {
      ++nf.logs_lost;
      continue;
    }
    ++nf.logs_in_second;
    abi::LogRecord record;
    std::memcpy(&record, &instance.log_records()[next % abi::kLogRecords], sizeof record);
    asm volatile("" : "+m"(record));  // As with emit records.
    const uint32_t length = std::min<uint32_t>(record.length, abi::kLogTextBytesMax) & ~1u;
    const auto level =
        record.level < abi::kLogLevelCount ? static_cast<abi::LogLevel>(record.level) : abi::LogLevel::kInfo;
    events_->OnLog(
        {.nf = nf.index(), .level = level, .text = {record.text, length}, .lost = nf.logs_lost, .now_ns = now_ns_});
    nf.logs_lost = 0;
  }
}

}  // namespace nf
