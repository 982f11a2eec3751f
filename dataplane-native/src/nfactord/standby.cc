#include "nfactord/standby.h"

#include <poll.h>
#include <rte_malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "nfactord/compile.h"
#include "nfactord/member_process.h"
#include "port/eal.h"

namespace nf {
namespace {

constexpr int kSupervisor = 3;
constexpr uint32_t kMemoryMbMax = 1u << 20;

// Pages of ordinary memory come when they are touched, which takes as long as everything else.
void Touch(const EalInfo& eal, uint32_t touched_mb) {
  if (eal.hugepages || touched_mb == 0) return;
  const size_t bytes = size_t{std::min(touched_mb, eal.memory_mb / 2)} << 20;
  void* memory = rte_malloc(nullptr, bytes, 0);
  if (memory != nullptr) std::memset(memory, 1, bytes);
  rte_free(memory);
}

// Nothing, when there is nobody any more who could want it.
std::string ReadLine() {
  std::string line;
  for (;;) {
    char byte;
    const ssize_t count = read(kSupervisor, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return {};
    if (byte == '\n') return line;
    line += byte;
  }
}

// Whoever wrote the line and died before it was read knows nothing of what would come of it, and neither do those after
// it.
bool IsForsaken() {
  pollfd supervisor{.fd = kSupervisor, .events = POLLRDHUP, .revents = 0};
  return poll(&supervisor, 1, 0) > 0 && (supervisor.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool ReadNumber(const char* text, uint32_t most, uint32_t* number) {
  const char* const end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, *number);
  return error == std::errc() && at == end && *number <= most;
}

// False: there is no room for it.
bool Replace(char* argument, const std::string& text) {
  const size_t room = std::strlen(argument);
  if (text.size() > room) return false;
  std::memset(argument, 0, room);
  std::memcpy(argument, text.data(), text.size());
  return true;
}

}  // namespace

int RunStandby(int argc, char** argv) {
  if (argc != 6) return kExitUsage;
  EalOptions options{.use_hugepages = std::strcmp(argv[4], "auto") == 0};
  uint32_t touched_mb = 0;
  if (!ReadNumber(argv[3], kMemoryMbMax, &options.memory_mb) || options.memory_mb == 0 ||
      !ReadNumber(argv[5], kMemoryMbMax, &touched_mb))
    return kExitUsage;
  const auto eal = StartEal(options);
  if (!eal) {
    std::fprintf(stderr, "%s: %s\n", ErrorCodeName(eal.error().code), eal.error().message.c_str());
    return kExitRefused;
  }
  Touch(*eal, touched_mb);
  const std::string line = ReadLine();
  if (line.empty()) return kExitDone;
  const size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  const std::string path = space == std::string::npos ? "" : line.substr(space + 1);
  const bool is_vswitch = word == "vswitch";
  if (!is_vswitch && word != "runtime") return kExitUsage;
  if (path.empty() || !Replace(argv[1], word) || !Replace(argv[2], path)) return kExitUsage;
  // In this order: whoever is not forsaken yet is found by its command line from now on.
  if (IsForsaken()) return kExitDone;
  return is_vswitch ? RunVswitchProcess(path) : RunRuntimeProcess(path);
}

}  // namespace nf
