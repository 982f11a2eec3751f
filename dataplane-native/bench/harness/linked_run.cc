#include "harness/linked_run.h"

#include <stdlib.h>

#include <filesystem>

#include "base/clock.h"
#include "harness/member_pools.h"
#include "harness/must.h"
#include "link/link_port.h"
#include "packet/packet_meta.h"
#include "runtime/flow_image.h"
#include "runtime/transit.h"

namespace nf {
namespace {

constexpr uint16_t kRuntime = 1;
constexpr uint32_t kRuntimePackets = 8191;
constexpr uint64_t kMeetNs = 10'000'000'000;

uint32_t LifeOf(uint16_t member) { return 10u + member; }

}  // namespace

LinkedRun::LinkedRun(Engine& engine, const Options& options) : frames_(MessageFramePool()), markers_(MarkerPool()) {
  std::string folder = (std::filesystem::temp_directory_path() / "nfactor-bench-XXXXXX").string();
  folder_ = mkdtemp(folder.data());
  Transit::Prepare();
  RuntimeSpec spec = SwitchedRun::SpecOf(options);
  spec.switching = SwitchingSpec{};
  for (uint16_t member : {uint16_t{0}, kRuntime}) {
    mails_[member] = Must(MemberMail::Create(member, frames_, FlowImageBytesMax(spec.chain)));
    mails_[member]->set_incarnation(LifeOf(member));
  }
  const std::string path = folder_ + "/link";
  vswitch_ = Must(Vswitch::Create(spec, mails_[0].get(), &boards_[0]));
  vswitch_bridge_ =
      Must(link::VswitchBridge::Create(Surroundings(0, spec, mails_[0].get(), &boards_[0]), vswitch_.get()));
  remote_ =
      Must(link::Remote::Create({.member = kRuntime,
                                 .incarnation = LifeOf(kRuntime),
                                 .port = Must(link::LinkPorts(0, options.pool).Open(link::VhostLink{path}, kRuntime)),
                                 .markers = markers_,
                                 .lcore = nullptr,
                                 .suspect_ns = 0,
                                 .counters = vswitch_bridge_->link_counters()}));
  vswitch_bridge_->Open(remote_.get());

  runtime_packets_ = Must(CreatePacketPool("bench_linked", kRuntimePackets));
  link_ = Must(RuntimeLink::Create(markers_));
  outbox_ = Must(MailBox::Create());
  const auto surroundings = Surroundings(kRuntime, spec, mails_[1].get(), &boards_[1]);
  leases_ = std::make_unique<LeaseTable>(surroundings.lease_sizes, spec.flows_max, true);
  runtime_ = Must(SwitchedRuntime::Create(engine, spec,
                                          {.id = kRuntime,
                                           .incarnation = LifeOf(kRuntime),
                                           .entries = spec.flows_max,
                                           .is_capture = false,
                                           .link = link_.get(),
                                           .mail = mails_[1].get(),
                                           .board = &boards_[1],
                                           .leases = leases_.get(),
                                           .pool = runtime_packets_,
                                           .native = {}}));
  runtime_->events().Abandon();
  runtime_bridge_ = Must(link::RuntimeBridge::Create(
      surroundings,
      {.link = link_.get(), .leases = leases_.get(), .outbox = outbox_.get(), .runtime = runtime_.get()}));
  port_ = Must(link::OpenLink(link::VhostLink{path}, link::AddressOf(0, kRuntime), runtime_packets_));
  runtime_bridge_->SetPort(port_.get());
  runtime_bridge_->SetPeer(proto::kVswitch, LifeOf(proto::kVswitch));
  Meet();
}

link::Bridge::Surroundings LinkedRun::Surroundings(uint16_t member, const RuntimeSpec& spec, MemberMail* mail,
                                                   ClusterBoard* board) const {
  link::Bridge::Surroundings surroundings{
      .identity = {.tenant = 1, .member = member, .incarnation = LifeOf(member), .key = {}},
      .mail = mail,
      .frames = frames_,
      .markers = markers_,
      .board = board,
      .file = nullptr,
      .entries = spec.flows_max,
      .may_edit = false,
      .lease_sizes = {}};
  for (const NfSpec& nf : spec.chain) {
    surroundings.lease_sizes.push_back(nf.rights.lease ? nf.lease_size : 0);
    surroundings.may_edit |= nf.rights.edit != Edit::kNone;
  }
  return surroundings;
}

void LinkedRun::Meet() {
  const uint64_t end = MonotonicNs() + kMeetNs;
  while (!vswitch_bridge_->Admit(kRuntime)) {
    Must(MonotonicNs() < end, "the link does not come up");
    Round();
  }
}

LinkedRun::~LinkedRun() {
  runtime_bridge_->SetPort(nullptr);
  port_.reset();
  vswitch_bridge_->Close(kRuntime);
  remote_.reset();
  runtime_.reset();
  runtime_bridge_.reset();
  vswitch_bridge_.reset();
  vswitch_.reset();
  link_.reset();
  outbox_.reset();
  for (auto& mail : mails_) mail.reset();
  rte_mempool_free(runtime_packets_);
  rte_mempool_free(frames_);
  rte_mempool_free(markers_);
  std::filesystem::remove_all(folder_);
}

uint32_t LinkedRun::Round() {
  turns_.Serve(*vswitch_bridge_, &bridge_shares_[0]);
  turns_.Serve(*vswitch_, &vswitch_share_);
  turns_.Serve(*runtime_bridge_, &bridge_shares_[1]);
  turns_.Serve(*runtime_, &runtime_share_);
  const uint64_t sent = vswitch_->counters().sent.value();
  const auto left = static_cast<uint32_t>(sent - sent_);
  sent_ = sent;
  return left;
}

}  // namespace nf
