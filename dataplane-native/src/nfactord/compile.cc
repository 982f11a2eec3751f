#include "nfactord/compile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "nf_abi.h"
#include "nfactord/jail.h"
#include "wasm/engine.h"
#include "wasm/module.h"

namespace nf {
namespace {

int Say(const Error& error, int exit_code) {
  std::fprintf(stderr, "%s: %s\n", ErrorCodeName(error.code), error.message.c_str());
  return exit_code;
}

int SayErrno(const char* what, const char* path) {
  std::fprintf(stderr, "%s: %s %s: %s\n", ErrorCodeName(ErrorCode::kNfCompile), what, path, std::strerror(errno));
  return kExitFiles;
}

Expected<std::vector<uint8_t>> ReadModule(int fd) {
  std::vector<uint8_t> bytes(abi::kModuleBytesMax + 1);
  size_t size = 0;
  while (size < bytes.size()) {
    ssize_t got = read(fd, bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(ErrorCode::kNfCompile, std::string("cannot read the module: ") + std::strerror(errno));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > abi::kModuleBytesMax) {
    return Fail(ErrorCode::kNfCompile, "the module is larger than " + std::to_string(abi::kModuleBytesMax) +
                                           " bytes, the most that is allowed");
  }
  bytes.resize(size);
  return bytes;
}

bool WriteAll(int fd, const std::vector<uint8_t>& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    ssize_t put = write(fd, bytes.data() + at, bytes.size() - at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += static_cast<size_t>(put);
  }
  return fsync(fd) == 0 || errno == EINVAL;
}

// In the child. The engine is made before the jail is entered, its thread could not be made afterwards; and it is never
// torn down: this process has nothing to tidy up.
int CompileJailed(int in, int out) {
  auto made = Engine::Create({});
  if (!made) return Say(made.error(), kExitRefused);
  Engine* engine = made->release();
  if (auto jailed = EnterJail({}); !jailed) return Say(jailed.error(), kExitRefused);
  auto wasm = ReadModule(in);
  if (!wasm) return Say(wasm.error(), kExitFiles);
  auto native = Module::Compile(*engine, *wasm);
  if (!native) return Say(native.error(), kExitRefused);
  if (!WriteAll(out, *native)) return SayErrno("cannot write", "the native code");
  return kExitDone;
}

int Judge(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  int signal = WTERMSIG(status);
  std::string why = std::string("the compiler was stopped by ") + strsignal(signal);
  if (signal == SIGXCPU || signal == SIGALRM) why = "the compiler took longer than it may";
  if (signal == SIGXFSZ) why = "the native code is larger than it may be";
  if (signal == SIGABRT || signal == SIGKILL) why = "the compiler ended early, most likely at its memory limit";
  if (signal == SIGSYS) why = "the compiler tried what its jail forbids";
  return Say({ErrorCode::kNfCompile, why}, kExitRefused);
}

}  // namespace

int CompileFile(const char* in, const char* out) {
  int from = open(in, O_RDONLY | O_CLOEXEC);
  if (from < 0) return SayErrno("cannot open", in);
  std::string draft = std::string(out) + ".draft." + std::to_string(getpid());
  int to = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (to < 0) return SayErrno("cannot create", draft.c_str());
  pid_t child = fork();
  if (child == 0) _exit(CompileJailed(from, to));
  close(from);
  close(to);
  int status = 0;
  int result = kExitRefused;
  if (child < 0) {
    SayErrno("cannot start", "the compiler");
  } else {
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    result = Judge(status);
  }
  if (result == kExitDone && rename(draft.c_str(), out) != 0) result = SayErrno("cannot create", out);
  if (result != kExitDone) unlink(draft.c_str());
  return result;
}

}  // namespace nf
