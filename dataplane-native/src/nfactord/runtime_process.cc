// A runtime as a process.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "flow/lease_table.h"
#include "link/link_port.h"
#include "link/runtime_bridge.h"
#include "nfactord/compile.h"
#include "nfactord/member_process.h"
#include "nfactord/values_json.h"
#include "packet/packet_meta.h"
#include "runtime/inputs.h"
#include "runtime/perform.h"
#include "runtime/pool_size.h"
#include "runtime/ring_queue.h"
#include "runtime/snapshot.h"
#include "runtime/switched_runtime.h"
#include "wasm/engine.h"

namespace nf {
namespace {

constexpr uint32_t kFlowsMax = 4096;           // In an answer,
constexpr size_t kAnswerBytesMax = 900 << 10;  // which is one line.
constexpr size_t kFlowBytes = 640;             // Of text, without its states.
constexpr size_t kEventsMax = 512;             // In a look.
// A process has a pool of packets for itself. What waits for a replica may leave all at once, and has to find room in
// the queue to the vswitch, besides what a poll causes meanwhile.
constexpr uint32_t kHeldOutputs = RingQueue::kPacketsMax - 4 * abi::kBurstPackets;
static_assert(2 * kHeldOutputs < kPoolPacketsLeast);

class RuntimeProcess final : public MemberProcess {
 public:
  explicit RuntimeProcess(MemberSpec spec) : MemberProcess(std::move(spec)) {}
  ~RuntimeProcess() override {
    lcore_.reset();
    bridge_.reset();
    runtime_.reset();
    port_.reset();
    outbox_.reset();
    link_.reset();
    rte_mempool_free(packets_);
  }

 private:
  Expected<void> Build() override;
  Outcome Do(const std::string& word, const Json& request) override;
  void Watch() override;
  RunReport Finish() override;
  Json Members() override;
  link::Bridge& bridge() override { return *bridge_; }
  TraceTap& trace() override { return runtime_->trace(); }
  std::string NfReason(uint8_t nf, uint8_t reason) override { return DropName(runtime_->chain().nf(nf), reason); }

  Expected<void> Connect(const link::LinkSpec& spec);
  Answer MemberUp(const Json& request);
  Answer MemberDown(const Json& request);
  Answer Homes(const Json& request);
  void SetHomes(uint32_t homes);
  Json Says() override;
  void SetPeer(uint16_t member, uint32_t incarnation, uint32_t frame_bytes = 0);
  Outcome Operate(Command::Kind kind, const Json& request);
  Answer Flows(const Json& request);
  Answer Swap(const Json& request);
  void Perform(Command& command);
  CountersSnapshot Counters() const;
  RuntimeStatus Status() const;

