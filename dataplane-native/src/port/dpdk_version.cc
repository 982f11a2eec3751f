#include "port/dpdk_version.h"

#include <rte_version.h>

namespace nf {

const char* DpdkVersion() { return rte_version(); }

}  // namespace nf
