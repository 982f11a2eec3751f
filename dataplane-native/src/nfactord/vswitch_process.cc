// A vswitch as a process.
#include <cstdio>

#include "base/clock.h"
#include "link/link_port.h"
#include "link/vswitch_bridge.h"
#include "nfactord/compile.h"
#include "nfactord/member_process.h"
#include "nfactord/values_json.h"
#include "runtime/snapshot.h"
#include "runtime/vswitch.h"

namespace nf {
namespace {

constexpr uint64_t kQuietNs = 50'000'000;  // So long nothing has come back when nothing is under way any more.

const char* WhyOf(link::LinkEvent::Kind kind) {
  if (kind == link::LinkEvent::Kind::kFencedByDeath) return "death";
  return kind == link::LinkEvent::Kind::kFencedBySilence ? "silence" : "link";
}

class VswitchProcess final : public MemberProcess {
 public:
  explicit VswitchProcess(MemberSpec spec) : MemberProcess(std::move(spec)) {}
  ~VswitchProcess() override {
    lcore_.reset();
    remotes_ = {};
    bridge_.reset();
    vswitch_.reset();
  }

 private:
  Expected<void> Build() override;
  Outcome Do(const std::string& word, const Json& request) override;
  void Watch() override;
  void BeginDrain() override { vswitch_->Drain(); }
  bool IsQuiet() override;
  RunReport Finish() override;
  Json Members() override;
  link::Bridge& bridge() override { return *bridge_; }
  TraceTap& trace() override { return vswitch_->trace(); }

  Answer Link(const Json& request);
  Answer MemberUp(const Json& request);
  Answer MemberDown(const Json& request);
  void Close(uint16_t member);
  void LookAtRebuild();
  CountersSnapshot Counters() const;
  RuntimeStatus Status() const;
  Json Full() const;

