// A member's traces as its control thread has them: begun, read from, ended. Words and records are JSON, as
// nfactord/README.md has them, so that they mean the same in a process of its own and behind the addon.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"
#include "trace/session.h"

namespace nf {

class TraceControl {
 public:
  // Has the lcore give its session back and take this one (null: none); returns when it has. Not called when there is
  // nothing to give back and to take.
  using Hand = std::function<void(TraceSession*)>;
  // What the NF at this place calls a drop.
  using ReasonOf = std::function<std::string(uint8_t nf, uint8_t reason)>;

  // `chooses`: the member has the external ports.
  TraceControl(bool chooses, uint32_t chain_size, Hand hand, ReasonOf reason_of);
  // The lcore is no more, or has no session.
  ~TraceControl();
  TraceControl(const TraceControl&) = delete;
  TraceControl& operator=(const TraceControl&) = delete;

  // trace_start, trace_read, trace_stop. A new trace takes the place of the one before. Throws what nlohmann throws
  // when a field is missing or of another type. Errors: member.command.
  Expected<nlohmann::json> Do(const std::string& word, const nlohmann::json& request);
  // Ends a trace whose time is over and that nobody has ended.
  void LookAtTime();
  void End();

 private:
  Expected<TraceSpec> SpecOf(const nlohmann::json& request) const;
  nlohmann::json Read(uint32_t packets);
  nlohmann::json ToValue(const TraceRecord& record) const;

  const bool chooses_;
  const uint32_t chain_size_;
  const Hand hand_;
  const ReasonOf reason_of_;
  std::unique_ptr<TraceSession> session_;
};

}  // namespace nf
