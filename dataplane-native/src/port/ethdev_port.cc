#include "port/ethdev_port.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "port/arrivals.h"

namespace nf {
namespace {

constexpr uint16_t kDescriptors = 1024;

// Rings of a packet socket. A slot holds the kernel's header, the Ethernet header with up to two tags, and the packet;
// the data of one that is full fits into an mbuf (packet_meta.cc), which the driver insists on. A block is whole pages
// and whole slots, or frames are damaged, and little less than a power of two, which is what the kernel takes for it.
struct Ring {
  uint32_t block_bytes, slot_bytes, slots;
};
constexpr Ring kRing = {.block_bytes = 1 << 20, .slot_bytes = 2048, .slots = 4096};
constexpr Ring kJumboRing = {.block_bytes = 897'024, .slot_bytes = 9344, .slots = 960};
constexpr uint32_t kSlotHeadBytes = 66;
constexpr uint32_t kFrameHeadBytes = 14 + 2 * 4;

constexpr uint32_t MtuMax(const Ring& ring) { return ring.slot_bytes - kSlotHeadBytes - kFrameHeadBytes; }
constexpr bool IsWhole(const Ring& ring) {
  return ring.block_bytes % 4096 == 0 && ring.block_bytes % ring.slot_bytes == 0 && ring.slot_bytes % 16 == 0 &&
         ring.slots % (ring.block_bytes / ring.slot_bytes) == 0;
}
static_assert(IsWhole(kRing) && IsWhole(kJumboRing));
static_assert(MtuMax(kJumboRing) == kInterfaceMtuMax);

// Descriptors of this process that are packet sockets: those that opening a device added are the device's.
std::vector<int> PacketSockets() {
  std::vector<int> found;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    const int fd = std::atoi(entry->d_name);
    int domain = 0;
    socklen_t size = sizeof domain;
    if (entry->d_name[0] == '.' || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) continue;
    if (domain == AF_PACKET || domain == AF_XDP) found.push_back(fd);
  }
  closedir(folder);
  std::sort(found.begin(), found.end());
  return found;
}

// The interface's MTU, after a look at everything that the driver would only report as a failure.
Expected<uint32_t> LookAtInterface(const std::string& iface) {
  if (iface.empty() || iface.size() >= IFNAMSIZ || if_nametoindex(iface.c_str()) == 0) {
    return Fail(ErrorCode::kPortMissing, "there is no network interface '" + iface + "'");
  }
  const int packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (packet < 0) {
    if (errno == EPERM || errno == EACCES) {
      return Fail(ErrorCode::kHostPermission,
                  "interface '" + iface + "' can't be opened: raw packets need CAP_NET_RAW");
    }
    return Fail(ErrorCode::kPortStart, "interface '" + iface + "' can't be opened: " + std::strerror(errno));
  }
  ifreq request{};
  std::memcpy(request.ifr_name, iface.c_str(), iface.size());
  uint32_t mtu = 0;
  bool is_up = false;
  if (ioctl(packet, SIOCGIFMTU, &request) == 0) mtu = static_cast<uint32_t>(request.ifr_mtu);
  if (ioctl(packet, SIOCGIFFLAGS, &request) == 0) is_up = (request.ifr_flags & IFF_UP) != 0;
  close(packet);
  if (mtu == 0) return Fail(ErrorCode::kPortStart, "the MTU of interface '" + iface + "' can't be read");
  if (!is_up)
    return Fail(ErrorCode::kPortStart,
                "interface '" + iface + "' is down: bring it up first (ip link set " + iface + " up)");
  return mtu;
}

// Drivers say -1 for whatever went wrong, which would read as "Operation not permitted": the last system call knows
// more.
std::string WhyNot(int error) {
  if (error != -1) return std::strerror(-error);
  return errno != 0 ? std::strerror(errno) : "its driver does not say why";
}

}  // namespace

Expected<std::unique_ptr<EthdevPort>> EthdevPort::OpenAfPacket(const std::string& iface, rte_mempool* pool,
                                                               uint8_t side) {
  const auto mtu = LookAtInterface(iface);
  if (!mtu) return std::unexpected(mtu.error());
  if (*mtu > kInterfaceMtuMax) {
    return Fail(ErrorCode::kPortStart, "interface '" + iface + "' has an MTU of " + std::to_string(*mtu) +
                                           "; allowed are " + std::to_string(kInterfaceMtuMax) +
                                           " at most: ip link set " + iface + " mtu 9000");
  }
  const auto& [block_bytes, slot_bytes, slots] = *mtu <= MtuMax(kRing) ? kRing : kJumboRing;
  const std::string ring = "blocksz=" + std::to_string(block_bytes) + ",framesz=" + std::to_string(slot_bytes) +
                           ",framecnt=" + std::to_string(slots);
  auto port = OpenDevice("net_af_packet", "iface=" + iface + "," + ring, pool, side);
  if (!port) return Fail(port.error().code, "interface '" + iface + "': " + port.error().message);
  return port;
}

Expected<std::unique_ptr<EthdevPort>> EthdevPort::OpenDevice(const std::string& driver, const std::string& devargs,
                                                             rte_mempool* pool, uint8_t side) {
  static std::atomic<uint32_t> number = 0;
  const std::string device = driver + "_nf" + std::to_string(number++);
  const std::vector<int> before = PacketSockets();
  errno = 0;
  if (const int error = rte_vdev_init(device.c_str(), devargs.c_str()); error != 0) {
    const std::string why = WhyNot(error);
    return Fail(ErrorCode::kPortStart, driver + " could not be opened (" + devargs + "): " + why);
  }
  std::unique_ptr<EthdevPort> port(new EthdevPort(device, side));
  if (auto started = port->Start(pool); !started) return std::unexpected(started.error());
  const std::vector<int> after = PacketSockets();
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(port->fds_));
  for (const int fd : port->fds_) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return port;
}

