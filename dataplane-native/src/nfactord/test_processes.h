// For tests: members of a tenant as real processes between two veth pairs in a network namespace of the test's own, and
// numbered traffic through them. Everything ends with the objects. Not part of the product.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nfactord/test_member_client.h"

namespace nf::test {

// The calling thread, and processes that it starts, live in a namespace of their own with the interfaces nf-c and nf-s,
// whose other ends this sends to and receives from; nf-l and nf-l1 are the ends of a wire for a link.
class TestNetwork {
 public:
  // Nothing without the right to make one.
  static std::unique_ptr<TestNetwork> Create();
  ~TestNetwork();

  // The next packet of each flow towards the server, and of those that have come there one back.
  void SendRound(uint16_t flows);
  void Collect();

  uint64_t sent() const { return sent_; }
  uint64_t received() const { return received_; }
  uint64_t out_of_order() const { return out_of_order_; }
  // A frame as it is, out of that interface.
  void SendOn(const char* iface, const std::string& frame);

 private:
  TestNetwork() = default;
  int home_ = -1;
  std::array<int, 2> sockets_{-1, -1};
  std::map<std::pair<uint16_t, int>, uint32_t> next_, expected_;  // By flow and the side that sends.
  uint64_t sent_ = 0, received_ = 0, out_of_order_ = 0;
};

class TestMember : public MemberClient {
 public:
  using MemberClient::MemberClient;

  // The exit code; -1 for a signal, nothing while it runs after so long.
  std::optional<int> WaitForEnd(int timeout_ms = 10'000);

  // The answer. Fails the test when there is none.
  Json Ask(const char* word, Json fields = Json::object());
  // Sends it; Answer looks for what came.
  int Begin(const char* word, Json fields = Json::object());
  std::optional<Json> WaitForEvent(const Json& fields, int timeout_ms = 20'000);
};

// One tenant: a vswitch, and runtimes that are started as a supervisor would.
class TestTenantProcesses {
 public:
  TestTenantProcesses();
  ~TestTenantProcesses();

  TestMember& vswitch() { return *vswitch_; }
  // Of runtimes that are started from now on.
  void set_replication(const Json& replication) { replication_ = replication; }
  // `over_wire`: its link are the interfaces nf-l and nf-l1.
  TestMember& StartRuntime(uint16_t id, bool over_wire = false);
  TestMember& runtime(uint16_t id) { return *runtimes_.at(id); }
  // The vswitch is killed, and another one starts under the next term, which waits for the runtimes that live.
  void RestartVswitch(Json more = Json::object());
  // The runtime is told of the vswitch of now, and that has it then.
  void Introduce(uint16_t id);
  void IntroduceAll() {
    for (const auto& [id, runtime] : runtimes_) Introduce(id);
  }
  // Its death is known: the others are told. What it counted stays counted.
  void Bury(uint16_t id);

  // Over all members and lives, as the counter files have it.
  struct Books {
    uint64_t received = 0, sent = 0, emitted = 0, dropped = 0, held = 0;
    int64_t lost() const { return static_cast<int64_t>(received + emitted - sent - dropped - held); }
  };
  Books books();
  Json Base(uint16_t member);
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  uint32_t lives_ = 100;
  uint32_t term_ = 1;
  Json replication_ = {{"replicas", 0}};
  std::unique_ptr<TestMember> vswitch_;
  std::map<uint16_t, std::unique_ptr<TestMember>> runtimes_;
  std::vector<std::unique_ptr<TestMember>> buried_;  // Vswitches, too.
};

}  // namespace nf::test
