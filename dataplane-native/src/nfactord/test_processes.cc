#include "nfactord/test_processes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/byte_order.h"
#include "base/check.h"
#include "packet/test_frames.h"
#include "wasm/test_modules.h"

namespace nf::test {
namespace {

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds Left(Clock::time_point end) {
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()),
                  std::chrono::milliseconds(0));
}

int OpenSocket(const char* iface) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(iface));
  NF_CHECK(fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, iface);
  const int room = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  return fd;
}

constexpr uint16_t kFirstPort = 1000, kServerPort = 53;
constexpr size_t kPortsAt = 14 + 20, kNumberAt = kPortsAt + 8, kFrameBytes = kNumberAt + 4;

}  // namespace

std::unique_ptr<TestNetwork> TestNetwork::Create() {
  std::unique_ptr<TestNetwork> network(new TestNetwork);
  network->home_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (network->home_ < 0 || unshare(CLONE_NEWNET) != 0) return nullptr;
  for (const char* which : {"all", "default"}) {
    std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + which + "/disable_ipv6") << 1;
  }
  const int made = std::system(
      "ip link add nf-c type veth peer name nf-c1 && ip link add nf-s type veth peer name nf-s1 && "
      "ip link add nf-l mtu 1800 type veth peer name nf-l1 mtu 1800 && "
      "for i in nf-c nf-c1 nf-s nf-s1 nf-l nf-l1; do ip link set $i up || exit 1; done");
  NF_CHECK(made == 0, "ip link");
  network->sockets_ = {OpenSocket("nf-c1"), OpenSocket("nf-s1")};
  return network;
}

TestNetwork::~TestNetwork() {
  for (const int fd : sockets_) {
    if (fd >= 0) close(fd);
  }
  if (home_ < 0) return;
  NF_CHECK(setns(home_, CLONE_NEWNET) == 0, "back into the namespace of before");
  close(home_);
}

void TestNetwork::SendOn(const char* iface, const std::string& frame) {
  const int fd = OpenSocket(iface);
  NF_CHECK(send(fd, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()), iface);
  close(fd);
}

void TestNetwork::SendRound(uint16_t flows) {
  for (uint16_t flow = 0; flow < flows; ++flow) {
    for (const int side : {0, 1}) {
      if (side == 1 && expected_[{flow, 0}] == 0) continue;
      const uint32_t client = kFirstPort + flow;
      const std::string ports = side == 0 ? Be16(client) + Be16(kServerPort) : Be16(kServerPort) + Be16(client);
      const Ipv4Fields fields{.source = side == 0 ? 0x0a000001u : 0x0a000002u,
                              .destination = side == 0 ? 0x0a000002u : 0x0a000001u};
      const std::string udp = ports + Be16(12) + Be16(0) + Be32(next_[{flow, side}]);
      const std::string frame = Ethernet(0x0800, Ipv4(fields, udp));
      if (send(sockets_[static_cast<size_t>(side)], frame.data(), frame.size(), 0) < 0) continue;
      ++next_[{flow, side}];
      ++sent_;
    }
  }
}

void TestNetwork::Collect() {
  for (const int side : {0, 1}) {
    uint8_t frame[2048];
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    ssize_t bytes;
    while ((bytes = recvfrom(sockets_[static_cast<size_t>(side)], frame, sizeof frame, 0,
                             reinterpret_cast<sockaddr*>(&from), &size)) > 0) {
      if (from.sll_pkttype == PACKET_OUTGOING || bytes < static_cast<ssize_t>(kFrameBytes) || frame[23] != 17) continue;
      const uint16_t port = LoadBe16(frame + kPortsAt + (side == 1 ? 0 : 2));
      uint32_t& expected = expected_[{static_cast<uint16_t>(port - kFirstPort), side ^ 1}];
      const uint32_t number = LoadBe32(frame + kNumberAt);
      if (number < expected) ++out_of_order_;
      expected = number + 1;
      ++received_;
    }
  }
}

