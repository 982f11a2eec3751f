#include "harness/switched_run.h"

#include <rte_mbuf.h>

#include <cstdio>
#include <cstdlib>

#include "harness/member_pools.h"
#include "harness/must.h"
#include "runtime/flow_image.h"
#include "runtime/snapshot.h"
#include "runtime/transit.h"

namespace nf {
namespace {

constexpr uint32_t kIdleRoundsMax = 20'000'000;  // Seconds.

}  // namespace

RuntimeSpec SwitchedRun::SpecOf(const Options& options) {
  RuntimeSpec spec;
  spec.input = FabricInput{.client = options.client, .server = options.server, .pool = options.pool};
  spec.flows_max = options.flows_max;
  spec.idle_ms = kIdleNever;
  spec.chain = options.chain;
  return spec;
}

SwitchedRun::SwitchedRun(Engine& engine, const Options& options) : frames_(MessageFramePool()), markers_(MarkerPool()) {
  Transit::Prepare();
  RuntimeSpec spec = SpecOf(options);
  spec.switching =
      SwitchingSpec{.runtimes = options.runtimes, .migrations = options.migrations, .replication = options.replication};
  const uint32_t image_bytes = FlowImageBytesMax(spec.chain);
  vswitch_mail_ = Must(MemberMail::Create(proto::kVswitch, frames_, image_bytes));
  vswitch_mail_->set_incarnation(1);
  vswitch_ = Must(Vswitch::Create(spec, vswitch_mail_.get(), &board_));
  for (uint16_t id = 1; id <= options.runtimes; ++id) {
    Member member{.mail = Must(MemberMail::Create(id, frames_, image_bytes)),
                  .link = Must(RuntimeLink::Create(markers_)),
                  .runtime = nullptr};
    member.runtime = Must(SwitchedRuntime::Create(engine, spec,
                                                  {.id = id,
                                                   .incarnation = id + 1u,
                                                   .entries = spec.flows_max,
                                                   .is_capture = false,
                                                   .link = member.link.get(),
                                                   .mail = member.mail.get(),
                                                   .board = &board_,
                                                   .leases = &vswitch_->leases(),
                                                   .pool = vswitch_->pool(),
                                                   .native = {}}));
    member.runtime->events().Abandon();
    members_.push_back(std::move(member));
  }
  Meet();
}

SwitchedRun::~SwitchedRun() {
  members_.clear();
  vswitch_.reset();
  vswitch_mail_.reset();
  rte_mempool_free(frames_);
  rte_mempool_free(markers_);
}

void SwitchedRun::Meet() {
  for (Member& member : members_) {
    Command vswitch{
        .kind = Command::Kind::kMember, .member = proto::kVswitch, .incarnation = 1, .mail = vswitch_mail_->box()};
    member.runtime->Execute(vswitch);
    for (Member& other : members_) {
      if (&other == &member) continue;
      const uint16_t id = other.runtime->id();
      Command peer{.kind = Command::Kind::kMember, .member = id, .incarnation = id + 1u, .mail = other.mail->box()};
      member.runtime->Execute(peer);
    }
  }
  for (Member& member : members_) {
    const uint16_t id = member.runtime->id();
    Command join{.kind = Command::Kind::kMember,
                 .member = id,
                 .incarnation = id + 1u,
                 .mail = member.mail->box(),
                 .link = member.link.get()};
    vswitch_->Execute(join);
  }
}

uint32_t SwitchedRun::Round() {
  turns_.Serve(*vswitch_, &vswitch_share_);
  for (Member& member : members_) turns_.Serve(*member.runtime, &member.share);
  const uint64_t sent = vswitch_->counters().sent.value();
  const auto left = static_cast<uint32_t>(sent - sent_);
  sent_ = sent;
  idle_ = left == 0 ? idle_ + 1 : 0;
  if (idle_ == kIdleRoundsMax) Stalled();
  return left;
}

// Whoever counts what leaves would wait for ever for what does not.
void SwitchedRun::Stalled() const {
  const auto say = [](const char* who, unsigned id, const PacketCounters& counters) {
    std::fprintf(stderr, "bench: %s %u: received %llu, sent %llu, held %llu", who, id,
                 static_cast<unsigned long long>(counters.received.value()),
                 static_cast<unsigned long long>(counters.sent.value()),
                 static_cast<unsigned long long>(counters.held.value()));
    for (size_t i = 0; i < abi::kDropReasonCount; ++i)
      if (const uint64_t dropped = counters.dropped[i].value(); dropped != 0)
        std::fprintf(stderr, ", %s %llu", abi::DropReasonName(static_cast<abi::DropReason>(i)),
                     static_cast<unsigned long long>(dropped));
    std::fprintf(stderr, "\n");
  };
  say("vswitch", 0, vswitch_->counters());
  for (const Member& member : members_) {
    say("runtime", member.runtime->id(), member.runtime->counters());
    CountersSnapshot of_nfs;
    AddChain(member.runtime->chain(), &of_nfs);
    for (const auto& [reason, count] : of_nfs.dropped)
      std::fprintf(stderr, "bench:   %s %llu\n", reason.c_str(), static_cast<unsigned long long>(count));
  }
  std::fprintf(stderr, "bench: packets do not come out\n");
  std::exit(1);
}

uint64_t SwitchedRun::runtime_cycles() const {
  uint64_t cycles = 0;
  for (const Member& member : members_) cycles += member.share.cycles;
  return cycles;
}

uint64_t SwitchedRun::frame_bytes() const {
  uint64_t bytes = 0;
  for (const Member& from : members_)
    for (const Member& to : members_)
      if (&from != &to) bytes += from.mail->bytes_sent(to.runtime->id());
  return bytes;
}

void SwitchedRun::SetAccepting(uint16_t runtime, bool on) {
  Command command{.kind = Command::Kind::kExclude, .member = runtime, .incarnation = on ? 1u : 0u};
  vswitch_->Execute(command);
}

void SwitchedRun::Move(uint16_t from, uint16_t to, uint32_t flows, Operation* operation) {
  Command command{.kind = Command::Kind::kMove};
  command.targets = {to};
  command.flows_wanted = flows;
  command.operation = operation;
  runtime(from).Execute(command);
  Must(command.operation != nullptr, "a move could not begin");
}

}  // namespace nf
