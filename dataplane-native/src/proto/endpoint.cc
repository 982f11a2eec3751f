#include "proto/endpoint.h"

#include <algorithm>

namespace nf::proto {

Endpoint::Endpoint(uint16_t own, uint16_t members, const ChannelConfig& config)
    : max_message_bytes_(config.max_message_bytes), own_(own) {
  for (uint16_t id = 0; id < members; ++id) peers_.push_back(std::make_unique<Peer>(own, id, config));
  live_.reserve(members);
}

void Endpoint::FindLive() {
  live_.clear();
  for (auto& peer : peers_)
    if (peer->channel.peer_incarnation() != 0) live_.push_back(peer.get());
}

void Endpoint::SetOwnIncarnation(uint32_t incarnation) {
  own_incarnation_ = incarnation;
  for (auto& peer : peers_) {
    peer->header = {};
    peer->channel.Reset(incarnation, peer->channel.peer_incarnation(), peer->channel.frame_bytes());
  }
}

void Endpoint::SetPeer(uint16_t peer, uint32_t incarnation, uint32_t frame_bytes) {
  if (peer >= peers_.size() || peer == own_ || incarnation_of(peer) == incarnation) return;
  peers_[peer]->header = {};
  peers_[peer]->channel.Reset(own_incarnation_, incarnation, frame_bytes);
  FindLive();
}

bool Endpoint::Flush(Peer* peer) {
  if (peer->header.count == 0) return true;
  std::memcpy(peer->gathered.get(), &peer->header, sizeof peer->header);
  if (!peer->channel.Send({peer->gathered.get(), sizeof peer->header + peer->header.bytes})) return false;
  peer->header = {};
  return true;
}

bool Endpoint::Say(uint16_t id, MessageType type, std::span<const uint8_t> record, std::span<const uint8_t> tail) {
  if (id >= peers_.size() || id == own_ || incarnation_of(id) == 0) return false;
  Peer* peer = peers_[id].get();
  const size_t bytes = record.size() + tail.size();
  // A message is not made longer than a frame by gathering.
  const uint32_t batch_bytes = peer->channel.frame_bytes() - uint32_t{sizeof(FrameHeader) + sizeof(PieceHeader)};
  if (sizeof(MessageHeader) + bytes > max_message_bytes_) return false;
  const bool joins = peer->header.count > 0 && peer->header.count < 0xffff && peer->header.type == type &&
                     sizeof(MessageHeader) + peer->header.bytes + bytes <= std::min(batch_bytes, max_message_bytes_);
  if (!joins) {
    if (!Flush(peer)) return false;
    peer->header = {.type = type, .zero = 0, .count = 0, .bytes = 0};
  }
  uint8_t* at = peer->gathered.get() + sizeof(MessageHeader) + peer->header.bytes;
  std::memcpy(at, record.data(), record.size());
  if (!tail.empty()) std::memcpy(at + record.size(), tail.data(), tail.size());
  ++peer->header.count;
  peer->header.bytes += static_cast<uint32_t>(bytes);
  return true;
}

void Endpoint::Receive(uint16_t peer, std::span<const uint8_t> frame, uint64_t now_ns, MessageHandler* handler) {
  if (peer < peers_.size() && peer != own_) peers_[peer]->channel.Receive(frame, now_ns, handler);
}

void Endpoint::Poll(uint64_t now_ns, FrameSink* sink) {
  for (Peer* peer : live_) {
    static_cast<void>(Flush(peer));  // What finds no room stays gathered.
    peer->channel.Poll(now_ns, sink);
  }
}

bool Endpoint::idle() const {
  return std::ranges::all_of(peers_, [](const auto& peer) { return peer->header.count == 0 && peer->channel.idle(); });
}

}  // namespace nf::proto
