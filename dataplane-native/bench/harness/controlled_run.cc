#include "harness/controlled_run.h"

#include <algorithm>

#include "base/clock.h"
#include "harness/member_pools.h"
#include "harness/must.h"
#include "runtime/flow_image.h"
#include "runtime/transit.h"

namespace nf {

using namespace controlled;

namespace {

constexpr uint32_t kEventsThatWait = 65536;

}  // namespace

Controller::Controller(uint32_t flows_max, const Surroundings& surroundings)
    : mail_(*surroundings.mail),
      outbox_(surroundings.mail),
      to_nf_(surroundings.to_nf),
      to_switch_(*surroundings.to_switch),
      flows_(flows_max),
      events_(kEventsThatWait) {
  for (RuntimeLink* link : to_nf_) replays_.push_back(std::make_unique<RingQueue>(link->down, link->markers));
}

void Controller::Move(uint16_t from, uint16_t to, uint32_t flows, uint32_t at_once, Operation* operation) {
  Must(left_ == 0 && under_way_ == 0, "the controller moves flows already");
  from_ = from;
  to_ = to;
  next_ = 0;
  left_ = flows;
  at_once_ = at_once;
  operation_ = operation;
}

uint32_t Controller::Turn() {
  const uint64_t mono = MonotonicNs();
  for (auto& queue : replays_) queue->Flush();
  if (operation_ == nullptr && !mail_.has_mail()) {
    mail_.Send(mono);
    return 0;
  }
  TakeCopies();
  TakeEvents();
  const uint32_t work = mail_.Take(mono, this);
  Put();
  Begin();
  outbox_.Retry();
  for (auto& queue : replays_) queue->Flush();
  mail_.Send(mono);
  return work;
}

void Controller::Begin() {
  for (; left_ != 0 && under_way_ < at_once_; --left_, ++under_way_, ++next_) {
    flows_[next_] = {.phase = Phase::kGetting};
    outbox_.Say(from_, kGet, proto::OpenRecord{.id = {.entry = next_}, .zero = 0, .digests = {}, .key = {}});
  }
  if (operation_ == nullptr || left_ + under_way_ != 0) return;
  operation_->result.moved = next_;
  operation_->done.store(true, std::memory_order_release);
  operation_ = nullptr;
}

void Controller::TakeCopies() {
  rte_mbuf* copy;
  while (rte_ring_sc_dequeue(to_switch_.up, reinterpret_cast<void**>(&copy)) == 0) rte_pktmbuf_free(copy);
}

void Controller::TakeEvents() {
  rte_mbuf* mbuf;
  while (rte_ring_sc_dequeue(source().up, reinterpret_cast<void**>(&mbuf)) == 0) {
    const proto::PacketHeader& header = Transit::Of(mbuf).header;
    Flow& flow = flows_[header.stamp.entry];
    if (flow.phase == Phase::kGetting || flow.phase == Phase::kPutting) {
      Must(events_.Insert(&flow.events, reinterpret_cast<proto::PacketRef>(mbuf), header), "too many events wait");
      continue;
    }
    Replay(mbuf);
    ReleaseIfAll(header.stamp.entry);
  }
}

void Controller::Replay(rte_mbuf* mbuf) {
  const proto::Stamp& stamp = Transit::Of(mbuf).header.stamp;
  flows_[stamp.entry].seen = stamp.sequence;
  Must(replays_[to_ - kFirstNf]->Put(&mbuf, 1) == 1, "a ring is full");
}

void Controller::OnMail(uint16_t, proto::Message message, uint64_t) {
  if (message.type() == kChunk) {
    while (const auto state = message.Next<proto::StateRecord>()) {
      Flow& flow = flows_[state->record.id.entry];
      flow.phase = Phase::kPutting;
      flow.seen = state->record.last_sequence;
      chunks_.push_back({state->record, {state->bytes.begin(), state->bytes.end()}});
    }
    return;
  }
  for (uint32_t i = 0; i < message.count(); ++i) {
    const auto note = message.At<proto::Note>(i);
    if (message.type() == kPutDone) {
      PutIsDone(note.id);
    } else if (message.type() == kInstallDone) {
      IsInstalled(note.id, note.value);
    } else {
      Must(message.type() == kReleased, "a message nobody sends");
      flows_[note.id.entry].phase = Phase::kNone;
      --under_way_;
    }
  }
}

void Controller::Put() {
  for (; !chunks_.empty(); chunks_.pop_front()) {
    const auto& [record, bytes] = chunks_.front();
    if (!mail_.Say(to_, kChunk, {reinterpret_cast<const uint8_t*>(&record), sizeof record}, bytes)) return;
  }
}

void Controller::PutIsDone(const proto::MigrationId& id) {
  Flow& flow = flows_[id.entry];
  proto::HeldPacket event;
  while (events_.Pop(&flow.events, &event)) Replay(reinterpret_cast<rte_mbuf*>(event.packet));
  flow.phase = Phase::kToBoth;
  Install(id, kToBoth);
}

void Controller::Install(const proto::MigrationId& id, Rule rule) {
  outbox_.Say(kSwitch, kInstall, proto::RouteRecord{id, rule, {.id = to_}});
}

void Controller::IsInstalled(const proto::MigrationId& id, uint32_t last) {
  Flow& flow = flows_[id.entry];
  if (flow.phase == Phase::kToBoth) {
    flow.phase = Phase::kToTarget;
    return Install(id, kToTarget);
  }
  flow.last = last;
  flow.phase = Phase::kReleasing;
  ReleaseIfAll(id.entry);
}

void Controller::ReleaseIfAll(uint32_t entry) {
  const Flow& flow = flows_[entry];
  if (flow.phase != Phase::kReleasing || flow.seen != flow.last) return;
  // Behind the events.
  replays_[to_ - kFirstNf]->PutMarker(proto::MakeMarker(proto::MarkerType::kSwitched, {.entry = entry}, flow.last));
}

ControlledRun::ControlledRun(Engine& engine, const Options& options)
    : migrations_(options.migrations), frames_(MessageFramePool()), markers_(MarkerPool()) {
  Transit::Prepare();
  const RuntimeSpec spec = SwitchedRun::SpecOf(options);
  for (uint16_t id = 0; id <= kSwitch; ++id) {
    mails_.push_back(Must(MemberMail::Create(id, frames_, FlowImageBytesMax(spec.chain))));
    mails_.back()->set_incarnation(id + 1u);
  }
  for (uint16_t id = 1; id <= kSwitch; ++id) {
    mails_[kController]->SetPeer(id, id + 1u, mails_[id]->box());
    mails_[id]->SetPeer(kController, 1, mails_[kController]->box());
  }
  for (int i = 0; i < 5; ++i) links_.push_back(Link());
  switch_ = std::make_unique<ControlledSwitch>(
      spec, ControlledSwitch::Surroundings{.to_nf = {links_[0].get(), links_[1].get()},
                                           .to_controller = links_[4].get(),
                                           .mail = mails_[kSwitch].get()});
  for (uint16_t i = 0; i < kNfs; ++i) {
    nfs_.push_back(std::make_unique<ControlledNf>(engine, spec,
                                                  ControlledNf::Surroundings{.to_switch = links_[i].get(),
                                                                             .to_controller = links_[2u + i].get(),
                                                                             .mail = mails_[kFirstNf + i].get(),
                                                                             .leases = &switch_->leases(),
                                                                             .pool = options.pool}));
  }
  controller_ =
      std::make_unique<Controller>(spec.flows_max, Controller::Surroundings{.to_nf = {links_[2].get(), links_[3].get()},
                                                                            .to_switch = links_[4].get(),
                                                                            .mail = mails_[kController].get()});
  shares_.push_back({switch_.get(), {}});
  for (auto& nf : nfs_) shares_.push_back({nf.get(), {}});
  shares_.push_back({controller_.get(), {}});
}

ControlledRun::~ControlledRun() {
  controller_.reset();
  nfs_.clear();
  switch_.reset();
  links_.clear();
  mails_.clear();
  rte_mempool_free(frames_);
  rte_mempool_free(markers_);
}

uint32_t ControlledRun::Round() {
  for (auto& [task, share] : shares_) turns_.Serve(*task, &share);
  const uint64_t sent = switch_->counters().sent.value();
  const auto left = static_cast<uint32_t>(sent - sent_);
  sent_ = sent;
  return left;
}

}  // namespace nf
