#include "harness/process_tenant.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "harness/must.h"

namespace nf {
namespace {

using test::Json;

constexpr uint64_t kPatienceNs = 60'000'000'000;

void WriteFile(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Json NfJson(const NfSpec& nf, const std::string& folder) {
  const std::string path = folder + "/" + nf.entry;
  WriteFile(path + ".native", nf.native);
  const char* const edits[] = {"none", "headers", "payload"};
  Json json = {{"name", nf.name},
               {"entry", nf.entry},
               {"version", nf.version},
               {"native", path + ".native"},
               {"stateBytes", nf.state_bytes},
               {"stateDigest", nf.state_digest},
               {"heapPages", nf.heap_pages},
               {"leaseSize", nf.lease_size},
               {"rights",
                {{"view", nf.rights.view == View::kPayload ? "payload" : "headers"},
                 {"edit", edits[static_cast<int>(nf.rights.edit)]},
                 {"lease", nf.rights.lease}}}};
  if (!nf.config.empty()) {
    WriteFile(path + ".config", nf.config);
    json["config"] = path + ".config";
  }
  return json;
}

// Must ends the process without unwinding.
std::string folder_left;
void RemoveFolder() {
  // A process that still runs may take files of its own away.
  std::error_code ignored;
  if (!folder_left.empty()) std::filesystem::remove_all(folder_left, ignored);
  folder_left.clear();
}

}  // namespace

int BenchMember::Begin(const char* word, Json fields) {
  const std::optional<int> id = Send(word, std::move(fields));
  Must(id.has_value(), word);
  return *id;
}

Json BenchMember::Ask(const char* word, Json fields) {
  const int id = Begin(word, std::move(fields));
  const uint64_t end = MonotonicNs() + kPatienceNs;
  while (!Answer(id)) {
    Must(MonotonicNs() < end, (std::string("no answer to ") + word).c_str());
    Read(10);
  }
  const Json answer = *Answer(id);
  Must(answer.contains("ok"), answer.dump().c_str());
  return answer["ok"];
}

std::optional<uint64_t> BenchMember::Look(const Json& fields) {
  Read(0);
  const auto event = TakeEvent(fields);
  return event ? std::optional(event->second) : std::nullopt;
}

uint64_t BenchMember::WaitFor(const Json& fields) {
  const uint64_t end = MonotonicNs() + kPatienceNs;
  for (;;) {
    if (const auto when = Look(fields)) return *when;
    Must(MonotonicNs() < end, ("there was no " + fields.dump()).c_str());
    Read(10);
  }
}

ProcessTenant::ProcessTenant(const Options& options) : options_(options) {
  std::string name = "/dev/shm/nfactor-bench-XXXXXX";
  folder_ = folder_left = mkdtemp(name.data());
  std::atexit(RemoveFolder);
  chain_ = Json::array();
  for (const NfSpec& nf : options.chain) chain_.push_back(NfJson(nf, folder_));
  Json spec = Base(0);
  spec["input"] = {{"kind", "af_packet"}, {"client", "nf-c"}, {"server", "nf-s"}};
  vswitch_ = std::make_unique<BenchMember>("vswitch", folder_, spec);
  vswitch_->WaitFor({{"event", "ready"}});
  for (uint16_t id = 1; id <= options.runtimes; ++id) Start(id);
}

ProcessTenant::~ProcessTenant() {
  runtimes_.clear();
  vswitch_.reset();
  RemoveFolder();
}

Json ProcessTenant::Base(uint16_t member) {
  const std::string life = std::to_string(member) + "-" + std::to_string(++lives_);
  return {{"member", member},
          {"incarnation", lives_},
          {"term", 1},
          {"tenant", 1},
          {"key", std::string(64, 'b')},
          {"control", folder_ + "/control-" + life},
          {"counters", folder_ + "/counters-" + life},
          {"flows", {{"max", options_.flows_max}, {"idleMs", {{"udp", 600'000}}}}},
          {"chain", chain_}};
}

void ProcessTenant::Start(uint16_t id) {
  Json spec = Base(id);
  const Json life = {{"member", id}, {"incarnation", spec["incarnation"]}};
  const Json link = {{"vhost", folder_ + "/link-" + spec["incarnation"].dump()}};
  Json to_open = life;
  to_open["link"] = link;
  vswitch_->Ask("link", to_open);
  spec["vswitch"] = {{"incarnation", vswitch_->spec()["incarnation"]}, {"link", link}};
  spec["replication"] = {{"replicas", options_.replicates ? 1 : 0}};
  spec["members"] = Json::array();
  for (const auto& [other, member] : runtimes_) spec["members"].push_back(member->life());
  auto runtime = std::make_unique<BenchMember>("runtime", folder_, spec);
  runtime->WaitFor({{"event", "ready"}});
  Json up = life;
  up["event"] = "link";
  up["up"] = true;
  vswitch_->WaitFor(up);
  for (const auto& [other, member] : runtimes_) member->Ask("member_up", life);
  vswitch_->Ask("member_up", life);
  runtimes_[id] = std::move(runtime);
}

void ProcessTenant::TellDead(uint16_t id) {
  for (const auto& [other, member] : runtimes_) {
    if (other != id) member->Begin("member_down", runtimes_.at(id)->life());
  }
}

void ProcessTenant::Bury(uint16_t id) {
  const Json life = runtimes_.at(id)->life();
  runtimes_.erase(id);
  vswitch_->Ask("member_down", life);
  for (const auto& [other, member] : runtimes_) member->Ask("member_down", life);
}

void ProcessTenant::PlaceAt(const std::vector<uint16_t>& ids) {
  for (const auto& [id, member] : runtimes_)
    vswitch_->Ask("exclude", {{"member", id}, {"on", std::ranges::find(ids, id) == ids.end()}});
}

void ProcessTenant::WaitUntilProtected(uint64_t flows) {
  const uint64_t end = MonotonicNs() + kPatienceNs;
  for (;;) {
    uint64_t open = 0, replicas = 0, waiting = 0;
    for (const auto& [id, member] : runtimes_) {
      const link::CounterFileLayout& counters = member->counters();
      open += counters.flows_open.value();
      replicas += counters.replicas.value();
      waiting += counters.unprotected.value() + counters.replication_lag.value();
    }
    if (open == flows && replicas == flows && waiting == 0) return;
    Must(MonotonicNs() < end, ("flows " + std::to_string(open) + " of " + std::to_string(flows) + ", replicas " +
                               std::to_string(replicas) + ", waiting " + std::to_string(waiting))
                                  .c_str());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace nf
