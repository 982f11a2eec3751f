// What the views cost that an NF gets of a packet: its bytes copied to the areas, its entry and its flow's record
// written, edited bytes taken back. It calls what the packet path calls (HeaderArea, PayloadArea, PacketEntry,
// ApplyEdits), on the areas of a chain's NF and on parsed packets of a pool. The baseline is memcpy of as many bytes
// from the same frames to ordinary memory with the same strides.
#include <time.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "bench_report.h"
#include "chain/chain_nf.h"
#include "chain/edits.h"
#include "chain/packet_entry.h"
#include "harness/must.h"
#include "packet/packet_meta.h"
#include "packet/parse.h"
#include "packet/test_frames.h"
#include "port/eal.h"
#include "wasm/test_modules.h"

namespace nf {
namespace {

constexpr uint32_t kBurst = abi::kBurstPackets;
// Frames that a measurement goes around: those of one burst stay in the first caches, of this many they do not.
constexpr uint32_t kManyFrames = 8192;
constexpr uint32_t kFrameBytes[] = {64, 256, 1500, 9000};

double NowNs() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Parsed packets of one kind with an actor each, as they lie in front of an NF.
class Packets {
 public:
  Packets(rte_mempool* pool, const std::string& frame, uint32_t count) : actors_(count), mbufs_(count) {
    for (uint32_t i = 0; i < count; ++i) {
      rte_mbuf* mbuf = mbufs_[i] = rte_pktmbuf_alloc(pool);
      Must(mbuf != nullptr, "the pool is too small");
      std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size())), frame.data(), frame.size());
      PacketMeta* meta = MetaOf(mbuf);
      *meta = PacketMeta{};
      meta->wire_length = static_cast<uint32_t>(frame.size());
      const auto* bytes = rte_pktmbuf_mtod(mbuf, const uint8_t*);
      Must(ParsePacket(bytes, mbuf->data_len, meta->wire_length, &meta->parsed) == abi::DropReason::kNone,
           "a bad frame");
      actors_[i].key = meta->parsed.key;
      actors_[i].number = i + 1;
    }
  }
  ~Packets() {
    for (rte_mbuf* mbuf : mbufs_) rte_pktmbuf_free(mbuf);
  }
  Packets(const Packets&) = delete;
  Packets& operator=(const Packets&) = delete;

  // ns a packet of `body`, called with (place in the burst, mbuf, actor) for `count` packets.
  template <typename Body>
  double EachNs(uint32_t count, Body body) {
    const double begin = NowNs();
    for (uint32_t done = 0; done < count; done += kBurst) {
      if (next_ == mbufs_.size()) next_ = 0;
      for (uint32_t j = 0; j < kBurst; ++j) body(j, mbufs_[next_ + j], actors_[next_ + j]);
      next_ += kBurst;
      asm volatile("" ::: "memory");  // The NF reads it here.
    }
    return (NowNs() - begin) / count;
  }

 private:
  std::vector<FlowActor> actors_;
  std::vector<rte_mbuf*> mbufs_;
  uint32_t next_ = 0;
};

std::string UdpFrame(uint32_t bytes) {
  const std::string payload(bytes - 42, 'x');
  return test::Ethernet(0x0800, test::Ipv4({.protocol = 17}, test::Udp(1, 2, payload)));
}
// 114 bytes of headers: IPv6, TCP with all options that there can be.
std::string LongHeaderFrame() {
  const std::string tcp = test::Tcp({.options = std::string(40, '\x01')}, "x");
  return test::Ethernet(0x86dd, test::Ipv6({.next = 6}, tcp));
}

class CopyBench {
 public:
  explicit CopyBench(BenchReport& report) : report_(report) {
    NfSpec spec;
    spec.entry = spec.name = "editor";
    spec.native = NativeTest(*engine_, {.state_bytes = 64});
    spec.state_bytes = 64;
    spec.rights = {.view = View::kPayload, .edit = Edit::kPayload};
    nf_ = Must(ChainNf::Create(*engine_, spec, {.index = 0, .flows_max = kManyFrames}));
    spec.entry = spec.name = "reader";
    spec.rights = {};
    shared_headers_ = Must(HeaderArea::Create());
    shared_payloads_ = Must(PayloadArea::Create());
    reader_ = Must(ChainNf::Create(*engine_, spec,
                                   {.index = 1,
                                    .flows_max = kManyFrames,
                                    .shared_headers = &shared_headers_,
                                    .shared_payloads = &shared_payloads_}));
  }

