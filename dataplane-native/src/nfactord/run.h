// `nfactord run <spec.json>`: one runtime without Node, for perf, gdb and sanitizers. Events go to stderr, the report
// to stdout, one JSON object a line. The first SIGINT or SIGTERM drains, the second stops at once.
#pragma once

#include <string>

namespace nf {

// The exit code.
int RunSpecFile(const std::string& path);

}  // namespace nf
