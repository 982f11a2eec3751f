// A hierarchical timing wheel over numbered nodes, for deadlines that mostly move away: a node waits where it was
// armed, and when its time comes the wheel asks for its real deadline and lets it wait on if that is later. So moving a
// deadline further away costs nothing. Deadlines are counted in ticks; a node is due when the time is beyond its tick.
//
// Eleven levels of 64 slots cover all 64 bits, so a jump of the clock costs what is due, not the time that has passed.
// Lists are doubly linked through indexes: 8 bytes a node. Used by one lcore; created by control threads.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>

namespace nf {

class TimingWheel {
 public:
  explicit TimingWheel(uint32_t nodes) : links_(new Link[nodes]) {
    for (uint32_t i = 0; i < nodes; ++i) links_[i].previous = kFree;
    for (uint32_t& head : heads_) head = kNone;
  }

  // Sets the time before anything is armed.
  void Start(uint64_t tick) { elapsed_ = tick; }
  // The node waits for `tick`, wherever it waited before.
  void Arm(uint32_t node, uint64_t tick) {
    Disarm(node);
    Insert(node, tick);
  }
  void Disarm(uint32_t node) {
    if (links_[node].previous != kFree) Unlink(node);
  }
  bool armed(uint32_t node) const { return links_[node].previous != kFree; }

  // Moves the time to `tick` and hands each node whose deadline is before it to `due(node, deadline)`, disarmed; order
  // is the caller's business. `deadline(node)` gives the real deadline. Neither may arm or disarm.
  template <typename Deadline, typename Due>
  void Advance(uint64_t tick, Deadline&& deadline, Due&& due) {
    if (tick == 0) return;
    const uint64_t target = tick - 1;
    while (elapsed_ < target) {
      const uint64_t start = NextSlot(target);
      elapsed_ = start;
      if (slot_ == kNone) return;
      uint32_t node = heads_[slot_];
      heads_[slot_] = kNone;
      occupied_[slot_ / 64] &= ~(uint64_t{1} << (slot_ % 64));
      while (node != kNone) {
        const uint32_t next = links_[node].next;
        links_[node].previous = kFree;
        const uint64_t when = deadline(node);
        if (when <= target) {
          due(node, when);
        } else {
          Insert(node, when);
        }
        node = next;
      }
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kFree = UINT32_MAX;
  static constexpr uint32_t kHead = 0x80000000u;  // In `previous`: the node is the first of this slot.
  static constexpr uint32_t kLevels = 11;
  struct Link {
    uint32_t next;
    uint32_t previous;
  };

  static uint32_t LevelOf(uint64_t elapsed, uint64_t tick) {
    return static_cast<uint32_t>(63 - std::countl_zero((elapsed ^ tick) | 1)) / 6;
  }

  void Insert(uint32_t node, uint64_t tick) {
    if (tick <= elapsed_) tick = elapsed_ + 1;
    const uint32_t level = LevelOf(elapsed_, tick);
    const uint32_t slot = level * 64 + static_cast<uint32_t>(tick >> (6 * level) & 63);
    const uint32_t head = heads_[slot];
    links_[node] = {head, kHead | slot};
    if (head != kNone) links_[head].previous = node;
    heads_[slot] = node;
    occupied_[level] |= uint64_t{1} << (slot % 64);
  }

  void Unlink(uint32_t node) {
    const Link link = links_[node];
    if (link.next != kNone) links_[link.next].previous = link.previous;
    if (link.previous & kHead) {
      const uint32_t slot = link.previous & ~kHead;
      heads_[slot] = link.next;
      if (link.next == kNone) occupied_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
    } else {
      links_[link.previous].next = link.next;
    }
    links_[node].previous = kFree;
  }

  // The first occupied slot that begins at or before `target`, into slot_, and the tick at which it begins; else kNone
  // and `target`. What a level holds comes before anything that a higher one holds.
  uint64_t NextSlot(uint64_t target) {
    slot_ = kNone;
    for (uint32_t level = 0; level < kLevels; ++level) {
      const uint64_t occupied = occupied_[level];
      if (occupied == 0) continue;
      const uint32_t shift = 6 * level;
      const uint32_t index = static_cast<uint32_t>(std::countr_zero(occupied));
      const uint64_t above = shift + 6 >= 64 ? 0 : elapsed_ >> (shift + 6) << (shift + 6);
      const uint64_t start = above | uint64_t{index} << shift;
      if (start > target) return target;
      slot_ = level * 64 + index;
      return start;
    }
    return target;
  }

  std::unique_ptr<Link[]> links_;
  uint64_t elapsed_ = 0;  // All ticks up to here have been looked at.
  uint32_t slot_ = kNone;
  uint64_t occupied_[kLevels] = {};
  uint32_t heads_[kLevels * 64];
};

}  // namespace nf
