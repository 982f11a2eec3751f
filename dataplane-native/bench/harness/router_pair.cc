#include "harness/router_pair.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/byte_order.h"
#include "base/clock.h"
#include "harness/must.h"

namespace nf {
namespace {

constexpr uint32_t kGateway = 0x0a000001;  // 10.0.0.1
constexpr uint64_t kPatienceNs = 30'000'000'000;

bool IsThere(const char* command) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"})
    if (access((std::string(folder) + command).c_str(), X_OK) == 0) return true;
  return false;
}

void SetDown(const char* iface) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, iface, IFNAMSIZ - 1);
  Must(ioctl(fd, SIOCGIFFLAGS, &request) == 0, iface);
  request.ifr_flags = static_cast<short>(request.ifr_flags & ~IFF_UP);
  Must(ioctl(fd, SIOCSIFFLAGS, &request) == 0, iface);
  close(fd);
}

}  // namespace

std::string RouterPair::Missing() {
  std::string missing;
  for (const char* command : {"keepalived", "conntrackd", "nft", "ip"})
    if (!IsThere(command)) missing += (missing.empty() ? "" : ", ") + std::string(command);
  return missing;
}

RouterPair::RouterPair(const Options& options) : options_(options) {
  std::string name = "/tmp/nfactor-routers-XXXXXX";
  folder_ = mkdtemp(name.data());
  Shell(
      "ip link add nf-rc type veth peer name nf-rc1 && ip link add nf-rs type veth peer name nf-rs1 && "
      "ip link add nf-bc type bridge && ip link add nf-bs type bridge && ip link set nf-rc master nf-bc && "
      "ip link set nf-rs master nf-bs && for i in nf-rc nf-rc1 nf-rs nf-rs1 nf-bc nf-bs; do ip link set $i up || exit "
      "1; done");
  for (size_t i = 0; i < routers_.size(); ++i) Make(i);
  arp_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ARP);
  address.sll_ifindex = static_cast<int>(if_nametoindex("nf-rc1"));
  Must(bind(arp_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "nf-rc1");
  const auto join = [this](size_t from) {
    const Router& router = routers_[from];
    const std::string peer = std::to_string(2 - from);
    In(router, "ip link set sync up && ip addr add 192.168.77." + std::to_string(from + 1) + "/24 dev sync");
  };
  Shell("ip link add sync type veth peer name nf-sync && ip link set sync netns /proc/" + std::to_string(getpid()) +
        "/fd/" + std::to_string(routers_[0].name_space) +
        " && ip link set nf-sync name sync1 && ip link set sync1 netns /proc/" + std::to_string(getpid()) + "/fd/" +
        std::to_string(routers_[1].name_space));
  In(routers_[1], "ip link set sync1 name sync");
  for (size_t i = 0; i < routers_.size(); ++i) join(i);
  for (size_t i = 0; i < routers_.size(); ++i) {
    const std::string own = folder_ + "/" + std::to_string(i);
    routers_[i].processes.push_back(Start(routers_[i], {"conntrackd", "-C", own + ".conntrackd"}));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (size_t i = 0; i < routers_.size(); ++i) {
    const std::string own = folder_ + "/" + std::to_string(i);
    routers_[i].processes.push_back(Start(routers_[i], {"keepalived", "-n", "-P", "-f", own + ".keepalived", "-p",
                                                        own + ".pid", "-r", own + ".vrrp", "--log-detail", "-l"}));
    if (i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

RouterPair::~RouterPair() {
  for (const Router& router : routers_) {
    for (const pid_t process : router.processes) kill(-process, SIGKILL);
    for (const pid_t process : router.processes) waitpid(process, nullptr, 0);
    close(router.name_space);
  }
  close(arp_);
  Shell(
      "for i in nf-rc nf-rs nf-bc nf-bs; do ip link del $i; done; ip link del nf-c1r 2>/dev/null; ip link del nf-s1r "
      "2>/dev/null; "
      "ip link del nf-c2r 2>/dev/null; ip link del nf-s2r 2>/dev/null; true");
  std::filesystem::remove_all(folder_);
}

void RouterPair::In(const Router& router, const std::string& command) const {
  const pid_t child = Start(router, {"sh", "-c", command});
  int status = 0;
  waitpid(child, &status, 0);
  Must(status == 0, command.c_str());
}

pid_t RouterPair::Start(const Router& router, const std::vector<std::string>& command) const {
  const pid_t child = fork();
  Must(child >= 0, "fork");
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  const int log = open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(log, 1);
  dup2(log, 2);
  if (setns(router.name_space, CLONE_NEWNET) != 0) _exit(126);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

std::string RouterPair::Read(const Router& router, const std::string& command) const {
  const std::string file = folder_ + "/answer";
  In(router, command + " > " + file);
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

void RouterPair::Make(size_t index) {
  Router& router = routers_[index];
  const int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  Must(unshare(CLONE_NEWNET) == 0, "a network namespace");
  router.name_space = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  Must(setns(home, CLONE_NEWNET) == 0, "back");
  close(home);
  const std::string n = std::to_string(index + 1);
  const std::string there = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(router.name_space);
  Shell("ip link add nf-c" + n + "r type veth peer name c" + n + " && ip link add nf-s" + n +
        "r type veth peer name s" + n + " && ip link set c" + n + " netns " + there + " && ip link set s" + n +
        " netns " + there + " && ip link set nf-c" + n + "r master nf-bc up && ip link set nf-s" + n +
        "r master nf-bs up");
  In(router, "ip link set lo up && ip link set c" + n + " name c && ip link set s" + n +
                 " name s && ip link set c up && ip link set s up && ip addr add 10.0.255." + n +
                 "/16 dev c && ip addr add 198.18.255." + n +
                 "/16 dev s && ip neigh add 198.18.0.1 lladdr 02:00:00:00:00:77 dev s && "
                 "sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.c.rp_filter=0 "
                 "net.netfilter.nf_conntrack_udp_timeout=600 && "
                 "nft add table ip t && nft 'add chain ip t post { type nat hook postrouting priority 100; }' && "
                 "nft add rule ip t post oifname s udp dport 53 snat to 203.0.113.1-203.0.113.8:1024-65535");
  const std::string own = folder_ + "/" + std::to_string(index);
  const std::string other = index == 0 ? "2" : "1";
  std::ofstream(own + ".conntrackd") << "Sync {\n Mode FTFW {\n"
                                     << (options_.has_external_cache ? "" : "  DisableExternalCache On\n")
                                     << " }\n UDP {\n  IPv4_address 192.168.77." << n
                                     << "\n  IPv4_Destination_Address 192.168.77." << other
                                     << "\n  Port 3780\n  Interface sync\n  SndSocketBuffer 24985600\n  "
                                        "RcvSocketBuffer 24985600\n  Checksum on\n }\n}\n"
                                     << "General {\n HashSize 131072\n HashLimit 1048576\n LogFile off\n LockFile "
                                     << own << ".lock\n UNIX {\n  Path " << own
                                     << ".ctl\n }\n NetlinkBufferSize 16777216\n NetlinkBufferSizeMaxGrowth 67108864\n"
                                     << " Filter From Userspace {\n  Protocol Accept {\n   TCP\n   UDP\n  }\n  Address "
                                        "Ignore {\n   IPv4_address 127.0.0.1\n"
                                     << "   IPv4_address 192.168.77.1\n   IPv4_address 192.168.77.2\n  }\n }\n}\n";
  // As conntrackd's own script does it.
  std::ofstream(own + ".notify")
      << "#!/bin/sh\nC=\"conntrackd -C " << own << ".conntrackd\"\ncase \"$1\" in\n"
      << "primary)\n $C -c\n $C -f\n $C -R\n $C -B\n ;;\nbackup)\n $C -t\n $C -n\n ;;\nesac\n";
  chmod((own + ".notify").c_str(), 0700);
  std::ofstream(own + ".keepalived")
      << "global_defs {\n vrrp_version 3\n script_user root\n enable_script_security\n vrrp_garp_master_delay 1\n}\n"
      << "vrrp_sync_group G {\n group {\n  C\n }\n notify_master \"" << own << ".notify primary\"\n notify_backup \""
      << own << ".notify backup\"\n}\nvrrp_instance C {\n state " << (index == 0 ? "MASTER" : "BACKUP")
      << "\n interface c\n virtual_router_id 7\n priority " << (index == 0 ? 200 : 100) << "\n advert_int "
      << options_.advert_s << "\n virtual_ipaddress {\n  10.0.0.1/16 dev c\n }\n}\n";
}

void RouterPair::Follow(VethTraffic* traffic) {
  uint8_t frame[128];
  while (recv(arp_, frame, sizeof frame, MSG_DONTWAIT) >= 42) {
    if (LoadBe32(frame + 28) == kGateway) traffic->set_next_hop(frame + 22);
  }
}

void RouterPair::WaitUntilServing(VethTraffic* traffic) {
  const uint64_t end = MonotonicNs() + kPatienceNs;
  const uint64_t before = traffic->received();
  while (traffic->received() == before) {
    Must(MonotonicNs() < end, ("no router serves; see " + folder_ + "/log").c_str());
    Follow(traffic);
    traffic->Put(0);
    traffic->Flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    traffic->Receive();
  }
}

bool RouterPair::WaitUntilTold(uint32_t flows) {
  const uint64_t end = MonotonicNs() + kPatienceNs;
  for (;;) {
    const std::string text =
        options_.has_external_cache
            ? Read(routers_[1], "conntrackd -C " + folder_ +
                                    "/1.conntrackd -s | "
                                    "awk '/cache external/ {e=1} e && /current active connections/ {print $4; exit}'")
            : Read(routers_[1], "cat /proc/sys/net/netfilter/nf_conntrack_count");
    if (std::strtoul(text.c_str(), nullptr, 10) >= flows) return true;
    if (MonotonicNs() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void RouterPair::Kill() {
  SetDown("nf-c1r");
  SetDown("nf-s1r");
  kill(-routers_[0].processes.back(), SIGKILL);
}

}  // namespace nf