  void Run() {
    Headers();
    Entries();
    Payloads(kBurst, "");
    Payloads(kManyFrames, ", many frames");
    Edits();
    Views();
  }

 private:
  using Body = std::function<double(uint32_t count)>;

  // Both in turns.
  void Compare(const std::string& what, uint32_t bytes, const Body& body, const Body& baseline) {
    const int runs = report_.quick() ? 3 : 15;
    const uint32_t count = (bytes > 1000 ? 64 : 512) * 1024 / (report_.quick() ? 4 : 1);
    body(count / 8), baseline(count / 8);
    std::vector<double> values, base;
    for (int run = 0; run < runs; ++run) {
      values.push_back(body(count));
      base.push_back(baseline(count));
    }
    report_.Add(what, "packet", "ns", values, BenchReport::Median(base));
  }

  // memcpy of `bytes` at `offset` of the frames.
  Body Memcpy(Packets& packets, uint32_t offset, uint32_t bytes, uint32_t stride) {
    return [this, &packets, offset, bytes, stride](uint32_t count) {
      uint8_t* to = ordinary_.data();
      return packets.EachNs(count, [=](uint32_t j, rte_mbuf* mbuf, FlowActor&) {
        std::memcpy(to + j * stride, rte_pktmbuf_mtod_offset(mbuf, const uint8_t*, offset), bytes);
      });
    };
  }

  void Headers() {
    const std::pair<const char*, std::string> kinds[] = {{"headers, 42 bytes (UDP, IPv4)", UdpFrame(64)},
                                                         {"headers, 114 bytes (TCP, IPv6)", LongHeaderFrame()}};
    for (const auto& [what, frame] : kinds) {
      if (!report_.Wants(what)) continue;
      Packets packets(pool_, frame, kBurst);
      const uint32_t bytes = static_cast<uint32_t>(frame.size()) == 64 ? 42 : 114;
      HeaderArea& area = reader_->headers();
      Compare(
          what, bytes,
          [&](uint32_t count) {
            return packets.EachNs(count, [&area](uint32_t j, rte_mbuf* mbuf, FlowActor&) {
              area.Fill(j, rte_pktmbuf_mtod(mbuf, const uint8_t*), MetaOf(mbuf)->parsed.payload_offset);
            });
          },
          Memcpy(packets, 0, bytes, abi::kHeaderStride));
    }
  }

  void Payloads(uint32_t frames, const char* suffix) {
    for (uint32_t size : kFrameBytes) {
      const std::string what = "payload of " + std::to_string(size) + "-byte frame" + suffix;
      if (!report_.Wants(what)) continue;
      Packets packets(pool_, UdpFrame(size), frames);
      PayloadArea& area = nf_->payloads();
      Compare(
          what, size,
          [&](uint32_t count) {
            return packets.EachNs(count, [&area](uint32_t j, rte_mbuf* mbuf, FlowActor&) {
              area.Fill(j, rte_pktmbuf_mtod_offset(mbuf, const uint8_t*, MetaOf(mbuf)->parsed.payload_offset),
                        VisiblePayload(mbuf));
            });
          },
          Memcpy(packets, 42, size - 42, abi::kPayloadStride));
    }
  }

  PacketEntry EntryOf(const ChainNf& nf, uint32_t index, rte_mbuf* mbuf, const FlowActor& actor,
                      uint32_t payload_length) const {
    const PacketMeta& meta = *MetaOf(mbuf);
    return {.index = index,
            .meta = &meta,
            .actor = &actor,
            .direction = 0,
            .flags = meta.parsed.flags,
            .payload_length = payload_length,
            .state = nf.states().address(meta.flow),
            .lease = 0,
            .now_ns = meta.timestamp_ns};
  }

  void Entries() {
    const char* what = "entry, flow record, zeroed result";
    if (!report_.Wants(what)) return;
    Packets packets(pool_, UdpFrame(256), kBurst);
    constexpr uint32_t kBytes = abi::kDescriptorBytes + abi::kFlowRecordBytes + sizeof(abi::Result);
    Compare(
        what, kBytes,
        [&](uint32_t count) {
          Instance& instance = *reader_->active();
          abi::Descriptor* descriptors = instance.descriptors();
          abi::FlowRecord* records = instance.flow_records();
          return packets.EachNs(count, [&](uint32_t j, rte_mbuf* mbuf, FlowActor& actor) {
            EntryOf(*reader_, j, mbuf, actor, 0).Write(reader_->rights(), descriptors, records);
            if (j == kBurst - 1) std::memset(instance.results(), 0, kBurst * sizeof(abi::Result));
          });
        },
        Memcpy(packets, 0, kBytes, abi::kHeaderStride));
  }

