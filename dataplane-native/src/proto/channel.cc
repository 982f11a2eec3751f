#include "proto/channel.h"

#include <algorithm>

#include "base/check.h"

namespace nf::proto {

Channel::Channel(uint16_t own, uint16_t peer, const ChannelConfig& config)
    : config_(config),
      own_(own),
      peer_(peer),
      mask_(config.send_frames - 1),
      frames_(config.send_frames),
      out_bytes_(new uint8_t[size_t{config.send_frames} * config.frame_bytes]),
      in_bytes_(new uint8_t[size_t{kWindow} * config.frame_bytes]),
      assembly_(new uint8_t[config.max_message_bytes]) {
  NF_CHECK(config.send_frames >= kUnderWay && (config.send_frames & mask_) == 0, "a power of two, at least 64");
  NF_CHECK(config.frame_bytes > sizeof(FrameHeader) + sizeof(PieceHeader) && config.frame_bytes <= 0xffff,
           "frame size");
  Reset(0, 0);
}

void Channel::Reset(uint32_t own_incarnation, uint32_t peer_incarnation, uint32_t frame_bytes) {
  frame_bytes_ = frame_bytes == 0 ? config_.frame_bytes : std::min(frame_bytes, config_.frame_bytes);
  own_incarnation_ = own_incarnation;
  peer_incarnation_ = peer_incarnation;
  std::ranges::fill(frames_, Outgoing{});
  first_ = next_ = filling_ = expected_ = kFirstSequence;
  peer_window_ = kWindow;
  under_way_ = due_ = 0;
  oldest_ns_ = 0;
  smoothed_ns_ = deviation_ns_ = 0;
  timeout_ns_ = config_.first_timeout_ns;
  backoff_ = 0;
  early_bytes_.fill(0);
  selective_ = 0;
  ack_owed_ = assembling_ = false;
  assembled_ = 0;
}

// Bytes of one message that still fit, over the rest of the frame being filled and the free ones behind it.
uint64_t Channel::RoomForPieces() const {
  const uint32_t used = frames_[filling_ & mask_].bytes;
  const uint64_t here = piece_room() - std::min(piece_room(), used + uint32_t{sizeof(PieceHeader)});
  const uint64_t free_frames = config_.send_frames - 1 - (filling_ - first_);
  return here + free_frames * (piece_room() - sizeof(PieceHeader));
}

void Channel::Append(std::span<const uint8_t> piece, uint8_t flags) {
  Outgoing& frame = frames_[filling_ & mask_];
  const PieceHeader header{.bytes = static_cast<uint16_t>(piece.size()), .flags = flags, .zero = 0};
  uint8_t* at = OutBytes(filling_) + frame.bytes;
  std::memcpy(at, &header, sizeof header);
  std::memcpy(at + sizeof header, piece.data(), piece.size());
  frame.bytes += static_cast<uint32_t>(sizeof header + piece.size());
}

bool Channel::Send(std::span<const uint8_t> message) {
  if (message.empty() || message.size() > config_.max_message_bytes || peer_incarnation_ == 0 ||
      message.size() > RoomForPieces()) {
    ++counters_.pushed_back;
    return false;
  }
  ++counters_.messages_sent;
  // A message that fits a frame of its own isn't split over two.
  const uint32_t used = frames_[filling_ & mask_].bytes;
  const bool fits_here = used + sizeof(PieceHeader) + message.size() <= piece_room();
  const bool fits_one = sizeof(PieceHeader) + message.size() <= piece_room();
  const bool free_frame = filling_ - first_ + 1 < config_.send_frames;
  if (used > 0 && !fits_here && fits_one && free_frame) ++filling_;
  uint8_t flags = kPieceFirst;
  while (true) {
    const uint32_t taken = frames_[filling_ & mask_].bytes + uint32_t{sizeof(PieceHeader)};
    if (taken >= piece_room()) {
      ++filling_;
      continue;
    }
    const auto now = std::min<size_t>(message.size(), piece_room() - taken);
    const bool last = now == message.size();
    Append(message.first(now), last ? flags | kPieceLast : flags);
    if (last) return true;
    message = message.subspan(now);
    flags = 0;
    ++filling_;
  }
}

void Channel::Measure(uint64_t round_trip_ns) {
  if (smoothed_ns_ == 0) {
    smoothed_ns_ = round_trip_ns;
    deviation_ns_ = round_trip_ns / 2;
  } else {
    const uint64_t off = smoothed_ns_ > round_trip_ns ? smoothed_ns_ - round_trip_ns : round_trip_ns - smoothed_ns_;
    deviation_ns_ = (3 * deviation_ns_ + off) / 4;
    smoothed_ns_ = (7 * smoothed_ns_ + round_trip_ns) / 8;
  }
  timeout_ns_ = std::max(config_.min_timeout_ns, smoothed_ns_ + 4 * deviation_ns_);
}

void Channel::Arrived(Outgoing* frame, uint64_t now_ns) {
  if (frame->arrived) return;
  if (frame->sendings == 1) Measure(now_ns - frame->sent_ns);
  --(frame->due ? due_ : under_way_);
  frame->arrived = true;
  frame->due = false;
}

void Channel::Lost(Outgoing* frame) {
  if (frame->arrived || frame->due) return;
  frame->due = true;
  --under_way_;
  ++due_;
}

void Channel::TakeAck(const FrameHeader& header, uint64_t now_ns) {
  if (SerialLess(header.ack, first_) || SerialLess(next_, header.ack)) return;  // Old, or of frames never sent.
  if (header.ack != first_) backoff_ = 0;
  for (; first_ != header.ack; ++first_) {
    Arrived(&frames_[first_ & mask_], now_ns);
    frames_[first_ & mask_] = {};
  }
  peer_window_ = std::min<uint32_t>(header.window, kWindow);
  if (header.selective == 0 || first_ == next_) return;
  uint32_t later = 0;
  for (uint32_t bit = kSelective; bit-- > 0;) {
    const uint32_t sequence = first_ + 1 + bit;
    if (!SerialLess(sequence, next_)) continue;
    Outgoing& frame = frames_[sequence & mask_];
    if ((header.selective >> bit & 1) != 0) {
      Arrived(&frame, now_ns);
      ++later;
    } else if (later >= 3 && (frame.sendings == 1 || now_ns - frame.sent_ns > smoothed_ns_)) {
      Lost(&frame);
    }
  }
  Outgoing& frame = frames_[first_ & mask_];
  if (later >= 3 && (frame.sendings == 1 || now_ns - frame.sent_ns > smoothed_ns_)) Lost(&frame);
}

void Channel::FindLost(uint64_t now_ns) {
  const uint64_t bound = smoothed_ns_ == 0 ? config_.first_timeout_ns : std::max(10 * smoothed_ns_, timeout_ns_);
  const uint64_t patience = std::min(timeout_ns_ << std::min(backoff_, 10u), bound);
  if (under_way_ == 0 || now_ns - oldest_ns_ < patience) return;
  // Of those that an ack can't tell of nothing is known before the first one has come.
  const uint32_t end = SerialLess(first_ + 1 + kSelective, next_) ? first_ + 1 + kSelective : next_;
  bool any = false;
  oldest_ns_ = now_ns;
  for (uint32_t sequence = first_; sequence != next_; ++sequence) {
    Outgoing& frame = frames_[sequence & mask_];
    if (frame.arrived || frame.due) continue;
    if (SerialLess(sequence, end) && now_ns - frame.sent_ns >= patience) {
      Lost(&frame);
      any = true;
    } else {
      oldest_ns_ = std::min(oldest_ns_, frame.sent_ns);
    }
  }
  if (any) ++backoff_;
}

void Channel::FillHeader(uint8_t* frame, uint32_t sequence, uint32_t bytes) const {
  FrameHeader header{};
  header.version = kFrameVersion;
  header.flags = bytes > 0 ? kFrameHasData : 0;
  header.window = kWindow;
  header.source = own_;
  header.destination = peer_;
  header.source_incarnation = own_incarnation_;
  header.destination_incarnation = peer_incarnation_;
  header.sequence = sequence;
  header.ack = expected_;
  header.selective = selective_;
  header.bytes = bytes;
  std::memcpy(frame, &header, sizeof header);
  SealFrame({frame, sizeof header + bytes});
}

void Channel::Transmit(uint32_t sequence, uint64_t now_ns, FrameSink* sink) {
  Outgoing& frame = frames_[sequence & mask_];
  uint8_t* bytes = OutBytes(sequence) - sizeof(FrameHeader);
  FillHeader(bytes, sequence, frame.bytes);
  if (under_way_++ == 0) oldest_ns_ = now_ns;
  frame.sent_ns = now_ns;
  frame.sendings = static_cast<uint16_t>(std::min(frame.sendings + 1, 0xffff));
  frame.due = false;
  ++counters_.frames_sent;
  counters_.bytes_sent += sizeof(FrameHeader) + frame.bytes;
  ack_owed_ = false;
  sink->SendFrame(peer_, {bytes, sizeof(FrameHeader) + frame.bytes});
}

void Channel::Poll(uint64_t now_ns, FrameSink* sink) {
  if (peer_incarnation_ == 0) return;
  if (InForce(Protection::kChannelRetransmit)) {
    FindLost(now_ns);
    for (uint32_t sequence = first_; due_ > 0 && sequence != next_; ++sequence) {
      if (!frames_[sequence & mask_].due) continue;
      ++counters_.frames_repeated;
      --due_;
      Transmit(sequence, now_ns, sink);
    }
  }
  while (next_ - first_ < peer_window_ && under_way_ < kUnderWay) {
    if (next_ == filling_) {
      if (frames_[filling_ & mask_].bytes == 0 || filling_ - first_ + 1 >= config_.send_frames) break;
      ++filling_;
    }
    Transmit(next_, now_ns, sink);
    ++next_;
  }
  if (!ack_owed_) return;
  ack_owed_ = false;
  uint8_t frame[sizeof(FrameHeader)];
  FillHeader(frame, next_, 0);
  counters_.bytes_sent += sizeof frame;
  sink->SendFrame(peer_, frame);
}

void Channel::Receive(std::span<const uint8_t> bytes, uint64_t now_ns, MessageHandler* handler) {
  const auto header = DecodeFrame(bytes);
  if (!header || bytes.size() > config_.frame_bytes || header->source != peer_ || header->destination != own_ ||
      peer_incarnation_ == 0) {
    ++counters_.frames_refused;
    return;
  }
  if (InForce(Protection::kChannelIncarnation) &&
      (header->source_incarnation != peer_incarnation_ || header->destination_incarnation != own_incarnation_)) {
    ++counters_.frames_refused;
    return;
  }
  const bool has_data = header->flags & kFrameHasData;
  if (InForce(Protection::kChannelSequence) && has_data && !SerialLess(header->sequence, expected_ + kWindow)) {
    ++counters_.frames_refused;
    return;
  }
  ++counters_.frames_received;
  TakeAck(*header, now_ns);
  if (has_data) TakeData(header->sequence, bytes.subspan(sizeof *header), handler);
}

void Channel::TakeData(uint32_t sequence, std::span<const uint8_t> pieces, MessageHandler* handler) {
  ack_owed_ = true;
  const uint32_t ahead = sequence - expected_;
  if (InForce(Protection::kChannelSequence)) {
    if (SerialLess(sequence, expected_) || (ahead > 0 && early_bytes_[sequence % kWindow] != 0)) {
      ++counters_.frames_repetitive;
      return;
    }
    if (ahead > 0) {
      early_bytes_[sequence % kWindow] = static_cast<uint32_t>(pieces.size());
      if (ahead <= kSelective) selective_ |= uint64_t{1} << (ahead - 1);
      std::memcpy(InBytes(sequence), pieces.data(), pieces.size());
      return;
    }
  } else {
    expected_ = sequence;
  }
  // Past this frame before the users see it: a user may reset the channel.
  Advance();
  const uint32_t life = peer_incarnation_;
  Deliver(pieces, handler);
  while (life == peer_incarnation_ && early_bytes_[expected_ % kWindow] != 0) {
    const std::span<const uint8_t> bytes{InBytes(expected_), early_bytes_[expected_ % kWindow]};
    early_bytes_[expected_ % kWindow] = 0;
    Advance();
    Deliver(bytes, handler);
  }
}

void Channel::Advance() {
  ++expected_;
  selective_ >>= 1;
  if (early_bytes_[(expected_ + kSelective) % kWindow] != 0) selective_ |= uint64_t{1} << (kSelective - 1);
}

void Channel::Deliver(std::span<const uint8_t> pieces, MessageHandler* handler) {
  while (pieces.size() >= sizeof(PieceHeader)) {
    PieceHeader header;
    std::memcpy(&header, pieces.data(), sizeof header);
    pieces = pieces.subspan(sizeof header);
    if (header.bytes > pieces.size()) return;
    const auto piece = pieces.first(header.bytes);
    pieces = pieces.subspan(header.bytes);
    const bool first = header.flags & kPieceFirst;
    const bool last = header.flags & kPieceLast;
    if (first && last) {
      ++counters_.messages_received;
      handler->OnMessage(peer_, piece);
      continue;
    }
    if (first) {
      assembled_ = 0;
      assembling_ = true;
    }
    if (!assembling_ || assembled_ + piece.size() > config_.max_message_bytes) {
      assembling_ = false;
      continue;
    }
    std::memcpy(assembly_.get() + assembled_, piece.data(), piece.size());
    assembled_ += static_cast<uint32_t>(piece.size());
    if (!last) continue;
    assembling_ = false;
    ++counters_.messages_received;
    handler->OnMessage(peer_, {assembly_.get(), assembled_});
  }
}

}  // namespace nf::proto
