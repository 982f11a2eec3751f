// What a Tenant consists of. Four locks, taken in this order: `trace` for traces, `membership` for what lasts (runtimes
// that come and go, swaps, listings), `control` for one command, `names` for looking.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/cluster_board.h"
#include "runtime/inputs.h"
#include "runtime/lcore.h"
#include "runtime/member_mail.h"
#include "runtime/runtime_link.h"
#include "runtime/switched_runtime.h"
#include "runtime/tenant.h"
#include "runtime/vswitch.h"
#include "trace/control.h"

namespace nf {

inline constexpr uint32_t kMigrationsMax = 4000;
inline constexpr uint32_t kFlowsOfTenantMax = (1u << 24) - 2;  // Handles have 24 bits for the place.

struct Tenant::Parts {
  struct Member {
    uint32_t incarnation;
    uint32_t lcore;
    std::unique_ptr<MemberMail> mail;
    std::unique_ptr<RuntimeLink> link;
    std::unique_ptr<TraceControl> trace;
    std::unique_ptr<SwitchedRuntime> runtime;
  };
  enum Stop : int { kRun, kDrain, kNow };

  Parts(Engine& of_engine, const RuntimeSpec& of_spec, const TenantOptions& of_options)
      : engine(of_engine), spec(of_spec), options(of_options) {}
  ~Parts();

  // tenant_control.cc. Callers hold `membership`, or are alone.
  Expected<uint16_t> Add();
  void Remove(Member* member);
  void Tell(Member& member, uint16_t id, uint32_t incarnation, MailBox* mail);
  void TellVswitch(Member& member, uint32_t incarnation);
  Member* Find(uint16_t id);
  Error Unknown(uint16_t id);

  // tenant.cc
  void Perform(Lcore& lcore, CommandRing& ring, Command& command, const std::function<void(Command&)>& execute);
  void Perform(Member& member, Command& command);
  void PerformInVswitch(Command& command);
  bool IsQuiet();
  // tenant_trace.cc
  std::unique_ptr<TraceControl> MakeTrace(Member* member);
  void Watch();
  CountersSnapshot Counters() const;

  Engine& engine;
  RuntimeSpec spec;  // With the versions that run now.
  TenantOptions options;
  rte_mempool* frames = nullptr;   // Of messages.
  rte_mempool* markers = nullptr;  // Of markers.
  ClusterBoard board;
  std::unique_ptr<MemberMail> vswitch_mail;
  std::unique_ptr<TraceControl> vswitch_trace;
  std::unique_ptr<Vswitch> vswitch;
  std::vector<std::unique_ptr<Member>> members;
  std::vector<std::unique_ptr<Lcore>> lcores;
  std::vector<uint32_t> tasks_of;  // By lcore.
  uint32_t last_incarnation = 0;
  uint32_t held_outputs = kHeldOutputsMax;  // Of each runtime.

  std::mutex trace, membership, control, names;
  std::atomic<int> stop{kRun};
  std::atomic<bool> started{false}, ended{false};
  std::mutex end_mutex;
  std::condition_variable at_end;
  std::thread watcher;

  // Of runtimes that are no more.
  CountersSnapshot of_ended;
  std::vector<Event> events_of_ended;
  uint64_t ended_received = 0, ended_sent = 0;
  bool loses_relayed =
      false;  // A runtime was removed by force where replicas relay: what is missing at the end is lost.
  std::array<uint64_t, kMembersMax> flows_before{};  // By id: what they opened, so that no number comes again.
};

}  // namespace nf
