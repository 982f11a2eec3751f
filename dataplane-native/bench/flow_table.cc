// Which table finds the flow of a packet: ours, or DPDK's rte_hash. Bursts of 32 keys of random flows, either side
// sending; both tables get the same hash, and both end with the first line of the flow's actor, which the packet path
// needs next. rte_hash keeps a copy of each key and knows one direction of it, so its keys are put in order first.
#include "flow/flow_table.h"

#include <rte_cycles.h>
#include <rte_hash.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "base/private_memory.h"
#include "bench_report.h"
#include "harness/must.h"
#include "port/eal.h"

namespace nf {
namespace {

constexpr uint32_t kBurst = 32;

struct alignas(64) Actor {
  FlowKey key;
  uint64_t packets;
};

FlowKey KeyOf(uint32_t number) {
  FlowKey key = {};
  key.source_address[10] = key.source_address[11] = key.destination_address[10] = key.destination_address[11] = 0xff;
  const uint32_t client = 0x0a000000 + number / 8, server = 0xc0a80000 + number % 64;
  for (int i = 0; i < 4; ++i) {
    key.source_address[12 + i] = static_cast<uint8_t>(client >> (24 - 8 * i));
    key.destination_address[12 + i] = static_cast<uint8_t>(server >> (24 - 8 * i));
  }
  key.source_port = static_cast<uint16_t>(1024 + number % 50000);
  key.destination_port = 443;
  key.protocol = 6;
  key.ip_version = 4;
  return key;
}

FlowKey InOrder(const FlowKey& key) {
  const int order = std::memcmp(key.source_address, key.destination_address, 16);
  return order < 0 || (order == 0 && key.source_port <= key.destination_port) ? key : key.Reversed();
}

double Ns(uint64_t cycles, uint64_t count) {
  return static_cast<double>(cycles) * 1e9 / static_cast<double>(rte_get_tsc_hz()) / static_cast<double>(count);
}

class Bench {
 public:
  Bench(uint32_t flows, uint32_t lookups)
      : flows_(flows), actors_(Must(PrivateMemory::Create("actors", size_t{flows} * sizeof(Actor)))) {
    actor_ = reinterpret_cast<Actor*>(actors_.data());
    for (uint32_t i = 0; i < flows; ++i) actor_[i].key = KeyOf(i);
    std::mt19937 random(flows);
    for (uint32_t i = 0; i < lookups; ++i) {
      const FlowKey& key = actor_[random() % flows].key;
      shown_.push_back(random() % 2 != 0 ? key.Reversed() : key);
    }
    const rte_hash_parameters parameters = {
        .name = "bench",
        .entries = flows + flows / 4,
        .key_len = sizeof(FlowKey),
        .hash_func = [](const void* key, uint32_t, uint32_t) {
          return static_cast<uint32_t>(FlowTable::Hash(*static_cast<const FlowKey*>(key)));
        }};
    hash_ = rte_hash_create(&parameters);
    Must(hash_ != nullptr, "rte_hash has no memory");
  }
  ~Bench() { rte_hash_free(hash_); }

  // Empties and fills both; ns for a flow entered and taken out again.
  std::pair<double, double> Fill() {
    auto table = std::make_unique<FlowTable>(Must(
        FlowTable::Create({.flows_max = flows_, .with_aliases = false, .keys = actor_, .key_stride = sizeof(Actor)})));
    rte_hash_reset(hash_);
    uint64_t begin = rte_rdtsc();
    for (uint32_t i = 0; i < flows_; ++i) table->Insert(i, FlowTable::Hash(actor_[i].key));
    for (uint32_t i = 0; i < flows_; ++i) table->Erase(i);
    const uint64_t ours = rte_rdtsc() - begin;
    begin = rte_rdtsc();
    for (uint32_t i = 0; i < flows_; ++i) {
      const FlowKey key = InOrder(actor_[i].key);
      Must(rte_hash_add_key_data(hash_, &key, reinterpret_cast<void*>(uintptr_t{i})) == 0, "rte_hash is full");
    }
    for (uint32_t i = 0; i < flows_; ++i) {
      const FlowKey key = InOrder(actor_[i].key);
      rte_hash_del_key(hash_, &key);
    }
    const uint64_t theirs = rte_rdtsc() - begin;
    for (uint32_t i = 0; i < flows_; ++i) {
      table->Insert(i, FlowTable::Hash(actor_[i].key));
      const FlowKey key = InOrder(actor_[i].key);
      Must(rte_hash_add_key_data(hash_, &key, reinterpret_cast<void*>(uintptr_t{i})) == 0, "rte_hash is full");
    }
    table_ = std::move(table);
    return {Ns(ours, flows_), Ns(theirs, flows_)};
  }

