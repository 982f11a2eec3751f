// Where a runtime's packets come from and go to: opens what a specification names. Control threads.
#pragma once

#include <rte_mempool.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "port/port.h"
#include "runtime/runtime_spec.h"

namespace nf {

// Behind a vswitch packets lie in the rings of several runtimes, or wait for flows that move. A power of 2 less one.
inline constexpr uint32_t kPoolPacketsOfTenant = 16383;
// Or until replicas have what packets have changed: so many of a runtime's.
inline constexpr uint32_t kHeldOutputsMax = 1024;
inline constexpr uint32_t kPoolPacketsReplicated = 32767;
static_assert(kPoolPacketsReplicated - kRuntimesMax * kHeldOutputsMax >= kPoolPacketsOfTenant);

struct Inputs {
  Port* client = nullptr;
  Port* server = nullptr;  // The same as `client` for a capture.
  rte_mempool* pool = nullptr;
  bool is_capture = false;

  static Expected<Inputs> Open(const RuntimeSpec& spec);
  // The end: outputs are written to the end. What went wrong on the way, if anything did. The lcore.
  std::optional<Error> Finish();
  std::vector<int> wait_fds() const;
  // Packets that the ports lost by themselves.
  uint64_t missed() { return client->missed() + (server != client ? server->missed() : 0); }

  Inputs() = default;
  Inputs(Inputs&& other) noexcept;
  Inputs& operator=(Inputs&& other) noexcept;
  ~Inputs();

 private:
  void Close();
  std::unique_ptr<Port> own_client_, own_server_;
  rte_mempool* own_pool_ = nullptr;
};

}  // namespace nf
