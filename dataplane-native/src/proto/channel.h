// The reliable channel between two members, one end of it: messages arrive whole, once and in order, or not at all when
// the other end has lost its memory (a new incarnation; both users are told by those who told the channel).
//
// Frames are numbered; up to 64 are under way, up to 128 from the first that is missing: those that have come out of
// order make room for others, so that a link does not fall silent while a lost one is on its way again. The receiver
// acknowledges what has come in order (ack) and of the next 64 which have come (selective); acks ride on data, or alone
// when there is none. A frame is sent again when three later ones have come, or when its time is out: round trip plus
// four deviations, doubled each time, at most ten round trips (the paper's bound). Small messages share a frame; long
// ones are split. When all frames are in use, Send refuses.
//
// All memory is taken by the constructor. One thread; no clock but the `now_ns` of the caller.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "proto/frame.h"
#include "proto/ids.h"

namespace nf::proto {

struct ChannelConfig {
  uint32_t frame_bytes = 1472;  // With its header.
  uint32_t send_frames = 256;   // That wait or are under way. Power of two, at least 64.
  uint32_t max_message_bytes = 64 * 1024;
  uint64_t first_timeout_ns = 1'000'000;  // Until a round trip was measured.
  uint64_t min_timeout_ns = 20'000;
};

struct ChannelCounters {
  uint64_t messages_sent = 0;
  uint64_t messages_received = 0;
  uint64_t pushed_back = 0;  // Messages that found all frames in use.
  uint64_t frames_sent = 0;
  uint64_t bytes_sent = 0;  // In frames of any kind.
  uint64_t frames_repeated = 0;
  uint64_t frames_received = 0;    // Good ones, also those without data.
  uint64_t frames_repetitive = 0;  // Had come before.
  uint64_t frames_refused = 0;     // Damaged, of another life, or beyond the window.
};

class MessageHandler {
 public:
  virtual void OnMessage(uint16_t peer, std::span<const uint8_t> message) = 0;

 protected:
  ~MessageHandler() = default;
};

class FrameSink {
 public:
  virtual void SendFrame(uint16_t peer, std::span<const uint8_t> frame) = 0;

 protected:
  ~FrameSink() = default;
};

class Channel {
 public:
  static constexpr uint32_t kWindow = 128;    // Frames from the first missing on that a receiver takes.
  static constexpr uint32_t kUnderWay = 64;   // Neither known to have come nor to be lost.
  static constexpr uint32_t kSelective = 64;  // Frames behind the first missing that an ack tells of.
  // Close to the wrap, so that every run goes over it.
  static constexpr uint32_t kFirstSequence = 0xffffffe0;

  Channel(uint16_t own, uint16_t peer, const ChannelConfig& config);

  // Begins anew between these two lives; what was under way is forgotten. Incarnation 0: nobody there. `frame_bytes`:
  // no longer frames go there; 0: those of the configuration.
  void Reset(uint32_t own_incarnation, uint32_t peer_incarnation, uint32_t frame_bytes = 0);

  // False: no room now, nothing was taken, or longer than max_message_bytes.
  [[nodiscard]] bool Send(std::span<const uint8_t> message);
  void Receive(std::span<const uint8_t> frame, uint64_t now_ns, MessageHandler* handler);
  // Sends what may be sent and what is due, and an ack if one is owed.
  void Poll(uint64_t now_ns, FrameSink* sink);

  // Frames that wait or are under way, also the one that still takes messages.
  uint32_t backlog() const { return filling_ - first_ + (frames_[filling_ & mask_].bytes != 0 ? 1 : 0); }
  // Whether everything sent has been acknowledged.
  bool idle() const { return backlog() == 0; }
  uint32_t peer_incarnation() const { return peer_incarnation_; }
  uint32_t frame_bytes() const { return frame_bytes_; }
  uint64_t timeout_ns() const { return timeout_ns_; }
  const ChannelCounters& counters() const { return counters_; }

 private:
  struct Outgoing {
    uint64_t sent_ns;
    uint32_t bytes;  // Of pieces.
    uint16_t sendings;
    bool arrived;
    bool due;  // Lost for all that is known.
  };
  uint32_t piece_room() const { return frame_bytes_ - static_cast<uint32_t>(sizeof(FrameHeader)); }
  uint8_t* OutBytes(uint32_t sequence) {
    return out_bytes_.get() + size_t{sequence & mask_} * config_.frame_bytes + sizeof(FrameHeader);
  }
  uint8_t* InBytes(uint32_t sequence) { return in_bytes_.get() + size_t{sequence % kWindow} * config_.frame_bytes; }
  uint64_t RoomForPieces() const;
  void Append(std::span<const uint8_t> piece, uint8_t flags);
  void TakeAck(const FrameHeader& header, uint64_t now_ns);
  void Measure(uint64_t round_trip_ns);
  void Arrived(Outgoing* frame, uint64_t now_ns);
  void Lost(Outgoing* frame);
  void FindLost(uint64_t now_ns);
  void Transmit(uint32_t sequence, uint64_t now_ns, FrameSink* sink);
  void FillHeader(uint8_t* frame, uint32_t sequence, uint32_t bytes) const;
  void TakeData(uint32_t sequence, std::span<const uint8_t> pieces, MessageHandler* handler);
  void Advance();
  void Deliver(std::span<const uint8_t> pieces, MessageHandler* handler);

  ChannelConfig config_;
  uint16_t own_;
  uint16_t peer_;
  uint32_t mask_;
  uint32_t frame_bytes_ = 0;  // That go to the peer.
  uint32_t own_incarnation_ = 0;
  uint32_t peer_incarnation_ = 0;

  // Sending: [first_, next_) are under way, [next_, filling_) wait for the window, filling_ takes pieces.
  std::vector<Outgoing> frames_;
  std::unique_ptr<uint8_t[]> out_bytes_;
  uint32_t first_ = kFirstSequence;
  uint32_t next_ = kFirstSequence;
  uint32_t filling_ = kFirstSequence;
  uint32_t peer_window_ = kWindow;
  uint32_t under_way_ = 0;
  uint32_t due_ = 0;
  uint64_t oldest_ns_ = 0;  // Nothing under way was sent before.
  uint64_t smoothed_ns_ = 0;
  uint64_t deviation_ns_ = 0;
  uint64_t timeout_ns_ = 0;
  uint32_t backoff_ = 0;

  // Receiving.
  std::array<uint32_t, kWindow> early_bytes_{};  // Of frames that have come before expected_; 0: has not come.
  uint64_t selective_ = 0;                       // Bit i: frame expected_ + 1 + i has come.
  std::unique_ptr<uint8_t[]> in_bytes_;
  uint32_t expected_ = kFirstSequence;
  bool ack_owed_ = false;
  std::unique_ptr<uint8_t[]> assembly_;
  uint32_t assembled_ = 0;
  bool assembling_ = false;

  ChannelCounters counters_;
};

}  // namespace nf::proto
