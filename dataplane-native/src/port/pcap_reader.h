// Classic pcap: a header of 24 bytes, then records of 16 bytes and the frame. The magic number tells byte order and
// whether the fraction of a second counts micro- or nanoseconds.
#pragma once

#include <memory>

#include "port/capture_input.h"
#include "port/capture_reader.h"

namespace nf {

class PcapReader : public CaptureReader {
 public:
  static bool Recognizes(const uint8_t* magic);
  static Expected<std::unique_ptr<CaptureReader>> Open(CaptureInput input);
  Expected<const CaptureRecord*> Next() override;

 private:
  explicit PcapReader(CaptureInput input) : input_(std::move(input)) {}

  CaptureInput input_;
  uint32_t unit_ns_ = 0;
  uint64_t number_ = 0;
  size_t taken_ = 0;  // Bytes of the record that was given out last.
  CaptureRecord record_{};
};

}  // namespace nf
