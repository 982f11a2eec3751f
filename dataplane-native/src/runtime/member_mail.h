// A member's messages: its end of all reliable channels, over boxes of mbufs: its own, and those of its peers, behind
// which may be a link. Frames have a pool of their own, so that packets can't starve them. Used by the member's lcore.
#pragma once

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <memory>

#include "base/counter.h"
#include "base/result.h"
#include "proto/endpoint.h"
#include "runtime/mail_box.h"
#include "runtime/member_pools.h"
#include "runtime/runtime_spec.h"

namespace nf {

inline constexpr uint16_t kMembersMax = kRuntimesMax + 1;  // With the vswitch.

class MailHandler {
 public:
  virtual void OnMail(uint16_t peer, proto::Message message, uint64_t mono_ns) = 0;

 protected:
  ~MailHandler() = default;
};

class MemberMail final : public proto::MessageSink, private proto::FrameSink, private proto::MessageHandler {
 public:
  // `state_bytes`: the longest state of a flow that moves. `frame_bytes`: the longest frames that come and go; at most
  // kFrameBytesMax. `patience_ns`: so long at least it is waited for what may only be
  // late. EAL must be up. Errors: eal.memory.
  static Expected<std::unique_ptr<MemberMail>> Create(uint16_t own, rte_mempool* pool, uint32_t state_bytes,
                                                      uint32_t frame_bytes = kFrameBytesMax, uint64_t patience_ns = 0);

  // ---- Control threads, before anything else.
  void set_lcore(Lcore* lcore) { box_->set_lcore(lcore); }
  void set_incarnation(uint32_t incarnation) { endpoint_.SetOwnIncarnation(incarnation); }
  Lcore* lcore() const { return box_->lcore(); }
  MailBox* box() const { return box_.get(); }

  // ---- The member's lcore.
  // How to reach a peer from now on; incarnation 0: not any more. `frame_bytes`: what the way there has room for; 0:
  // for all.
  void SetPeer(uint16_t id, uint32_t incarnation, MailBox* box, uint32_t frame_bytes = 0);
  bool Say(uint16_t peer, proto::MessageType type, std::span<const uint8_t> record,
           std::span<const uint8_t> tail) override;
  using proto::MessageSink::Say;
  bool IsBusy(uint16_t peer) const override { return endpoint_.IsBusy(peer); }
  // Hands what has come to `handler`. Frames taken.
  uint32_t Take(uint64_t now_ns, MailHandler* handler);
  // Ends the turn: what was said leaves.
  void Send(uint64_t now_ns);
  // In frames, with their headers.
  uint64_t bytes_sent(uint16_t peer) const { return endpoint_.counters(peer).bytes_sent; }
  bool is_idle() const { return !is_dirty_ && endpoint_.idle(); }

  // ---- Any lcore.
  bool has_mail() const { return !box_->is_empty(); }
  uint64_t refused() const { return refused_.value(); }

 private:
  MemberMail(uint16_t own, rte_mempool* pool, const proto::ChannelConfig& config);
  void SendFrame(uint16_t peer, std::span<const uint8_t> frame) override;
  void OnMessage(uint16_t peer, std::span<const uint8_t> message) override;

  uint16_t own_;
  proto::Endpoint endpoint_;
  rte_mempool* pool_;
  std::unique_ptr<MailBox> box_;
  std::array<MailBox*, kMembersMax> peers_{};
  uint32_t wrote_to_ = 0;  // Bit: peers whose lcores may have to wake up.
  bool is_dirty_ = false;  // Something is to leave.
  uint64_t polled_ns_ = 0;
  MailHandler* handler_ = nullptr;
  uint64_t taking_ns_ = 0;
  Counter refused_;  // Frames and messages that could not be read.
};

}  // namespace nf
