// Takes over what an NF changed in a packet, once it is checked (docs/packet_path.md, section 6): the mbuf is the
// truth, and only what parses to the same structure, or with RESHAPED to a whole IP packet, gets there. Used by the
// lcore.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "chain/chain_nf.h"
#include "nf_abi.h"

namespace nf {

// Bytes of the packet's payload that NFs may be shown.
uint32_t VisiblePayload(const rte_mbuf* mbuf);

// `result` has edit flags and was found allowed; `index` is the packet's in the call. False when a rule is broken: then
// the mbuf is as it was.
bool ApplyEdits(ChainNf& nf, uint32_t index, const abi::Result& result, rte_mbuf* mbuf);

// For native NFs, which have changed addresses or ports in the mbuf itself.
void RefreshTuple(rte_mbuf* mbuf);

}  // namespace nf
