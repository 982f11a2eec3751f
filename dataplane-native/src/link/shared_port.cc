#include "link/shared_port.h"

#include <algorithm>

namespace nf::link {
namespace {

constexpr uint32_t kBurst = 32;

}  // namespace

std::unique_ptr<Port> SharedPort::OpenLane(uint16_t member) {
  return std::make_unique<Lane>(shared_from_this(), member);
}

void SharedPort::Fill() {
  uint32_t room = kBurst;
  for (const Lane* lane : lanes_) {
    if (lane != nullptr) room = std::min(room, lane->room());
  }
  std::array<rte_mbuf*, kBurst> frames;
  const uint32_t count = room != 0 ? port_->RxBurst(frames.data(), room) : 0;
  for (uint32_t i = 0; i < count; ++i) {
    OuterHeader outer;
    const bool is_whole = frames[i]->data_len >= sizeof outer;
    if (is_whole) std::memcpy(&outer, rte_pktmbuf_mtod(frames[i], const uint8_t*), sizeof outer);
    const auto member = is_whole ? MemberOf(outer.source, tenant_, kMembersMax) : std::nullopt;
    Lane* lane = member ? lanes_[*member] : nullptr;
    // Of nobody whose link is here.
    if (lane == nullptr)
      rte_pktmbuf_free(frames[i]);
    else
      lane->Put(frames[i]);
  }
}

uint32_t SharedPort::Lane::RxBurst(rte_mbuf** packets, uint32_t count) {
  shared_->lanes_[member_] = this;
  if (count_ == 0) shared_->Fill();
  const uint32_t taken = std::min(count, count_);
  for (uint32_t i = 0; i < taken; ++i) packets[i] = frames_[(first_ + i) % kRoom];
  first_ = (first_ + taken) % kRoom;
  count_ -= taken;
  return taken;
}

void SharedPort::Lane::Retire() {
  if (shared_->lanes_[member_] == this) shared_->lanes_[member_] = nullptr;
  for (; count_ != 0; --count_) rte_pktmbuf_free(frames_[first_++ % kRoom]);
}

}  // namespace nf::link
