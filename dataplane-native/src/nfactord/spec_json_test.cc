#include "nfactord/spec_json.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace nf {
namespace {

class SpecJsonTest : public testing::Test {
 protected:
  SpecJsonTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nfactor-spec-test-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    std::ofstream(folder_ / "code") << "abc";
  }
  ~SpecJsonTest() override { std::filesystem::remove_all(folder_); }

  Expected<RunSpec> Read(std::string text) {
    for (size_t at; (at = text.find("$")) != std::string::npos;) text.replace(at, 1, folder_.string());
    std::ofstream(folder_ / "spec.json") << text;
    return ReadRunSpec((folder_ / "spec.json").string());
  }

  std::filesystem::path folder_;
};

TEST_F(SpecJsonTest, DefaultsAreThoseOfTheHost) {
  auto spec = Read(R"({"input": {"in": "a.pcap"}, "chain": [{"name": "fw", "native": "$/code"}]})");
  ASSERT_TRUE(spec.has_value()) << spec.error().message;
  EXPECT_EQ(std::get<CaptureInput>(spec->runtime.input).in, "a.pcap");
  EXPECT_EQ(spec->runtime.flows_max, 65536u);
  EXPECT_EQ(spec->runtime.chain.at(0).entry, "fw");
  EXPECT_EQ(spec->runtime.chain.at(0).native.size(), 3u);
  EXPECT_EQ(spec->runtime.chain.at(0).on_fault, OnFault::kCloseFlow);
}

TEST_F(SpecJsonTest, EveryField) {
  auto spec = Read(R"({"eal": {"hugepages": "never", "memoryMb": 64}, "seed": "18446744073709551615", "nonIp": "drop",
    "flows": {"max": 9, "idleMs": {"tcpClosing": 3}}, "keepEndedFlows": 5,
    "input": {"kind": "af_packet", "client": "c0", "server": "s0"},
    "chain": [{"name": "nat", "entry": "n", "version": "1.2.3", "native": "$/code", "config": "$/code", "stateBytes": 64,
      "rights": {"view": "payload", "edit": "headers", "emits": 2, "lease": true, "reply": true, "reshape": true},
      "heapPages": 4, "onFault": "bypass", "quarantine": "open", "leaseSize": 7, "dropReasons": {"129": "none_left"},
      "counters": ["a"], "exports": ["tick"]}]})");
  ASSERT_TRUE(spec.has_value()) << spec.error().message;
  EXPECT_FALSE(spec->eal.use_hugepages);
  EXPECT_EQ(spec->runtime.seed, UINT64_MAX);
  EXPECT_EQ(spec->runtime.non_ip, NonIpPolicy::kDrop);
  EXPECT_EQ(spec->runtime.idle_ms.tcp_closing, 3u);
  EXPECT_EQ(std::get<AfPacketInput>(spec->runtime.input).server, "s0");
  const NfSpec& nf = spec->runtime.chain.at(0);
  EXPECT_EQ(nf.config.size(), 3u);
  EXPECT_EQ(nf.rights.view, View::kPayload);
  EXPECT_EQ(nf.rights.edit, Edit::kHeaders);
  EXPECT_EQ(nf.rights.emits, 2u);
  EXPECT_TRUE(nf.rights.lease && nf.rights.reply && nf.rights.reshape);
  EXPECT_EQ(nf.on_fault, OnFault::kBypass);
  EXPECT_EQ(nf.quarantine, QuarantineMode::kOpen);
  EXPECT_EQ(nf.drop_reasons.at(129), "none_left");
  EXPECT_EQ(nf.exports.at(0), "tick");
}

TEST_F(SpecJsonTest, MistakesAreNamed) {
  struct Case {
    const char* text;
    const char* says;
  };
  for (const Case& test : std::initializer_list<Case>{
           {"{", "parse error"},
           {"{}", "input"},
           {R"({"input": {"in": "a"}})", "chain"},
           {R"({"input": {"in": "a"}, "chain": [{"name": "x", "native": "$/none"}]})", "none"},
           {R"({"input": {"kind": "ring"}, "chain": []})", "allowed are af_packet, capture"},
           {R"({"input": {"in": 5}, "chain": []})", "must be string"},
           {R"({"input": {"in": "a"}, "seed": "x", "chain": []})", "sto"},
       }) {
    auto spec = Read(test.text);
    ASSERT_FALSE(spec.has_value()) << test.text;
    EXPECT_EQ(spec.error().code, ErrorCode::kRuntimeSpec);
    EXPECT_NE(spec.error().message.find(test.says), std::string::npos) << spec.error().message;
  }
  EXPECT_FALSE(ReadRunSpec("/nowhere").has_value());
}

TEST_F(SpecJsonTest, ReplicationOfARuntime) {
  const auto read = [this](const std::string& replication) {
    std::ofstream(folder_ / "runtime.json")
        << R"({"chain": [], "tenant": 1, "member": 2, "incarnation": 3, "term": 1, "control": "c", "counters": "d",
          "key": ")" +
               std::string(64, 'a') + R"(", "vswitch": {"incarnation": 1, "link": {"vhost": "v"}})" + replication + "}";
    return ReadMemberSpec((folder_ / "runtime.json").string(), MemberKind::kRuntime);
  };
  const auto replication_of = [&read](const std::string& replication) {
    auto spec = read(replication);
    EXPECT_TRUE(spec.has_value()) << spec.error().message;
    return spec.has_value() ? spec->run.runtime.switching->replication : ReplicationSpec{.replicas = 99};
  };
  EXPECT_EQ(replication_of("").replicas, 0);
  EXPECT_EQ(replication_of(R"(, "replication": {"replicas": 0})").replicas, 0);
  EXPECT_EQ(replication_of(R"(, "replication": {"replicas": 1})").replicas, 1);
  EXPECT_EQ(replication_of(R"(, "replication": {"replicas": 1})").unprotected, proto::Unprotected::kStrict);
  EXPECT_EQ(replication_of(R"(, "replication": {"replicas": 1, "unprotected": "available"})").unprotected,
            proto::Unprotected::kAvailable);
  EXPECT_EQ(replication_of(R"(, "replication": {"replicas": 1})").mode, proto::ReplicationMode::kHold);
  EXPECT_EQ(replication_of(R"(, "replication": {"replicas": 1, "mode": "relay"})").mode,
            proto::ReplicationMode::kRelay);
  const std::pair<const char*, const char*> mistakes[] = {
      {R"(, "replication": {})", "replicas"},
      {R"(, "replication": {"replicas": 2})", "replicas is 2; allowed are 0 to 1"},
      {R"(, "replication": {"replicas": 1, "unprotected": "never"})", "strict"},
      {R"(, "replication": {"replicas": 1, "mode": "both"})", "relay"},
  };
  for (const auto& [text, says] : mistakes) {
    const auto spec = read(text);
    ASSERT_FALSE(spec.has_value()) << text;
    EXPECT_EQ(spec.error().code, ErrorCode::kRuntimeSpec);
    EXPECT_NE(spec.error().message.find(says), std::string::npos) << spec.error().message;
  }
}

}  // namespace
}  // namespace nf
