#include "nfactord/test_member_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/check.h"
#include "base/clock.h"

namespace nf::test {
namespace {

bool Matches(const Json& event, const Json& fields) {
  for (const auto& [name, value] : fields.items()) {
    if (!event.contains(name) || event[name] != value) return false;
  }
  return true;
}

}  // namespace

MemberClient::MemberClient(const char* kind, const std::string& folder, Json spec) : spec_(std::move(spec)) {
  const std::string name = spec_["member"].dump() + "-" + spec_["incarnation"].dump();
  const std::string path = folder + "/spec-" + name, log = folder + "/log-" + name;
  std::ofstream(path) << spec_.dump();
  int ends[2];
  NF_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  pid_ = fork();
  NF_CHECK(pid_ >= 0, "fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    // Without the flag that closes it, also where it has that number already.
    const int control = fcntl(ends[1], F_DUPFD, 10);
    dup2(out, 1);
    dup2(out, 2);
    dup2(control, 3);
    execl(NF_NFACTORD, "nfactord", kind, path.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  socket_ = ends[0];
}

MemberClient::~MemberClient() {
  if (socket_ >= 0) close(socket_);
  if (counters_ != nullptr) munmap(const_cast<link::CounterFileLayout*>(counters_), sizeof *counters_);
  if (has_ended_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void MemberClient::Signal(int signal) const { kill(pid_, signal); }

std::optional<int> MemberClient::exit_code() {
  int status = 0;
  if (!has_ended_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    has_ended_ = true;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  return has_ended_ ? std::optional(exit_code_) : std::nullopt;
}

void MemberClient::Read(int timeout_ms) {
  // Without a connection it only waits.
  pollfd polled{.fd = socket_, .events = POLLIN, .revents = 0};
  if (poll(&polled, 1, timeout_ms) <= 0) return;
  char bytes[65536];
  const ssize_t count = recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT);
  if (count == 0) Disconnect();
  if (count <= 0) return;
  in_.append(bytes, static_cast<size_t>(count));
  for (size_t at; (at = in_.find('\n')) != std::string::npos; in_.erase(0, at + 1)) {
    Json line = Json::parse(in_.substr(0, at));
    if (line.contains("event")) {
      events_.emplace_back(std::move(line), MonotonicNs());
    } else if (line["id"].is_number()) {
      const int id = line["id"].get<int>();
      answers_[id] = std::move(line);
    }
  }
}

std::optional<int> MemberClient::Send(const char* word, Json fields) {
  fields["id"] = ++last_id_;
  fields["do"] = word;
  const std::string line = fields.dump() + "\n";
  const bool is_sent = send(socket_, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size());
  return is_sent ? std::optional(last_id_) : std::nullopt;
}

std::optional<Json> MemberClient::Answer(int id) {
  Read(0);
  const auto found = answers_.find(id);
  return found == answers_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::pair<Json, uint64_t>> MemberClient::TakeEvent(const Json& fields) {
  const auto event = std::ranges::find_if(events_, [&](const auto& one) { return Matches(one.first, fields); });
  if (event == events_.end()) return std::nullopt;
  auto found = std::move(*event);
  events_.erase(event);
  return found;
}

void MemberClient::Disconnect() {
  close(socket_);
  socket_ = -1;
  in_.clear();
}

bool MemberClient::Reconnect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = spec_["control"].get<std::string>();
  std::memcpy(address.sun_path, path.c_str(), path.size());
  socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

const link::CounterFileLayout& MemberClient::counters() {
  if (counters_ == nullptr) {
    const int fd = open(spec_["counters"].get<std::string>().c_str(), O_RDONLY | O_CLOEXEC);
    NF_CHECK(fd >= 0, "the counter file");
    void* mapped = mmap(nullptr, sizeof *counters_, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    NF_CHECK(mapped != MAP_FAILED, "the counter file");
    counters_ = static_cast<const link::CounterFileLayout*>(mapped);
  }
  return *counters_;
}

}  // namespace nf::test
