#include "link/link_port.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "link/vhost_wake.h"

namespace nf::link {
namespace {

constexpr const char* kVirtioQueue = "queue_size=1024";

enum class Side { kVswitch, kRuntime };

Expected<std::unique_ptr<EthdevPort>> OpenVhost(const std::string& path, Side side, rte_mempool* pool) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path) || path.find(',') != std::string::npos) {
    return Fail(ErrorCode::kPortStart,
                "a link's socket has a path of 1 to 107 bytes without commas, not '" + path + "'");
  }
  struct stat found;
  const bool is_socket = lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
  if (side == Side::kVswitch) {
    if (is_socket) unlink(path.c_str());  // Of a vswitch that is no more.
    auto port = EthdevPort::OpenDevice("net_vhost", "iface=" + path + ",queues=1", pool, 0);
    if (port) WakeVhost(path);
    return port;
  }
  if (!is_socket) {
    return Fail(ErrorCode::kPortStart, "there is no socket " + path + ": the vswitch opens the link first");
  }
  return EthdevPort::OpenDevice("net_virtio_user", "path=" + path + ",queues=1," + kVirtioQueue, pool, 0);
}

// Of all that passes an interface, the frames that begin like this at `at`.
bool KeepFramesWith(int fd, uint32_t at, uint32_t first_four, uint32_t then, bool is_byte) {
  constexpr uint32_t kNothing = 0, kWholeFrame = 0x40000;
  const uint16_t load = BPF_LD | BPF_ABS | (is_byte ? BPF_B : BPF_H);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first_four, 0, 3),
      BPF_STMT(load, at + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, then, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kWholeFrame),
      BPF_STMT(BPF_RET | BPF_K, kNothing),
  };
  const sock_fprog program = {.len = std::size(code), .filter = code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

// Those that are sent to a runtime, or those that members of a tenant send.
bool KeepFramesTo(int fd, const MacAddress& runtime) {
  return KeepFramesWith(fd, offsetof(OuterHeader, destination), LoadBe32(runtime.data()), LoadBe16(runtime.data() + 4),
                        false);
}
bool KeepFramesOf(int fd, uint16_t tenant) {
  const MacAddress anybody = AddressOf(tenant, 0);
  return KeepFramesWith(fd, offsetof(OuterHeader, source), LoadBe32(anybody.data()), anybody[4], true);
}

// Members have addresses that no network card has as its own. What others send through the interface is none of this
// port's. The kernel forgets both with the socket.
bool TakeWhatComesIn(int fd, const std::string& iface) {
  packet_mreq request{};
  request.mr_ifindex = static_cast<int>(if_nametoindex(iface.c_str()));
  request.mr_type = PACKET_MR_PROMISC;
  const int yes = 1;
  return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0 &&
         setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) == 0;
}

template <typename Keep>
Expected<std::unique_ptr<EthdevPort>> OpenInterface(const std::string& iface, rte_mempool* pool, const Keep& keep) {
  auto port = EthdevPort::OpenAfPacket(iface, pool, 0);
  if (!port) return port;
  for (const int fd : (*port)->wait_fds()) {
    if (keep(fd) && TakeWhatComesIn(fd, iface)) continue;
    return Fail(ErrorCode::kPortStart, "interface '" + iface + "' can't be used for a link: " + std::strerror(errno));
  }
  return port;
}

}  // namespace

Expected<std::unique_ptr<EthdevPort>> OpenLink(const LinkSpec& spec, const MacAddress& runtime, rte_mempool* pool) {
  if (const auto* vhost = std::get_if<VhostLink>(&spec)) return OpenVhost(vhost->path, Side::kRuntime, pool);
  if (const auto* iface = std::get_if<InterfaceLink>(&spec))
    return OpenInterface(iface->iface, pool, [&](int fd) { return KeepFramesTo(fd, runtime); });
  const auto& device = std::get<DeviceLink>(spec);
  return EthdevPort::OpenDevice(device.driver, device.args, pool, 0);
}

Expected<std::unique_ptr<Port>> LinkPorts::Open(const LinkSpec& spec, uint16_t member) {
  if (const auto* vhost = std::get_if<VhostLink>(&spec)) return OpenVhost(vhost->path, Side::kVswitch, pool_);
  const auto* iface = std::get_if<InterfaceLink>(&spec);
  const auto* device = std::get_if<DeviceLink>(&spec);
  std::weak_ptr<SharedPort>& known = shared_[iface != nullptr ? iface->iface : device->driver + "," + device->args];
  if (const auto shared = known.lock()) return shared->OpenLane(member);
  auto port = iface != nullptr
                  ? OpenInterface(iface->iface, pool_, [this](int fd) { return KeepFramesOf(fd, tenant_); })
                  : EthdevPort::OpenDevice(device->driver, device->args, pool_, 0);
  if (!port) return std::unexpected(port.error());
  const auto shared = std::make_shared<SharedPort>(std::move(*port), tenant_);
  known = shared;
  return shared->OpenLane(member);
}

}  // namespace nf::link
