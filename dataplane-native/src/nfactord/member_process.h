// What both kinds of member processes share: pools, counters, mail, one lcore, and the control connections' loop.
// README.md has the protocol.
#pragma once

#include <rte_mempool.h>

#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "link/bridge.h"
#include "link/counter_file.h"
#include "nfactord/control_server.h"
#include "nfactord/spec_json.h"
#include "runtime/lcore.h"
#include "runtime/member_mail.h"
#include "runtime/report.h"
#include "trace/control.h"
#include "trace/tap.h"

namespace nf {

class MemberProcess {
 public:
  virtual ~MemberProcess();
  MemberProcess(const MemberProcess&) = delete;
  MemberProcess& operator=(const MemberProcess&) = delete;

  // Builds the member and serves until it is told to end. The exit code.
  int Run();

 protected:
  using Json = nlohmann::json;
  using Answer = Expected<Json>;
  // Asked again and again until it has an answer.
  using Job = std::function<std::optional<Answer>()>;
  using Outcome = std::variant<Answer, Job>;

  explicit MemberProcess(MemberSpec spec) : spec_(std::move(spec)) {}

  // The member with its tasks, and `lcore_`, not started.
  virtual Expected<void> Build() = 0;
  virtual Outcome Do(const std::string& word, const Json& request) = 0;
  // What the lcore and the NFs have to say.
  virtual void Watch() = 0;
  // Takes no more packets. True once nothing is under way, as far as this member can know.
  virtual void BeginDrain() {}
  virtual bool IsQuiet() { return true; }
  // The lcore has ended.
  virtual RunReport Finish() = 0;
  virtual Json Members() = 0;
  // What else it was told that its status says.
  virtual Json Says() { return Json::object(); }
  virtual link::Bridge& bridge() = 0;
  virtual TraceTap& trace() = 0;
  // What the NF at this place of the chain calls a drop.
  virtual std::string NfReason(uint8_t, uint8_t) { return "drop"; }

  // Fields of a command; throw what becomes an error.
  static uint32_t Number(const Json& request, const char* field, uint32_t least, uint32_t most);
  static uint16_t MemberNumber(const Json& request, uint32_t least = 0);
  static uint32_t Incarnation(const Json& request) { return Number(request, "incarnation", 1, UINT32_MAX); }
  static Error NotNow(const std::string& why) { return {ErrorCode::kMemberCommand, why}; }

  void Tell(const Json& event);
  // Between turns of the lcore.
  void OnLcore(const std::function<void()>& what) { bridge().Perform(*lcore_, is_running_, what); }
  link::Bridge::Surroundings Surroundings();
  uint64_t busy_ns(const LcoreTask& member) const;

  MemberSpec spec_;
  rte_mempool* frames_ = nullptr;
  rte_mempool* markers_ = nullptr;
  ClusterBoard board_;
  std::optional<link::CounterFile> file_;
  std::unique_ptr<MemberMail> mail_;
  std::unique_ptr<Lcore> lcore_;
  std::unique_ptr<ControlServer> server_;
  bool is_running_ = false;
  bool is_leaving_ = false;  // The others go on.

 private:
  struct Waiting {
    uint64_t connection;
    Json id;
    Job job;
  };
  Expected<void> Start();
  void Loop();
  void Take(uint64_t connection, const std::string& line);
  Outcome DoCommon(const std::string& word, const Json& request);
  void Reply(uint64_t connection, const Json& id, const Answer& answer);
  void TakeSignals();
  void RequestStop(bool drain);
  std::optional<Answer> Stopped();

  std::list<Waiting> waiting_;
  std::optional<TraceControl> trace_;
  int signals_taken_ = 0;
  bool is_stopping_ = false, is_draining_ = false, has_ended_ = false;
  uint64_t drain_ends_ns_ = 0;
  RunReport report_;
};

// Runs the member of a specification file. The exit code.
int RunVswitchProcess(const std::string& path);
int RunRuntimeProcess(const std::string& path);

}  // namespace nf