  double Ours() {
    const FlowKey* keys[kBurst];
    FlowMatch matches[kBurst];
    const uint64_t begin = rte_rdtsc();
    for (size_t at = 0; at + kBurst <= shown_.size(); at += kBurst) {
      for (uint32_t i = 0; i < kBurst; ++i) keys[i] = &shown_[at + i];
      table_->FindBurst(keys, kBurst, matches);
      for (const FlowMatch& match : matches) actor_[match.flow].packets += 1 + match.direction;
    }
    return Ns(rte_rdtsc() - begin, shown_.size());
  }

  double Theirs() {
    FlowKey ordered[kBurst];
    const void* keys[kBurst];
    hash_sig_t hashes[kBurst];
    void* found[kBurst];
    uint64_t hits = 0;
    const uint64_t begin = rte_rdtsc();
    for (size_t at = 0; at + kBurst <= shown_.size(); at += kBurst) {
      for (uint32_t i = 0; i < kBurst; ++i) {
        ordered[i] = InOrder(shown_[at + i]);
        keys[i] = &ordered[i];
        hashes[i] = static_cast<uint32_t>(FlowTable::Hash(ordered[i]));
      }
      rte_hash_lookup_with_hash_bulk_data(hash_, keys, hashes, kBurst, &hits, found);
      for (void* flow : found) __builtin_prefetch(&actor_[reinterpret_cast<uintptr_t>(flow)]);
      for (uint32_t i = 0; i < kBurst; ++i) {
        Actor& actor = actor_[reinterpret_cast<uintptr_t>(found[i])];
        const bool reversed = std::memcmp(&actor.key, &shown_[at + i], 32) != 0;
        actor.packets += reversed ? 2 : 1;
      }
    }
    const double ns = Ns(rte_rdtsc() - begin, shown_.size());
    Must(hits == UINT32_MAX, "rte_hash lost a flow");
    return ns;
  }

  uint64_t Packets() const {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < flows_; ++i) sum += actor_[i].packets;
    return sum;
  }

 private:
  uint32_t flows_;
  PrivateMemory actors_;
  Actor* actor_;
  std::vector<FlowKey> shown_;
  std::unique_ptr<FlowTable> table_;
  rte_hash* hash_;
};

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("flow_table", argc, argv);
  nf::Must(nf::StartEal({.use_hugepages = false, .memory_mb = 512}));
  const int runs = report.quick() ? 3 : 15;
  for (const auto& [flows, text] : {std::pair(1000u, "1k flows"), {65536u, "64k flows"}, {1000000u, "1M flows"}}) {
    const std::string find = std::string("find, ") + text, enter = std::string("enter and remove, ") + text;
    if (!report.Wants(find) && !report.Wants(enter)) continue;
    nf::Bench bench(flows, report.quick() ? 1 << 16 : 1 << 20);
    std::vector<double> ours, theirs, our_fill, their_fill;
    for (int run = 0; run < runs; ++run) {
      if (run < 5) {
        const auto [our, their] = bench.Fill();
        our_fill.push_back(our);
        their_fill.push_back(their);
      }
      const uint64_t before = bench.Packets();
      ours.push_back(bench.Ours());
      const uint64_t between = bench.Packets();
      theirs.push_back(bench.Theirs());
      nf::Must(between - before == bench.Packets() - between, "the tables disagree");
    }
    report.Add(find, "packet", "ns", ours, nf::BenchReport::Median(theirs));
    report.Add(enter, "flow", "ns", our_fill, nf::BenchReport::Median(their_fill));
  }
}
