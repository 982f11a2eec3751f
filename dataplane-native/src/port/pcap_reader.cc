#include "port/pcap_reader.h"

#include <algorithm>

namespace nf {
namespace {

constexpr uint32_t kMicro = 0xa1b2c3d4, kNano = 0xa1b23c4d;
constexpr size_t kFileHeader = 24, kRecordHeader = 16;

}  // namespace

bool PcapReader::Recognizes(const uint8_t* magic) {
  for (const bool big_endian : {false, true}) {
    const uint32_t value = Load32(magic, big_endian);
    if (value == kMicro || value == kNano) return true;
  }
  return false;
}

Expected<std::unique_ptr<CaptureReader>> PcapReader::Open(CaptureInput input) {
  FileSource& source = input.source;
  if (!source.Need(kFileHeader)) return input.Truncated("the file header", 0, kFileHeader);
  const uint8_t* header = source.data();
  const uint32_t magic = Load32(header, true);
  const bool big_endian = magic == kMicro || magic == kNano;
  const uint32_t major = Load16(header + 4, big_endian), minor = Load16(header + 6, big_endian);
  if (major != 2) {
    return input.Damaged("the format's version is " + std::to_string(major) + "." + std::to_string(minor) + ", not 2.4",
                         4);
  }
  // The upper bits hold the length of a frame check sequence, not a part of the type.
  const uint32_t link = Load32(header + 20, big_endian) & 0xffff;
  if (link != kLinkEthernet) return input.WrongLink(link);
  std::unique_ptr<PcapReader> reader(new PcapReader(std::move(input)));
  reader->unit_ns_ = Load32(header, big_endian) == kNano ? 1 : 1000;
  reader->format_.big_endian = big_endian;
  reader->format_.header.assign(reinterpret_cast<const char*>(header), kFileHeader);
  reader->input_.source.Consume(kFileHeader);
  return reader;
}

Expected<const CaptureRecord*> PcapReader::Next() {
  FileSource& source = input_.source;
  source.Consume(taken_);
  taken_ = 0;
  if (!source.Need(1)) {
    if (source.error() != 0) return input_.ReadError();
    return nullptr;
  }
  const uint64_t start = source.offset();
  const std::string name = "record " + std::to_string(++number_);
  if (!source.Need(kRecordHeader)) return input_.Truncated(name, start, kRecordHeader);
  const bool big_endian = format_.big_endian;
  const uint32_t high = Load32(source.data(), big_endian), low = Load32(source.data() + 4, big_endian);
  const uint32_t captured = Load32(source.data() + 8, big_endian), original = Load32(source.data() + 12, big_endian);
  if (captured > kRecordBytesMax) {
    return input_.Damaged(name + " claims " + std::to_string(captured) + " captured bytes", start);
  }
  if (!source.Need(kRecordHeader + captured)) return input_.Truncated(name, start, kRecordHeader + captured);
  taken_ = kRecordHeader + captured;
  const uint32_t wire = std::max(original, captured);
  record_ = {
      .bytes = source.data() + kRecordHeader,
      .captured = captured,
      .wire_length = wire,
      .timestamp_ns = uint64_t{high} * 1'000'000'000 + uint64_t{low} * unit_ns_,
      .origin = {
          .time_high = high, .time_low = low, .interface_number = 0, .blocks_before = 0, .excess = wire - original}};
  return &record_;
}

}  // namespace nf
