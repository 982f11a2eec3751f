// A member's counters in a file that outlives it (nfactord/README.md has its layout). What the packet path counts lies
// in the file itself; the rest is written by the lcore between its turns.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "chain/packet_counters.h"
#include "link/link_counters.h"

namespace nf::link {

struct CounterFileLayout {
  char magic[8];
  uint32_t version;
  uint16_t member;
  uint16_t words;
  uint32_t incarnation;
  uint32_t term;
  uint64_t pid;
  Counter turns;
  Counter turned_ns;
  Counter ended;
  uint64_t zero;

  PacketCounters packets;
  std::array<Counter, 64 - abi::kDropReasonCount> later_reasons;
  Counter dropped_by_nfs;
  Counter stamped, outputs;
  Counter flows_open, flows_opened, moved_in, moved_out, migrations;
  std::array<Counter, 2> zero_1;
  std::array<Counter, 16> link;
  std::array<Counter, 16> dropped_by_nf;  // By place in the chain.
  Counter recovered, state_lost;          // Of the vswitch: entries; of a runtime: flows.
  Counter replicas, unprotected, replication_lag;
  Counter claimed;  // Of the vswitch: above what it has sent by what it is handing to a port.
  std::array<Counter, 10> zero_2;
};
inline constexpr size_t kCounterFileHeaderBytes = 64, kCounterFileWords = 128;
static_assert(sizeof(Counter) == 8 && std::atomic<uint64_t>::is_always_lock_free);
static_assert(sizeof(PacketCounters) == (6 + abi::kDropReasonCount) * 8);
static_assert(sizeof(CounterFileLayout) == kCounterFileHeaderBytes + kCounterFileWords * 8);
static_assert(offsetof(CounterFileLayout, packets) == kCounterFileHeaderBytes);
static_assert(offsetof(CounterFileLayout, dropped_by_nfs) == kCounterFileHeaderBytes + 70 * 8);
static_assert(offsetof(CounterFileLayout, flows_open) == kCounterFileHeaderBytes + 73 * 8);
static_assert(offsetof(CounterFileLayout, link) == kCounterFileHeaderBytes + 80 * 8);
static_assert(offsetof(CounterFileLayout, dropped_by_nf) == kCounterFileHeaderBytes + 96 * 8);
static_assert(static_cast<size_t>(LinkCount::kCount) <= 16 && abi::kChainNfsMax <= 16);

class CounterFile {
 public:
  // Makes `path` anew: it appears whole. Errors: host.socket, as for whatever is wrong with the run folder.
  static Expected<CounterFile> Create(const std::string& path, uint16_t member, uint32_t incarnation, uint32_t term);

  CounterFileLayout& layout() { return *layout_; }

  // The lcore, between turns.
  void Beat(uint64_t mono_ns) {
    layout_->turns.Add();
    layout_->turned_ns.Set(mono_ns);
  }
  void SetLinks(const LinkCounters& counters) {
    for (size_t i = 0; i < static_cast<size_t>(LinkCount::kCount); ++i) {
      layout_->link[i].Set(counters.value(static_cast<LinkCount>(i)));
    }
  }

 private:
  struct Unmap {
    void operator()(CounterFileLayout* layout) const;
  };
  explicit CounterFile(CounterFileLayout* layout) : layout_(layout) {}
  std::unique_ptr<CounterFileLayout, Unmap> layout_;
};

}  // namespace nf::link
