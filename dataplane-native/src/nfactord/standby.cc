#include "nfactord/standby.h"

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
constexpr uint32_t kTouchedMb = 64;  // The pools of a vswitch take a little less.

// Pages of ordinary memory come when they are touched, which takes as long as everything else.
void Touch(const EalInfo& eal) {
  if (eal.hugepages) return;
  const size_t bytes = size_t{std::min(kTouchedMb, eal.memory_mb / 2)} << 20;
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
  if (argc != 5) return kExitUsage;
  const char* const memory = argv[3];
  EalOptions options{.use_hugepages = std::strcmp(argv[4], "auto") == 0};
  const char* const end = memory + std::strlen(memory);
  const auto [at, error] = std::from_chars(memory, end, options.memory_mb);
  if (error != std::errc() || at != end || options.memory_mb == 0 || options.memory_mb > kMemoryMbMax)
    return kExitUsage;
  const auto eal = StartEal(options);
  if (!eal) {
    std::fprintf(stderr, "%s: %s\n", ErrorCodeName(eal.error().code), eal.error().message.c_str());
    return kExitRefused;
  }
  Touch(*eal);
  const std::string path = ReadLine();
  if (path.empty()) return kExitDone;
  if (!Replace(argv[1], "vswitch") || !Replace(argv[2], path)) return kExitUsage;
  return RunVswitchProcess(path);
}

}  // namespace nf
