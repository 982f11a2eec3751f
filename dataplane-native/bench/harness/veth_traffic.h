// UDP packets of many flows through two interfaces: each says which flow it is of and when it was sent. The interfaces
// are ends of veth pairs, and the other ends are whoever is measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nf {

// The calling thread, and what it starts, lives in a network namespace of its own from now on, with the interfaces nf-c
// and nf-s, whose other ends are nf-c1 and nf-s1. Needs the right to make one.
void EnterBenchNetwork();
// A command of the shell that must work.
void Shell(const std::string& command);

class VethTraffic {
 public:
  // Sends from `client`, receives at `server`.
  VethTraffic(const char* client, const char* server);
  ~VethTraffic();
  VethTraffic(const VethTraffic&) = delete;
  VethTraffic& operator=(const VethTraffic&) = delete;

  // From the client 10.0.0.0/9 to a server, always the same; leaves with Flush, or when a burst is full.
  void Put(uint32_t flow);
  void Flush();
  // What comes out, of these flows alone.
  struct Came {
    uint32_t flow;
    uint32_t address;  // Its source.
    uint16_t port;
    uint64_t sent_ns, came_ns;
  };
  const std::vector<Came>& Receive();

  // Where frames go from now on: six bytes.
  void set_next_hop(const uint8_t* address);
  uint64_t sent() const { return sent_; }
  uint64_t received() const { return received_; }

  static constexpr uint32_t kServerAddress = 0xc6120001;  // 198.18.0.1

 private:
  static constexpr uint32_t kBurst = 64;
  int client_, server_;
  std::vector<std::vector<uint8_t>> out_, in_;
  uint32_t count_ = 0;
  uint64_t sent_ = 0, received_ = 0;
  std::vector<Came> came_;
};

}  // namespace nf
