// Packets that must wait, in lists that share one pool: a target's before its state has come, and the output of a new
// owner before the old one's has passed. The pool is the bound; nothing is allocated after the constructor.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/stamp.h"

namespace nf::proto {

struct HeldPacket {
  PacketRef packet = 0;
  PacketHeader header{};
  uint32_t next = kNone;
};

struct HeldList {
  uint32_t head = kNone;
  uint32_t tail = kNone;
  uint32_t count = 0;
};

class HeldPackets {
 public:
  explicit HeldPackets(uint32_t capacity) : nodes_(capacity) {
    for (uint32_t i = capacity; i-- > 0;) Free(i);
  }

  // Keeps the list in order of position; what comes in order costs one compare. False: the pool is used up.
  bool Insert(HeldList* list, PacketRef packet, const PacketHeader& header) {
    if (free_ == kNone) return false;
    const uint32_t index = free_;
    free_ = nodes_[index].next;
    ++held_;
    ++list->count;
    nodes_[index] = {.packet = packet, .header = header, .next = kNone};
    if (list->tail == kNone || !Before(header, nodes_[list->tail].header)) {
      (list->tail == kNone ? list->head : nodes_[list->tail].next) = index;
      list->tail = index;
      return true;
    }
    uint32_t* link = &list->head;
    while (!Before(header, nodes_[*link].header)) link = &nodes_[*link].next;
    nodes_[index].next = *link;
    *link = index;
    return true;
  }

  bool Pop(HeldList* list, HeldPacket* out) {
    if (list->head == kNone) return false;
    const uint32_t index = list->head;
    *out = nodes_[index];
    list->head = out->next;
    if (list->head == kNone) list->tail = kNone;
    --list->count;
    --held_;
    Free(index);
    return true;
  }

  const HeldPacket& back(const HeldList& list) const { return nodes_[list.tail]; }
  const HeldPacket& front(const HeldList& list) const { return nodes_[list.head]; }
  uint32_t held() const { return held_; }

 private:
  static bool Before(const PacketHeader& a, const PacketHeader& b) {
    return static_cast<int64_t>(Position(a.stamp.sequence, a.part) - Position(b.stamp.sequence, b.part)) < 0;
  }
  void Free(uint32_t index) {
    nodes_[index].next = free_;
    free_ = index;
  }

  std::vector<HeldPacket> nodes_;
  uint32_t free_ = kNone;
  uint32_t held_ = 0;
};

}  // namespace nf::proto
