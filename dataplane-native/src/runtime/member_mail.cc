#include "runtime/member_mail.h"

#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>

#include "runtime/lcore.h"

namespace nf {
namespace {

constexpr uint32_t kTakeMax = 16;           // Frames in a turn, of up to 60 records each: packets wait meanwhile.
constexpr uint64_t kPollEveryNs = 100'000;  // For what has to be sent again.

}  // namespace

MemberMail::MemberMail(uint16_t own, rte_mempool* pool, const proto::ChannelConfig& config)
    : own_(own), endpoint_(own, kMembersMax, config), pool_(pool) {}

Expected<std::unique_ptr<MemberMail>> MemberMail::Create(uint16_t own, rte_mempool* pool, uint32_t state_bytes,
                                                         uint32_t frame_bytes, uint64_t patience_ns) {
  proto::ChannelConfig config;
  config.min_timeout_ns = std::max(config.min_timeout_ns, patience_ns);
  config.first_timeout_ns = std::max(config.first_timeout_ns, patience_ns);
  config.frame_bytes = frame_bytes;
  config.max_message_bytes = std::max(config.max_message_bytes, state_bytes + 1024);
  std::unique_ptr<MemberMail> mail(new MemberMail(own, pool, config));
  auto box = MailBox::Create();
  if (!box) return std::unexpected(box.error());
  mail->box_ = std::move(*box);
  return mail;
}

void MemberMail::SetPeer(uint16_t id, uint32_t incarnation, MailBox* box, uint32_t frame_bytes) {
  peers_[id] = incarnation != 0 ? box : nullptr;
  endpoint_.SetPeer(id, incarnation, frame_bytes);
}

bool MemberMail::Say(uint16_t peer, proto::MessageType type, std::span<const uint8_t> record,
                     std::span<const uint8_t> tail) {
  is_dirty_ = true;
  return endpoint_.Say(peer, type, record, tail);
}

uint32_t MemberMail::Take(uint64_t now_ns, MailHandler* handler) {
  std::array<rte_mbuf*, kTakeMax> frames;
  const uint32_t count = box_->Take(frames.data(), kTakeMax);
  if (count == 0) return 0;
  is_dirty_ = true;  // Acknowledgements.
  handler_ = handler;
  taking_ns_ = now_ns;
  for (uint32_t i = 0; i < count; ++i) {
    const std::span<const uint8_t> frame(rte_pktmbuf_mtod(frames[i], const uint8_t*), frames[i]->data_len);
    proto::FrameHeader header;
    if (frame.size() >= sizeof header) {
      std::memcpy(&header, frame.data(), sizeof header);
      endpoint_.Receive(header.source, frame, now_ns, this);
    } else {
      refused_.Add();
    }
    rte_pktmbuf_free(frames[i]);
  }
  return count;
}

void MemberMail::OnMessage(uint16_t peer, std::span<const uint8_t> bytes) {
  const auto message = proto::DecodeMessage(bytes);
  if (!message) {
    refused_.Add();
    return;
  }
  handler_->OnMail(peer, *message, taking_ns_);
}

void MemberMail::Send(uint64_t now_ns) {
  if (!is_dirty_ && now_ns - polled_ns_ < kPollEveryNs) return;
  polled_ns_ = now_ns;
  is_dirty_ = false;
  endpoint_.Poll(now_ns, this);
  for (; wrote_to_ != 0; wrote_to_ &= wrote_to_ - 1) {
    const MailBox* peer = peers_[static_cast<size_t>(std::countr_zero(wrote_to_))];
    if (peer != nullptr && peer->lcore() != nullptr && peer->lcore() != lcore()) peer->lcore()->WakeIfSleeping();
  }
}

// What finds no room is lost, which the channel is made for.
void MemberMail::SendFrame(uint16_t peer, std::span<const uint8_t> frame) {
  MailBox* to = peers_[peer];
  if (to == nullptr) return;
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  if (mbuf == nullptr) return;
  std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size())), frame.data(), frame.size());
  if (!to->Put(mbuf)) {
    rte_pktmbuf_free(mbuf);
    return;
  }
  wrote_to_ |= 1u << peer;
}

}  // namespace nf
