// A member's end of all its channels. Records for one peer and of one type are gathered into one message until
// something else is to be said or the turn ends, so that many flows share messages and frames. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "proto/channel.h"
#include "proto/messages.h"

namespace nf::proto {

// Where the state machines put what they say.
class MessageSink {
 public:
  // False: the peer is unknown or its channel is full; the machine will say it again when its time is up.
  virtual bool Say(uint16_t peer, MessageType type, std::span<const uint8_t> record,
                   std::span<const uint8_t> tail = {}) = 0;

  // Whether as much is said to this peer as may be under way at once: what has time is said later, so that what has
  // none doesn't wait behind it.
  virtual bool IsBusy(uint16_t) const { return false; }

  template <typename Record>
  bool Say(uint16_t peer, MessageType type, const Record& record) {
    return Say(peer, type, {reinterpret_cast<const uint8_t*>(&record), sizeof record}, {});
  }

 protected:
  ~MessageSink() = default;
};

class Endpoint final : public MessageSink {
 public:
  // Members have the ids 0 … members - 1.
  Endpoint(uint16_t own, uint16_t members, const ChannelConfig& config);

  void SetOwnIncarnation(uint32_t incarnation);
  // The peer's new life; 0: it is dead. Whatever was under way to or from the old one is forgotten. Said again:
  // nothing. `frame_bytes`: the way there has room for no longer ones; 0: for all.
  void SetPeer(uint16_t peer, uint32_t incarnation, uint32_t frame_bytes = 0);
  uint32_t incarnation_of(uint16_t peer) const { return peers_[peer]->channel.peer_incarnation(); }

  using MessageSink::Say;
  bool Say(uint16_t peer, MessageType type, std::span<const uint8_t> record, std::span<const uint8_t> tail) override;
  bool IsBusy(uint16_t peer) const override { return peers_[peer]->channel.backlog() >= Channel::kUnderWay; }
  void Receive(uint16_t peer, std::span<const uint8_t> frame, uint64_t now_ns, MessageHandler* handler);
  // Ends the turn: gathered records become messages, frames leave.
  void Poll(uint64_t now_ns, FrameSink* sink);

  bool idle() const;
  const ChannelCounters& counters(uint16_t peer) const { return peers_[peer]->channel.counters(); }

 private:
  struct Peer {
    Peer(uint16_t own, uint16_t id, const ChannelConfig& config)
        : channel(own, id, config), gathered(new uint8_t[config.max_message_bytes]) {}
    Channel channel;
    std::unique_ptr<uint8_t[]> gathered;  // Header and records.
    MessageHeader header{};
  };
  bool Flush(Peer* peer);
  void FindLive();

  uint32_t max_message_bytes_;
  uint16_t own_;
  uint32_t own_incarnation_ = 0;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<Peer*> live_;  // Those with an incarnation.
};

}  // namespace nf::proto
