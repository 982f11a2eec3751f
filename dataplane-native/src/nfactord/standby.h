// `nfactord standby <spec.json> <MiB> auto|never <touched MiB>`: what a member has to do before it knows anything, done
// before it is needed: DPDK's environment, with so much memory that is there. Then it waits for one line on descriptor
// 3, `vswitch` or `runtime` and the path of its specification, and is `nfactord` with these words, also to whoever
// looks at its command line. The end of the descriptor is its end.
#pragma once

namespace nf {

// The exit code. `argv` is main's: what it names is written over.
int RunStandby(int argc, char** argv);

}  // namespace nf
