// A vswitch and one runtime as they are in processes of their own, driven by this thread: a bridge beside each, and
// between the bridges a link of net_vhost and net_virtio_user, whose ends may be in one process as well as in two. Each
// part gets its turns as an lcore gives them, and its cycles are counted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "flow/lease_table.h"
#include "harness/switched_run.h"
#include "harness/turns.h"
#include "link/runtime_bridge.h"
#include "link/vswitch_bridge.h"
#include "wasm/engine.h"

namespace nf {

class LinkedRun {
 public:
  // `runtimes`, `migrations` and `replication` are those of one runtime without replicas, whatever they say.
  using Options = SwitchedRun::Options;
  LinkedRun(Engine& engine, const Options& options);
  ~LinkedRun();
  LinkedRun(const LinkedRun&) = delete;
  LinkedRun& operator=(const LinkedRun&) = delete;

  // Everybody's share once. Packets that have left since the last call.
  uint32_t Round();
  // Of all rounds so far: of both bridges with the link's devices.
  uint64_t link_cycles() const { return bridge_shares_[0].cycles + bridge_shares_[1].cycles; }

 private:
  link::Bridge::Surroundings Surroundings(uint16_t member, const RuntimeSpec& spec, MemberMail* mail,
                                          ClusterBoard* board) const;
  void Meet();

  std::string folder_;
  rte_mempool* frames_;
  rte_mempool* markers_;
  rte_mempool* runtime_packets_;
  Turns turns_;
  ClusterBoard boards_[2];
  std::unique_ptr<MemberMail> mails_[2];
  std::unique_ptr<Vswitch> vswitch_;
  std::unique_ptr<link::VswitchBridge> vswitch_bridge_;
  std::unique_ptr<link::Remote> remote_;
  std::unique_ptr<RuntimeLink> link_;
  std::unique_ptr<MailBox> outbox_;
  std::unique_ptr<LeaseTable> leases_;
  std::unique_ptr<Port> port_;
  std::unique_ptr<SwitchedRuntime> runtime_;
  std::unique_ptr<link::RuntimeBridge> runtime_bridge_;
  Turns::Share bridge_shares_[2], vswitch_share_, runtime_share_;
  uint64_t sent_ = 0;
};

}  // namespace nf
