// For tests: a vswitch and runtimes, each with its bridge, over wires that copy every frame and let a test look at it,
// all in turns of one thread. Not part of the product.
#pragma once

#include <rte_mbuf.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "link/runtime_bridge.h"
#include "link/vswitch_bridge.h"
#include "packet/test_frames.h"
#include "port/fabric_port.h"
#include "port/test_eal.h"
#include "runtime/flow_image.h"
#include "runtime/member_pools.h"
#include "runtime/transit.h"
#include "wasm/engine.h"
#include "wasm/test_modules.h"

namespace nf::link::test {

template <typename T>
T Must(Expected<T> value) {
  NF_CHECK(value.has_value(), value ? "" : value.error().message.c_str());
  return std::move(*value);
}

inline rte_mempool* Packets() { return TestPool(); }

// Frames of one direction, as bytes.
struct Wire {
  static constexpr size_t kRoom = 1024;
  std::deque<std::string> frames;
  // What the other end gets instead; empty: nothing.
  std::function<std::string(const std::string&)> on_frame;

  void Put(const std::string& frame) {
    const std::string passed = on_frame ? on_frame(frame) : frame;
    if (!passed.empty()) frames.push_back(passed);
  }
};

class WirePort final : public Port {
 public:
  WirePort(Wire* in, Wire* out) : in_(*in), out_(*out) {}
  uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override {
    uint32_t taken = 0;
    for (; taken < count && !in_.frames.empty(); ++taken, in_.frames.pop_front()) {
      const std::string& frame = in_.frames.front();
      packets[taken] = rte_pktmbuf_alloc(Packets());
      NF_CHECK(packets[taken] != nullptr, "packets leak");
      std::memcpy(rte_pktmbuf_append(packets[taken], static_cast<uint16_t>(frame.size())), frame.data(), frame.size());
      MetaOf(packets[taken])->timestamp_ns = ClockNs();
    }
    return taken;
  }
  uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override {
    uint32_t taken = 0;
    for (; taken < count && out_.frames.size() < Wire::kRoom; ++taken) {
      out_.Put({rte_pktmbuf_mtod(packets[taken], const char*), packets[taken]->data_len});
      rte_pktmbuf_free(packets[taken]);
    }
    return taken;
  }
  Carrier carrier() const override { return carrier_; }
  void set_carrier(Carrier carrier) { carrier_ = carrier; }

 private:
  Wire& in_;
  Wire& out_;
  Carrier carrier_ = Carrier::kUp;
};

class Members {
 public:
  struct Runtime {
    Wire up, down;
    WirePort* vswitch_port;  // Its remote's.
    std::unique_ptr<WirePort> port;
    std::unique_ptr<RuntimeLink> link;
    std::unique_ptr<MailBox> outbox;
    std::unique_ptr<MemberMail> mail;
    std::unique_ptr<LeaseTable> leases;
    ClusterBoard board;
    std::unique_ptr<SwitchedRuntime> runtime;
    std::unique_ptr<RuntimeBridge> bridge;
    std::unique_ptr<Remote> remote;
    std::optional<LifePage> life;
  };
  static constexpr uint32_t kVswitchLife = 50;
  static uint32_t LifeOf(uint16_t id) { return 100u + id; }
  static Identity IdentityOf(uint16_t id) {
    Identity identity{.tenant = 7, .member = id, .incarnation = id == 0 ? kVswitchLife : LifeOf(id)};
    identity.key.fill(0x42);
    return identity;
  }

  explicit Members(uint16_t runtimes, std::vector<NfSpec> chain = {}, uint64_t suspect_ns = 0,
                   const std::string& life_folder = {})
      : life_folder_(life_folder) {
    StartTestEal();
    Transit::Prepare();
    engine_ = Must(Engine::Create({}));
    frames_ = Must(CreateFramePool());
    markers_ = Must(CreateMarkerPool());
    for (uint8_t side : {uint8_t{0}, uint8_t{1}}) {
      auto pair = Must(FabricPort::CreatePair(1024, side));
      inner_[side] = std::move(pair.first);
      outer_[side] = std::move(pair.second);
    }
    spec_.input = FabricInput{.client = inner_[0].get(), .server = inner_[1].get(), .pool = Packets()};
    spec_.flows_max = 256;
    spec_.chain = std::move(chain);
    spec_.switching = SwitchingSpec{};
    const uint32_t image = FlowImageBytesMax(spec_.chain);
    mail_ = Must(MemberMail::Create(proto::kVswitch, frames_, image));
    mail_->set_incarnation(kVswitchLife);
    vswitch_ = Must(Vswitch::Create(spec_, mail_.get(), &board_));
    bridge_ = Must(VswitchBridge::Create(Surroundings(0, mail_.get(), &board_), vswitch_.get()));
    for (uint16_t id = 1; id <= runtimes; ++id) {
      runtimes_.push_back(std::make_unique<Runtime>());
      Make(id, *runtimes_.back(), image, suspect_ns);
    }
    for (uint16_t id = 1; id <= runtimes; ++id) {
      for (uint16_t peer = 0; peer <= runtimes; ++peer) {
        if (peer != id) runtime(id).bridge->SetPeer(peer, peer == 0 ? kVswitchLife : LifeOf(peer));
      }
    }
    for (uint16_t id = 1; id <= runtimes; ++id) {
      NF_CHECK(Until([&] { return bridge_->Admit(id); }), "its link comes up");
    }
  }
  ~Members() {
    for (auto& runtime : runtimes_) {
      runtime->runtime->End();
      runtime->bridge->SetPort(nullptr);
    }
    vswitch_->End();
    Collect();
    runtimes_.clear();
    bridge_.reset();
    vswitch_.reset();
    mail_.reset();
    rte_mempool_free(frames_);
    rte_mempool_free(markers_);
  }