  // What an NF that changes packets costs on the way back.
  void Edits() {
    auto taken = [&](Packets& packets, uint16_t flag) {
      return [this, &packets, flag](uint32_t count) {
        const abi::Result result{.verdict = static_cast<uint8_t>(abi::Verdict::kForward), .flags = flag};
        bool all = true;
        const double ns = packets.EachNs(
            count, [&](uint32_t j, rte_mbuf* mbuf, FlowActor&) { all &= ApplyEdits(*nf_, j, result, mbuf); });
        Must(all, "an edit was refused");
        return ns;
      };
    };
    for (uint32_t size : kFrameBytes) {
      const std::string header = "edited headers taken back, 42 bytes";
      const std::string payload = "edited payload of " + std::to_string(size) + "-byte frame taken back";
      Packets packets(pool_, UdpFrame(size), kBurst);
      packets.EachNs(kBurst, [&](uint32_t j, rte_mbuf* mbuf, FlowActor&) {
        nf_->headers().Fill(j, rte_pktmbuf_mtod(mbuf, const uint8_t*), 42);
        nf_->payloads().Fill(j, rte_pktmbuf_mtod_offset(mbuf, const uint8_t*, 42), size - 42);
      });
      if (size == 64 && report_.Wants(header)) {
        Compare(header, 42, taken(packets, abi::kResultFlagModifiedHeader), Memcpy(packets, 0, 42, abi::kHeaderStride));
      }
      if (report_.Wants(payload)) {
        Compare(payload, size, taken(packets, abi::kResultFlagModifiedPayload),
                Memcpy(packets, 42, size - 42, abi::kPayloadStride));
      }
    }
  }

  // Everything together that a packet is shown; the baseline is memcpy of the whole frame.
  void Views() {
    for (bool payloads : {false, true}) {
      for (uint32_t size : kFrameBytes) {
        if (!payloads && size != 64) continue;
        const std::string what = payloads ? "whole view with payload, " + std::to_string(size) + "-byte frames"
                                          : "whole view of headers, 64-byte frames";
        if (!report_.Wants(what)) continue;
        Packets packets(pool_, UdpFrame(size), kManyFrames);
        Compare(
            what, size, [&](uint32_t count) { return Show(packets, payloads ? *nf_ : *reader_, count); },
            Memcpy(packets, 0, size, abi::kPayloadStride));
      }
    }
  }

  double Show(Packets& packets, ChainNf& nf, uint32_t count) {
    Instance& instance = *nf.active();
    const ChainNf::Rights& rights = nf.rights();
    return packets.EachNs(count, [&](uint32_t j, rte_mbuf* mbuf, FlowActor& actor) {
      const uint32_t offset = MetaOf(mbuf)->parsed.payload_offset;
      nf.headers().Fill(j, rte_pktmbuf_mtod(mbuf, const uint8_t*), offset);
      uint32_t payload_length = 0;
      if (rights.view_payload) {
        payload_length = VisiblePayload(mbuf);
        nf.payloads().Fill(j, rte_pktmbuf_mtod_offset(mbuf, const uint8_t*, offset), payload_length);
      }
      EntryOf(nf, j, mbuf, actor, payload_length).Write(rights, instance.descriptors(), instance.flow_records());
      if (j == kBurst - 1) std::memset(instance.results(), 0, kBurst * sizeof(abi::Result));
    });
  }

  BenchReport& report_;
  std::unique_ptr<Engine> engine_ = Must(Engine::Create({}));
  rte_mempool* pool_ = Must(CreatePacketPool("bench", 2 * kManyFrames - 1));
  HeaderArea shared_headers_;
  PayloadArea shared_payloads_;
  std::unique_ptr<ChainNf> nf_, reader_;
  std::vector<uint8_t> ordinary_ = std::vector<uint8_t>(kBurst * abi::kPayloadStride);
};

}  // namespace
}  // namespace nf

int main(int argc, char** argv) {
  nf::BenchReport report("copy", argc, argv);
  nf::Must(nf::StartEal({.use_hugepages = false, .memory_mb = 512}));
  nf::CopyBench(report).Run();
}