  std::unique_ptr<Engine> engine_;
  rte_mempool* packets_ = nullptr;
  std::unique_ptr<RuntimeLink> link_;
  std::unique_ptr<MailBox> outbox_;
  std::unique_ptr<LeaseTable> leases_;
  std::unique_ptr<EthdevPort> port_;
  std::unique_ptr<link::LifePage> life_;
  std::unique_ptr<SwitchedRuntime> runtime_;
  std::unique_ptr<link::RuntimeBridge> bridge_;
  std::array<uint32_t, kMembersMax> peers_{};  // Their incarnations.
  uint32_t homes_ = 0;                         // Of replicas: bits by member; 0: any.
};

Expected<void> RuntimeProcess::Build() {
  const RuntimeSpec& spec = spec_.run.runtime;
  auto engine = Engine::Create({});
  if (!engine) return std::unexpected(engine.error());
  engine_ = std::move(*engine);
  auto packets = CreatePacketPool("nf_pool_member", PoolPackets(kPoolPacketsOfTenant));
  if (!packets) return std::unexpected(packets.error());
  packets_ = *packets;
  auto link = RuntimeLink::Create(markers_);
  if (!link) return std::unexpected(link.error());
  link_ = std::move(*link);
  auto outbox = MailBox::Create();
  if (!outbox) return std::unexpected(outbox.error());
  outbox_ = std::move(*outbox);
  const link::Bridge::Surroundings surroundings = Surroundings();
  leases_ = std::make_unique<LeaseTable>(surroundings.lease_sizes, spec.flows_max, true);
  const auto& [tenant, member, incarnation, key] = spec_.identity;
  auto runtime = SwitchedRuntime::Create(*engine_, spec,
                                         {.id = member,
                                          .incarnation = incarnation,
                                          .entries = spec.flows_max,
                                          .is_capture = false,
                                          .link = link_.get(),
                                          .mail = mail_.get(),
                                          .board = &board_,
                                          .leases = leases_.get(),
                                          .pool = packets_,
                                          .native = {},
                                          // Another life of this runtime may have left flows with others.
                                          .flows_before = uint64_t{incarnation & 0xffff} << 32,
                                          .counters = &file_->layout().packets,
                                          .held_outputs = kHeldOutputs});
  if (!runtime) return std::unexpected(runtime.error());
  runtime_ = std::move(*runtime);
  auto bridge = link::RuntimeBridge::Create(
      surroundings, {.link = link_.get(), .leases = leases_.get(), .outbox = outbox_.get(), .runtime = runtime_.get()});
  if (!bridge) return std::unexpected(bridge.error());
  bridge_ = std::move(*bridge);
  lcore_ = std::make_unique<Lcore>(std::vector<LcoreTask*>{bridge_.get(), runtime_.get()}, spec_.cpu, false);
  link_->runtime_lcore = link_->vswitch_lcore = lcore_.get();
  outbox_->set_lcore(lcore_.get());
  if (auto connected = Connect(spec_.vswitch_link); !connected) return connected;
  SetPeer(proto::kVswitch, spec_.vswitch_incarnation);
  // Before anybody is a place, so that none is chosen that would have to be left.
  SetHomes(spec_.homes);
  for (const auto& [other, life, frame_bytes] : spec_.members) {
    if (other != member) SetPeer(other, life, frame_bytes);
  }
  return {};
}

// The link to the vswitch from now on.
Expected<void> RuntimeProcess::Connect(const link::LinkSpec& spec) {
  auto port = link::OpenLink(spec, link::AddressOf(spec_.identity.tenant, spec_.identity.member), packets_);
  if (!port) return std::unexpected(port.error());
  std::unique_ptr<link::LifePage> life;
  if (const auto* vhost = std::get_if<link::VhostLink>(&spec); vhost != nullptr) {
    if (auto page = link::LifePage::Open(link::LifePathOf(*vhost)))
      life = std::make_unique<link::LifePage>(std::move(*page));
  }
  OnLcore([&] { bridge_->SetPort(port->get(), life.get()); });
  port_ = std::move(*port);
  life_ = std::move(life);
  return {};
}

void RuntimeProcess::SetPeer(uint16_t member, uint32_t incarnation, uint32_t frame_bytes) {
  OnLcore([&] {
    // Another life of somebody: the one before is over.
    if (incarnation != 0 && peers_[member] != 0 && peers_[member] != incarnation) bridge_->SetPeer(member, 0);
    bridge_->SetPeer(member, incarnation, frame_bytes);
  });
  peers_[member] = incarnation;
}

MemberProcess::Outcome RuntimeProcess::Do(const std::string& word, const Json& request) {
  if (word == "member_up") return MemberUp(request);
  if (word == "member_down") return MemberDown(request);
  if (word == "homes") return Homes(request);
  if (word == "migrate")
    return Operate(request.contains("flowIds") ? Command::Kind::kMoveThese : Command::Kind::kMove, request);
  if (word == "drain") return Operate(Command::Kind::kDrain, request);
  if (word == "undrain") {
    Command command{.kind = Command::Kind::kUndrain};
    Perform(command);
    return Answer(Json::object());
  }
  if (word == "flows") return Flows(request);
  if (word == "swap") return Swap(request);
  if (word == "counters")
    return Answer(Json::object({{"counters", ToValue(Counters())}, {"link", ToValue(bridge_->counters())}}));
  if (word == "runtimes") return Answer(Json::object({{"runtimes", Json::array({ToValue(Status())})}}));
  return Answer(Fail(ErrorCode::kMemberCommand, "a runtime does not know '" + word + "'"));
}

MemberProcess::Answer RuntimeProcess::MemberUp(const Json& request) {
  const uint16_t member = MemberNumber(request);
  const uint32_t incarnation = Incarnation(request);
  if (member == spec_.identity.member) return std::unexpected(NotNow("this runtime is that member itself"));
  if (member == proto::kVswitch && peers_[member] != incarnation) {
    const uint32_t term = Number(request, "term", 1, UINT8_MAX);
    const auto spec = ReadLink(request.at("link"));
    if (!spec) return std::unexpected(spec.error());
    if (const auto connected = Connect(*spec); !connected) return std::unexpected(connected.error());
    spec_.term = static_cast<uint8_t>(term);
  }
  const auto frame_bytes = ReadFrameBytes(request);
  if (!frame_bytes) return std::unexpected(frame_bytes.error());
  SetPeer(member, incarnation, *frame_bytes);
  return Json::object();
}

MemberProcess::Answer RuntimeProcess::MemberDown(const Json& request) {
  const uint16_t member = MemberNumber(request);
  if (peers_[member] != Incarnation(request)) return Json::object();
  SetPeer(member, 0);
  if (member == proto::kVswitch) {
    OnLcore([this] { bridge_->SetPort(nullptr); });
    port_.reset();
    life_.reset();
  }
  return Json::object();
}

MemberProcess::Answer RuntimeProcess::Homes(const Json& request) {
  const auto homes = ReadHomes(request.at("members"));
  if (!homes) return std::unexpected(homes.error());
  SetHomes(*homes);
  return Json::object();
}

void RuntimeProcess::SetHomes(uint32_t homes) {
  if (homes == homes_) return;
  Command command{.kind = Command::Kind::kHomes};
  command.homes = homes_ = homes;
  OnLcore([&] { runtime_->Execute(command); });
}

MemberProcess::Json RuntimeProcess::Says() {
  Json members = Json::array();
  for (uint16_t member = 1; member < kMembersMax; ++member) {
    if ((homes_ >> member & 1) != 0) members.push_back(member);
  }
  Json chain = Json::array();
  for (uint32_t i = 0; i < runtime_->chain().size(); ++i) {
    const NfSpec& spec = runtime_->chain().nf(i).spec();
    chain.push_back({{"entry", spec.entry}, {"version", spec.version}, {"digest", spec.digest}, {"mark", spec.mark}});
  }
  return Json::object({{"homes", members}, {"chain", chain}});
}

MemberProcess::Outcome RuntimeProcess::Operate(Command::Kind kind, const Json& request) {
  const bool is_drain = kind == Command::Kind::kDrain;
  Command command{.kind = kind};
  const Json& to = request.at("to");
  for (const Json& one : is_drain ? to : Json::array({to})) {
    const uint16_t target = MemberNumber({{"member", one}}, 1);
    if (target == spec_.identity.member) {
      return Answer(Fail(ErrorCode::kRuntimeSame, "runtime " + std::to_string(target) + " is both source and target"));
    }
    if (peers_[target] == 0) {
      return Answer(Fail(ErrorCode::kRuntimeUnknown, "there is no runtime " + std::to_string(target)));
    }
    command.targets.push_back(target);
  }
  if (command.targets.empty()) {
    for (uint16_t other = 1; other < kMembersMax; ++other) {
      if (peers_[other] != 0) command.targets.push_back(other);
    }
  }
  if (command.targets.empty()) {
    return Answer(Fail(ErrorCode::kRuntimeLast, "there is no other runtime; add one first"));
  }
  if (kind == Command::Kind::kMove) command.flows_wanted = Number(request, "count", 1, UINT32_MAX);
  if (kind == Command::Kind::kMoveThese) {
    for (const Json& id : request.at("flowIds")) command.numbers.push_back(std::stoull(id.get<std::string>()));
    std::ranges::sort(command.numbers);
    const auto repeated = std::ranges::unique(command.numbers);
    command.numbers.erase(repeated.begin(), repeated.end());
    Command find{.kind = Command::Kind::kFindFlows};
    find.numbers = command.numbers;
    find.places.assign(command.numbers.size(), kNoFlow);
    Perform(find);
    command.places = std::move(find.places);
  }
  const auto operation = std::make_shared<Operation>();
  command.operation = operation.get();
  const auto begin = std::chrono::steady_clock::now();
  Perform(command);
  if (command.operation == nullptr) {
    return Answer(Fail(ErrorCode::kRuntimeBusy, std::to_string(SwitchedRuntime::kOperationsMax) +
                                                    " operations are under way, which is all it does at once"));
  }
  return Job([operation, begin]() -> std::optional<Answer> {
    if (!operation->done.load(std::memory_order_acquire)) return std::nullopt;
    if (operation->is_cut_short) return Fail(ErrorCode::kRuntimeEnded, "the runtime ended before the operation did");
    return ToValue(ReportOf(*operation, begin));
  });
}

MemberProcess::Answer RuntimeProcess::Flows(const Json& request) {
  const Chain& chain = runtime_->chain();
  const size_t states_bytes = EventLog::StatesBytes(chain);
  const uint32_t flows_max = spec_.run.runtime.flows_max;
  const auto fit = static_cast<uint32_t>(kAnswerBytesMax / (kFlowBytes + 2 * states_bytes + 3 * chain.size()));
  const uint32_t limit = std::clamp(std::min(Number(request, "limit", 1, UINT32_MAX), fit), 1u, kFlowsMax);
  const uint32_t cursor = request.contains("cursor") ? Number(request, "cursor", 0, UINT32_MAX) : 0;
  FlowsPage page;
  if (cursor >= flows_max) return ToValue(page);
  Command command{.kind = Command::Kind::kFlows, .cursor = cursor, .limit = limit};
  command.actors.resize(limit);
  command.states.resize(limit * states_bytes);
  Perform(command);
  for (uint32_t i = 0; i < command.count; ++i) {
    page.flows.push_back(EventLog::Snapshot(command.actors[i], command.states.data() + i * states_bytes, chain));
    page.flows.back().runtime = spec_.identity.member;
  }
  if (command.cursor < flows_max) page.next = command.cursor;
  return ToValue(page);
}

MemberProcess::Answer RuntimeProcess::Swap(const Json& request) {
  const auto index = FindEntry(runtime_->chain(), request.at("entry").get<std::string>());
  if (!index) return std::unexpected(index.error());
  const auto spec = ReadNf(request.at("nf"));
  if (!spec) return std::unexpected(spec.error());
  const auto begin = std::chrono::steady_clock::now();
  ChainNf& nf = runtime_->chain().nf(*index);
  auto version = nf.Prepare(*spec);
  if (!version) return std::unexpected(version.error());
  const std::chrono::duration<double, std::milli> prepared = std::chrono::steady_clock::now() - begin;
  Command command{.kind = Command::Kind::kSwap, .nf = *index, .version = version->get()};
  runtime_->events().AddNames(*index, (*version)->spec);
  nf.PauseKeeper();
  Perform(command);
  nf.ResumeKeeper(version->get());
  return ToValue(SwapReport{.pause_ns = command.pause_ns,
                            .burst_ns = command.burst_ns,
                            .prepare_ms = prepared.count(),
                            .flows = command.flows,
                            .packets_dropped = command.drops});
}

void RuntimeProcess::Perform(Command& command) {
  PerformCommand(*lcore_, is_running_, runtime_->commands(), command,
                 [this](Command& to_do) { runtime_->Execute(to_do); });
}

void RuntimeProcess::Watch() {
  if (port_ != nullptr) {
    port_->LookAtCarrier();
    if (port_->carrier() == Port::Carrier::kLost && bridge_->is_up()) lcore_->Wake();
  }
  while (const auto event = bridge_->events().Take()) {
    Tell({{"event", "link"},
          {"member", event->member},
          {"incarnation", event->incarnation},
          {"up", event->kind == link::LinkEvent::Kind::kUp}});
  }
  if (!server_->has_connections()) return;
  for (Event& event : runtime_->events().Read(kEventsMax)) {
    if (auto* ended = std::get_if<FlowEndedEvent>(&event)) ended->flow.runtime = spec_.identity.member;
    Tell({{"event", "nf"}, {"of", ToValue(event)}});
  }
}

RunReport RuntimeProcess::Finish() {
  runtime_->events().Abandon();
  // Whoever was sent a state is taken to have it.
  runtime_->LetGo([](uint32_t) { return true; });
  if (is_leaving_) runtime_->LeaveToReplicas();
  runtime_->End();
  Watch();
  return {.counters = Counters(), .error = {}};
}

CountersSnapshot RuntimeProcess::Counters() const {
  CountersSnapshot snapshot{.now_ns = runtime_->now_ns()};
  AddTraffic(runtime_->counters(), &snapshot);
  AddFates(runtime_->counters(), &snapshot);
  AddChain(runtime_->chain(), &snapshot);
  snapshot.flows_open = runtime_->flows_open();
  snapshot.flows_opened = runtime_->flows_opened();
  snapshot.events_lost = runtime_->events().lost();
  return snapshot;
}

RuntimeStatus RuntimeProcess::Status() const {
  const CountersSnapshot counters = Counters();
  RuntimeStatus status{.runtime = runtime_->id(),
                       .draining = runtime_->draining(),
                       .flows_open = runtime_->flows_open(),
                       .received = counters.received,
                       .sent = counters.sent,
                       .held = counters.held,
                       .moved_in = runtime_->moved_in(),
                       .moved_out = runtime_->moved_out(),
                       .migrations = runtime_->migrations(),
                       .nf_asked = runtime_->asker().asked(),
                       .nf_moves = runtime_->asker().begun(),
                       .nf_moves_failed = runtime_->asker().ignored() + runtime_->moves_failed(),
                       .arrivals_refused = runtime_->arrivals_refused(),
                       .busy_ns = busy_ns(*runtime_) + busy_ns(*bridge_),
                       .queued = rte_ring_count(link_->down),
                       .replicas = runtime_->replicas(),
                       .unprotected = runtime_->unprotected(),
                       .replication_lag = runtime_->replication_lag(),
                       .relayed = runtime_->relayed(),
                       .recovered = runtime_->recovered(),
                       .state_lost = runtime_->state_lost(),
                       .refused_messages = mail_->refused()};
  for (const auto& [name, count] : counters.dropped) status.dropped += count;
  return status;
}

MemberProcess::Json RuntimeProcess::Members() {
  Json members = Json::array();
  for (uint16_t member = 0; member < kMembersMax; ++member) {
    if (peers_[member] == 0) continue;
    const char* link = member != proto::kVswitch ? "none" : bridge_->is_up() ? "up" : "waiting";
    members.push_back({{"member", member}, {"incarnation", peers_[member]}, {"isUp", true}, {"link", link}});
  }
  return members;
}

}  // namespace

int RunRuntimeProcess(const std::string& path) {
  auto spec = ReadMemberSpec(path, MemberKind::kRuntime);
  if (!spec) {
    std::fprintf(stderr, "%s: %s\n", ErrorCodeName(spec.error().code), spec.error().message.c_str());
    return kExitUsage;
  }
  return RuntimeProcess(std::move(*spec)).Run();
}

}  // namespace nf
