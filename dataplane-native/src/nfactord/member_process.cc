#include "nfactord/member_process.h"

#include <signal.h>

#include <cstdio>

#include "base/clock.h"
#include "nfactord/compile.h"
#include "nfactord/values_json.h"
#include "port/eal.h"
#include "runtime/flow_image.h"
#include "runtime/transit.h"
#include "runtime/tsc.h"

namespace nf {
namespace {

constexpr int kLookMs = 10, kLookWhileWaitingMs = 1;
constexpr int kLastWordsMs = 500;
// A member whose core is somebody else's for a while answers late, which is no reason to say everything again.
constexpr uint64_t kPatienceNs = 4'000'000;
constexpr uint64_t kDrainNs = 2'000'000'000;

// Thrown by what reads a command, caught where it was taken.
struct NotUnderstood : std::runtime_error {
  using std::runtime_error::runtime_error;
};

volatile sig_atomic_t signals = 0;

void CatchSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { signals = signals + 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);  // DPDK writes to the sockets of links, whose other end may be gone.
}

}  // namespace

MemberProcess::~MemberProcess() {
  lcore_.reset();
  mail_.reset();
  rte_mempool_free(frames_);
  rte_mempool_free(markers_);
}

uint32_t MemberProcess::Number(const Json& request, const char* field, uint32_t least, uint32_t most) {
  const auto given = request.find(field);
  if (given != request.end() && given->is_number_unsigned() && given->get<uint64_t>() >= least &&
      given->get<uint64_t>() <= most)
    return given->get<uint32_t>();
  throw NotUnderstood(std::string(field) + " is " + (given != request.end() ? given->dump() : "missing") +
                      "; allowed are " + std::to_string(least) + " to " + std::to_string(most));
}

uint16_t MemberProcess::MemberNumber(const Json& request, uint32_t least) {
  return static_cast<uint16_t>(Number(request, "member", least, kRuntimesMax));
}

Expected<void> MemberProcess::Start() {
  auto server = ControlServer::Listen(spec_.control);
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  if (auto eal = StartEal(spec_.run.eal); !eal) return std::unexpected(eal.error());
  Transit::Prepare();
  auto frames = CreateFramePool();
  if (!frames) return std::unexpected(frames.error());
  frames_ = *frames;
  auto markers = CreateMarkerPool();
  if (!markers) return std::unexpected(markers.error());
  markers_ = *markers;
  const auto& [tenant, member, incarnation, key] = spec_.identity;
  auto file = link::CounterFile::Create(spec_.counters, member, incarnation, spec_.term);
  if (!file) return std::unexpected(file.error());
  file_.emplace(std::move(*file));
  auto mail =
      MemberMail::Create(member, frames_, FlowImageBytesMax(spec_.run.runtime.chain), spec_.frame_bytes, kPatienceNs);
  if (!mail) return std::unexpected(mail.error());
  mail_ = std::move(*mail);
  mail_->set_incarnation(incarnation);
  if (auto built = Build(); !built) return built;
  mail_->set_lcore(lcore_.get());
  trace_.emplace(
      member == proto::kVswitch, static_cast<uint32_t>(spec_.run.runtime.chain.size()),
      [this](TraceSession* session) { OnLcore([&] { trace().Take(session); }); },
      [this](uint8_t nf, uint8_t reason) { return NfReason(nf, reason); });
  return {};
}

link::Bridge::Surroundings MemberProcess::Surroundings() {
  link::Bridge::Surroundings surroundings{.identity = spec_.identity,
                                          .mail = mail_.get(),
                                          .frames = frames_,
                                          .markers = markers_,
                                          .board = &board_,
                                          .file = &*file_,
                                          .entries = spec_.run.runtime.flows_max,
                                          .may_edit = false,
                                          .lease_sizes = {}};
  for (const NfSpec& nf : spec_.run.runtime.chain) {
    surroundings.lease_sizes.push_back(nf.rights.lease ? nf.lease_size : 0);
    surroundings.may_edit |= nf.rights.edit != Edit::kNone;
  }
  return surroundings;
}

uint64_t MemberProcess::busy_ns(const LcoreTask& member) const { return NsFromTsc(member.busy_tsc().value()); }

