// Text that guests wrote (UTF-16LE, untrusted) as UTF-8 for messages.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace nf {

// Lone surrogates become U+FFFD, control characters '?': whoever prints it can't be fooled by escape sequences.
// An odd last byte is ignored.
std::string Utf8FromUtf16(std::span<const uint8_t> text);

}  // namespace nf
