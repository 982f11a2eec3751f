// After the chain: the out tuple (docs/packet_path.md, section 7), and the way out.
#include <immintrin.h>

#include "chain/chain.h"

namespace nf {
namespace {

bool SameKey(const FlowKey& a, const FlowKey& b) {
  const auto* x = reinterpret_cast<const uint8_t*>(&a);
  const auto* y = reinterpret_cast<const uint8_t*>(&b);
  const __m256i front = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)),
                                         _mm256_loadu_si256(reinterpret_cast<const __m256i*>(y)));
  const __m128i back = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + 32)),
                                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(y + 32)));
  return _mm256_testz_si256(front, front) && _mm_testz_si128(back, back);
}

// `a` is `b` as the other side sends it.
bool ReverseKeys(const FlowKey& a, const FlowKey& b) {
  const auto* x = reinterpret_cast<const uint8_t*>(&a);
  const auto* y = reinterpret_cast<const uint8_t*>(&b);
  const __m256i addresses = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(y));
  const __m256i front = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)),
                                         _mm256_permute4x64_epi64(addresses, 0x4e));
  // The two ports, then all the rest as it is.
  const __m128i ports = _mm_setr_epi8(2, 3, 0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m128i back =
      _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + 32)),
                    _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(y + 32)), ports));
  return _mm256_testz_si256(front, front) && _mm_testz_si128(back, back);
}

bool SameAddresses(const FlowKey& a, const FlowKey& b) {
  return std::memcmp(a.source_address, b.source_address, 16) == 0 &&
         std::memcmp(a.destination_address, b.destination_address, 16) == 0;
}

}  // namespace

abi::DropReason Chain::CheckTuple(const PacketMeta& meta, uint32_t direction, PacketRole role) {
  using abi::DropReason;
  FlowActor& actor = flows_->actor(meta.flow);
  const FlowKey& key = meta.parsed.key;
  const bool is_later = meta.parsed.kind == PacketKind::kLaterFragment;
  if (direction == 1) {
    const bool same = is_later ? SameAddresses(key, actor.key.Reversed()) : ReverseKeys(key, actor.key);
    return same ? DropReason::kNone : DropReason::kKeyChanged;
  }
  if (actor.out_tuple == OutTuple::kUnknown) [[unlikely]] {
    if (is_later || role == PacketRole::kReply) return DropReason::kNone;
    if (SameKey(key, actor.key)) {
      actor.out_tuple = OutTuple::kSameAsKey;
      return DropReason::kNone;
    }
    if (!flows_->table().SetAlias(meta.flow, key.Reversed())) {
      AskToClose(meta.flow, abi::CloseReason::kAliasConflict, kNoNf);
      return DropReason::kAliasConflict;
    }
    // A key that the flow had already needed no alias: then it is its own.
    actor.out_tuple =
        flows_->table().AliasOf(meta.flow) != nullptr ? OutTuple::kReverseOfAlias : OutTuple::kReversedKey;
    return DropReason::kNone;
  }
  bool same;
  if (actor.out_tuple == OutTuple::kSameAsKey) {
    same = is_later ? SameAddresses(key, actor.key) : SameKey(key, actor.key);
  } else {
    const FlowKey& answer =
        actor.out_tuple == OutTuple::kReverseOfAlias ? *flows_->table().AliasOf(meta.flow) : actor.key;
    same = is_later ? SameAddresses(key, answer.Reversed()) : ReverseKeys(key, answer);
  }
  return same ? DropReason::kNone : DropReason::kKeyChanged;
}

void Chain::Leave(rte_mbuf* mbuf, const Walk& walk) {
  PacketMeta* meta = MetaOf(mbuf);
  if (walk.role == PacketRole::kPacket) [[likely]] {
    meta->out_port = meta->in_port ^ 1;
  } else if (walk.role == PacketRole::kReply) {
    meta->out_port = meta->in_port;
  }
  if (may_edit_ && walk.role != PacketRole::kEmitted && meta->parsed.kind != PacketKind::kIcmpError) {
    const abi::DropReason reason = CheckTuple(*meta, walk.direction, walk.role);
    if (reason != abi::DropReason::kNone) [[unlikely]] {
      counters_->Drop(mbuf, reason);
      return;
    }
  }
  output_->Put(mbuf);
}

}  // namespace nf