Expected<void> EthdevPort::Start(rte_mempool* pool) {
  const auto fail = [&](const char* what, int error) {
    return Fail(ErrorCode::kPortStart, device_ + ": " + what + ": " + std::strerror(-error));
  };
  if (const int error = rte_eth_dev_get_port_by_name(device_.c_str(), &port_); error != 0)
    return fail("no such device", error);
  rte_eth_conf conf{};
  rte_eth_dev_info info;
  if (const int error = rte_eth_dev_info_get(port_, &info); error != 0) return fail("look at it", error);
  if ((*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0) {
    conf.intr_conf.lsc = 1;
    carrier_ = Carrier::kWaiting;
    watches_ = rte_eth_dev_callback_register(port_, RTE_ETH_EVENT_INTR_LSC, OnLinkState, this) == 0;
  }
  if (const int error = rte_eth_dev_configure(port_, 1, 1, &conf); error != 0) return fail("configure", error);
  uint16_t rx = kDescriptors;
  uint16_t tx = kDescriptors;
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(port_, &rx, &tx); error != 0)
    return fail("descriptors", error);
  if (const int error = rte_eth_rx_queue_setup(port_, 0, rx, SOCKET_ID_ANY, nullptr, pool); error != 0)
    return fail("receive queue", error);
  if (const int error = rte_eth_tx_queue_setup(port_, 0, tx, SOCKET_ID_ANY, nullptr); error != 0)
    return fail("send queue", error);
  if (const int error = rte_eth_dev_start(port_); error != 0) return fail("start", error);
  started_ = true;
  LookAtCarrier();
  return {};
}

// On a thread of DPDK's.
int EthdevPort::OnLinkState(uint16_t, rte_eth_event_type, void* port, void*) {
  static_cast<EthdevPort*>(port)->LookAtCarrier();
  return 0;
}

void EthdevPort::LookAtCarrier() {
  // Of a link that is lost nothing is expected any more.
  if (!watches_ || carrier() == Carrier::kLost) return;
  rte_eth_link link;
  if (rte_eth_link_get_nowait(port_, &link) != 0) return;
  Carrier was = carrier_.load(std::memory_order_relaxed);
  for (;;) {
    Carrier is = was;
    if (link.link_status != 0 && was == Carrier::kWaiting) is = Carrier::kUp;
    if (link.link_status == 0 && was == Carrier::kUp) is = Carrier::kLost;
    if (carrier_.compare_exchange_weak(was, is, std::memory_order_release, std::memory_order_relaxed)) return;
  }
}

EthdevPort::~EthdevPort() {
  while (watches_ && rte_eth_dev_callback_unregister(port_, RTE_ETH_EVENT_INTR_LSC, OnLinkState, this) == -EAGAIN) {
  }
  if (started_) {
    rte_eth_dev_stop(port_);
    rte_eth_dev_close(port_);
  }
  rte_vdev_uninit(device_.c_str());
}

uint32_t EthdevPort::RxBurst(rte_mbuf** packets, uint32_t count) {
  const uint16_t n = rte_eth_rx_burst(port_, 0, packets, static_cast<uint16_t>(count));
  if (n != 0) StampArrivals(packets, n, side_, &arrival_);
  return n;
}

uint32_t EthdevPort::TxBurst(rte_mbuf** packets, uint32_t count) {
  return rte_eth_tx_burst(port_, 0, packets, static_cast<uint16_t>(count));
}

// The driver of packet sockets does not ask the kernel what found its ring full; newer ones do. Each question is
// answered with what came since the last, whoever asked it, so the sum is right either way.
uint64_t EthdevPort::missed() {
  for (const int fd : fds_) {
    tpacket_stats ring{};
    socklen_t size = sizeof ring;
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &ring, &size) == 0) missed_in_rings_ += ring.tp_drops;
  }
  rte_eth_stats stats;
  if (rte_eth_stats_get(port_, &stats) != 0) return missed_in_rings_;
  const uint64_t missed = missed_in_rings_ + stats.imissed + stats.ierrors;
  // For want of a buffer a packet stays in the kernel's ring, and is counted each time that it is found there.
  return fds_.empty() ? missed + stats.rx_nombuf : missed;
}

}  // namespace nf
