#include "link/vhost_wake.h"

#include <rte_vhost.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace nf::link {

void WakeVhost(const std::string& path) {
  // A connection that DPDK itself makes wakes its thread; so it makes one, to a listener of ours, and closes it again.
  const std::string bell = path + ".bell";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (bell.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, bell.c_str(), bell.size());
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return;
  unlink(bell.c_str());
  static constexpr rte_vhost_device_ops kNothing{};
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(listener, 1) == 0 &&
      rte_vhost_driver_register(bell.c_str(), RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT) == 0) {
    if (rte_vhost_driver_callback_register(bell.c_str(), &kNothing) == 0) rte_vhost_driver_start(bell.c_str());
    rte_vhost_driver_unregister(bell.c_str());
  }
  close(listener);
  unlink(bell.c_str());
}

}  // namespace nf::link
