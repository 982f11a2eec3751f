#include "harness/veth_traffic.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "base/byte_order.h"
#include "base/clock.h"
#include "harness/must.h"

namespace nf {
namespace {

constexpr uint32_t kMagic = 0x6e66626d;
constexpr uint32_t kPortsPerClient = 32768, kFirstPort = 1024;
constexpr size_t kIpAt = 14, kUdpAt = kIpAt + 20, kPayloadAt = kUdpAt + 8, kFrameBytes = kPayloadAt + 16;

int OpenSocket(const char* iface) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = static_cast<int>(if_nametoindex(iface));
  Must(fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, iface);
  const int room = 32 << 20, on = 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  return fd;
}

void StoreChecksum(uint8_t* ip) {
  uint32_t sum = 0;
  for (size_t i = 0; i < 20; i += 2) sum += LoadBe16(ip + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  StoreBe16(ip + 10, static_cast<uint16_t>(~sum));
}

}  // namespace

void Shell(const std::string& command) { Must(std::system(command.c_str()) == 0, command.c_str()); }

void EnterBenchNetwork() {
  Must(unshare(CLONE_NEWNET) == 0, "a network namespace can't be made: this benchmark needs to be run as root");
  for (const char* which : {"all", "default"})
    std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + which + "/disable_ipv6") << 1;
  Shell(
      "ip link set lo up && ip link add nf-c type veth peer name nf-c1 && ip link add nf-s type veth peer name nf-s1 "
      "&& "
      "for i in nf-c nf-c1 nf-s nf-s1; do ip link set $i up || exit 1; done");
}

VethTraffic::VethTraffic(const char* client, const char* server)
    : client_(OpenSocket(client)),
      server_(OpenSocket(server)),
      out_(kBurst, std::vector<uint8_t>(kFrameBytes)),
      in_(kBurst, std::vector<uint8_t>(2048)) {
  for (std::vector<uint8_t>& frame : out_) {
    frame[0] = 2;  // Of nobody; a vswitch does not look at it.
    frame[6] = 2;
    frame[11] = 9;
    StoreBe16(&frame[12], ETH_P_IP);
    frame[kIpAt] = 0x45;
    StoreBe16(&frame[kIpAt + 2], kFrameBytes - kIpAt);
    frame[kIpAt + 8] = 64;
    frame[kIpAt + 9] = IPPROTO_UDP;
    StoreBe32(&frame[kIpAt + 16], kServerAddress);
    StoreBe16(&frame[kUdpAt + 2], 53);
    StoreBe16(&frame[kUdpAt + 4], kFrameBytes - kUdpAt);
    StoreBe32(&frame[kPayloadAt], kMagic);
  }
}

VethTraffic::~VethTraffic() {
  close(client_);
  close(server_);
}

void VethTraffic::set_next_hop(const uint8_t* address) {
  for (std::vector<uint8_t>& frame : out_) std::copy_n(address, ETH_ALEN, frame.begin());
}

void VethTraffic::Put(uint32_t flow) {
  uint8_t* frame = out_[count_].data();
  StoreBe32(frame + kIpAt + 12, 0x0a000100 + flow / kPortsPerClient);
  StoreBe16(frame + kIpAt + 10, 0);
  StoreChecksum(frame + kIpAt);
  StoreBe16(frame + kUdpAt, static_cast<uint16_t>(kFirstPort + flow % kPortsPerClient));
  StoreBe32(frame + kPayloadAt + 4, flow);
  const uint64_t now = MonotonicNs();
  std::memcpy(frame + kPayloadAt + 8, &now, sizeof now);
  if (++count_ == kBurst) Flush();
}

void VethTraffic::Flush() {
  std::array<mmsghdr, kBurst> messages{};
  std::array<iovec, kBurst> parts;
  for (uint32_t i = 0; i < count_; ++i) {
    parts[i] = {.iov_base = out_[i].data(), .iov_len = kFrameBytes};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (uint32_t done = 0; done < count_;) {
    const int sent = sendmmsg(client_, &messages[done], count_ - done, 0);
    if (sent > 0) done += static_cast<uint32_t>(sent);
  }
  sent_ += count_;
  count_ = 0;
}

const std::vector<VethTraffic::Came>& VethTraffic::Receive() {
  came_.clear();
  for (;;) {
    std::array<mmsghdr, kBurst> messages{};
    std::array<iovec, kBurst> parts;
    for (uint32_t i = 0; i < kBurst; ++i) {
      parts[i] = {.iov_base = in_[i].data(), .iov_len = in_[i].size()};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int count = recvmmsg(server_, messages.data(), kBurst, MSG_DONTWAIT, nullptr);
    if (count <= 0) return came_;
    const uint64_t now = MonotonicNs();
    for (uint32_t i = 0; i < static_cast<uint32_t>(count); ++i) {
      const uint8_t* frame = in_[i].data();
      if (messages[i].msg_len < kFrameBytes || LoadBe32(frame + kPayloadAt) != kMagic) continue;
      Came came{.flow = LoadBe32(frame + kPayloadAt + 4),
                .address = LoadBe32(frame + kIpAt + 12),
                .port = LoadBe16(frame + kUdpAt),
                .sent_ns = 0,
                .came_ns = now};
      std::memcpy(&came.sent_ns, frame + kPayloadAt + 8, sizeof came.sent_ns);
      came_.push_back(came);
      ++received_;
    }
  }
}

}  // namespace nf
