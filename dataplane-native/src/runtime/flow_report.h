// What a runtime tells another vswitch of a flow besides what the protocol does: what was leased to it, and by what it
// is answered. One writes it, the other reads it; chains differ in how many of their NFs lease.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "nf_abi.h"
#include "packet/flow_key.h"
#include "proto/messages.h"

namespace nf {

struct FlowReport {
  bool has_alias = false;
  bool taught = false;      // An answer has come by the alias.
  uint32_t lease_mask = 0;  // Of NFs that lease, by place in the chain.
  std::array<uint32_t, abi::kChainNfsMax> leases{};
  FlowKey alias{};

  static constexpr uint32_t kBytesMax = 4 + sizeof(uint32_t) * abi::kChainNfsMax + sizeof(FlowKey);

  // Bytes written; `out` has room for kBytesMax.
  uint32_t Write(std::span<uint8_t> out) const {
    const uint32_t head = lease_mask << 2 | (taught ? 2u : 0u) | (has_alias ? 1u : 0u);
    uint32_t at = 0;
    const auto put = [&](const auto& value) {
      std::memcpy(out.data() + at, &value, sizeof value);
      at += sizeof value;
    };
    put(head);
    for (uint32_t nf = 0; nf < leases.size(); ++nf) {
      if ((lease_mask >> nf & 1) != 0) put(leases[nf]);
    }
    if (has_alias) put(alias);
    return at;
  }
  // False unless a runtime whose NFs of `mask` lease would have written it.
  static bool Read(std::span<const uint8_t> in, uint32_t mask, FlowReport* report) {
    uint32_t head = 0;
    const auto get = [&](auto* value) {
      if (in.size() < sizeof *value) return false;
      std::memcpy(value, in.data(), sizeof *value);
      in = in.subspan(sizeof *value);
      return true;
    };
    if (!get(&head) || head >> 2 != mask) return false;
    report->lease_mask = mask;
    report->has_alias = (head & 1) != 0;
    report->taught = (head & 2) != 0;
    for (uint32_t nf = 0; nf < report->leases.size(); ++nf) {
      if ((mask >> nf & 1) != 0 && !get(&report->leases[nf])) return false;
    }
    if (!report->has_alias) return in.empty();
    const FlowKey& alias = report->alias;
    if (!get(&report->alias) || !in.empty() || (alias.zero_0 | alias.zero_1) != 0) return false;
    return (alias.ip_version == 4 || alias.ip_version == 6) && alias.vlan_count <= 2;
  }
};
static_assert(FlowReport::kBytesMax <= proto::kReportBytesMax);

}  // namespace nf