std::optional<int> TestMember::WaitForEnd(int timeout_ms) {
  const auto end = Clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!exit_code() && Clock::now() <= end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return exit_code();
}

int TestMember::Begin(const char* word, Json fields) {
  const std::optional<int> id = Send(word, std::move(fields));
  NF_CHECK(id.has_value(), word);
  return *id;
}

Json TestMember::Ask(const char* word, Json fields) {
  const int id = Begin(word, std::move(fields));
  const auto end = Clock::now() + std::chrono::seconds(20);
  while (!Answer(id) && Clock::now() < end && is_connected()) Read(10);
  if (const std::optional<Json> answer = Answer(id)) return *answer;
  ADD_FAILURE() << "no answer to " << word;
  return Json::object();
}

std::optional<Json> TestMember::WaitForEvent(const Json& fields, int timeout_ms) {
  const auto end = Clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    if (auto event = TakeEvent(fields)) return std::move(event->first);
    const auto left = Left(end);
    if (left.count() == 0) return std::nullopt;
    Read(static_cast<int>(std::min<int64_t>(left.count(), 10)));
  }
}

TestTenantProcesses::TestTenantProcesses() {
  std::string name = (std::filesystem::temp_directory_path() / "nfactor-process-test-XXXXXX").string();
  folder_ = mkdtemp(name.data());
  auto engine = std::move(*Engine::Create({}));
  // Counts the packets of each flow in its state.
  const std::string state = "(i32.load offset=24 (local.get $descriptor))";
  const auto native = NativeTest(
      *engine, {.state_bytes = 8,
                .process_burst = ForEachPacket("(i32.store8 (local.get $result) (i32.const 1)) (i32.store " + state +
                                               " (i32.add (i32.load " + state + ") (i32.const 1)))")});
  std::ofstream(folder_ + "/nf.native", std::ios::binary)
      .write(reinterpret_cast<const char*>(native.data()), static_cast<std::streamsize>(native.size()));
  Json spec = Base(0);
  spec["input"] = {{"kind", "af_packet"}, {"client", "nf-c"}, {"server", "nf-s"}};
  vswitch_ = std::make_unique<TestMember>("vswitch", folder_, spec);
  EXPECT_TRUE(vswitch_->WaitForEvent({{"event", "ready"}}));
}

TestTenantProcesses::~TestTenantProcesses() {
  runtimes_.clear();
  buried_.clear();
  vswitch_.reset();
  std::filesystem::remove_all(folder_);
}

Json TestTenantProcesses::Base(uint16_t member) {
  const std::string life = std::to_string(member) + "-" + std::to_string(++lives_);
  return {{"member", member},
          {"incarnation", lives_},
          {"term", term_},
          {"tenant", 7},
          {"frameBytes", 1600},
          {"key", std::string(64, 'a')},
          {"control", folder_ + "/control-" + life},
          {"counters", folder_ + "/counters-" + life},
          {"eal", {{"hugepages", "never"}, {"memoryMb", 256}}},
          {"flows", {{"max", 4096}}},
          {"chain", Json::array({{{"name", "count"}, {"native", folder_ + "/nf.native"}, {"stateBytes", 8}}})}};
}

TestMember& TestTenantProcesses::StartRuntime(uint16_t id, bool over_wire) {
  Json spec = Base(id);
  const Json life = {{"member", id}, {"incarnation", spec["incarnation"]}};
  const Json socket = {{"vhost", folder_ + "/link-" + spec["incarnation"].dump()}};
  const Json link = over_wire ? Json{{"iface", "nf-l1"}} : socket;
  Json to_open = life;
  to_open["link"] = over_wire ? Json{{"iface", "nf-l"}} : socket;
  EXPECT_TRUE(vswitch_->Ask("link", to_open).contains("ok"));
  spec["vswitch"] = {{"incarnation", vswitch_->spec()["incarnation"]}, {"link", link}};
  spec["replication"] = replication_;
  spec["members"] = Json::array();
  for (const auto& [other, member] : runtimes_) {
    spec["members"].push_back({{"member", other}, {"incarnation", member->spec()["incarnation"]}});
  }
  auto runtime = std::make_unique<TestMember>("runtime", folder_, spec);
  EXPECT_TRUE(runtime->WaitForEvent({{"event", "ready"}})) << "runtime " << id;
  Json up = life;
  up["event"] = "link";
  up["up"] = true;
  EXPECT_TRUE(vswitch_->WaitForEvent(up)) << "runtime " << id;
  for (const auto& [other, member] : runtimes_) EXPECT_TRUE(member->Ask("member_up", life).contains("ok"));
  const Json admitted = vswitch_->Ask("member_up", life);
  EXPECT_TRUE(admitted.contains("ok")) << admitted;
  return *(runtimes_[id] = std::move(runtime));
}

