#include "port/capture_writer.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

namespace nf {
namespace {

constexpr size_t kSectionLengthAt = 16;

}  // namespace

CaptureWriter::~CaptureWriter() = default;

std::unexpected<Error> CaptureWriter::Failure(const std::string& what, int why) const {
  return Fail(ErrorCode::kCaptureWrite, path_ + ": " + what + " (" + std::strerror(why) +
                                            "). Name a file in a folder that may be written and has room.");
}

Expected<std::unique_ptr<CaptureWriter>> CaptureWriter::Create(const std::string& path, const CaptureFormat& format) {
  struct stat there;
  if (stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    return Fail(ErrorCode::kCaptureWrite,
                path + " is no regular file, so that the output cannot take its name. Name a file.");
  }
  std::unique_ptr<CaptureWriter> writer(new CaptureWriter(path, format));
  writer->file_.CreateBeside(path);
  if (writer->file_.error() != 0) {
    return writer->Failure("the output capture cannot be made", writer->file_.error());
  }
  writer->index_.Create(path);
  if (writer->index_.error() != 0) {
    return writer->Failure("the output capture's index cannot be made beside it", writer->index_.error());
  }
  writer->BeginFile(&writer->file_);
  return writer;
}

void CaptureWriter::BeginFile(ScratchFile* file) {
  blocks_written_ = 0;
  file->Append(format_.header.data(), format_.header.size());
}

void CaptureWriter::WriteBlocks(ScratchFile* file, uint32_t until) {
  for (; blocks_written_ < until; ++blocks_written_) {
    const CaptureFormat::Block& block = format_.blocks[blocks_written_];
    const auto* bytes = reinterpret_cast<const uint8_t*>(block.bytes.data());
    if (Load32(bytes, block.big_endian) != kPcapngSection) {
      file->Append(bytes, block.bytes.size());
      continue;
    }
    // The section may get another length, so it says that it does not know it.
    const uint8_t unknown[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    file->Append(bytes, kSectionLengthAt);
    file->Append(unknown, sizeof unknown);
    file->Append(bytes + kSectionLengthAt + sizeof unknown, block.bytes.size() - kSectionLengthAt - sizeof unknown);
  }
}

void CaptureWriter::Write(const PacketMeta& meta, const uint8_t* bytes, uint32_t captured) {
  if (failed()) return;
  WriteBlocks(&file_, meta.record.blocks_before);
  const uint64_t offset = file_.size();
  WriteRecord(meta, bytes, captured);
  index_.Append({.arrival = meta.arrival,
                 .offset = offset,
                 .length = static_cast<uint32_t>(file_.size() - offset),
                 .blocks_before = meta.record.blocks_before,
                 .order = meta.emitted ? meta.emit_order + 1u : 0u,
                 .zero = 0});
}

void CaptureWriter::WriteRecord(const PacketMeta& meta, const uint8_t* bytes, uint32_t captured) {
  const RecordOrigin& origin = meta.record;
  const uint32_t original = meta.wire_length > origin.excess ? meta.wire_length - origin.excess : 0;
  uint8_t header[28];
  if (!format_.is_pcapng) {
    const uint32_t words[] = {origin.time_high, origin.time_low, captured, original};
    for (size_t i = 0; i < std::size(words); ++i) Store32(header + 4 * i, words[i], format_.big_endian);
    file_.Append(header, 16);
    file_.Append(bytes, captured);
    return;
  }
  const bool big_endian = format_.blocks[origin.blocks_before - 1].big_endian;
  const uint32_t padding = -captured & 3;
  const uint32_t length = 32 + captured + padding;
  const uint32_t words[] = {
      kPcapngEnhancedPacket, length, origin.interface_number, origin.time_high, origin.time_low, captured, original};
  for (size_t i = 0; i < std::size(words); ++i) Store32(header + 4 * i, words[i], big_endian);
  file_.Append(header, sizeof header);
  file_.Append(bytes, captured);
  uint8_t end[8] = {};
  Store32(end + padding, length, big_endian);
  file_.Append(end, padding + 4);
}

Expected<void> CaptureWriter::PutInOrder() {
  ScratchFile ordered;
  ordered.CreateBeside(path_);
  BeginFile(&ordered);
  index_.StartMerge();
  std::vector<uint8_t> bytes;
  for (IndexedRecord record; index_.Next(&record);) {
    WriteBlocks(&ordered, record.blocks_before);
    bytes.resize(record.length);
    if (!file_.ReadAt(record.offset, bytes.data(), record.length)) break;
    ordered.Append(bytes.data(), record.length);
  }
  for (const int why : {file_.error(), index_.error(), ordered.error()}) {
    if (why != 0) return Failure("the output capture cannot be put in order", why);
  }
  file_.Swap(ordered);
  return {};
}

Expected<void> CaptureWriter::Finish() {
  if (!failed() && index_.has_late()) {
    if (auto ordered = PutInOrder(); !ordered) return ordered;
  }
  WriteBlocks(&file_, static_cast<uint32_t>(format_.blocks.size()));
  if (!failed()) file_.Publish(path_);
  if (!failed()) return {};
  const int why = file_.error() != 0 ? file_.error() : index_.error();
  return Failure("the output capture cannot be written", why);
}

}  // namespace nf
