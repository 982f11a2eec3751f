#include "harness/maglev.h"

#include <algorithm>
#include <tuple>

namespace nf {
namespace {

constexpr uint64_t kOffsetSeed = 0x6f6666736574, kSkipSeed = 0x736b6970;
constexpr uint64_t kMapped = 0xffff00000000;  // IPv4 addresses within IPv6.
constexpr uint16_t kFree = 0xffff;

uint64_t HashWord(uint64_t hash, uint64_t word) {
  uint64_t z = (hash ^ word) + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t HashAddress(uint64_t hash, uint32_t address) { return HashWord(HashWord(hash, 0), kMapped | address); }

uint64_t HashBackend(uint64_t seed, const Backend& backend) {
  return HashWord(HashAddress(seed, backend.address), backend.port);
}

}  // namespace

MaglevTable::MaglevTable(const std::vector<Backend>& backends, uint32_t slots) : slots_(slots, kFree) {
  std::copy_if(backends.begin(), backends.end(), std::back_inserter(members_),
               [](const Backend& backend) { return backend.weight != 0; });
  std::sort(members_.begin(), members_.end(), [](const Backend& a, const Backend& b) {
    return std::tie(a.address, a.port) < std::tie(b.address, b.port);
  });
  struct Turn {
    uint64_t next, skip;
    uint32_t credit;
  };
  std::vector<Turn> turns;
  uint32_t heaviest = 0;
  for (const Backend& member : members_) {
    turns.push_back({HashBackend(kOffsetSeed, member) % slots, HashBackend(kSkipSeed, member) % (slots - 1) + 1, 0});
    heaviest = std::max(heaviest, member.weight);
  }
  for (uint32_t filled = 0; filled < slots;) {
    for (size_t i = 0; i < members_.size() && filled < slots; ++i) {
      Turn& turn = turns[i];
      turn.credit += members_[i].weight;
      if (turn.credit < heaviest) continue;
      turn.credit -= heaviest;
      while (slots_[turn.next] != kFree) turn.next = (turn.next + turn.skip) % slots;
      slots_[turn.next] = static_cast<uint16_t>(i);
      ++filled;
    }
  }
}

const Backend& MaglevTable::For(const BalancedFlow& flow) const {
  const uint64_t hash = HashAddress(HashAddress(0, flow.client), flow.service);
  const uint64_t rest = uint64_t{flow.protocol} << 32 | uint64_t{flow.client_port} << 16 | flow.service_port;
  return members_[slots_[HashWord(hash, rest) % slots_.size()]];
}

}  // namespace nf
