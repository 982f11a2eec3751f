#include "port/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nf {
namespace {

constexpr size_t kBufferBytes = 512 << 10;

}  // namespace

Expected<FileSource> FileSource::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  int why = fd < 0 ? errno : 0;
  if (fd >= 0 && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) why = EISDIR;
  if (why == 0) return FileSource(fd);
  if (fd >= 0) close(fd);
  return Fail(ErrorCode::kCaptureRead, path + ": the capture cannot be read (" + std::strerror(why) +
                                           "). Name a capture file that exists and that this user may read.");
}

FileSource::FileSource(FileSource&& other) noexcept
    : fd_(other.fd_),
      error_(other.error_),
      offset_(other.offset_),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      end_(other.end_) {
  other.fd_ = -1;
}

FileSource::~FileSource() {
  if (fd_ >= 0) close(fd_);
}

bool FileSource::Read(size_t count) {
  const size_t kept = end_ - begin_;
  if (buffer_.size() < std::max(count, kBufferBytes)) {
    buffer_.resize(std::max(count, kBufferBytes));
  }
  if (buffer_.size() - begin_ < count) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, kept);
    begin_ = 0;
    end_ = kept;
  }
  while (end_ - begin_ < count && error_ == 0) {
    const ssize_t n = read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    if (n > 0) {
      end_ += static_cast<size_t>(n);
    } else if (n == 0) {
      return false;
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  return error_ == 0;
}

bool FileSource::Skip(uint64_t count) {
  while (count > available()) {
    count -= available();
    Consume(available());
    if (!Need(1)) return false;
  }
  Consume(count);
  return true;
}

}  // namespace nf