  std::unique_ptr<Vswitch> vswitch_;
  std::unique_ptr<link::VswitchBridge> bridge_;
  std::optional<link::LinkPorts> ports_;
  std::array<std::unique_ptr<link::Remote>, kMembersMax> remotes_;
  uint64_t outputs_seen_ = 0, outputs_ns_ = 0;
  uint64_t reports_seen_ = 0, reported_ns_ = 0;
};

Expected<void> VswitchProcess::Build() {
  auto vswitch = Vswitch::Create(spec_.run.runtime, mail_.get(), &board_,
                                 {.term = spec_.term,
                                  .committed = spec_.committed,
                                  .counters = &file_->layout().packets,
                                  .claimed = &file_->layout().claimed});
  if (!vswitch) return std::unexpected(vswitch.error());
  vswitch_ = std::move(*vswitch);
  if (spec_.term > 1) {
    std::vector<proto::MemberRef> members;
    for (const auto& other : spec_.members)
      members.push_back({.id = other.member, .zero = 0, .incarnation = other.incarnation});
    vswitch_->BeginRebuild(members);
  }
  auto bridge = link::VswitchBridge::Create(Surroundings(), vswitch_.get());
  if (!bridge) return std::unexpected(bridge.error());
  bridge_ = std::move(*bridge);
  ports_.emplace(spec_.identity.tenant, vswitch_->pool());
  lcore_ = std::make_unique<Lcore>(std::vector<LcoreTask*>{bridge_.get(), vswitch_.get()}, spec_.cpu, false);
  return {};
}

MemberProcess::Outcome VswitchProcess::Do(const std::string& word, const Json& request) {
  if (word == "link") return Link(request);
  if (word == "member_up") return MemberUp(request);
  if (word == "member_down") return MemberDown(request);
  if (word == "exclude") {
    Command command{.kind = Command::Kind::kExclude,
                    .member = MemberNumber(request, 1),
                    .incarnation = request.at("on").get<bool>() ? 0u : 1u};
    OnLcore([&] { vswitch_->Execute(command); });
    return Answer(Json::object());
  }
  if (word == "counters")
    return Answer(Json::object({{"counters", ToValue(Counters())}, {"link", ToValue(bridge_->counters())}}));
  if (word == "runtimes")
    return Answer(Json::object({{"runtimes", Json::array({ToValue(Status())})}, {"full", Full()}}));
  return Answer(Fail(ErrorCode::kMemberCommand, "a vswitch does not know '" + word + "'"));
}

MemberProcess::Answer VswitchProcess::Link(const Json& request) {
  const uint16_t member = MemberNumber(request, 1);
  const uint32_t incarnation = Incarnation(request);
  const auto spec = ReadLink(request.at("link"));
  if (!spec) return std::unexpected(spec.error());
  const auto frame_bytes = ReadFrameBytes(request);
  if (!frame_bytes) return std::unexpected(frame_bytes.error());
  if (remotes_[member] != nullptr && remotes_[member]->incarnation == incarnation) return Json::object();
  Close(member);
  auto port = ports_->Open(*spec, member);
  if (!port) return std::unexpected(port.error());
  std::optional<link::LifePage> life;
  if (const auto* vhost = std::get_if<link::VhostLink>(&*spec); vhost != nullptr) {
    auto page = link::LifePage::Create(link::LifePathOf(*vhost));
    if (!page) return std::unexpected(page.error());
    life.emplace(std::move(*page));
  }
  auto remote = link::Remote::Create({.member = member,
                                      .incarnation = incarnation,
                                      .port = std::move(*port),
                                      .markers = markers_,
                                      .lcore = lcore_.get(),
                                      .suspect_ns = uint64_t{spec_.suspect_ms} * 1'000'000,
                                      .counters = bridge_->link_counters(),
                                      .life = std::move(life),
                                      .frame_bytes = *frame_bytes});
  if (!remote) return std::unexpected(remote.error());
  remotes_[member] = std::move(*remote);
  OnLcore([&] { bridge_->Open(remotes_[member].get()); });
  return Json::object();
}

MemberProcess::Answer VswitchProcess::MemberUp(const Json& request) {
  const uint16_t member = MemberNumber(request, 1);
  const uint32_t incarnation = Incarnation(request);
  const auto& remote = remotes_[member];
  if (remote == nullptr || remote->incarnation != incarnation) {
    return std::unexpected(Error{ErrorCode::kRuntimeUnknown, "there is no link to runtime " + std::to_string(member) +
                                                                 " in its life " + std::to_string(incarnation)});
  }
  bool admitted = false;
  OnLcore([&] { admitted = bridge_->Admit(member); });
  if (!admitted) return std::unexpected(NotNow("the link to runtime " + std::to_string(member) + " is not up"));
  return Json::object();
}

MemberProcess::Answer VswitchProcess::MemberDown(const Json& request) {
  const uint16_t member = MemberNumber(request, 1);
  const uint32_t incarnation = Incarnation(request);
  if (remotes_[member] != nullptr && remotes_[member]->incarnation == incarnation)
    Close(member);
  else if (remotes_[member] == nullptr)
    OnLcore([&] { vswitch_->Forget(member, incarnation); });
  return Json::object();
}

// Whoever has a link and says nothing is fenced: the others' packets wait for it.
void VswitchProcess::LookAtRebuild() {
  const uint64_t now = MonotonicNs();
  uint64_t with_link = 0;
  for (const auto& remote : remotes_) with_link |= remote != nullptr ? uint64_t{1} << remote->member : 0;
  const uint64_t silent = vswitch_->awaited() & with_link;
  if (silent == 0 || vswitch_->reports() != reports_seen_ || reported_ns_ == 0) {
    reports_seen_ = vswitch_->reports();
    reported_ns_ = now;
    return;
  }
  if (now - reported_ns_ < uint64_t{spec_.report_ms} * 1'000'000) return;
  for (uint16_t id = 1; id < kMembersMax; ++id) {
    if ((silent >> id & 1) == 0) continue;
    Tell({{"event", "member_lost"}, {"member", id}, {"incarnation", remotes_[id]->incarnation}, {"why", "report"}});
    Close(id);
  }
}

void VswitchProcess::Close(uint16_t member) {
  if (remotes_[member] == nullptr) return;
  OnLcore([&] { bridge_->Close(member); });
  remotes_[member].reset();
}

void VswitchProcess::Watch() {
  using Kind = link::LinkEvent::Kind;
  if (!vswitch_->serves()) LookAtRebuild();
  while (const auto event = bridge_->events().Take()) {
    const bool is_up = event->kind == Kind::kUp;
    Tell({{"event", "link"}, {"member", event->member}, {"incarnation", event->incarnation}, {"up", is_up}});
    if (is_up) continue;
    Tell({{"event", "member_lost"},
          {"member", event->member},
          {"incarnation", event->incarnation},
          {"why", WhyOf(event->kind)}});
    const auto& remote = remotes_[event->member];
    if (remote != nullptr && remote->incarnation == event->incarnation) Close(event->member);
  }
}

bool VswitchProcess::IsQuiet() {
  const uint64_t now = MonotonicNs();
  const uint64_t outputs = vswitch_->outputs() + vswitch_->stamped();
  if (outputs != outputs_seen_ || outputs_ns_ == 0) {
    outputs_seen_ = outputs;
    outputs_ns_ = now;
  }
  return vswitch_->is_closed() && vswitch_->held_at_gate() == 0 && now - outputs_ns_ > kQuietNs;
}

RunReport VswitchProcess::Finish() {
  vswitch_->End();
  return {.counters = Counters(), .error = vswitch_->failure()};
}

CountersSnapshot VswitchProcess::Counters() const {
  CountersSnapshot snapshot{.now_ns = vswitch_->now_ns()};
  snapshot.missed = vswitch_->missed();
  AddTraffic(vswitch_->counters(), &snapshot);
  AddFates(vswitch_->counters(), &snapshot);
  return snapshot;
}

RuntimeStatus VswitchProcess::Status() const {
  const CountersSnapshot counters = Counters();
  RuntimeStatus status{.runtime = proto::kVswitch,
                       .flows_open = vswitch_->entries_used(),
                       .received = counters.received,
                       .sent = counters.sent,
                       .held = counters.held,
                       .busy_ns = busy_ns(*vswitch_) + busy_ns(*bridge_),
                       .missed = counters.missed,
                       .runtime_full = vswitch_->runtime_full(),
                       .relayed = vswitch_->repeated(),
                       .recovered = vswitch_->recovered(),
                       .state_lost = vswitch_->state_lost() + vswitch_->disowned(),
                       .refused_messages = mail_->refused(),
                       .delay = ReportOf(vswitch_->delays())};
  for (const auto& [name, count] : counters.dropped) status.dropped += count;
  return status;
}

// Of each runtime, by number: packets that its full queue has cost.
MemberProcess::Json VswitchProcess::Full() const {
  Json full = Json::object();
  for (const auto& remote : remotes_) {
    if (remote == nullptr) continue;
    full[std::to_string(remote->member)] = std::to_string(vswitch_->runtime_full(remote->member));
  }
  return full;
}

MemberProcess::Json VswitchProcess::Members() {
  Json members = Json::array();
  for (const auto& remote : remotes_) {
    if (remote == nullptr) continue;
    members.push_back({{"member", remote->member},
                       {"incarnation", remote->incarnation},
                       {"isUp", remote->is_member.load()},
                       {"link", remote->state == link::Remote::State::kUp ? "up" : "waiting"}});
  }
  // Those that it waits for, and has no link to yet.
  for (const auto& [member, incarnation, frame_bytes] : spec_.members) {
    if ((vswitch_->awaited() >> member & 1) == 0 || remotes_[member] != nullptr) continue;
    members.push_back({{"member", member}, {"incarnation", incarnation}, {"isUp", false}, {"link", "none"}});
  }
  return members;
}

}  // namespace

int RunVswitchProcess(const std::string& path) {
  auto spec = ReadMemberSpec(path, MemberKind::kVswitch);
  if (!spec) {
    std::fprintf(stderr, "%s: %s\n", ErrorCodeName(spec.error().code), spec.error().message.c_str());
    return kExitUsage;
  }
  return VswitchProcess(std::move(*spec)).Run();
}

}  // namespace nf