int MemberProcess::Run() {
  CatchSignals();
  if (auto started = Start(); !started) {
    const Error& error = started.error();
    std::fprintf(stderr, "%s: %s\n", ErrorCodeName(error.code), error.message.c_str());
    if (server_) Tell({{"event", "ended"}, {"error", ToValue(error)}});
    if (server_) server_->Flush(kLastWordsMs);
    return error.code == ErrorCode::kRuntimeSpec ? kExitUsage : kExitRefused;
  }
  server_->on_connect = [this](uint64_t connection) {
    const auto& identity = spec_.identity;
    server_->Send(connection,
                  ToLine({{"event", "ready"}, {"member", identity.member}, {"incarnation", identity.incarnation}}));
  };
  server_->on_line = [this](uint64_t connection, const std::string& line) { Take(connection, line); };
  lcore_->Start();
  is_running_ = true;
  server_->Begin();
  Loop();
  Json last = Json::object({{"event", "ended"}});
  if (report_.error) last["error"] = ToValue(*report_.error);
  Tell(last);
  server_->Flush(kLastWordsMs);
  return report_.error ? kExitRefused : kExitDone;
}

void MemberProcess::Loop() {
  while (!has_ended_) {
    const int fd = bridge().events().fd();
    server_->Poll(waiting_.empty() && !is_stopping_ ? kLookMs : kLookWhileWaitingMs, {&fd, 1});
    TakeSignals();
    Watch();
    if (trace_) trace_->LookAtTime();
    if (is_stopping_) Stopped();
    for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
      const auto answer = waiting->job();
      if (!answer) {
        ++waiting;
        continue;
      }
      Reply(waiting->connection, waiting->id, *answer);
      waiting = waiting_.erase(waiting);
    }
  }
}

void MemberProcess::TakeSignals() {
  for (const int heard = signals; signals_taken_ < heard; ++signals_taken_) RequestStop(signals_taken_ == 0);
}

void MemberProcess::RequestStop(bool drain) {
  if (drain && is_stopping_) return;
  is_stopping_ = true;
  is_draining_ = drain;
  if (!drain) return;
  drain_ends_ns_ = MonotonicNs() + kDrainNs;
  BeginDrain();
  lcore_->Wake();
}

// Ends the member once nothing speaks against it.
std::optional<MemberProcess::Answer> MemberProcess::Stopped() {
  if (!has_ended_) {
    if (is_draining_ && !IsQuiet() && MonotonicNs() < drain_ends_ns_) return std::nullopt;
    lcore_->RequestStop(false);
    lcore_->WaitUntilEnded();
    report_ = Finish();
    bridge().End();
    file_->layout().ended.Set(1);
    has_ended_ = true;
  }
  return Answer(Json::object({{"report", ToValue(report_)}}));
}

void MemberProcess::Tell(const Json& event) { server_->SendAll(ToLine(event)); }

void MemberProcess::Reply(uint64_t connection, const Json& id, const Answer& answer) {
  Json reply = Json::object({{"id", id}});
  if (answer)
    reply["ok"] = *answer;
  else
    reply["error"] = ToValue(answer.error());
  server_->Send(connection, ToLine(reply));
}

void MemberProcess::Take(uint64_t connection, const std::string& line) {
  Json id;
  try {
    const Json request = Json::parse(line);
    id = request.at("id");
    Outcome outcome = DoCommon(request.at("do").get<std::string>(), request);
    if (Job* job = std::get_if<Job>(&outcome)) {
      waiting_.push_back({.connection = connection, .id = id, .job = std::move(*job)});
      return;
    }
    Reply(connection, id, std::get<Answer>(outcome));
  } catch (const std::exception& error) {  // Json's, and NotUnderstood.
    Reply(connection, id, Fail(ErrorCode::kMemberCommand, error.what()));
  }
}

MemberProcess::Outcome MemberProcess::DoCommon(const std::string& word, const Json& request) {
  const auto& [tenant, member, incarnation, key] = spec_.identity;
  if (word == "status") {
    Json status = Json::object({{"member", member},
                                {"incarnation", incarnation},
                                {"term", spec_.term},
                                {"pid", getpid()},
                                {"members", Members()}});
    status.update(Says());
    return Answer(std::move(status));
  }
  if (word == "stop") {
    is_leaving_ = request.value("leaves", false);
    RequestStop(request.at("drain").get<bool>());
    return Job([this] { return Stopped(); });
  }
  if (is_stopping_) return Answer(Fail(ErrorCode::kRuntimeEnded, "the member is about to end"));
  if (word.starts_with("trace_")) return trace_->Do(word, request);
  return Do(word, request);
}

}  // namespace nf
