// The control connections of a member's process: lines of JSON on descriptor 3, when the process was started with a
// Unix stream socket there, and from whoever connects to a Unix socket. One thread; nothing blocks but Poll.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace nf {

class ControlServer {
 public:
  static constexpr size_t kConnectionsMax = 4;
  static constexpr size_t kLineBytesMax = 1 << 20;
  static constexpr size_t kUnreadBytesMax = 64 << 20;  // Of answers; who lets more wait is cut off.

  // Replaces a socket at `path`, which this user alone may connect to. Errors: host.socket.
  static Expected<std::unique_ptr<ControlServer>> Listen(const std::string& path);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Connections are numbered, never twice the same.
  std::function<void(uint64_t connection)> on_connect;
  std::function<void(uint64_t connection, const std::string& line)> on_line;

  // Those that there are so far are told to on_connect, those to come when they come.
  void Begin();
  bool has_connections() const { return !connections_.empty(); }
  // Waits for something on the connections or on one of `fds`, at most this long, and serves the connections.
  void Poll(int timeout_ms, std::span<const int> fds);
  // A connection that is gone gets nothing.
  void Send(uint64_t connection, const std::string& line);
  void SendAll(const std::string& line);
  // Gives what is unsent a moment to leave.
  void Flush(int timeout_ms);

 private:
  struct Connection {
    int fd;
    uint64_t number;
    std::string in, out;
  };
  ControlServer() = default;
  void Accept();
  void Adopt(int fd);
  void Read(Connection* connection);
  static void Write(Connection* connection);
  void RemoveClosed();

  std::string path_;
  int listener_ = -1;
  uint64_t last_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;  // Closed ones have no descriptor.
};

}  // namespace nf
