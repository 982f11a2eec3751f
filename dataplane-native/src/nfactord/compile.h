// `nfactord compile <in.wasm> <out.native>`: from an admitted core module to native code, in a jail.
//
// Two processes: this one opens the files, forks, and puts the result into its place; the child enters the jail, reads
// the module from its descriptor, compiles it, and writes to its descriptor. So what is at <out.native> is whole or not
// there, and nobody who takes the compiler over can open, rename or send anything.
#pragma once

namespace nf {

// Exit codes of it.
inline constexpr int kExitDone = 0, kExitRefused = 1, kExitUsage = 2, kExitFiles = 3;

// The exit code; on failure one line on stderr, beginning with the error's code. Forks: no threads may run yet.
int CompileFile(const char* in, const char* out);

}  // namespace nf
