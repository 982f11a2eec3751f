// A tenant's members as real processes between two veth pairs in a network namespace of the benchmark's own: started
// and told what a supervisor starts and tells. What goes wrong ends the benchmark; no process outlives it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chain/nf_spec.h"
#include "nfactord/test_member_client.h"

namespace nf {

class BenchMember : public test::MemberClient {
 public:
  using MemberClient::MemberClient;

  // What it answers.
  test::Json Ask(const char* word, test::Json fields = test::Json::object());
  int Begin(const char* word, test::Json fields = test::Json::object());
  // When an event with these fields was read; waits for it, or looks once.
  uint64_t WaitFor(const test::Json& fields);
  std::optional<uint64_t> Look(const test::Json& fields);
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
  test::Json Base(uint16_t member);

  Options options_;
  std::string folder_;
  test::Json chain_;
  uint32_t lives_ = 0;
  std::unique_ptr<BenchMember> vswitch_;
  std::map<uint16_t, std::unique_ptr<BenchMember>> runtimes_;
};

}  // namespace nf
