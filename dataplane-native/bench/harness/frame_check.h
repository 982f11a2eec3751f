// What benchmarks look at in frames that were sent.
#pragma once

#include <rte_ip.h>
#include <rte_mbuf.h>

#include <cstdint>

namespace nf {

// FNV-1a over the frame, going on from `digest`.
inline uint64_t FrameDigest(uint64_t digest, const rte_mbuf* mbuf) {
  const auto* bytes = rte_pktmbuf_mtod(mbuf, const uint8_t*);
  digest ^= 0xcbf29ce484222325u;
  for (uint32_t i = 0; i < mbuf->data_len; ++i) digest = (digest ^ bytes[i]) * 0x100000001b3u;
  return (digest ^ mbuf->data_len) * 0x100000001b3u;
}

// Of IPv4 without options, TCP or UDP.
inline bool ChecksumsAreRight(const rte_mbuf* mbuf) {
  const auto* ip = rte_pktmbuf_mtod_offset(mbuf, const rte_ipv4_hdr*, 14);
  if (rte_raw_cksum(ip, sizeof *ip) != 0xffff) return false;
  const auto* l4 = reinterpret_cast<const uint8_t*>(ip + 1);
  if (ip->next_proto_id == 17 && l4[6] == 0 && l4[7] == 0) return true;  // A datagram may have none.
  const uint32_t bytes = rte_be_to_cpu_16(ip->total_length) - sizeof *ip;
  const uint32_t sum = uint32_t{rte_raw_cksum(l4, bytes)} + rte_ipv4_phdr_cksum(ip, 0);
  return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

}  // namespace nf
