// A file that is read once from front to back, with a window on it that grows only as far as one asks. Pipes are fine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace nf {

class FileSource {
 public:
  // Errors: capture.read.
  static Expected<FileSource> Open(const std::string& path);
  FileSource(FileSource&& other) noexcept;
  FileSource& operator=(FileSource&&) = delete;
  ~FileSource();

  // True when the next `count` bytes of the file are at data(). False at its end, or on an error of reading, which
  // error() then tells.
  bool Need(size_t count) { return end_ - begin_ >= count || Read(count); }
  const uint8_t* data() const { return buffer_.data() + begin_; }
  size_t available() const { return end_ - begin_; }
  void Consume(size_t count) {
    begin_ += count;
    offset_ += count;
  }
  // Consumes bytes that nobody looks at; false as Need.
  bool Skip(uint64_t count);
  uint64_t offset() const { return offset_; }  // Of data() in the file.
  int error() const { return error_; }         // An errno; 0: none.

 private:
  explicit FileSource(int fd) : fd_(fd) {}
  bool Read(size_t count);

  int fd_;
  int error_ = 0;
  uint64_t offset_ = 0;
  std::vector<uint8_t> buffer_;
  size_t begin_ = 0, end_ = 0;  // Of buffer_, what was read and not consumed.
};

}  // namespace nf
