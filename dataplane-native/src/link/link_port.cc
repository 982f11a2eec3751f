#include "link/link_port.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "link/vhost_wake.h"

namespace nf::link {
namespace {

constexpr const char* kVirtioQueue = "queue_size=1024";

Expected<std::unique_ptr<EthdevPort>> OpenVhost(const std::string& path, LinkSide side, rte_mempool* pool) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path) || path.find(',') != std::string::npos) {
    return Fail(ErrorCode::kPortStart,
                "a link's socket has a path of 1 to 107 bytes without commas, not '" + path + "'");
  }
  struct stat found;
  const bool is_socket = lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
  if (side == LinkSide::kVswitch) {
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

}  // namespace

Expected<std::unique_ptr<EthdevPort>> OpenLink(const LinkSpec& spec, LinkSide side, rte_mempool* pool) {
  if (const auto* vhost = std::get_if<VhostLink>(&spec)) return OpenVhost(vhost->path, side, pool);
  if (const auto* iface = std::get_if<InterfaceLink>(&spec)) return EthdevPort::OpenAfPacket(iface->iface, pool, 0);
  const auto& device = std::get<DeviceLink>(spec);
  return EthdevPort::OpenDevice(device.driver, device.args, pool, 0);
}

}  // namespace nf::link
