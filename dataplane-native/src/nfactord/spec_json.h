// A runtime's specification from a JSON file: RuntimeSpec of host/src/dataplane/native_types.ts, except that `native`
// and `config` of an NF are names of files, and that what has a default there may be left out.
#pragma once

#include <string>

#include "base/result.h"
#include "port/eal.h"
#include "runtime/runtime_spec.h"

namespace nf {

struct RunSpec {
  EalOptions eal;
  RuntimeSpec runtime;
};

// `path` "-" is standard input. Errors: runtime.spec, which names the field or the file.
Expected<RunSpec> ReadRunSpec(const std::string& path);

}  // namespace nf
