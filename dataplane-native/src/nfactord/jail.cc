#include "nfactord/jail.h"

#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <string>

namespace nf {
namespace {

std::unexpected<Error> FailWith(const char* what, int error) {
  return Fail(ErrorCode::kInternal,
              std::string("the jail of the compiler cannot be made: ") + what + ": " + std::strerror(error));
}

Expected<void> SetLimits(const JailLimits& limits) {
  struct Limit {
    __rlimit_resource which;
    rlim_t soft, hard;
  };
  const Limit wanted[] = {
    {RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // Their shadow memory is larger than any limit.
    {RLIMIT_AS, limits.memory_bytes, limits.memory_bytes},
#endif
    {RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes},
    {RLIMIT_NOFILE, 8, 8},
    {RLIMIT_CORE, 0, 0},
  };
  for (const Limit& limit : wanted) {
    rlimit now;
    getrlimit(limit.which, &now);
    // An operator's tighter limit stays.
    rlimit next = {limit.soft < now.rlim_max ? limit.soft : now.rlim_max,
                   limit.hard < now.rlim_max ? limit.hard : now.rlim_max};
    if (setrlimit(limit.which, &next) != 0) return FailWith("setrlimit", errno);
  }
  alarm(limits.wall_seconds);
  return {};
}

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_KILL_PROCESS)) {
    if (context_ == nullptr) error_ = ENOMEM;
  }
  ~Filter() {
    if (context_ != nullptr) seccomp_release(context_);
  }
  void Add(uint32_t action, std::initializer_list<int> calls) {
    for (int call : calls) Note(error_ == 0 ? seccomp_rule_add(context_, action, call, 0) : 0);
  }
  void AddIf(int call, scmp_arg_cmp condition) {
    Note(error_ == 0 ? seccomp_rule_add(context_, SCMP_ACT_ALLOW, call, 1, condition) : 0);
  }
  int Load() {
    // Threads that were made before (the engine's) are bound too.
    Note(error_ == 0 ? seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1) : 0);
    Note(error_ == 0 ? seccomp_load(context_) : 0);
    return error_;
  }

 private:
  void Note(int result) {
    if (error_ == 0 && result < 0) error_ = -result;
  }
  scmp_filter_ctx context_;
  int error_ = 0;
};

}  // namespace

Expected<void> EnterJail(const JailLimits& limits) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return FailWith("PR_SET_PDEATHSIG", errno);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return FailWith("PR_SET_NO_NEW_PRIVS", errno);
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return FailWith("PR_SET_DUMPABLE", errno);
  if (auto done = SetLimits(limits); !done) return done;

  Filter filter;
  filter.Add(SCMP_ACT_ALLOW, {SCMP_SYS(read),
                              SCMP_SYS(write),
                              SCMP_SYS(writev),
                              SCMP_SYS(close),
                              SCMP_SYS(fstat),
                              SCMP_SYS(newfstatat),
                              SCMP_SYS(lseek),
                              SCMP_SYS(fsync),
                              SCMP_SYS(mmap),
                              SCMP_SYS(munmap),
                              SCMP_SYS(mremap),
                              SCMP_SYS(mprotect),
                              SCMP_SYS(madvise),
                              SCMP_SYS(brk),
                              SCMP_SYS(futex),
                              SCMP_SYS(rseq),
                              SCMP_SYS(set_robust_list),
                              SCMP_SYS(sched_yield),
                              SCMP_SYS(sched_getaffinity),
                              SCMP_SYS(clock_gettime),
                              SCMP_SYS(clock_nanosleep),
                              SCMP_SYS(gettid),
                              SCMP_SYS(getpid),
                              SCMP_SYS(getrandom),
                              SCMP_SYS(membarrier),
                              SCMP_SYS(rt_sigaction),
                              SCMP_SYS(rt_sigprocmask),
                              SCMP_SYS(rt_sigreturn),
                              SCMP_SYS(sigaltstack),
                              SCMP_SYS(restart_syscall),
                              SCMP_SYS(exit),
                              SCMP_SYS(exit_group)});
  // abort() of this process, not a signal to another.
  filter.AddIf(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid())));
  // Libraries look at files under /proc and /sys for hints and do without them.
  filter.Add(SCMP_ACT_ERRNO(EACCES), {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(readlink),
                                      SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(statx), SCMP_SYS(access)});
  // Names of threads and mappings, which allocators set.
  filter.Add(SCMP_ACT_ERRNO(EPERM), {SCMP_SYS(prctl)});
  if (int error = filter.Load(); error != 0) return FailWith("seccomp", error);
  return {};
}

}  // namespace nf
