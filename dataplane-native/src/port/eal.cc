#include "port/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/huge_pages.h"

namespace nf {
namespace {

// The environment may run on these; it pins nothing, and neither do we: where an lcore runs is its owner's choice.
std::string AllCpus() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::string list = "0@(";
  const size_t head = list.size();
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &allowed)) {
        if (list.size() > head) list += ',';
        list += std::to_string(cpu);
      }
    }
  }
  return list.size() > head ? list + ")" : "0@0";
}

Expected<EalInfo> Start(const EalOptions& options) {
  // A failed start can't be tried again, so what it would fail for is looked at before.
  const bool hugepages =
      options.use_hugepages && FreeHugePages() * kHugePageBytes >= (uint64_t{options.memory_mb} << 20);
  std::vector<std::string> args = {"nfactor", "--no-pci",    "--no-telemetry", "--lcores",
                                   AllCpus(), "--log-level", "critical"};
  if (hugepages) {
    // In one file: another process can map what it shares with this one.
    args.insert(args.end(), {"--in-memory", "--single-file-segments"});
  } else {
    args.insert(args.end(), {"--no-huge", "--no-shconf", "--iova-mode", "va", "-m", std::to_string(options.memory_mb)});
  }
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  int started = -1;
  int why = 0;
  std::thread([&] {
    started = rte_eal_init(static_cast<int>(argv.size()), argv.data());
    why = rte_errno;  // Per thread.
  }).join();
  if (started < 0) {
    return Fail(ErrorCode::kEalInit, std::string("DPDK did not start with ") + std::to_string(options.memory_mb) +
                                         " MiB of " + (hugepages ? "hugepages: " : "ordinary memory: ") +
                                         std::strerror(why));
  }
  return EalInfo{hugepages, options.memory_mb};
}

}  // namespace

Expected<EalInfo> StartEal(const EalOptions& options) {
  static std::mutex mutex;
  static std::optional<Expected<EalInfo>> result;
  std::lock_guard lock(mutex);
  if (!result) result = Start(options);
  return *result;
}

}  // namespace nf
