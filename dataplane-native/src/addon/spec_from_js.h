// RuntimeSpec and NfSpec of native_types.ts. Values were validated by TypeScript; a wrong JavaScript type throws a
// TypeError all the same.
#pragma once

#include <napi.h>

#include "runtime/runtime_spec.h"

namespace nf {

NfSpec NfSpecFromJs(const Napi::Object& from);
RuntimeSpec RuntimeSpecFromJs(const Napi::Object& from);

}  // namespace nf
