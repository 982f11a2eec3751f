#include "nfactord/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nf {
namespace {

constexpr int kInherited = 3;
constexpr int kBacklog = 4;

bool IsStreamSocket(int fd) {
  int domain = 0, type = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) return false;
  size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

}  // namespace

Expected<std::unique_ptr<ControlServer>> ControlServer::Listen(const std::string& path) {
  const auto fail = [&path](const std::string& why) {
    return Fail(ErrorCode::kHostSocket, "the control socket " + path + " could not be made: " + why);
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return fail("its path must have 1 to 107 bytes");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  struct stat found;
  if (lstat(path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode)) return fail("something else has that name");
    unlink(path.c_str());
  }
  // Before there are descriptors of our own, one of which would have that number when none was given.
  const bool is_given = IsStreamSocket(kInherited);
  std::unique_ptr<ControlServer> server(new ControlServer);
  server->listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (server->listener_ < 0) return fail(std::strerror(errno));
  const mode_t mask = umask(0177);
  const int bound = bind(server->listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int why = errno;
  umask(mask);
  if (bound != 0) return fail(std::strerror(why));
  server->path_ = path;
  if (listen(server->listener_, kBacklog) != 0) return fail(std::strerror(errno));
  if (is_given) server->Adopt(kInherited);
  return server;
}

ControlServer::~ControlServer() {
  for (auto& connection : connections_) {
    if (connection->fd >= 0) close(connection->fd);
  }
  if (listener_ >= 0) close(listener_);
  if (!path_.empty()) unlink(path_.c_str());
}

void ControlServer::Adopt(int fd) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  connections_.push_back(std::make_unique<Connection>(Connection{.fd = fd, .number = ++last_}));
}

void ControlServer::Accept() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  if (connections_.size() >= kConnectionsMax) {
    close(fd);
    return;
  }
  Adopt(fd);
  on_connect(last_);
}

void ControlServer::Begin() {
  for (size_t i = 0; i < connections_.size(); ++i) on_connect(connections_[i]->number);
}

void ControlServer::RemoveClosed() {
  std::erase_if(connections_, [](const auto& connection) { return connection->fd < 0; });
}

void ControlServer::Poll(int timeout_ms, std::span<const int> fds) {
  std::vector<pollfd> polled = {{.fd = listener_, .events = POLLIN, .revents = 0}};
  for (auto& connection : connections_) {
    const auto events = static_cast<short>(connection->out.empty() ? POLLIN : POLLIN | POLLOUT);
    polled.push_back({.fd = connection->fd, .events = events, .revents = 0});
  }
  const size_t of_connections = polled.size();
  for (const int fd : fds) polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  if (poll(polled.data(), polled.size(), timeout_ms) < 0) return;
  for (size_t i = 1; i < of_connections; ++i) {
    Connection* connection = connections_[i - 1].get();
    if (connection->fd >= 0 && (polled[i].revents & POLLOUT) != 0) Write(connection);
    if (connection->fd >= 0 && (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) Read(connection);
  }
  if (polled[0].revents != 0) Accept();
  RemoveClosed();
}

void ControlServer::Read(Connection* connection) {
  char bytes[65536];
  const ssize_t count = read(connection->fd, bytes, sizeof bytes);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count > 0) connection->in.append(bytes, static_cast<size_t>(count));
  size_t begin = 0;
  for (size_t end; (end = connection->in.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (end - begin <= kLineBytesMax) on_line(connection->number, connection->in.substr(begin, end - begin));
  }
  connection->in.erase(0, begin);
  if (count > 0 && connection->in.size() <= kLineBytesMax) return;
  close(connection->fd);
  connection->fd = -1;
}

void ControlServer::Write(Connection* connection) {
  while (!connection->out.empty()) {
    const ssize_t count = send(connection->fd, connection->out.data(), connection->out.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN && connection->out.size() <= kUnreadBytesMax) return;
    if (count < 0) {
      close(connection->fd);
      connection->fd = -1;
      return;
    }
    connection->out.erase(0, static_cast<size_t>(count));
  }
}

void ControlServer::Send(uint64_t number, const std::string& line) {
  for (auto& connection : connections_) {
    if (connection->number != number || connection->fd < 0) continue;
    connection->out += line + "\n";
    Write(connection.get());
  }
}

void ControlServer::SendAll(const std::string& line) {
  for (auto& connection : connections_) {
    Send(connection->number, line);
  }
}

void ControlServer::Flush(int timeout_ms) {
  for (auto& connection : connections_) {
    if (connection->fd < 0 || connection->out.empty()) continue;
    pollfd polled{.fd = connection->fd, .events = POLLOUT, .revents = 0};
    if (poll(&polled, 1, timeout_ms) > 0) Write(connection.get());
  }
  RemoveClosed();
}

}  // namespace nf
