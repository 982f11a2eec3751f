#include "chain/edits.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "packet/packet_meta.h"
#include "packet/parse.h"
#include "packet/protocols.h"

namespace nf {
namespace {

// A header area's stride, read once.
struct HeaderCopy {
  alignas(64) uint8_t bytes[abi::kHeaderStride];

  HeaderCopy(const uint8_t* guest, uint32_t length) {
    for (uint32_t i = 0; i < length; i += 64) Copy64(bytes + i, guest + i);
  }
  static void Copy64(uint8_t* to, const uint8_t* from) {
    const auto* source = reinterpret_cast<const __m256i*>(from);
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm256_loadu_si256(source));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to) + 1, _mm256_loadu_si256(source + 1));
  }
};

uint32_t Load32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

bool SameLinkHeader(const uint8_t* a, const uint8_t* b, uint32_t bytes) {  // 14 to 22.
  uint64_t x[2], y[2];
  std::memcpy(x, a, 8);
  std::memcpy(y, b, 8);
  std::memcpy(x + 1, a + bytes - 8, 8);
  std::memcpy(y + 1, b + bytes - 8, 8);
  if (bytes > 16 && std::memcmp(a + 8, b + 8, bytes - 16) != 0) return false;
  return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

// Whole TCP or UDP packets over IPv4 without options: structure lies in a few bytes, which are compared instead of
// parsing anew.
bool IsPlainIpv4(const ParsedPacket& parsed) {
  return parsed.kind == PacketKind::kFlow && parsed.key.ip_version == 4 &&
         parsed.l4_offset - parsed.l3_offset == static_cast<int>(kIpv4Bytes) &&
         (parsed.flags & abi::kPacketFlagFragment) == 0 && (parsed.l4_protocol == kTcp || parsed.l4_protocol == kUdp);
}

bool SameStructureIpv4(const uint8_t* a, const uint8_t* b, const ParsedPacket& parsed) {
  const uint8_t* ip_a = a + parsed.l3_offset;
  const uint8_t* ip_b = b + parsed.l3_offset;
  // Little-endian masks: version and IHL and total length; flags and fragment offset; protocol.
  uint32_t difference = (Load32(ip_a) ^ Load32(ip_b)) & 0xffff00ffu;
  difference |= (Load32(ip_a + 4) ^ Load32(ip_b + 4)) & 0xffff0000u;
  difference |= (Load32(ip_a + 8) ^ Load32(ip_b + 8)) & 0x0000ff00u;
  const uint8_t* l4_a = a + parsed.l4_offset;
  const uint8_t* l4_b = b + parsed.l4_offset;
  if (parsed.l4_protocol == kTcp) {
    difference |= (l4_a[12] ^ l4_b[12]) & 0xf0u;  // Data offset.
  } else {
    difference |= (Load32(l4_a + 4) ^ Load32(l4_b + 4)) & 0x0000ffffu;  // UDP length.
  }
  return difference == 0;
}

bool SameStructure(const ParsedPacket& a, const ParsedPacket& b) {
  constexpr uint16_t kFragments = abi::kPacketFlagFragment | abi::kPacketFlagLaterFragment;
  if (a.l3_offset != b.l3_offset || a.l4_offset != b.l4_offset || a.payload_offset != b.payload_offset ||
      a.l4_protocol != b.l4_protocol || a.key.ip_version != b.key.ip_version || a.datagram_end != b.datagram_end ||
      ((a.flags ^ b.flags) & kFragments) != 0) {
    return false;
  }
  if ((a.flags & kFragments) == 0) return true;
  return a.fragment_protocol == b.fragment_protocol && a.fragment_identification == b.fragment_identification &&
         a.more_fragments == b.more_fragments && a.fragment_offset_8 == b.fragment_offset_8;
}

void RefreshTupleIpv4(const uint8_t* frame, ParsedPacket& parsed) {
  const uint8_t* ip = frame + parsed.l3_offset;
  const uint8_t* l4 = frame + parsed.l4_offset;
  std::memcpy(parsed.key.source_address + 12, ip + 12, 4);
  std::memcpy(parsed.key.destination_address + 12, ip + 16, 4);
  parsed.key.source_port = LoadBe16(l4);
  parsed.key.destination_port = LoadBe16(l4 + 2);
}

// `header` over the frame's first bytes, whose length it has.
void WriteHeader(uint8_t* frame, const HeaderCopy& header, uint32_t length) {
  if (length > 64) {
    std::memcpy(frame, header.bytes, length);
    return;
  }
  // One store of 64 bytes that keeps what lies behind the header.
  const __m256i indexes = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                           22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
  const __m256i left = _mm256_set1_epi8(static_cast<char>(length));
  auto* target = reinterpret_cast<__m256i*>(frame);
  const auto* source = reinterpret_cast<const __m256i*>(header.bytes);
  const __m256i low = _mm256_cmpgt_epi8(left, indexes);
  const __m256i high = _mm256_cmpgt_epi8(left, _mm256_add_epi8(indexes, _mm256_set1_epi8(32)));
  _mm256_storeu_si256(target, _mm256_blendv_epi8(_mm256_loadu_si256(target), _mm256_load_si256(source), low));
  _mm256_storeu_si256(target + 1,
                      _mm256_blendv_epi8(_mm256_loadu_si256(target + 1), _mm256_load_si256(source + 1), high));
}

bool ApplyHeader(ChainNf& nf, uint32_t index, rte_mbuf* mbuf) {
  PacketMeta* meta = MetaOf(mbuf);
  ParsedPacket& parsed = meta->parsed;
  uint8_t* frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
  const uint32_t length = parsed.payload_offset;
  const HeaderCopy header(nf.headers().at(index), length);
  if (!SameLinkHeader(header.bytes, frame, parsed.l3_offset)) return false;
  if (IsPlainIpv4(parsed) && SameStructureIpv4(header.bytes, frame, parsed)) [[likely]] {
    WriteHeader(frame, header, length);
    RefreshTupleIpv4(frame, parsed);
    return true;
  }
  // Only the header is there to be parsed: one that would need more does not end where it did.
  ParsedPacket fresh;
  if (ParsePacket(header.bytes, length, meta->wire_length, &fresh) != abi::DropReason::kNone) return false;
  if (fresh.kind == PacketKind::kNonIp || !SameStructure(fresh, parsed)) return false;
  WriteHeader(frame, header, length);
  fresh.flags = parsed.flags;
  parsed = fresh;
  return true;
}

bool Reshape(ChainNf& nf, uint32_t index, const abi::Result& result, rte_mbuf* mbuf) {
  PacketMeta* meta = MetaOf(mbuf);
  const ChainNf::Rights& rights = nf.rights();
  const uint32_t old_header = meta->parsed.payload_offset;
  const uint32_t old_payload = VisiblePayload(mbuf);
  const uint32_t header_length = result.header_length;
  if (header_length == 0 || header_length > abi::kHeaderStride) return false;
  uint32_t payload_length = result.payload_length;
  if (!rights.view_payload) {
    if (payload_length != 0) return false;
    payload_length = old_payload;
  } else if (payload_length > (rights.edit_payload ? abi::kFrameBytesMax : old_payload)) {
    return false;
  }
  const uint32_t captured = header_length + payload_length;
  if (captured > abi::kFrameBytesMax) return false;
  const uint32_t datagram = std::min<uint32_t>(meta->parsed.datagram_end, meta->wire_length);
  const uint32_t missing = datagram > mbuf->data_len ? datagram - mbuf->data_len : 0;

  uint8_t* frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
  const HeaderCopy header(nf.headers().at(index), header_length);
  if (header_length < meta->parsed.l3_offset || std::memcmp(header.bytes, frame, meta->parsed.l3_offset) != 0) {
    return false;
  }
  ParsedPacket fresh;
  if (ParsePacket(header.bytes, header_length, captured + missing, &fresh) != abi::DropReason::kNone) return false;
  if (fresh.kind == PacketKind::kNonIp || fresh.payload_offset != header_length) return false;
  fresh.flags &= static_cast<uint16_t>(~abi::kPacketFlagTruncated);
  if (captured < std::min<uint32_t>(fresh.datagram_end, captured + missing)) fresh.flags |= abi::kPacketFlagTruncated;

  if (rights.edit_payload) {
    std::memcpy(frame + header_length, nf.payloads().at(index), payload_length);
  } else if (header_length != old_header) {
    std::memmove(frame + header_length, frame + old_header, payload_length);
  }
  std::memcpy(frame, header.bytes, header_length);
  mbuf->data_len = static_cast<uint16_t>(captured);
  mbuf->pkt_len = captured;
  meta->wire_length = captured + missing;
  meta->parsed = fresh;
  return true;
}

}  // namespace

