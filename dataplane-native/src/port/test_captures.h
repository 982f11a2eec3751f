// For tests: capture files put together piece by piece, in either byte order, and a folder that goes away.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/check.h"

namespace nf::test {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "nfactor-test-XXXXXX").string();
    NF_CHECK(mkdtemp(name.data()) != nullptr, "a folder for the test");
    path_ = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  size_t files() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(*this / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  std::filesystem::path path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Writes integers in one byte order.
struct Order {
  bool big_endian = false;

  std::string Integer(uint64_t value, int bytes) const {
    std::string out;
    for (int i = 0; i < bytes; ++i) {
      out += static_cast<char>(value >> (big_endian ? 8 * (bytes - 1 - i) : 8 * i));
    }
    return out;
  }
  std::string U16(uint64_t value) const { return Integer(value, 2); }
  std::string U32(uint64_t value) const { return Integer(value, 4); }
  std::string U64(uint64_t value) const { return Integer(value, 8); }

  std::string PcapHeader(uint32_t magic = 0xa1b2c3d4, uint32_t link = 1) const {
    return U32(magic) + U16(2) + U16(4) + U32(0) + U32(0) + U32(65535) + U32(link);
  }
  std::string PcapRecord(uint32_t high, uint32_t low, const std::string& frame, int64_t original = -1) const {
    return U32(high) + U32(low) + U32(frame.size()) + U32(original < 0 ? frame.size() : original) + frame;
  }

  std::string Block(uint32_t type, std::string body) const {
    body.resize((body.size() + 3) / 4 * 4);
    const uint32_t length = static_cast<uint32_t>(body.size() + 12);
    return U32(type) + U32(length) + body + U32(length);
  }
  std::string Section(uint64_t length = ~uint64_t{0}) const {
    return Block(0x0a0d0d0a, U32(0x1a2b3c4d) + U16(1) + U16(0) + U64(length));
  }
  std::string Option(uint16_t code, std::string value) const {
    const size_t length = value.size();
    value.resize((length + 3) / 4 * 4);
    return U16(code) + U16(length) + value;
  }
  std::string Interface(const std::string& options = {}, uint32_t snap = 0, uint16_t link = 1) const {
    return Block(1, U16(link) + U16(0) + U32(snap) + options);
  }
  std::string Enhanced(uint32_t interface, uint64_t time, const std::string& frame, int64_t original = -1,
                       const std::string& options = {}) const {
    std::string padded = frame;
    padded.resize((frame.size() + 3) / 4 * 4);
    return Block(6, U32(interface) + U32(time >> 32) + U32(time) + U32(frame.size()) +
                        U32(original < 0 ? frame.size() : original) + padded + options);
  }
  std::string Obsolete(uint16_t interface, uint64_t time, const std::string& frame) const {
    return Block(2,
                 U16(interface) + U16(0) + U32(time >> 32) + U32(time) + U32(frame.size()) + U32(frame.size()) + frame);
  }
  std::string Simple(const std::string& frame, uint32_t original) const { return Block(3, U32(original) + frame); }
};

}  // namespace nf::test
