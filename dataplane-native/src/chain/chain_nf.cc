#include "chain/chain_nf.h"

#include <algorithm>

#include "base/check.h"

namespace nf {
namespace {

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

NfSpec WithoutCode(const NfSpec& spec) {
  NfSpec copy = spec;
  copy.native = {};
  return copy;
}

}  // namespace

ChainNf::ChainNf(Engine& engine, const NfSpec& spec, const Options& options)
    : engine_(engine),
      index_(options.index),
      native_(options.native),
      has_timer_(Has(spec.exports, abi::kExports[static_cast<size_t>(abi::Export::kFlowTimer)].name)),
      lease_size_(spec.rights.lease ? spec.lease_size : 0),
      headers_(options.shared_headers),
      payloads_(options.shared_payloads),
      granted_(RightsOf(spec)),
      exports_(spec.exports),
      rights_(granted_),
      counters_(static_cast<uint32_t>(spec.counters.size())),
      spec_(WithoutCode(spec)) {}

ChainNf::~ChainNf() {
  delete active_;
  delete spare_.load();
  for (auto& dead : dead_) delete dead.load();
}

ChainNf::Rights ChainNf::RightsOf(const NfSpec& spec) {
  const NfRights& rights = spec.rights;
  const bool view_payload = rights.view == View::kPayload;
  return {.edit_header = rights.edit != Edit::kNone,
          .edit_payload = rights.edit == Edit::kPayload && view_payload,
          .view_payload = view_payload,
          .reshape = rights.reshape,
          .reply = rights.reply,
          .emits = std::min(rights.emits, abi::kEmitsPerPacketMax),
          .on_fault = spec.on_fault,
          .quarantine = spec.quarantine};
}

InstancePlan ChainNf::PlanFor(const NfSpec& spec) const {
  const Rights rights = RightsOf(spec);
  InstancePlan plan;
  plan.headers = &headers_->region();
  plan.header_access = rights.edit_header ? Access::kWrite : Access::kRead;
  plan.payloads = &payloads_->region();
  plan.payload_access = !rights.view_payload ? Access::kNone : rights.edit_payload ? Access::kWrite : Access::kRead;
  plan.emits = rights.emits != 0;
  plan.config = spec.config;
  plan.state = states_.region();
  plan.state_bytes = spec.state_bytes;
  plan.heap_pages = spec.heap_pages;
  return plan;
}

Expected<std::unique_ptr<ChainNf>> ChainNf::Create(Engine& engine, const NfSpec& spec, const Options& options) {
  std::unique_ptr<ChainNf> nf(new ChainNf(engine, spec, options));
  if (spec.counters.size() > abi::kCountersMax) {
    return Fail(ErrorCode::kRuntimeSpec,
                spec.entry + " has more than " + std::to_string(abi::kCountersMax) + " counters");
  }
  auto states = StateStore::Create(spec.entry, spec.state_bytes, options.flows_max);
  if (!states) return std::unexpected(states.error());
  nf->states_ = std::move(*states);
  if (nf->rights_.edit_header) {
    auto area = HeaderArea::Create();
    if (!area) return std::unexpected(area.error());
    nf->headers_ = &nf->own_headers_.emplace(std::move(*area));
  }
  if (nf->rights_.edit_payload) {
    auto area = PayloadArea::Create();
    if (!area) return std::unexpected(area.error());
    nf->payloads_ = &nf->own_payloads_.emplace(std::move(*area));
  }
  if (nf->native_ != nullptr) return nf;
  auto version = nf->Prepare(spec);
  if (!version) return std::unexpected(version.error());
  nf->active_ = (*version)->active.release();
  nf->spare_ = (*version)->spare.release();
  nf->module_ = (*version)->module;
  return nf;
}

Expected<void> ChainNf::CheckFits(const NfSpec& spec) const {
  const std::string who = spec.entry + " (" + spec.name + " " + spec.version + ")";
  if (spec.state_bytes != spec_.state_bytes || spec.state_digest != spec_.state_digest) {
    const std::string sizes =
        spec.state_bytes == spec_.state_bytes
            ? ""
            : " (" + std::to_string(spec.state_bytes) + " bytes instead of " + std::to_string(spec_.state_bytes) + ")";
    return Fail(ErrorCode::kSwapLayout, who + " lays its flow state out otherwise than the running version " +
                                            spec_.version + sizes + "; start anew with it instead");
  }
  const Rights wanted = RightsOf(spec), &granted = granted_;
  auto refuse = [&](const std::string& what) {
    return Fail(ErrorCode::kSwapRights, who + " wants " + what + ", which the entry was not granted");
  };
  if (wanted.view_payload && !granted.view_payload) return refuse("to see payloads");
  if (wanted.edit_header && !granted.edit_header) return refuse("to edit headers");
  if (wanted.edit_payload && !granted.edit_payload) return refuse("to edit payloads");
  if (wanted.reshape && !granted.reshape) return refuse("to reshape frames");
  if (wanted.reply && !granted.reply) return refuse("to reply");
  if (wanted.emits > granted.emits) return refuse("to emit " + std::to_string(wanted.emits) + " frames a packet");
  if (spec.rights.lease && lease_size_ == 0) return refuse("leases");
  for (const std::string& name : exports_) {
    if (!Has(spec.exports, name)) {
      return Fail(ErrorCode::kSwapExports, who + " does not export " + name + ", which the entry's first version does");
    }
  }
  if (!has_timer_ && Has(spec.exports, abi::kExports[static_cast<size_t>(abi::Export::kFlowTimer)].name)) {
    return Fail(ErrorCode::kSwapExports, who + " exports flow-timer, for which this runtime was not made");
  }
  if (spec.counters.size() > abi::kCountersMax) return Fail(ErrorCode::kRuntimeSpec, who + " has too many counters");
  return {};
}

Expected<std::unique_ptr<NfVersion>> ChainNf::Prepare(const NfSpec& spec) {
  if (auto fits = CheckFits(spec); !fits) return std::unexpected(fits.error());
  auto version = std::make_unique<NfVersion>();
  auto module = Module::Load(engine_, spec.native);
  if (!module) return std::unexpected(module.error());
  version->spec = WithoutCode(spec);
  version->module = *module;
  for (size_t i = 0; i < spec.counters.size(); ++i) {
    const auto same = std::find(spec_.counters.begin(), spec_.counters.end(), spec.counters[i]);
    version->goes_on_from[i] =
        same == spec_.counters.end() ? int8_t{-1} : static_cast<int8_t>(same - spec_.counters.begin());
  }
  for (std::unique_ptr<Instance>* instance : {&version->active, &version->spare}) {
    auto made = Instance::Create(engine_, *module, PlanFor(spec));
    if (!made) return Fail(made.error().code, spec.entry + ": " + made.error().message);
    *instance = std::move(*made);
  }
  version->active->AddTo(version->warm_up);
  version->warm_up.Add(version.get(), sizeof *version);
  return version;
}

uint64_t ChainNf::Guest(uint32_t which) const {
  return active_ == nullptr ? 0 : reinterpret_cast<const volatile uint64_t*>(active_->counters())[which];
}

void ChainNf::CarryCounters() {
  for (uint32_t i = 0; i < counters_; ++i) carried_[i] += Guest(i);
}

void ChainNf::PublishCounters() {
  for (uint32_t i = 0; i < counters_; ++i) published_[i].Set(carried_[i] + Guest(i));
}

void ChainNf::ReplaceDead(const std::function<void()>* wait) {
  CarryCounters();
  bool kept = false;
  for (auto& place : dead_) {
    if (place.load(std::memory_order_relaxed) != nullptr) continue;
    place.store(active_, std::memory_order_release);
    kept = true;
    break;
  }
  NF_CHECK(kept, "a spare is made after the dead were taken away");
  calls = 0;
  logs_seen = 0;
  active_ = spare_.exchange(nullptr, std::memory_order_acq_rel);
  if (wake_) wake_();
  if (active_ != nullptr || wait == nullptr) return;
  while (active_ == nullptr && !spare_failed_.load(std::memory_order_acquire)) {
    (*wait)();  // May flip to a new version.
    if (active_ == nullptr) active_ = spare_.exchange(nullptr, std::memory_order_acq_rel);
  }
}

bool ChainNf::CountFault(uint64_t now_ns) {
  faults_total.Add();
  if (!window_.Add(now_ns) || is_quarantined()) return false;
  quarantined_.store(true, std::memory_order_relaxed);
  return true;
}

void ChainNf::Flip(NfVersion& version) {
  CarryCounters();
  std::array<uint64_t, abi::kCountersMax> carried{};
  counters_ = static_cast<uint32_t>(version.spec.counters.size());
  for (uint32_t i = 0; i < counters_; ++i) {
    if (version.goes_on_from[i] >= 0) carried[i] = carried_[static_cast<size_t>(version.goes_on_from[i])];
  }
  carried_ = carried;
  rights_ = RightsOf(version.spec);
  Instance* old = active_;
  active_ = version.active.release();
  version.active.reset(old);
  Instance* spare = version.spare.release();
  version.spare.reset(spare_.exchange(spare, std::memory_order_acq_rel));
  quarantined_.store(false, std::memory_order_relaxed);
  window_.Reset();
  calls = 0;
  logs_seen = 0;
}

void ChainNf::DestroyDead() {
  for (auto& place : dead_) delete place.exchange(nullptr, std::memory_order_acq_rel);
}

void ChainNf::PauseKeeper() {
  std::lock_guard lock(keeper_mutex_);
  // The keeper may be busy with other NFs of the chain while one swap after the other brings instances that die.
  DestroyDead();
  paused_ = true;
}

void ChainNf::ResumeKeeper(const NfVersion* running) {
  std::lock_guard lock(keeper_mutex_);
  if (running != nullptr) {
    spec_ = running->spec;
    module_ = running->module;
    spare_failed_.store(false, std::memory_order_release);
  }
  paused_ = false;
  if (wake_) wake_();
}

void ChainNf::Maintain() {
  std::lock_guard lock(keeper_mutex_);
  DestroyDead();
  if (paused_ || native_ != nullptr || spare_.load(std::memory_order_acquire) != nullptr) return;
  if (spare_failed_.load(std::memory_order_relaxed)) return;
  auto made = Instance::Create(engine_, module_, PlanFor(spec_));
  if (!made) {
    spare_failed_.store(true, std::memory_order_release);
    return;
  }
  spare_.store(made->release(), std::memory_order_release);
}

}  // namespace nf
