// A runtime's lcore side in direct mode, without its thread: ports, fragments, and what a round does with packets
// (docs/packet_path.md, section 1). Benchmarks drive it directly.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "flow/fragment_table.h"
#include "runtime/chain_worker.h"
#include "runtime/inputs.h"
#include "runtime/packet_path.h"
#include "runtime/read_ahead.h"
#include "runtime/runtime_spec.h"

namespace nf {

class Worker final : public ChainWorker {
 public:
  struct Options {
    std::vector<NativeNf*> native;  // By position in the chain; benchmarks only.
  };
  static Expected<std::unique_ptr<Worker>> Create(Engine& engine, const RuntimeSpec& spec, const Options& options);
  ~Worker() override;

  // ---- The lcore.
  bool at_end() const override;
  void Drain() override;
  void End() override;
  std::span<const int> wait_fds() const override { return wait_fds_; }

  // ---- Any thread.
  // Packets that the ports dropped by themselves.
  uint64_t missed() const { return missed_.value(); }
  const std::optional<Error>& failure() const { return failure_; }  // After the end.

 private:
  Worker() = default;
  Expected<void> Build(Engine& engine, const RuntimeSpec& spec, const Options& options);

  uint32_t Round() override;
  uint32_t RoundLive();
  uint32_t RoundCapture();
  void Poll(rte_mbuf** packets, uint32_t count, uint64_t now_ns);

  Inputs inputs_;
  std::optional<FragmentTable> fragments_;
  std::unique_ptr<PacketPath> path_;
  std::vector<int> wait_fds_;
  uint64_t idle_tick_ = 0;    // When an empty poll was last run.
  uint64_t missed_tick_ = 0;  // When the ports were last asked what they missed.
  ReadAhead ahead_;
  Counter missed_;
  std::optional<Error> failure_;
};

}  // namespace nf
