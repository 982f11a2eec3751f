// A worker with one chain of NFs for one tenant, in direct mode: it classifies for itself. Fixed when it is made, and
// changed afterwards by live swap only. docs/packet_path.md says what it does to packets.
// Who may call what: chain_host.h. EAL must be up.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/chain_host.h"
#include "runtime/runtime_spec.h"

namespace nf {

class Engine;

struct RuntimeOptions {
  int cpu = -1;             // CPU to pin the lcore to; -1: not pinned.
  bool check_books = true;  // At the end, received + emitted = sent + dropped + held or RunReport::error says internal.
};

class Runtime final : public ChainHost {
 public:
  // Opens the ports, makes instances and spares of the whole chain, tables and stores. Nothing is left over when it
  // fails. Errors: those of ports (capture.*, port.*), nf.start, nf.compile, state.too_large, eal.memory, runtime.spec.
  static Expected<std::unique_ptr<Runtime>> Create(Engine& engine, const RuntimeSpec& spec,
                                                   const RuntimeOptions& options = {});
  ~Runtime() override;

  Expected<void> Start() override;
  void RequestStop(bool drain) override;
  RunReport Wait() override;
  bool ended() const override;
  CountersSnapshot counters() const override;
  Expected<SwapReport> Swap(const std::string& entry, const NfSpec& nf) override;
  Expected<FlowsPage> Flows(uint32_t cursor, uint32_t limit, uint16_t runtime = 0) override;
  std::vector<Event> DrainEvents(size_t limit = 4096) override;
  Expected<std::string> Trace(const std::string& request) override;

 private:
  struct Parts;
  explicit Runtime(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace nf
