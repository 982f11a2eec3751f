#include "runtime/trace_all.h"

#include <nlohmann/json.hpp>

namespace nf {

Expected<std::string> TraceAll(const std::vector<std::pair<uint16_t, TraceControl*>>& members,
                               const std::string& request) {
  nlohmann::json answers = nlohmann::json::array();
  try {
    const nlohmann::json read = nlohmann::json::parse(request);
    const std::string word = read.at("do");
    for (const auto& [member, trace] : members) {
      auto answer = trace->Do(word, read);
      if (!answer && word == "trace_read") continue;
      if (!answer) return std::unexpected(answer.error());
      (*answer)["member"] = member;
      answers.push_back(std::move(*answer));
    }
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kMemberCommand, error.what());
  }
  return answers.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace nf
