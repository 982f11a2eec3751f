// A tenant's members as real processes between two veth pairs in a network namespace of the benchmark's own: started
// and told what a supervisor starts and tells. What goes wrong ends the benchmark; no process outlives it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "chain/nf_spec.h"
#include "link/counter_file.h"

namespace nf {

class BenchMember {
 public:
  using Json = nlohmann::json;
  BenchMember(const char* kind, const std::string& folder, Json spec);
  ~BenchMember();  // Kills it.
  BenchMember(const BenchMember&) = delete;
  BenchMember& operator=(const BenchMember&) = delete;

  const Json& spec() const { return spec_; }
  Json life() const { return {{"member", spec_["member"]}, {"incarnation", spec_["incarnation"]}}; }
  Json Ask(const char* word, Json fields = Json::object());
  void Begin(const char* word, Json fields = Json::object());
  // When an event with these fields was read; waits for it, or looks once.
  uint64_t WaitFor(const Json& fields);
  std::optional<uint64_t> Look(const Json& fields);
  void Kill() const;
  void WaitForEnd();
  const link::CounterFileLayout& counters();

 private:
  void Read(int timeout_ms);

  Json spec_;
  pid_t pid_ = -1;
  int socket_ = -1;
  int last_id_ = 0;
  std::string in_;
  std::map<int, Json> answers_;
  std::vector<std::pair<Json, uint64_t>> events_;
  const link::CounterFileLayout* counters_ = nullptr;
};

class ProcessTenant {
 public:
  struct Options {
    std::vector<NfSpec> chain;
    uint32_t flows_max;
    uint16_t runtimes;
    bool replicates;
  };
  explicit ProcessTenant(const Options& options);
  ~ProcessTenant();

  BenchMember& vswitch() { return *vswitch_; }
  BenchMember& runtime(uint16_t id) { return *runtimes_.at(id); }
  const std::map<uint16_t, std::unique_ptr<BenchMember>>& runtimes() const { return runtimes_; }
  void Start(uint16_t id);
  // The others are told that it is dead, as a supervisor does when it hears it from the vswitch.
  void TellDead(uint16_t id);
  // Nothing of it is left, and another life may start.
  void Bury(uint16_t id);
  // New flows go to these alone.
  void PlaceAt(const std::vector<uint16_t>& ids);
  // Each flow has a replica, and nothing is under way.
  void WaitUntilProtected(uint64_t flows);

 private:
  BenchMember::Json Base(uint16_t member);

  Options options_;
  std::string folder_;
  BenchMember::Json chain_;
  uint32_t lives_ = 0;
  std::unique_ptr<BenchMember> vswitch_;
  std::map<uint16_t, std::unique_ptr<BenchMember>> runtimes_;
};

}  // namespace nf
