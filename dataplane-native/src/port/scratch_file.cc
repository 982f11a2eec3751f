#include "port/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace nf {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kWindowBytes = 64 << 10;

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

ScratchFile::~ScratchFile() {
  if (fd_ >= 0) close(fd_);
  if (!name_.empty()) unlink(name_.c_str());
}

void ScratchFile::Swap(ScratchFile& other) {
  std::swap(fd_, other.fd_);
  std::swap(error_, other.error_);
  name_.swap(other.name_);
  std::swap(size_, other.size_);
  std::swap(written_, other.written_);
  buffer_.swap(other.buffer_);
  std::swap(window_at_, other.window_at_);
  window_.swap(other.window_);
}

void ScratchFile::Fail() {
  if (error_ == 0) error_ = errno != 0 ? errno : EIO;
}

void ScratchFile::CreateBeside(const std::string& path) {
  static std::atomic<uint32_t> number = 0;
  // A name may be left over from a process that was killed and had our number.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string name = path + "." + std::to_string(getpid()) + "-" + std::to_string(number++) + ".tmp";
    fd_ = open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    if (fd_ >= 0) {
      name_ = name;
      buffer_.reserve(kBufferBytes);
      return;
    }
    if (errno != EEXIST) break;
  }
  Fail();
}

void ScratchFile::CreateNameless(const std::string& path) {
  const std::string folder = FolderOf(path);
  fd_ = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
    std::string name = folder + "/nfactor-XXXXXX";
    fd_ = mkostemp(name.data(), O_CLOEXEC);
    if (fd_ >= 0) unlink(name.c_str());
  }
  if (fd_ < 0) return Fail();
  buffer_.reserve(kBufferBytes);
}

void ScratchFile::Append(const void* bytes, size_t count) {
  if (error_ != 0) return;
  const auto* from = static_cast<const uint8_t*>(bytes);
  size_ += count;
  while (count > 0) {
    if (buffer_.size() == kBufferBytes) FlushBuffer();
    const size_t part = std::min(count, kBufferBytes - buffer_.size());
    buffer_.insert(buffer_.end(), from, from + part);
    from += part;
    count -= part;
  }
}

void ScratchFile::FlushBuffer() {
  size_t done = 0;
  while (done < buffer_.size() && error_ == 0) {
    const ssize_t n = pwrite(fd_, buffer_.data() + done, buffer_.size() - done, static_cast<off_t>(written_ + done));
    if (n > 0) {
      done += static_cast<size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      Fail();
    }
  }
  written_ += buffer_.size();
  buffer_.clear();
}

bool ScratchFile::ReadAt(uint64_t offset, void* bytes, size_t count) {
  FlushBuffer();
  auto* to = static_cast<uint8_t*>(bytes);
  while (count > 0 && error_ == 0) {
    if (offset >= window_at_ && offset < window_at_ + window_.size()) {
      const size_t part = std::min<size_t>(count, window_at_ + window_.size() - offset);
      std::memcpy(to, window_.data() + (offset - window_at_), part);
      to += part;
      offset += part;
      count -= part;
      continue;
    }
    window_.resize(kWindowBytes);
    const ssize_t n = pread(fd_, window_.data(), kWindowBytes, static_cast<off_t>(offset));
    window_at_ = offset;
    window_.resize(n > 0 ? static_cast<size_t>(n) : 0);
    if (n == 0) errno = EIO;
    if (n == 0 || (n < 0 && errno != EINTR)) Fail();
  }
  return error_ == 0;
}

void ScratchFile::Publish(const std::string& path) {
  FlushBuffer();
  if (error_ != 0) return;
  if (rename(name_.c_str(), path.c_str()) != 0) return Fail();
  name_.clear();
}

}  // namespace nf
