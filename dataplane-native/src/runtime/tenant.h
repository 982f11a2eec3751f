// A tenant's dataplane: one vswitch with the external ports, and several runtimes with the same chain, among which
// flows move without loss (docs/protocol.md). One lcore or many; see chain_host.h for who may call what.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/chain_host.h"

namespace nf {

class Engine;
class NativeNf;
struct Command;

struct TenantOptions {
  std::vector<int> cpus;          // To pin lcore i to; missing or -1: not pinned.
  std::vector<NativeNf*> native;  // By position in the chain; benchmarks only.
  bool check_books = true;        // At the end the sum over all parts balances, or RunReport::error says internal.
};

class Tenant final : public ChainHost {
 public:
  // `spec.switching` says how many runtimes and lcores. Nothing is left over when it fails. Errors: those of
  // Runtime::Create.
  static Expected<std::unique_ptr<Tenant>> Create(Engine& engine, const RuntimeSpec& spec,
                                                  const TenantOptions& options = {});
  ~Tenant() override;

  Expected<void> Start() override;
  void RequestStop(bool drain) override;
  RunReport Wait() override;
  bool ended() const override;
  CountersSnapshot counters() const override;
  // Runtime after runtime; while it goes on some run the old version and some the new one. The report's pause and burst
  // are the longest of all, its flows and drops the sum.
  Expected<SwapReport> Swap(const std::string& entry, const NfSpec& nf) override;
  Expected<FlowsPage> Flows(uint32_t cursor, uint32_t limit, uint16_t runtime = 0) override;
  std::vector<Event> DrainEvents(size_t limit = 4096) override;
  Expected<std::string> Trace(const std::string& request) override;

  // The vswitch (number 0), then the runtimes. Cheap; never blocks.
  std::vector<RuntimeStatus> Runtimes() const;

  // A further runtime with the chain as it runs now. Its number. Errors: runtime.limit, those of Runtime::Create.
  Expected<uint16_t> AddRuntime();
  // Takes an empty runtime away; with `force` any: its flows end, and their packets open new ones elsewhere. Errors:
  // runtime.unknown, runtime.not_empty, runtime.last.
  Expected<void> RemoveRuntime(uint16_t runtime, bool force);

  // Each blocks until the operation has ended. Errors: runtime.unknown, runtime.same, runtime.busy (16 operations go on
  // in that runtime), runtime.ended.
  // Moves up to `count` flows, whichever.
  Expected<OperationReport> Migrate(uint16_t from, uint16_t to, uint32_t count);
  // Moves those of these ids that live in `from`; the others count as failed (no_flow).
  Expected<OperationReport> MigrateFlows(uint16_t from, uint16_t to, std::span<const uint64_t> flow_ids);
  // No new flows, and all that are there go to `to` in turn (empty: to all others). The runtime stays, draining.
  Expected<OperationReport> Drain(uint16_t runtime, std::span<const uint16_t> to);
  // It takes new flows again; a drain that goes on ends when the moves that it has begun are through.
  Expected<void> Undrain(uint16_t runtime);

 private:
  struct Parts;
  Expected<OperationReport> Operate(uint16_t from, std::span<const uint16_t> to, Command& command);
  explicit Tenant(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace nf
