// Runtimes that come and go, and operations on flows.
#include <algorithm>
#include <chrono>

#include "runtime/flow_image.h"
#include "runtime/snapshot.h"
#include "runtime/tenant_parts.h"
#include "runtime/transit.h"

namespace nf {
namespace {

constexpr std::chrono::microseconds kLook{50};
// An empty runtime that takes no new flows stays empty: what was on its way there has arrived by then.
constexpr std::chrono::milliseconds kSettle{2};

// Waits for the end of an operation that a lcore has taken.
OperationReport Await(const Operation& operation, std::chrono::steady_clock::time_point begin) {
  while (!operation.done.load(std::memory_order_acquire)) std::this_thread::sleep_for(kLook);
  return ReportOf(operation, begin);
}

}  // namespace

Tenant::Parts::Member* Tenant::Parts::Find(uint16_t id) {
  const auto found = std::ranges::find_if(members, [id](const auto& member) { return member->runtime->id() == id; });
  return found != members.end() ? found->get() : nullptr;
}

Error Tenant::Parts::Unknown(uint16_t id) {
  std::string known;
  for (const auto& member : members) known += (known.empty() ? "" : ", ") + std::to_string(member->runtime->id());
  return {ErrorCode::kRuntimeUnknown, "there is no runtime " + std::to_string(id) + "; there are " + known};
}

Expected<uint16_t> Tenant::Parts::Add() {
  uint16_t id = 1;
  while (id <= kRuntimesMax && Find(id) != nullptr) ++id;
  if (id > kRuntimesMax) {
    return Fail(ErrorCode::kRuntimeLimit, "there are " + std::to_string(kRuntimesMax) + " runtimes, which is all");
  }
  auto member = std::make_unique<Member>();
  member->incarnation = ++last_incarnation;
  member->lcore = static_cast<uint32_t>(std::ranges::min_element(tasks_of) - tasks_of.begin());
  auto mail = MemberMail::Create(id, frames, FlowImageBytesMax(spec.chain));
  if (!mail) return std::unexpected(mail.error());
  member->mail = std::move(*mail);
  member->mail->set_lcore(lcores[member->lcore].get());
  auto link = RuntimeLink::Create(markers);
  if (!link) return std::unexpected(link.error());
  member->link = std::move(*link);
  member->link->runtime_lcore = lcores[member->lcore].get();
  member->link->vswitch_lcore = lcores[0].get();
  auto runtime = SwitchedRuntime::Create(engine, spec,
                                         {.id = id,
                                          .incarnation = member->incarnation,
                                          .entries = spec.flows_max,
                                          .is_capture = vswitch->is_capture(),
                                          .link = member->link.get(),
                                          .mail = member->mail.get(),
                                          .board = &board,
                                          .leases = &vswitch->leases(),
                                          .pool = vswitch->pool(),
                                          .native = options.native,
                                          .flows_before = flows_before[id],
                                          .held_outputs = held_outputs});
  if (!runtime) return std::unexpected(runtime.error());
  member->runtime = std::move(*runtime);
  member->trace = MakeTrace(member.get());

  // Nobody sends it a packet before it knows everybody.
  const auto meet = [&member](uint16_t peer, uint32_t incarnation, MailBox* of_peer) {
    Command command{.kind = Command::Kind::kMember, .member = peer, .incarnation = incarnation, .mail = of_peer};
    member->runtime->Execute(command);
  };
  meet(proto::kVswitch, 1, vswitch_mail->box());
  for (const auto& other : members) meet(other->runtime->id(), other->incarnation, other->mail->box());
  for (const auto& other : members) Tell(*other, id, member->incarnation, member->mail->box());
  ++tasks_of[member->lcore];
  Member& added = *member;
  {
    std::lock_guard lock(names);
    members.push_back(std::move(member));
    std::ranges::sort(members, {}, [](const auto& one) { return one->runtime->id(); });
  }
  lcores[added.lcore]->Add(added.runtime.get());
  TellVswitch(added, added.incarnation);
  return id;
}

void Tenant::Parts::Tell(Member& member, uint16_t id, uint32_t incarnation, MailBox* mail) {
  Command command{.kind = Command::Kind::kMember, .member = id, .incarnation = incarnation, .mail = mail};
  Perform(member, command);
}

void Tenant::Parts::TellVswitch(Member& member, uint32_t incarnation) {
  Command command{.kind = Command::Kind::kMember,
                  .member = member.runtime->id(),
                  .incarnation = incarnation,
                  .mail = member.mail->box(),
                  .link = member.link.get()};
  PerformInVswitch(command);
}

// The vswitch first: from then on nothing of it passes the gate.
void Tenant::Parts::Remove(Member* member) {
  const uint16_t id = member->runtime->id();
  TellVswitch(*member, 0);
  for (const auto& other : members) {
    if (other.get() != member) Tell(*other, id, 0, nullptr);
  }
  lcores[member->lcore]->Remove(member->runtime.get());
  --tasks_of[member->lcore];
  std::lock_guard control_lock(control);
  member->runtime->events().Abandon();
  member->runtime->LetGo([](uint32_t) { return true; });
  member->runtime->LeaveToReplicas();
  member->runtime->End();
  board.Take(id);
  std::lock_guard lock(names);
  for (;;) {
    auto events = member->runtime->events().Read(4096);
    if (events.empty()) break;
    for (Event& event : events) {
      if (auto* flow = std::get_if<FlowEndedEvent>(&event)) flow->flow.runtime = id;
      events_of_ended.push_back(std::move(event));
    }
  }
  CountersSnapshot last;
  // What it sent after the vswitch had turned away from it.
  uint64_t fenced = 0;
  rte_mbuf* mbuf;
  while (rte_ring_sc_dequeue(member->link->up, reinterpret_cast<void**>(&mbuf)) == 0) {
    const Transit& transit = Transit::Of(mbuf);
    fenced += transit.is_marker == 0 && (transit.header.flags & proto::kRelayed) == 0 ? 1 : 0;
    rte_pktmbuf_free(mbuf);
  }
  // It may have had what others have given away, or given away what nobody has taken.
  loses_relayed |=
      spec.switching->replication.replicas != 0 && spec.switching->replication.mode == proto::ReplicationMode::kRelay;
  if (fenced != 0) last.dropped[abi::DropReasonName(abi::DropReason::kFencedOutput)] = fenced;
  AddFates(member->runtime->counters(), &last);
  AddChain(member->runtime->chain(), &last);
  last.flows_opened = member->runtime->flows_opened();
  flows_before[id] += last.flows_opened;
  last.events_lost = member->runtime->events().lost();
  AddEnded(last, &of_ended);
  ended_received += member->runtime->counters().received.value() - member->runtime->relayed();
  ended_sent += member->runtime->counters().sent.value() - member->runtime->relayed() - fenced;
  std::erase_if(members, [member](const auto& one) { return one.get() == member; });
}

Expected<uint16_t> Tenant::AddRuntime() {
  std::lock_guard lock(parts_->membership);
  if (ended()) return Fail(ErrorCode::kRuntimeEnded, "the run has ended");
  return parts_->Add();
}

Expected<void> Tenant::RemoveRuntime(uint16_t id, bool force) {
  Parts& parts = *parts_;
  std::lock_guard lock(parts.membership);
  if (ended()) return Fail(ErrorCode::kRuntimeEnded, "the run has ended");
  Parts::Member* member = parts.Find(id);
  if (member == nullptr) return std::unexpected(parts.Unknown(id));
  if (parts.members.size() == 1) {
    return Fail(ErrorCode::kRuntimeLast, "runtime " + std::to_string(id) + " is the only one; stop the run instead");
  }
  if (!force) {
    const bool accepts = !member->runtime->draining();
    Command exclude{.kind = Command::Kind::kExclude, .member = id, .incarnation = 0};
    parts.PerformInVswitch(exclude);
    if (parts.started) std::this_thread::sleep_for(kSettle);
    if (const uint32_t actors = member->runtime->actors_used(); actors != 0) {
      Command again{.kind = Command::Kind::kExclude, .member = id, .incarnation = accepts ? 1u : 0u};
      parts.PerformInVswitch(again);
      return Fail(ErrorCode::kRuntimeNotEmpty, "runtime " + std::to_string(id) + " has " + std::to_string(actors) +
                                                   (actors == 1 ? " flow" : " flows") +
                                                   ", which would end with it; drain it first, or remove it by force");
    }
  }
  parts.Remove(member);
  return {};
}

namespace {

Error Busy(uint16_t id) {
  return {ErrorCode::kRuntimeBusy, "runtime " + std::to_string(id) + " has " +
                                       std::to_string(SwitchedRuntime::kOperationsMax) +
                                       " operations under way, which is all it does at once"};
}

Error Ended() { return {ErrorCode::kRuntimeEnded, "the run, or the runtime, ended before the operation did"}; }

}  // namespace

Expected<OperationReport> Tenant::Operate(uint16_t from, std::span<const uint16_t> to, Command& command) {
  Parts& parts = *parts_;
  Operation operation;
  const auto begin = std::chrono::steady_clock::now();
  {
    std::lock_guard lock(parts.membership);
    if (!parts.started || ended()) return std::unexpected(Ended());
    Parts::Member* member = parts.Find(from);
    if (member == nullptr) return std::unexpected(parts.Unknown(from));
    for (uint16_t id : to) {
      if (id == from) {
        return Fail(ErrorCode::kRuntimeSame, "runtime " + std::to_string(id) + " is both source and target");
      }
      if (parts.Find(id) == nullptr) return std::unexpected(parts.Unknown(id));
    }
    command.targets.assign(to.begin(), to.end());
    if (command.targets.empty()) {
      for (const auto& other : parts.members) {
        if (other->runtime->id() != from) command.targets.push_back(other->runtime->id());
      }
    }
    if (command.targets.empty()) {
      return Fail(ErrorCode::kRuntimeLast, "runtime " + std::to_string(from) + " is the only one; add another first");
    }
    if (command.kind == Command::Kind::kMoveThese) {
      Command find{.kind = Command::Kind::kFindFlows};
      find.numbers = command.numbers;
      find.places.assign(command.numbers.size(), kNoFlow);
      parts.Perform(*member, find);
      command.places = std::move(find.places);
    }
    command.operation = &operation;
    parts.Perform(*member, command);
    if (command.operation == nullptr) return std::unexpected(ended() ? Ended() : Busy(from));
  }
  OperationReport report = Await(operation, begin);
  if (operation.is_cut_short) return std::unexpected(Ended());
  return report;
}

Expected<OperationReport> Tenant::Migrate(uint16_t from, uint16_t to, uint32_t count) {
  Command command{.kind = Command::Kind::kMove};
  command.flows_wanted = count;
  return Operate(from, {&to, 1}, command);
}

Expected<OperationReport> Tenant::MigrateFlows(uint16_t from, uint16_t to, std::span<const uint64_t> flow_ids) {
  Command command{.kind = Command::Kind::kMoveThese};
  command.numbers.assign(flow_ids.begin(), flow_ids.end());
  std::ranges::sort(command.numbers);
  const auto repeated = std::ranges::unique(command.numbers);
  command.numbers.erase(repeated.begin(), repeated.end());
  return Operate(from, {&to, 1}, command);
}

Expected<OperationReport> Tenant::Drain(uint16_t runtime, std::span<const uint16_t> to) {
  Command command{.kind = Command::Kind::kDrain};
  return Operate(runtime, to, command);
}

Expected<void> Tenant::Undrain(uint16_t runtime) {
  Parts& parts = *parts_;
  std::lock_guard lock(parts.membership);
  Parts::Member* member = parts.Find(runtime);
  if (member == nullptr) return std::unexpected(parts.Unknown(runtime));
  Command command{.kind = Command::Kind::kUndrain};
  parts.Perform(*member, command);
  return {};
}

}  // namespace nf
