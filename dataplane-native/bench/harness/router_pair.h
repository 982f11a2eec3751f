// What is used where recovery is wanted today: two Linux routers that translate addresses, keepalived to say which of
// them is the gateway and conntrackd to tell the other of every connection. Each lives in a network namespace; two
// bridges join their sides with the ends that VethTraffic uses. Needs keepalived, conntrackd and nft.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/veth_traffic.h"

namespace nf {

class RouterPair {
 public:
  struct Options {
    double advert_s;          // Between two signs of life of the gateway; three of them missing are its death.
    bool has_external_cache;  // conntrackd keeps what it is told until the other router is dead; false: in the kernel.
  };
  // Empty when all is there that it needs, else what is not.
  static std::string Missing();
  explicit RouterPair(const Options& options);
  ~RouterPair();
  RouterPair(const RouterPair&) = delete;
  RouterPair& operator=(const RouterPair&) = delete;

  // Resolves when the first router is the gateway.
  void WaitUntilServing(VethTraffic* traffic);
  // The second one has been told of so many connections; false: not all, after some time.
  bool WaitUntilTold(uint32_t flows);
  // The first one is gone: its interfaces, and the process that says that it lives.
  void Kill();
  // Frames go where the last word of the gateway's address says, as a host does it.
  void Follow(VethTraffic* traffic);

 private:
  struct Router {
    int name_space = -1;
    std::vector<pid_t> processes;
  };
  void In(const Router& router, const std::string& command) const;
  pid_t Start(const Router& router, const std::vector<std::string>& command) const;
  void Make(size_t index);
  std::string Read(const Router& router, const std::string& command) const;

  Options options_;
  std::string folder_;
  std::array<Router, 2> routers_;
  int arp_ = -1;
};

}  // namespace nf
