// nfactord, the stand-alone native binary.
#include <cstdio>
#include <cstring>

#include "nf_abi.h"
#include "nfactord/compile.h"
#include "nfactord/member_process.h"
#include "nfactord/run.h"
#include "nfactord/standby.h"
#include "wasm/engine.h"

namespace {

int Usage() {
  std::fputs(
      "usage: nfactord compile <in.wasm> <out.native>   compile an admitted core module, in a jail\n"
      "       nfactord run <spec.json>                  one runtime without Node; - reads standard input\n"
      "       nfactord vswitch <spec.json>              the vswitch of a tenant, for a supervisor\n"
      "       nfactord runtime <spec.json>              a runtime of a tenant, for a supervisor\n"
      "       nfactord standby <spec.json> <MiB> auto|never <touched MiB>\n"
      "                                                 a member that is told later which one it is\n"
      "       nfactord version                          print versions\n",
      stderr);
  return nf::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  const char* command = argc > 1 ? argv[1] : "";
  if (std::strcmp(command, "compile") == 0 && argc == 4) return nf::CompileFile(argv[2], argv[3]);
  if (std::strcmp(command, "run") == 0 && argc == 3) return nf::RunSpecFile(argv[2]);
  if (std::strcmp(command, "vswitch") == 0 && argc == 3) return nf::RunVswitchProcess(argv[2]);
  if (std::strcmp(command, "runtime") == 0 && argc == 3) return nf::RunRuntimeProcess(argv[2]);
  if (std::strcmp(command, "standby") == 0 && argc == 6) return nf::RunStandby(argc, argv);
  if (std::strcmp(command, "version") == 0 && argc == 2) {
    std::printf("nfactord, ABI version %u, Wasmtime %s\n", nf::abi::kAbiVersion, nf::Engine::WasmtimeVersion());
    return nf::kExitDone;
  }
  return Usage();
}
