#include "chain/chain.h"

#include "base/check.h"

namespace nf {

using abi::CloseReason;

Chain::Chain() = default;

Expected<std::unique_ptr<Chain>> Chain::Create(Engine& engine, const std::vector<NfSpec>& specs,
                                               const Options& options) {
  if (specs.size() > abi::kChainNfsMax) {
    return Fail(ErrorCode::kRuntimeSpec, "the chain has " + std::to_string(specs.size()) + " NFs; at most " +
                                             std::to_string(abi::kChainNfsMax) + " are possible");
  }
  std::unique_ptr<Chain> chain(new Chain);
  chain->flows_move_ = options.flows_move;
  auto headers = HeaderArea::Create();
  if (!headers) return std::unexpected(headers.error());
  chain->shared_headers_ = std::move(*headers);
  auto payloads = PayloadArea::Create();
  if (!payloads) return std::unexpected(payloads.error());
  chain->shared_payloads_ = std::move(*payloads);
  for (uint32_t i = 0; i < specs.size(); ++i) {
    auto nf = ChainNf::Create(engine, specs[i],
                              {.index = i,
                               .flows_max = options.flows_max,
                               .shared_headers = &chain->shared_headers_,
                               .shared_payloads = &chain->shared_payloads_,
                               .native = i < options.native.size() ? options.native[i] : nullptr});
    if (!nf) return std::unexpected(nf.error());
    chain->may_edit_ |= specs[i].rights.edit != Edit::kNone;
    chain->nfs_.push_back(std::move(*nf));
  }
  return chain;
}

void Chain::Connect(const Surroundings& surroundings) {
  flows_ = surroundings.flows;
  output_ = surroundings.output;
  counters_ = surroundings.counters;
  events_ = surroundings.events;
  pool_ = surroundings.pool;
  wait_for_spares_ = surroundings.wait_for_spares;
}

void Chain::BeginPoll(uint64_t now_ns) {
  now_ns_ = now_ns;
  for (auto& nf : nfs_) {
    nf->Recover();
    slots_[nf->index()] = nf->slots();
  }
}

void Chain::PrepareCallback(Instance& instance, uint32_t flow) {
  abi::BurstHeader* header = instance.burst_header();
  header->now_ns = now_ns_;
  header->count = 0;
  header->direction = 0;
  if (flow != kNoFlow) flows_->actor(flow).WriteRecord(&instance.flow_records()[0]);
}

std::span<const Flows::Due> Chain::Fire(std::span<const Flows::Due> fired) {
  for (const Flows::Due& due : fired) {
    ChainNf& nf = *nfs_[due.nf];
    const FlowActor& actor = flows_->actor(due.flow);
    if (!nf.is_callable() || (actor.opened & nf.bit()) == 0 || (actor.bypassed & nf.bit()) != 0) continue;
    Instance& instance = *nf.active();
    PrepareCallback(instance, due.flow);
    const bool returned = instance.FlowTimer(abi::kFlowRecordsAddress, nf.states().address(due.flow), now_ns_);
    CheckLogs(nf);
    if (!returned) BlameCallback(nf);
  }
  return fired;
}

void Chain::Tick() {
  for (auto& nf : nfs_) {
    if (!nf->is_callable() || !nf->active()->has(OptionalExport::kTick)) continue;
    PrepareCallback(*nf->active(), kNoFlow);
    const bool returned = nf->active()->Tick(now_ns_ / 1'000'000);
    CheckLogs(*nf);
    if (!returned) BlameCallback(*nf);
  }
}

void Chain::Run(uint32_t direction) {
  Pending& call = pending_[direction];
  if (call.count == 0) return;
  Walk walk;
  walk.count = call.count;
  walk.direction = static_cast<uint8_t>(direction);
  walk.packets = call.packets;
  Pass(walk, 0, size());
  if (turned_count_ != 0) [[unlikely]]
    RunReplies(direction);
  if (emitted_count_ != 0) [[unlikely]]
    RunEmitted(direction);
  for (uint32_t i = 0; i < call.count; ++i) {
    flows_->actor(call.flows[i]).pending &= static_cast<uint8_t>(~(1u << direction));
  }
  call.count = 0;
  if (closings_count_ != 0) [[unlikely]]
    RunClosings();
}

// Through NFs begin … end - 1, backwards in direction 1, and out.
void Chain::Pass(Walk& walk, uint32_t begin, uint32_t end) {
  for (uint32_t i = begin; i < end && walk.count != 0; ++i) {
    const uint32_t at = walk.direction == 0 ? i : begin + end - 1 - i;
    walk.next = i + 1 == end ? &slots_.back() : &slots_[walk.direction == 0 ? at + 1 : at - 1];
    Step(*nfs_[at], walk);
  }
  for (uint32_t i = 0; i < walk.count; ++i) Leave(walk.packets[i], walk);
}

// Packets that turned at an NF go back through those that they have passed.
void Chain::RunReplies(uint32_t direction) {
  for (uint32_t i = 0; i < turned_count_;) {
    const uint32_t at = turned_[i].nf;
    Walk walk;
    walk.direction = static_cast<uint8_t>(direction ^ 1);
    walk.role = PacketRole::kReply;
    for (; i < turned_count_ && turned_[i].nf == at; ++i) {
      MetaOf(turned_[i].mbuf)->direction = walk.direction;
      walk.packets[walk.count++] = turned_[i].mbuf;
    }
    if (direction == 0) {
      Pass(walk, 0, at);
    } else {
      Pass(walk, at + 1, size());
    }
  }
  turned_count_ = 0;
}

void Chain::RunEmitted(uint32_t direction) {
  for (uint32_t begin = 0; begin < emitted_count_;) {
    const uint32_t at = emitted_[begin].nf;
    uint32_t end = begin;
    while (end < emitted_count_ && emitted_[end].nf == at) ++end;
    for (uint32_t turn = 0; turn < 2; ++turn) {
      const uint32_t heading = direction ^ turn;
      for (uint32_t i = begin; i < end;) {
        Walk walk;
        walk.direction = static_cast<uint8_t>(heading);
        walk.role = PacketRole::kEmitted;
        for (; i < end && walk.count < abi::kBurstPackets; ++i) {
          if (emitted_[i].direction == heading) walk.packets[walk.count++] = emitted_[i].mbuf;
        }
        if (heading == 0) {
          Pass(walk, at + 1, size());
        } else {
          Pass(walk, 0, at);
        }
      }
    }
    begin = end;
  }
  emitted_count_ = 0;
}

void Chain::AskToClose(uint32_t flow, CloseReason reason, uint32_t skip) {
  FlowActor& actor = flows_->actor(flow);
  if (actor.closing != 0) return;
  actor.closing = static_cast<uint8_t>(reason);
  closings_[closings_count_++] = {.flow = flow, .reason = reason, .skip = skip};
}

void Chain::RunClosings() {
  for (uint32_t i = 0; i < closings_count_; ++i) {
    const Closing& closing = closings_[i];
    flows_->actor(closing.flow).closing = 0;
    // A flow on which an NF faulted would fault again with its next packet, and so quarantine the NF for all flows.
    if (closing.reason == CloseReason::kRefused || closing.reason == CloseReason::kFault) {
      Refuse(closing);
    } else {
      Close(closing.flow, closing.reason, closing.skip);
    }
  }
  closings_count_ = 0;
}

void Chain::Refuse(const Closing& closing) {
  flows_->actor(closing.flow).phase = FlowPhase::kRefused;
  flows_ended_.Add();
  events_->OnFlowEnded(closing.flow, closing.reason);
  TellClosed(closing.flow, closing.reason, closing.skip);
  flows_->Refuse(closing.flow, now_ns_);
}

void Chain::Close(uint32_t flow, CloseReason reason, uint32_t skip) {
  const FlowActor& actor = flows_->actor(flow);
  NF_CHECK(actor.pending == 0, "a flow closes after the calls that hold its packets");
  if (actor.phase != FlowPhase::kRefused) {  // Else it ended when it was refused.
    flows_ended_.Add();
    events_->OnFlowEnded(flow, reason);
    TellClosed(flow, reason, skip);
  }
  flows_->Free(flow, now_ns_);
}

void Chain::TellClosed(uint32_t flow, CloseReason reason, uint32_t skip) {
  const FlowActor& actor = flows_->actor(flow);
  for (auto& holder : nfs_) {
    ChainNf& nf = *holder;
    const uint32_t mask = nf.bit();
    if ((actor.opened & mask) == 0 || (actor.bypassed & mask) != 0 || nf.index() == skip || !nf.is_callable()) continue;
    Instance& instance = *nf.active();
    PrepareCallback(instance, flow);
    const bool returned = instance.FlowClose(abi::kFlowRecordsAddress, nf.states().address(flow), reason);
    CheckLogs(nf);
    if (!returned) BlameCallback(nf);
  }
}

void Chain::PublishCounters() {
  for (auto& nf : nfs_) nf->PublishCounters();
}

}  // namespace nf
