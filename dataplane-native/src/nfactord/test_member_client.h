// For tests and benchmarks: a member of a tenant as a real process, and its supervisor's end of the connection to it.
// The process ends with the object. Not part of the product.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "link/counter_file.h"

namespace nf::test {

using Json = nlohmann::json;

class MemberClient {
 public:
  // Starts nfactord; specification and log lie in the folder.
  MemberClient(const char* kind, const std::string& folder, Json spec);
  // Killed, if it still runs.
  ~MemberClient();
  MemberClient(const MemberClient&) = delete;
  MemberClient& operator=(const MemberClient&) = delete;

  pid_t pid() const { return pid_; }
  const Json& spec() const { return spec_; }
  Json life() const { return {{"member", spec_["member"]}, {"incarnation", spec_["incarnation"]}}; }
  void Signal(int signal) const;
  // The exit code; -1 for a signal, nothing while it runs.
  std::optional<int> exit_code();

  // The number of what was sent; nothing when nobody is there to read it.
  std::optional<int> Send(const char* word, Json fields);
  // Takes what comes within so long.
  void Read(int timeout_ms);
  // Of what has come so far.
  std::optional<Json> Answer(int id);
  // The first event with these fields that has not been taken before, and when it was read.
  std::optional<std::pair<Json, uint64_t>> TakeEvent(const Json& fields);
  bool is_connected() const { return socket_ >= 0; }
  // The connection ends, and another begins through the socket's path.
  void Disconnect();
  bool Reconnect();

  const link::CounterFileLayout& counters();

 private:
  Json spec_;
  pid_t pid_ = -1;
  bool has_ended_ = false;
  int exit_code_ = -1;
  int socket_ = -1;
  int last_id_ = 0;
  std::string in_;
  std::map<int, Json> answers_;
  std::vector<std::pair<Json, uint64_t>> events_;
  const link::CounterFileLayout* counters_ = nullptr;
};

}  // namespace nf::test
