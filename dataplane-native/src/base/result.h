// Errors of the control path: values, never exceptions. The packet path knows verdicts and drop reasons only.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "error_codes.h"

namespace nf {

// What went wrong, for a person: says what was given, what is allowed and what to do. `code` is stable.
struct Error {
  ErrorCode code;
  std::string message;
};

template <typename T>
using Expected = std::expected<T, Error>;

inline std::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace nf