void TestTenantProcesses::RestartVswitch(Json more) {
  vswitch_->Signal(SIGKILL);
  EXPECT_EQ(vswitch_->WaitForEnd(), -1);
  Json spec = Base(0);
  spec.update(more);
  spec["term"] = ++term_;
  spec["input"] = vswitch_->spec()["input"];
  spec["replication"] = replication_;
  spec["members"] = Json::array();
  for (const auto& [id, runtime] : runtimes_)
    spec["members"].push_back({{"member", id}, {"incarnation", runtime->spec()["incarnation"]}});
  buried_.push_back(std::move(vswitch_));
  vswitch_ = std::make_unique<TestMember>("vswitch", folder_, spec);
  EXPECT_TRUE(vswitch_->WaitForEvent({{"event", "ready"}}));
}

void TestTenantProcesses::Introduce(uint16_t id) {
  TestMember& runtime = *runtimes_.at(id);
  const Json vswitch = vswitch_->spec()["incarnation"];
  Json life = {{"member", id}, {"incarnation", runtime.spec()["incarnation"]}};
  const Json link = {{"vhost", folder_ + "/link-" + life["incarnation"].dump() + "-" + vswitch.dump()}};
  Json to_open = life;
  to_open["link"] = link;
  EXPECT_TRUE(vswitch_->Ask("link", to_open).contains("ok"));
  const Json told =
      runtime.Ask("member_up", {{"member", 0}, {"incarnation", vswitch}, {"term", term_}, {"link", link}});
  EXPECT_TRUE(told.contains("ok")) << told;
  Json up = life;
  up["event"] = "link";
  up["up"] = true;
  EXPECT_TRUE(vswitch_->WaitForEvent(up)) << "runtime " << id;
  EXPECT_TRUE(vswitch_->Ask("member_up", life).contains("ok"));
}

void TestTenantProcesses::Bury(uint16_t id) {
  std::unique_ptr<TestMember> dead = std::move(runtimes_.at(id));
  runtimes_.erase(id);
  const Json life = {{"member", id}, {"incarnation", dead->spec()["incarnation"]}};
  EXPECT_TRUE(vswitch_->Ask("member_down", life).contains("ok"));
  for (const auto& [other, member] : runtimes_) EXPECT_TRUE(member->Ask("member_down", life).contains("ok"));
  buried_.push_back(std::move(dead));
}

TestTenantProcesses::Books TestTenantProcesses::books() {
  Books books;
  const auto add = [&books](TestMember& member, bool is_alive) {
    const link::CounterFileLayout& counters = member.counters();
    if (member.spec()["member"] == 0) {
      books.received += counters.packets.received.value();
      books.sent += counters.packets.sent.value();
    }
    books.emitted += counters.packets.emitted.value();
    for (const Counter& dropped : counters.packets.dropped) books.dropped += dropped.value();
    books.dropped += counters.dropped_by_nfs.value();
    // What the dead held is lost.
    if (is_alive) books.held += counters.packets.held.value();
  };
  add(*vswitch_, true);
  for (auto& [id, runtime] : runtimes_) add(*runtime, true);
  for (auto& dead : buried_) add(*dead, false);
  return books;
}

}  // namespace nf::test
