// Errors of native code as JavaScript sees them: an Error with `code`, one of sdk/abi/error_codes.json.
#pragma once

#include <napi.h>

#include <utility>

#include "base/result.h"

namespace nf {

Napi::Error ToError(Napi::Env env, const Error& error);

// The value, or the error thrown as a JavaScript exception.
template <typename T>
T OrThrow(Napi::Env env, Expected<T> value) {
  if (!value) throw ToError(env, value.error());
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

}  // namespace nf
