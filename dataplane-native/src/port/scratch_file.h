// A file that is being made: buffered writing, reading back, and a name only at the end. Errors are kept, not returned:
// the first one stays, and everything after it does nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nf {

class ScratchFile {
 public:
  ScratchFile() = default;
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();
  void Swap(ScratchFile& other);

  // Makes a file in the folder of `path`, under another name that only this process uses.
  void CreateBeside(const std::string& path);
  // The same without any name: gone with this object.
  void CreateNameless(const std::string& path);

  void Append(const void* bytes, size_t count);
  // Bytes that were appended, after the last Append; false, with error() set, when they can't be read.
  bool ReadAt(uint64_t offset, void* bytes, size_t count);
  uint64_t size() const { return size_; }
  int error() const { return error_; }  // An errno; 0: none.

  // Writes out what is buffered, and gives the file its name, instead of another file that had it.
  void Publish(const std::string& path);

 private:
  void FlushBuffer();
  void Fail();

  int fd_ = -1;
  int error_ = 0;
  std::string name_;  // Empty: it has none.
  uint64_t size_ = 0;
  uint64_t written_ = 0;  // Of size_, what is in the file; the rest is in buffer_.
  std::vector<uint8_t> buffer_;
  uint64_t window_at_ = 0;  // What ReadAt has read around the last place.
  std::vector<uint8_t> window_;
};

}  // namespace nf
