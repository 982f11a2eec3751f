#include "runtime/worker.h"

#include <algorithm>

#include "base/clock.h"
#include "runtime/burst.h"

namespace nf {
namespace {

using abi::DropReason;

}  // namespace

Expected<std::unique_ptr<Worker>> Worker::Create(Engine& engine, const RuntimeSpec& spec, const Options& options) {
  std::unique_ptr<Worker> worker(new Worker);
  if (auto built = worker->Build(engine, spec, options); !built) return std::unexpected(built.error());
  return worker;
}

Expected<void> Worker::Build(Engine& engine, const RuntimeSpec& spec, const Options& options) {
  if (auto built = BuildChain(engine, spec, {.native = options.native}); !built) return built;
  auto fragments = FragmentTable::Create();
  if (!fragments) return std::unexpected(fragments.error());
  fragments_.emplace(std::move(*fragments));
  auto inputs = Inputs::Open(spec);  // Last: an output file is made only when nothing else can fail.
  if (!inputs) return std::unexpected(inputs.error());
  inputs_ = std::move(*inputs);
  Connect(inputs_.client, inputs_.server, inputs_.pool, inputs_.is_capture, spec);
  path_ = std::make_unique<PacketPath>(PacketPath::Surroundings{.chain = chain_.get(),
                                                                .flows = flows_.get(),
                                                                .fragments = &*fragments_,
                                                                .output = output_.get(),
                                                                .counters = &counters_,
                                                                .non_ip = spec.non_ip});
  wait_fds_ = inputs_.wait_fds();
  return {};
}

Worker::~Worker() {
  for (rte_mbuf* mbuf : ahead_.TakeRest()) rte_pktmbuf_free(mbuf);
  if (fragments_) fragments_->Drain([](rte_mbuf* mbuf) { rte_pktmbuf_free(mbuf); });
}

uint32_t Worker::Round() { return is_capture_ ? RoundCapture() : RoundLive(); }

uint32_t Worker::RoundLive() {
  const uint64_t now = ClockNs();
  const uint32_t taken = TakeFromPorts(
      inputs_, now, [this](rte_mbuf** packets, uint32_t count, uint64_t now_ns) { Poll(packets, count, now_ns); });
  if (taken == 0 && now >> abi::kExpiryTickShift != idle_tick_) {
    idle_tick_ = now >> abi::kExpiryTickShift;
    Poll(nullptr, 0, now);
  }
  return taken;
}

uint32_t Worker::RoundCapture() {
  std::array<rte_mbuf*, abi::kBurstPackets> packets;
  const uint32_t count = ahead_.Take(*inputs_.client, packets.data());
  if (count != 0) Poll(packets.data(), count, MetaOf(packets[0])->timestamp_ns);
  return count;
}

void Worker::Poll(rte_mbuf** packets, uint32_t count, uint64_t now_ns) {
  fragments_->Expire(std::max(now_ns_, now_ns),
                     [this](rte_mbuf* mbuf) { counters_.Drop(mbuf, DropReason::kFragmentTimeout); });
  BeginPoll(now_ns);
  if (count != 0) path_->Process(packets, count, now_ns_);
  counters_.held.Set(fragments_->held());
  EndPoll(count != 0);
  if (const uint64_t tick = now_ns_ / (abi::kTickIntervalMs * 1'000'000); tick != missed_tick_) [[unlikely]] {
    missed_tick_ = tick;
    missed_.Set(inputs_.missed());
  }
}

bool Worker::at_end() const { return is_capture_ && ahead_.empty() && inputs_.client->at_end(); }

void Worker::Drain() {
  // What arrives meanwhile is bounded by what the ports could hold.
  constexpr uint32_t kTurnsMax = 4096;
  for (uint32_t i = 0; i < kTurnsMax && Turn() != 0; ++i) {
  }
}

void Worker::End() {
  for (rte_mbuf* mbuf : ahead_.TakeRest()) {
    counters_.received.Add();
    counters_.received_bytes.Add(MetaOf(mbuf)->wire_length);
    counters_.Drop(mbuf, DropReason::kShutdown);
  }
  fragments_->Drain([this](rte_mbuf* mbuf) { counters_.Drop(mbuf, DropReason::kShutdown); });
  counters_.held.Set(0);
  EndFlows();
  missed_.Set(inputs_.missed());
  failure_ = inputs_.Finish();
}

}  // namespace nf
