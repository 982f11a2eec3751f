#include "nfactord/jail.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace nf {
namespace {

// Runs in a child of its own: what it does in the jail, then its exit code.
template <typename Act>
[[noreturn]] void Jailed(Act act, JailLimits limits = {}) {
  if (!EnterJail(limits)) _exit(99);
  _exit(act());
}

class JailTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};
using JailDeathTest = JailTest;

TEST_F(JailDeathTest, MemoryAndOpenFilesStay) {
  EXPECT_EXIT(Jailed([] {
                void* at = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                bool code = mprotect(at, 1 << 20, PROT_READ | PROT_EXEC) == 0;
                return at != MAP_FAILED && code && write(2, "x", 1) == 1 ? 7 : 1;
              }),
              testing::ExitedWithCode(7), "");
}

TEST_F(JailDeathTest, NothingCanBeOpened) {
  EXPECT_EXIT(Jailed([] { return open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? 7 : 1; }),
              testing::ExitedWithCode(7), "");
  EXPECT_EXIT(Jailed([] { return open("jail_test", O_WRONLY | O_CREAT, 0600) < 0 ? 7 : 1; }),
              testing::ExitedWithCode(7), "");
}

TEST_F(JailDeathTest, NetworkProcessesAndPathsEndIt) {
  EXPECT_EXIT(Jailed([] { return socket(AF_INET, SOCK_STREAM, 0); }), testing::KilledBySignal(SIGSYS), "");
  EXPECT_EXIT(Jailed([] { return fork(); }), testing::KilledBySignal(SIGSYS), "");
  EXPECT_EXIT(Jailed([] { return execl("/bin/true", "true", nullptr); }), testing::KilledBySignal(SIGSYS), "");
  EXPECT_EXIT(Jailed([] { return rename("a", "b"); }), testing::KilledBySignal(SIGSYS), "");
  EXPECT_EXIT(Jailed([] { return unlink("a"); }), testing::KilledBySignal(SIGSYS), "");
  EXPECT_EXIT(Jailed([] { return kill(getppid(), 0); }), testing::KilledBySignal(SIGSYS), "");
}

TEST_F(JailDeathTest, EndlessWorkEndsAtTheLimit) {
  EXPECT_EXIT(Jailed(
                  [] {
                    volatile bool more = true;
                    while (more) {
                    }
                    return 0;
                  },
                  {.cpu_seconds = 1}),
              testing::KilledBySignal(SIGXCPU), "");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(JailDeathTest, MemoryIsLimited) {
  EXPECT_EXIT(Jailed([] {
                return mmap(nullptr, size_t{3} << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? 7
                                                                                                                   : 1;
              }),
              testing::ExitedWithCode(7), "");
}
#endif

}  // namespace
}  // namespace nf
