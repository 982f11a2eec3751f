// A capture file while it is read: its bytes, and how it is spoken of when they are wrong. For the readers.
#pragma once

#include <cstring>
#include <string>

#include "port/capture_format.h"
#include "port/file_source.h"

namespace nf {

// The longest record that any capture program writes; a longer one means that the file is damaged.
inline constexpr uint32_t kRecordBytesMax = 262'144;

struct CaptureInput {
  std::string path;
  FileSource source;

  std::unexpected<Error> ReadError() const {
    return Fail(ErrorCode::kCaptureRead, path + ": the capture cannot be read (" + std::strerror(source.error()) +
                                             ") behind byte " + std::to_string(source.offset()) + ".");
  }
  // For a Need or Skip that failed: `what` begins at `start` and has `count` bytes.
  std::unexpected<Error> Truncated(const std::string& what, uint64_t start, uint64_t count) const {
    if (source.error() != 0) return ReadError();
    return Fail(ErrorCode::kCaptureTruncated,
                path + ": the file ends inside " + what + " that begins at byte " + std::to_string(start) + ": " +
                    std::to_string(start + count) + " bytes are needed, the file has " +
                    std::to_string(source.offset() + source.available()) +
                    ". Record the capture again, or cut the incomplete end off: editcap writes what it can read.");
  }
  std::unexpected<Error> Damaged(const std::string& what, uint64_t start) const {
    return Fail(ErrorCode::kCaptureFormat, path + ": " + what + ", at byte " + std::to_string(start) +
                                               ". Record the capture again; this file is damaged.");
  }
  std::unexpected<Error> WrongLink(uint32_t type) const {
    return Fail(ErrorCode::kCaptureLinkType, path + ": the capture's link type is " + std::to_string(type) +
                                                 ", and only 1 (Ethernet) is read. Record on an Ethernet interface; "
                                                 "'tcpdump -i any' gives another link type.");
  }
};

}  // namespace nf
