// DPDK's thread for vhost sockets sleeps on those that it knows, for a second at the most. A new socket does not wake
// it, so whoever connects at once waits for the rest of that second: the time in which a vswitch, or a runtime, is
// missed.
#pragma once

#include <string>

namespace nf::link {

// Wakes it, so that it sees the vhost socket that has just been made at `path`. When it cannot, all is as without it.
// Control threads.
void WakeVhost(const std::string& path);

}  // namespace nf::link
