// A vswitch and its runtimes driven by this thread: what a tenant's lcore does, without the thread. Each part gets its
// turns as an lcore gives them, and its cycles are counted.
//
//   Rings rings({.flows = 65536});
//   SwitchedRun run(*engine, {.chain = …, .runtimes = 2, .client = &rings.port(0), .server = &rings.port(1), …});
//   double ns = rings.Run(1 << 20, [&] { return run.Round(); });  // Until all packets are out again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/turns.h"
#include "runtime/member_mail.h"
#include "runtime/runtime_link.h"
#include "runtime/switched_runtime.h"
#include "runtime/vswitch.h"
#include "wasm/engine.h"

namespace nf {

inline constexpr IdleMs kIdleNever = {.tcp = 3'600'000, .tcp_opening = 3'600'000, .udp = 3'600'000};

class SwitchedRun {
 public:
  struct Options {
    std::vector<NfSpec> chain;
    uint16_t runtimes = 1;
    uint32_t flows_max = 65536;  // Of each runtime.
    uint32_t migrations = 1000;
    ReplicationSpec replication;
    Port* client = nullptr;  // They outlive the run, and so does the pool.
    Port* server = nullptr;
    rte_mempool* pool = nullptr;
  };
  // What every runtime of a run with these options has; also of runs that are put together otherwise.
  static RuntimeSpec SpecOf(const Options& options);

  SwitchedRun(Engine& engine, const Options& options);
  ~SwitchedRun();
  SwitchedRun(const SwitchedRun&) = delete;
  SwitchedRun& operator=(const SwitchedRun&) = delete;

  Vswitch& vswitch() { return *vswitch_; }
  SwitchedRuntime& runtime(uint16_t id) { return *members_[id - 1u].runtime; }

  // Everybody's share once. Packets that have left since the last call. When none leaves for seconds, the program says
  // why and ends.
  uint32_t Round();
  // Of all rounds so far.
  uint64_t vswitch_cycles() const { return vswitch_share_.cycles; }
  uint64_t runtime_cycles() const;
  uint64_t runtime_cycles(uint16_t id) const { return members_[id - 1u].share.cycles; }
  // What runtimes have sent each other so far, with all headers.
  uint64_t frame_bytes() const;

  // Whether the vswitch places new flows there.
  void SetAccepting(uint16_t runtime, bool on);
  // The runtime begins to move so many flows to `to`.
  void Move(uint16_t from, uint16_t to, uint32_t flows, Operation* operation);

 private:
  struct Member {
    std::unique_ptr<MemberMail> mail;
    std::unique_ptr<RuntimeLink> link;
    std::unique_ptr<SwitchedRuntime> runtime;
    Turns::Share share{};
  };
  void Meet();
  [[noreturn]] void Stalled() const;

  rte_mempool* frames_;
  rte_mempool* markers_;
  Turns turns_;
  ClusterBoard board_;
  std::unique_ptr<MemberMail> vswitch_mail_;
  std::unique_ptr<Vswitch> vswitch_;
  std::vector<Member> members_;  // Runtimes, from number 1 on.
  Turns::Share vswitch_share_;
  uint64_t sent_ = 0;
  uint32_t idle_ = 0;  // Rounds since the last packet left.
};

}  // namespace nf