uint32_t VisiblePayload(const rte_mbuf* mbuf) {
  const ParsedPacket& parsed = MetaOf(mbuf)->parsed;
  const uint32_t end = std::min<uint32_t>(parsed.datagram_end, mbuf->data_len);
  return end > parsed.payload_offset ? end - parsed.payload_offset : 0;
}

bool ApplyEdits(ChainNf& nf, uint32_t index, const abi::Result& result, rte_mbuf* mbuf) {
  if ((result.flags & abi::kResultFlagReshaped) != 0) return Reshape(nf, index, result, mbuf);
  if ((result.flags & abi::kResultFlagModifiedHeader) != 0 && !ApplyHeader(nf, index, mbuf)) return false;
  if ((result.flags & abi::kResultFlagModifiedPayload) != 0) {
    uint8_t* payload = rte_pktmbuf_mtod_offset(mbuf, uint8_t*, MetaOf(mbuf)->parsed.payload_offset);
    std::memcpy(payload, nf.payloads().at(index), VisiblePayload(mbuf));
  }
  return true;
}

void RefreshTuple(rte_mbuf* mbuf) {
  ParsedPacket& parsed = MetaOf(mbuf)->parsed;
  const uint8_t* frame = rte_pktmbuf_mtod(mbuf, const uint8_t*);
  if (IsPlainIpv4(parsed)) {
    RefreshTupleIpv4(frame, parsed);
  } else if (parsed.kind != PacketKind::kIcmpError) {
    parsed.key = ReadTuple(frame, parsed);
  }
}

}  // namespace nf
