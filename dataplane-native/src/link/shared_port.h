// One device for the links of several runtimes, told apart by the address that their frames come from. Each link has a
// lane, which is a port like any other; the lane that is asked first in a turn takes what there is and puts it into
// all. A lane that is full keeps the others waiting, so that nothing is lost here.
#pragma once

#include <array>
#include <memory>

#include "link/link_frame.h"
#include "port/port.h"
#include "runtime/member_mail.h"

namespace nf::link {

class SharedPort : public std::enable_shared_from_this<SharedPort> {
 public:
  SharedPort(std::unique_ptr<Port> port, uint16_t tenant) : port_(std::move(port)), tenant_(tenant) {}

  // For the link of this runtime, which has no other lane. The device is closed with the last lane. Control threads.
  std::unique_ptr<Port> OpenLane(uint16_t member);

 private:
  class Lane final : public Port {
   public:
    Lane(std::shared_ptr<SharedPort> shared, uint16_t member) : shared_(std::move(shared)), member_(member) {}
    ~Lane() override { Retire(); }

    uint32_t RxBurst(rte_mbuf** packets, uint32_t count) override;
    uint32_t TxBurst(rte_mbuf** packets, uint32_t count) override { return shared_->port_->TxBurst(packets, count); }
    std::span<const int> wait_fds() const override { return shared_->port_->wait_fds(); }
    Carrier carrier() const override { return shared_->port_->carrier(); }
    uint64_t missed() override { return shared_->port_->missed(); }
    void Retire() override;

    uint32_t room() const { return kRoom - count_; }
    void Put(rte_mbuf* frame) { frames_[(first_ + count_++) % kRoom] = frame; }

   private:
    static constexpr uint32_t kRoom = 256;
    std::shared_ptr<SharedPort> shared_;
    uint16_t member_;
    std::array<rte_mbuf*, kRoom> frames_;
    uint32_t first_ = 0, count_ = 0;
  };

  // The lcore.
  void Fill();

  std::unique_ptr<Port> port_;
  uint16_t tenant_;
  std::array<Lane*, kMembersMax> lanes_{};  // Of links that are worked on; the lcore's.
};

}  // namespace nf::link
