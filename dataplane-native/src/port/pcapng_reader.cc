#include "port/pcapng_reader.h"

#include <algorithm>

namespace nf {
namespace {

constexpr uint32_t kSectionBytesMin = 28, kBlockBytesMin = 12, kBlockBytesMax = 1 << 26;
// Section headers and interface descriptions are kept for the output; no sane file has this much of them.
constexpr uint64_t kCopiedBytesMax = kBlockBytesMax;
constexpr uint16_t kOptionEnd = 0, kOptionResolution = 9, kOptionOffset = 14;

// 10^exponent or 2^exponent, or 0 if that is more than any timestamp can be divided by.
unsigned __int128 Power(uint32_t base, uint32_t exponent) {
  if (exponent > (base == 2 ? 120u : 36u)) return 0;
  unsigned __int128 power = 1;
  for (uint32_t i = 0; i < exponent; ++i) power *= base;
  return power;
}

}  // namespace

bool PcapngReader::Recognizes(const uint8_t* magic) { return Load32(magic, false) == kPcapngSection; }

Expected<std::unique_ptr<CaptureReader>> PcapngReader::Open(CaptureInput input) {
  std::unique_ptr<PcapngReader> reader(new PcapngReader(std::move(input)));
  reader->format_.is_pcapng = true;
  return reader;
}

Expected<const CaptureRecord*> PcapngReader::Next() {
  FileSource& source = input_.source;
  while (source.Need(1)) {
    BlockHeader block{.start = source.offset(), .type = 0, .length = 0};
    if (!source.Need(kBlockBytesMin)) return input_.Truncated("a block", block.start, kBlockBytesMin);
    // A section header reads the same in both byte orders, and says which one holds from here on.
    if (Load32(source.data(), false) == kPcapngSection) {
      if (auto order = ReadByteOrder(); !order) return std::unexpected(order.error());
    }
    block.type = Load32(source.data(), big_endian_);
    block.length = Load32(source.data() + 4, big_endian_);
    const uint32_t least = block.type == kPcapngSection ? kSectionBytesMin : kBlockBytesMin;
    if (block.length < least || block.length % 4 != 0 || block.length > kBlockBytesMax) {
      return input_.Damaged("a block claims " + std::to_string(block.length) + " bytes", block.start);
    }
    const auto is_packet = ReadBlock(block);
    if (!is_packet) return std::unexpected(is_packet.error());
    if (*is_packet) return &record_;
  }
  if (source.error() != 0) return input_.ReadError();
  return nullptr;
}

Expected<bool> PcapngReader::ReadBlock(const BlockHeader& block) {
  Expected<void> done;
  bool is_packet = false;
  switch (block.type) {
    case kPcapngSection:
    case kPcapngInterface:
      done = CopyBlock(block);
      break;
    case kPcapngObsoletePacket:
    case kPcapngSimplePacket:
    case kPcapngEnhancedPacket:
      done = ReadPacket(block);
      is_packet = true;
      break;
    default:
      done = EndBlock(block, 0);
  }
  if (!done) return std::unexpected(done.error());
  return is_packet;
}

Expected<void> PcapngReader::ReadByteOrder() {
  FileSource& source = input_.source;
  if (!source.Need(kSectionBytesMin)) return input_.Truncated("a section header", source.offset(), kSectionBytesMin);
  for (const bool big_endian : {false, true}) {
    big_endian_ = big_endian;
    if (Load32(source.data() + 8, big_endian) == kPcapngOrderMagic) return {};
  }
  return input_.Damaged("a section header without its byte-order magic", source.offset());
}

// Consumes what of the block has not been looked at, and tests that it ends as it began.
Expected<void> PcapngReader::EndBlock(const BlockHeader& block, uint64_t looked_at) {
  FileSource& source = input_.source;
  if (!source.Skip(block.length - 4 - looked_at) || !source.Need(4)) {
    return input_.Truncated("a block", block.start, block.length);
  }
  if (Load32(source.data(), big_endian_) != block.length) {
    return input_.Damaged("a block's two lengths differ", block.start);
  }
  source.Consume(4);
  return {};
}

Expected<void> PcapngReader::CopyBlock(const BlockHeader& block) {
  FileSource& source = input_.source;
  if (!source.Need(block.length)) return input_.Truncated("a block", block.start, block.length);
  const uint8_t* bytes = source.data();
  if (block.type == kPcapngSection) {
    const uint32_t major = Load16(bytes + 12, big_endian_), minor = Load16(bytes + 14, big_endian_);
    if (major != 1) {
      return input_.Damaged(
          "the format's version is " + std::to_string(major) + "." + std::to_string(minor) + ", not 1.0", block.start);
    }
    interfaces_.clear();
  } else if (auto done = ReadInterface(block); !done) {
    return done;
  }
  copied_bytes_ += block.length;
  if (copied_bytes_ > kCopiedBytesMax) {
    return input_.Damaged(
        "section headers and interface descriptions fill more than " + std::to_string(kCopiedBytesMax >> 20) + " MiB",
        block.start);
  }
  format_.blocks.push_back({std::string(reinterpret_cast<const char*>(bytes), block.length), big_endian_});
  source.Consume(block.length - 4);
  return EndBlock(block, block.length - 4);
}

Expected<void> PcapngReader::ReadInterface(const BlockHeader& block) {
  const uint8_t* bytes = input_.source.data();
  const uint32_t end = block.length - 4;
  if (block.length < 20) return input_.Damaged("an interface description is too short", block.start);
  const uint32_t link = Load16(bytes + 8, big_endian_);
  if (link != kLinkEthernet) return input_.WrongLink(link);
  Interface found{.snap_length = Load32(bytes + 12, big_endian_), .numerator = 1000, .denominator = 1, .offset_s = 0};
  for (uint32_t at = 16; at + 4 <= end;) {
    const uint16_t code = Load16(bytes + at, big_endian_);
    const uint32_t length = Load16(bytes + at + 2, big_endian_);
    if (code == kOptionEnd) break;
    if (at + 4 + length > end) {
      return input_.Damaged("an option of an interface description exceeds its block", block.start);
    }
    const uint8_t* value = bytes + at + 4;
    if (code == kOptionResolution && length == 1) {
      // A negative power of 10, or of 2 with the high bit set.
      const uint32_t exponent = *value & 0x7f;
      if ((*value & 0x80) != 0) {
        found.numerator = 1'000'000'000;
        found.denominator = Power(2, exponent);
      } else if (exponent <= 9) {
        found.numerator = static_cast<uint64_t>(Power(10, 9 - exponent));
        found.denominator = 1;
      } else {
        found.numerator = 1;
        found.denominator = Power(10, exponent - 9);
      }
    }
    if (code == kOptionOffset && length == 8) {
      const uint64_t first = Load32(value, big_endian_), second = Load32(value + 4, big_endian_);
      found.offset_s = static_cast<int64_t>(big_endian_ ? first << 32 | second : second << 32 | first);
    }
    at += 4 + length + (-length & 3);
  }
  interfaces_.push_back(found);
  return {};
}

Expected<void> PcapngReader::ReadPacket(const BlockHeader& block) {
  FileSource& source = input_.source;
  const bool is_simple = block.type == kPcapngSimplePacket;
  const uint32_t fixed = is_simple ? 12 : 28;
  const uint32_t end = block.length - 4;
  if (end < fixed) return input_.Damaged("a packet block is too short", block.start);
  if (!source.Need(fixed)) return input_.Truncated("a block", block.start, block.length);
  const auto word = [&](uint32_t at) { return Load32(source.data() + at, big_endian_); };
  uint32_t number = 0, high = 0, low = 0, original, captured;
  if (is_simple) {
    original = word(8);
    const uint32_t snap = interfaces_.empty() ? 0 : interfaces_[0].snap_length;
    captured = std::min({original, snap == 0 ? original : snap, end - fixed});
  } else {
    number = block.type == kPcapngEnhancedPacket ? word(8) : Load16(source.data() + 8, big_endian_);
    high = word(12);
    low = word(16);
    captured = word(20);
    original = word(24);
  }
  if (number >= interfaces_.size()) {
    return input_.Damaged("a packet names interface " + std::to_string(number) + ", of which there is no description",
                          block.start);
  }
  if (captured > kRecordBytesMax || fixed + uint64_t{captured} > end) {
    return input_.Damaged("a packet claims " + std::to_string(captured) + " captured bytes", block.start);
  }
  if (!source.Need(fixed + captured)) return input_.Truncated("a block", block.start, block.length);
  // Copied, since the end of the block, which may be far away, is looked at before the record is given out.
  frame_.assign(source.data() + fixed, source.data() + fixed + captured);
  source.Consume(fixed + captured);
  if (auto ended = EndBlock(block, fixed + captured); !ended) return ended;

  const Interface& from = interfaces_[number];
  unsigned __int128 time = (static_cast<unsigned __int128>(high) << 32 | low) * from.numerator;
  time = from.denominator == 0 ? 0 : time / from.denominator;
  const uint64_t offset_ns = static_cast<uint64_t>(from.offset_s) * 1'000'000'000;
  const uint32_t wire = std::max(original, captured);
  record_ = {.bytes = frame_.data(),
             .captured = captured,
             .wire_length = wire,
             .timestamp_ns = is_simple ? 0 : static_cast<uint64_t>(time) + offset_ns,
             .origin = {.time_high = high,
                        .time_low = low,
                        .interface_number = number,
                        .blocks_before = static_cast<uint32_t>(format_.blocks.size()),
                        .excess = wire - original}};
  return {};
}

}  // namespace nf
