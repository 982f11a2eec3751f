// net_af_packet puts the sockets of a port into a fanout group, also when there is one socket, and calls it by its
// process and interface: pid ^ index. Two processes that start one after the other, with interfaces that were made one
// after the other, name theirs alike (1000 ^ 10 = 1001 ^ 11), and the kernel refuses the second one in the same network
// namespace. So the linker leads its calls here (--wrap), and the kernel is asked for a name that nobody has. Ports
// have one queue each, so no other socket looks for the group by its name.
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

extern "C" {

int __real_setsockopt(int fd, int level, int name, const void* value, socklen_t size);

int __wrap_setsockopt(int fd, int level, int name, const void* value, socklen_t size) {
  uint32_t group;
  if (level != SOL_PACKET || name != PACKET_FANOUT || size != sizeof group)
    return __real_setsockopt(fd, level, name, value, size);
  std::memcpy(&group, value, sizeof group);
  constexpr uint32_t kMode = 0xffff0000, kUnique = uint32_t{PACKET_FANOUT_FLAG_UNIQUEID} << 16;
  group = (group & kMode) | kUnique;
  return __real_setsockopt(fd, level, name, &group, sizeof group);
}

}  // extern "C"
