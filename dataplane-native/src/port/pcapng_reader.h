// pcapng: blocks with their length at both ends, in sections, each of which has a byte order and interfaces of its own.
// Section headers, interface descriptions, enhanced and simple packet blocks and the obsolete packet block are read,
// all others are skipped.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "port/capture_input.h"
#include "port/capture_reader.h"

namespace nf {

class PcapngReader : public CaptureReader {
 public:
  static bool Recognizes(const uint8_t* magic);
  static Expected<std::unique_ptr<CaptureReader>> Open(CaptureInput input);
  Expected<const CaptureRecord*> Next() override;

 private:
  struct Interface {
    uint32_t snap_length;
    // A timestamp in these units is units × numerator / denominator ns.
    uint64_t numerator;
    unsigned __int128 denominator;
    int64_t offset_s;
  };
  struct BlockHeader {
    uint64_t start;
    uint32_t type;
    uint32_t length;
  };
  explicit PcapngReader(CaptureInput input) : input_(std::move(input)) {}
  // Each looks at the block that starts at data() and consumes it.
  Expected<bool> ReadBlock(const BlockHeader& block);  // True: record_ is a packet.
  Expected<void> ReadByteOrder();
  Expected<void> CopyBlock(const BlockHeader& block);
  Expected<void> ReadInterface(const BlockHeader& block);
  Expected<void> ReadPacket(const BlockHeader& block);
  Expected<void> EndBlock(const BlockHeader& block, uint64_t looked_at);

  CaptureInput input_;
  bool big_endian_ = false;
  std::vector<Interface> interfaces_;  // Of the section.
  uint64_t copied_bytes_ = 0;
  std::vector<uint8_t> frame_;
  CaptureRecord record_{};
};

}  // namespace nf
