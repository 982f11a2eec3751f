// The DPDK that is linked in. Any thread.
#pragma once

namespace nf {

// For people, e.g. "DPDK 22.11.11".
const char* DpdkVersion();

}  // namespace nf
