// How much memory a flow takes: flows per GiB, everything counted that the process has more than with one flow (actors,
// keys, index, timers, states, page tables of all mappings), with that many flows open.
// The baseline is the runtime without an NF.
#include <rte_mbuf.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "bench_report.h"
#include "harness/must.h"
#include "packet/packet_meta.h"
#include "packet/test_frames.h"
#include "port/eal.h"
#include "port/fabric_port.h"
#include "runtime/runtime.h"
#include "wasm/test_modules.h"

namespace nf {
namespace {

constexpr uint32_t kStateBytes = 64;

double Field(const char* path, const char* field) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field)) return std::atof(line.c_str() + std::strlen(field)) * 1024;
  }
  return 0;
}

// A page that is mapped three times counts once, each mapping's page table counts.
double UsedBytes() { return Field("/proc/self/smaps_rollup", "Pss:") + Field("/proc/self/status", "VmPTE:"); }

struct Bench {
  std::unique_ptr<Engine> engine = Must(Engine::Create({}));
  rte_mempool* pool = Must(CreatePacketPool("bench", 8191));
  std::vector<uint8_t> native = NativeTest(*engine, {.state_bytes = kStateBytes});
  std::string frame = test::Ethernet(0x0800, test::Ipv4({.protocol = 17}, test::Udp(1, 2, "")));

  RuntimeSpec Spec(uint32_t nfs, uint32_t flows, Port* client, Port* server) {
    RuntimeSpec spec;
    spec.input = FabricInput{.client = client, .server = server, .pool = pool};
    spec.flows_max = flows;
    for (uint32_t i = 0; i < nfs; ++i) {
      NfSpec nf;
      nf.entry = nf.name = "nf" + std::to_string(i);
      nf.native = native;
      nf.state_bytes = kStateBytes;
      spec.chain.push_back(nf);
    }
    return spec;
  }

  // Opens flow number `number` to the last; true when the port took the packet.
  bool Send(FabricPort& port, uint32_t number) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
    if (mbuf == nullptr) return false;
    char* data = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
    std::memcpy(data, frame.data(), frame.size());
    number = __builtin_bswap32(0x0a000000 + number);
    std::memcpy(data + 26, &number, sizeof number);  // The source address.
    PacketMeta* meta = MetaOf(mbuf);
    *meta = PacketMeta{};
    meta->wire_length = static_cast<uint32_t>(frame.size());
    if (port.TxBurst(&mbuf, 1) == 1) return true;
    rte_pktmbuf_free(mbuf);
    return false;
  }

  static void Discard(FabricPort& port) {
    rte_mbuf* mbufs[32];
    uint32_t count = port.RxBurst(mbufs, 32);
    for (uint32_t i = 0; i < count; ++i) rte_pktmbuf_free(mbufs[i]);
  }

  // Bytes in use with `flows` flows open in a runtime with room for as many.
  double Measure(uint32_t nfs, uint32_t flows) {
    auto client = Must(FabricPort::CreatePair(4096, 0));
    auto server = Must(FabricPort::CreatePair(4096, 1));
    auto runtime = Must(Runtime::Create(*engine, Spec(nfs, flows, client.first.get(), server.first.get())));
    if (!runtime->Start()) std::exit(1);
    for (uint32_t sent = 0; sent < flows || runtime->counters().flows_open < flows;) {
      for (int i = 0; i < 64 && sent < flows; ++i) sent += Send(*client.second, sent) ? 1 : 0;
      for (int i = 0; i < 4; ++i) Discard(*server.second);
    }
    double used = UsedBytes();
    runtime->RequestStop(false);
    runtime->Wait();
    return used;
  }
};

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("memory", argc, argv);
  nf::Must(nf::StartEal({.use_hugepages = false, .memory_mb = 256}));
  nf::Bench bench;
  bench.Measure(1, 1);  // What is only made once.
  const int runs = report.quick() ? 1 : 3;
  for (uint32_t flows : {65536u, report.quick() ? 262144u : 1000000u}) {
    std::vector<double> per_gib[3], bytes[3];
    const uint32_t chains[] = {0, 1, 3};
    auto name = [&](int i) {
      return std::to_string(chains[i]) + " NFs of 64-byte states, " + std::to_string(flows) + " flows";
    };
    if (!report.Wants(name(0)) && !report.Wants(name(1)) && !report.Wants(name(2))) continue;
    for (int run = 0; run < runs; ++run) {
      for (int i = 0; i < 3; ++i) {
        double one = bench.Measure(chains[i], 1);
        bytes[i].push_back((bench.Measure(chains[i], flows) - one) / flows);
        per_gib[i].push_back((1u << 30) / bytes[i].back());
      }
    }
    for (int i = 0; i < 3; ++i) {
      report.Add(name(i), "flows_per_gib", "flows", per_gib[i], nf::BenchReport::Median(per_gib[0]));
      report.Add(name(i), "flow", "bytes", bytes[i], nf::BenchReport::Median(bytes[0]));
    }
  }
}
