// Writes a capture file of the format of the one that was read: unchanged records come out bit for bit, between the
// section and interface blocks that they were read between. Records may come in any order; the file has them in order
// of arrival. It is written aside and takes its name when it is complete. One thread at a time.
//
// Late records (fragments that were held) are written where they come; a file that has any is put in order at the end,
// by an index that goes to disk as it grows, so that memory stays bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "packet/packet_meta.h"
#include "port/capture_format.h"
#include "port/record_index.h"
#include "port/scratch_file.h"

namespace nf {

class CaptureWriter {
 public:
  // `format` belongs to the reader and outlives the writer. Errors: capture.write.
  static Expected<std::unique_ptr<CaptureWriter>> Create(const std::string& path, const CaptureFormat& format);
  ~CaptureWriter();

  // Adds a frame. An error (a full disk) is kept for Finish, and nothing more is written.
  void Write(const PacketMeta& meta, const uint8_t* bytes, uint32_t captured);
  bool failed() const { return file_.error() != 0 || index_.error() != 0; }

  // Completes the file and gives it its name. Errors: capture.write; then nothing is left of it.
  Expected<void> Finish();

 private:
  CaptureWriter(std::string path, const CaptureFormat& format) : path_(std::move(path)), format_(format) {}
  void BeginFile(ScratchFile* file);
  void WriteBlocks(ScratchFile* file, uint32_t until);
  void WriteRecord(const PacketMeta& meta, const uint8_t* bytes, uint32_t captured);
  Expected<void> PutInOrder();
  std::unexpected<Error> Failure(const std::string& what, int why) const;

  std::string path_;
  const CaptureFormat& format_;
  ScratchFile file_;
  RecordIndex index_;
  uint32_t blocks_written_ = 0;
};

}  // namespace nf
