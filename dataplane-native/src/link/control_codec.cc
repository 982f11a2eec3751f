#include "link/control_codec.h"

namespace nf::link {

Expected<ControlCodec> ControlCodec::Create(const Identity& identity) {
  auto cipher = FrameCipher::Create(identity.key);
  if (!cipher) return std::unexpected(cipher.error());
  return ControlCodec(identity, std::move(*cipher));
}

void ControlCodec::SetPeer(uint16_t member, uint32_t incarnation) {
  Sender& sender = senders_[member];
  if (sender.incarnation == incarnation) return;
  sender.incarnation = incarnation;
  sender.window.Reset();
}

bool ControlCodec::Seal(rte_mbuf* mbuf, ControlKind kind, uint16_t to) {
  const uint16_t payload = mbuf->data_len;
  if (rte_pktmbuf_headroom(mbuf) < kControlHeaderBytes || rte_pktmbuf_tailroom(mbuf) < kControlTagBytes) {
    counters_->Add(LinkCount::kNoRoom);
    return false;
  }
  auto* frame = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(mbuf, kControlHeaderBytes));
  rte_pktmbuf_append(mbuf, kControlTagBytes);
  const OuterHeader outer = {.destination = AddressOf(identity_.tenant, to),
                             .source = AddressOf(identity_.tenant, identity_.member),
                             .ether_type = {kEtherTypeControl >> 8, kEtherTypeControl & 0xff}};
  const uint64_t number = ++sealed_;
  const ControlHeader header = {.version = kControlVersion,
                                .kind = kind,
                                .source = identity_.member,
                                .incarnation = identity_.incarnation,
                                .counter_low = static_cast<uint32_t>(number),
                                .counter_high = static_cast<uint16_t>(number >> 32),
                                .bytes = payload};
  std::memcpy(frame, &outer, sizeof outer);
  std::memcpy(frame + sizeof outer, &header, sizeof header);
  return cipher_.Seal(frame, payload);
}

std::optional<ControlCodec::Opened> ControlCodec::Open(std::span<const uint8_t> frame, uint8_t* out) {
  const auto header = DecodeControl(frame);
  if (!header || header->bytes > kPayloadMax) return Refuse(LinkCount::kMalformed);
  // What is dear comes behind what is cheap; nothing is believed before the cipher has spoken.
  if (header->source >= kMembersMax || header->incarnation == 0 ||
      senders_[header->source].incarnation != header->incarnation)
    return Refuse(LinkCount::kWrongLife);
  if (!cipher_.Open(frame, *header, out)) return Refuse(LinkCount::kForged);
  if (!senders_[header->source].window.Take(CounterOf(*header))) return Refuse(LinkCount::kReplayed);
  return Opened{.kind = header->kind, .source = header->source, .bytes = header->bytes};
}

}  // namespace nf::link
