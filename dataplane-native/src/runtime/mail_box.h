// Where frames of messages for a member are left: a ring that any lcore writes and one reads.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <cstdint>
#include <memory>

#include "base/result.h"

namespace nf {

class Lcore;

class MailBox {
 public:
  // EAL must be up. Errors: eal.memory.
  static Expected<std::unique_ptr<MailBox>> Create();
  // Frees what nobody took.
  ~MailBox();
  MailBox(const MailBox&) = delete;
  MailBox& operator=(const MailBox&) = delete;

  // Control threads, before anything else: who reads, to be woken up.
  void set_lcore(Lcore* lcore) { lcore_ = lcore; }
  Lcore* lcore() const { return lcore_; }

  // ---- Any lcore.
  // False: no room; the caller keeps the frame.
  bool Put(rte_mbuf* frame) { return rte_ring_mp_enqueue(ring_, frame) == 0; }
  bool is_empty() const { return rte_ring_empty(ring_) != 0; }
  uint32_t room() const { return rte_ring_free_count(ring_); }

  // ---- The reader.
  uint32_t Take(rte_mbuf** frames, uint32_t count) {
    return rte_ring_sc_dequeue_burst(ring_, reinterpret_cast<void**>(frames), count, nullptr);
  }

 private:
  explicit MailBox(rte_ring* ring) : ring_(ring) {}
  rte_ring* ring_;
  Lcore* lcore_ = nullptr;
};

}  // namespace nf