  void Turn() {
    bridge_->Turn();
    vswitch_->Turn();
    for (auto& runtime : runtimes_) {
      runtime->bridge->Turn();
      runtime->runtime->Turn();
    }
  }
  // Turns until it holds, for ten seconds at most.
  bool Until(const std::function<bool()>& holds) {
    const uint64_t end = MonotonicNs() + 10'000'000'000;
    while (!holds()) {
      if (MonotonicNs() > end) return false;
      Turn();
      Collect();
    }
    return true;
  }
  void Send(uint16_t flow, uint32_t number) {
    const std::string udp = nf::test::Be16(1000u + flow) + nf::test::Be16(53) + nf::test::Be16(12) + nf::test::Be16(0) +
                            nf::test::Be32(number);
    const std::string frame = nf::test::Ethernet(0x0800, nf::test::Ipv4({}, udp));
    rte_mbuf* mbuf = rte_pktmbuf_alloc(Packets());
    NF_CHECK(mbuf != nullptr, "packets leak");
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size())), frame.data(), frame.size());
    NF_CHECK(outer_[0]->TxBurst(&mbuf, 1) == 1, "the wire has room");
    ++sent_;
  }
  void Collect() {
    rte_mbuf* packets[32];
    for (auto& port : outer_) {
      while (const uint32_t count = port->RxBurst(packets, 32)) {
        received_ += count;
        for (uint32_t i = 0; i < count; ++i) rte_pktmbuf_free(packets[i]);
      }
    }
  }
  // Packets of so many flows, and turns until all are back.
  bool RoundTrip(uint16_t flows, int packets = 1) {
    for (int i = 0; i < packets; ++i) {
      for (uint16_t flow = 0; flow < flows; ++flow) Send(flow, static_cast<uint32_t>(i));
      Turn();
    }
    return Until([this] { return received_ == sent_; });
  }

  Vswitch& vswitch() { return *vswitch_; }
  VswitchBridge& bridge() { return *bridge_; }
  Runtime& runtime(uint16_t id) { return *runtimes_[id - 1u]; }
  uint64_t sent() const { return sent_; }
  uint64_t received() const { return received_; }
  Engine& engine() { return *engine_; }

 private:
  Bridge::Surroundings Surroundings(uint16_t id, MemberMail* mail, ClusterBoard* board) {
    Bridge::Surroundings surroundings{.identity = IdentityOf(id),
                                      .mail = mail,
                                      .frames = frames_,
                                      .markers = markers_,
                                      .board = board,
                                      .file = nullptr,
                                      .entries = spec_.flows_max,
                                      .may_edit = false,
                                      .lease_sizes = {}};
    for (const NfSpec& nf : spec_.chain) surroundings.lease_sizes.push_back(nf.rights.lease ? nf.lease_size : 0);
    return surroundings;
  }
  void Make(uint16_t id, Runtime& made, uint32_t image, uint64_t suspect_ns) {
    auto vswitch_port = std::make_unique<WirePort>(&made.up, &made.down);
    made.vswitch_port = vswitch_port.get();
    made.port = std::make_unique<WirePort>(&made.down, &made.up);
    made.link = Must(RuntimeLink::Create(markers_));
    made.outbox = Must(MailBox::Create());
    made.mail = Must(MemberMail::Create(id, frames_, image));
    const Bridge::Surroundings surroundings = Surroundings(id, made.mail.get(), &made.board);
    made.leases = std::make_unique<LeaseTable>(surroundings.lease_sizes, spec_.flows_max, true);
    made.runtime = Must(SwitchedRuntime::Create(*engine_, spec_,
                                                {.id = id,
                                                 .incarnation = LifeOf(id),
                                                 .entries = spec_.flows_max,
                                                 .is_capture = false,
                                                 .link = made.link.get(),
                                                 .mail = made.mail.get(),
                                                 .board = &made.board,
                                                 .leases = made.leases.get(),
                                                 .pool = Packets(),
                                                 .native = {}}));
    made.runtime->events().Abandon();
    made.bridge = Must(RuntimeBridge::Create(surroundings, {.link = made.link.get(),
                                                            .leases = made.leases.get(),
                                                            .outbox = made.outbox.get(),
                                                            .runtime = made.runtime.get()}));
    std::optional<LifePage> looked_at;
    if (!life_folder_.empty()) {
      const std::string path = life_folder_ + "/" + std::to_string(id);
      looked_at.emplace(Must(LifePage::Create(path)));
      made.life = LifePage::Open(path);
    }
    made.bridge->SetPort(made.port.get(), made.life ? &*made.life : nullptr);
    made.remote = Must(Remote::Create({.member = id,
                                       .incarnation = LifeOf(id),
                                       .port = std::move(vswitch_port),
                                       .markers = markers_,
                                       .lcore = nullptr,
                                       .suspect_ns = suspect_ns,
                                       .counters = bridge_->link_counters(),
                                       .life = std::move(looked_at)}));
    bridge_->Open(made.remote.get());
  }

  std::string life_folder_;
  std::unique_ptr<Engine> engine_;
  rte_mempool* frames_;
  rte_mempool* markers_;
  std::unique_ptr<FabricPort> inner_[2], outer_[2];
  RuntimeSpec spec_;
  ClusterBoard board_;
  std::unique_ptr<MemberMail> mail_;
  std::unique_ptr<Vswitch> vswitch_;
  std::unique_ptr<VswitchBridge> bridge_;
  std::vector<std::unique_ptr<Runtime>> runtimes_;
  uint64_t sent_ = 0, received_ = 0;
};

}  // namespace nf::link::test
