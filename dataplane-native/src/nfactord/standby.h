// `nfactord standby <spec.json> <MiB> auto|never`: what a vswitch has to do before it knows anything, done before it is
// needed: DPDK's environment with memory that is there. Then it waits for one line on descriptor 3, the path of its
// specification, and is `nfactord vswitch <that path>`, also to whoever looks at its command line. The end of the
// descriptor is its end.
#pragma once

namespace nf {

// The exit code. `argv` is main's: what it names is written over.
int RunStandby(int argc, char** argv);

}  // namespace nf
