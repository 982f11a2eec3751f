// What becomes of the packets of one poll on their way into the chain: parse, lookup and opening of flows, fragments,
// what counts in a flow (docs/packet_path.md, sections 2 to 5). Used by one lcore.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "chain/chain.h"
#include "chain/packet_counters.h"
#include "chain/poll_output.h"
#include "flow/flows.h"
#include "flow/fragment_table.h"
#include "runtime/flow_joiner.h"
#include "runtime/runtime_spec.h"

namespace nf {

class PacketPath {
 public:
  struct Surroundings {
    Chain* chain;
    Flows* flows;
    FragmentTable* fragments;
    PollOutput* output;
    PacketCounters* counters;
    NonIpPolicy non_ip;
  };
  explicit PacketPath(const Surroundings& surroundings);

  // At most 32 packets; all are taken. Their calls may be pending afterwards.
  void Process(rte_mbuf** packets, uint32_t count, uint64_t now_ns);

 private:
  FlowMatch FindFlow(const ParsedPacket& parsed, uint64_t hash);
  void ProcessFlowPacket(rte_mbuf* mbuf, PacketMeta* meta, uint64_t hash);
  void ProcessLaterFragment(rte_mbuf* mbuf, PacketMeta* meta);
  void AddFragment(rte_mbuf* mbuf, PacketMeta* meta, const FragmentFlow& flow);
  void ReleaseFragments(const PacketMeta& first, uint32_t flow);
  void ProcessNonIp(rte_mbuf* mbuf, PacketMeta* meta);

  Chain& chain_;
  Flows& flows_;
  FlowJoiner joiner_;
  FragmentTable& fragments_;
  PollOutput& output_;
  PacketCounters& counters_;
  NonIpPolicy non_ip_;
  uint64_t now_ns_ = 0;
  std::array<rte_mbuf*, abi::kFragmentHeldPerDatagramMax> released_;
};

}  // namespace nf
