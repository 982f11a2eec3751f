// Reads capture files record by record, of any size in bounded memory: classic pcap in both byte orders with micro- or
// nanoseconds, and pcapng with several sections and interfaces. Ethernet only. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "packet/packet_meta.h"
#include "port/capture_format.h"

namespace nf {

struct CaptureRecord {
  const uint8_t* bytes;
  uint32_t captured;
  uint32_t wire_length;   // At least `captured`.
  uint64_t timestamp_ns;  // Since the epoch.
  RecordOrigin origin;
};

class CaptureReader {
 public:
  // Looks at the file's header. Errors: capture.read, capture.format, capture.truncated, capture.link_type.
  static Expected<std::unique_ptr<CaptureReader>> Open(const std::string& path);
  virtual ~CaptureReader() = default;

  // The next record, valid until the next call; null at the end of the file. The same errors.
  virtual Expected<const CaptureRecord*> Next() = 0;
  const CaptureFormat& format() const { return format_; }

 protected:
  CaptureReader() = default;
  CaptureFormat format_;
};

}  // namespace nf
