// Pools of what the parts of a tenant say to each other. Not those of packets, so that neither can starve the other.
#pragma once

#include <rte_mempool.h>

#include "base/result.h"

namespace nf {

inline constexpr uint32_t kFrameBytesMax = 4096;  // Of messages: no link inside a process is narrower.
// Frames and datagrams have room behind them for what a link that leaves the process appends.
inline constexpr uint32_t kLinkTailBytes = 64;

// Frames of the reliable channels (member_mail.h), and datagrams of markers (ring_queue.h). EAL must be up; the caller
// frees the pool after all who use it. Errors: eal.memory.
Expected<rte_mempool*> CreateFramePool();
Expected<rte_mempool*> CreateMarkerPool();

}  // namespace nf
