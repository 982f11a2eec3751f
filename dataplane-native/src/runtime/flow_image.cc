#include "runtime/flow_image.h"

#include <array>
#include <bit>
#include <cstring>
#include <string_view>

namespace nf {
namespace {

// Followed by: the alias, if there is one; a lease for each NF that leases; a deadline for each set timer; a slot for
// each NF that has opened the flow and keeps a state. All by position in the chain.
struct ImageHeader {
  uint32_t bytes;  // Of the image, this header included.
  uint8_t has_flow;
  uint8_t has_alias;
  uint16_t zero;
};
static_assert(sizeof(ImageHeader) == 8);

class Writer {
 public:
  explicit Writer(std::span<uint8_t> out) : out_(out) {}
  template <typename T>
  void Put(const T& value) {
    Put({reinterpret_cast<const uint8_t*>(&value), sizeof value});
  }
  void Put(std::span<const uint8_t> bytes) {
    if (bytes.size() > out_.size() - at_) {
      is_full_ = true;
      return;
    }
    if (!bytes.empty()) std::memcpy(out_.data() + at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  uint32_t size() const { return is_full_ ? 0 : static_cast<uint32_t>(at_); }

 private:
  std::span<uint8_t> out_;
  size_t at_ = 0;
  bool is_full_ = false;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> in) : in_(in) {}
  template <typename T>
  bool Get(T* value) {
    const auto bytes = Take(sizeof *value);
    if (bytes.empty()) return false;
    std::memcpy(static_cast<void*>(value), bytes.data(), sizeof *value);
    return true;
  }
  // Empty when there are not so many left.
  std::span<const uint8_t> Take(size_t bytes) {
    if (bytes > in_.size()) return {};
    const auto taken = in_.first(bytes);
    in_ = in_.subspan(bytes);
    return taken;
  }
  size_t left() const { return in_.size(); }

 private:
  std::span<const uint8_t> in_;
};

bool IsSound(const FlowActor& actor, const Chain& chain) {
  const uint32_t nfs = (1u << chain.size()) - 1;
  if (actor.number == 0 || actor.pending != 0 || actor.closing != 0) return false;
  if (((actor.opened | actor.bypassed | actor.timers) & ~nfs) != 0) return false;
  if (static_cast<uint8_t>(actor.phase) > static_cast<uint8_t>(FlowPhase::kRefused)) return false;
  if (actor.out_tuple > OutTuple::kReverseOfAlias || actor.side > 1 || actor.fin_seen > 3) return false;
  for (uint32_t i = 0; i < chain.size(); ++i) {
    if ((actor.timers >> i & 1) != 0 && !chain.nf(i).has_timer()) return false;
  }
  return (actor.key.ip_version == 4 || actor.key.ip_version == 6) && actor.key.vlan_count <= 2;
}

// What an image says.
struct ReadImage {
  bool has_flow = false, has_alias = false;
  FlowActor actor;
  FlowKey alias;
  std::array<uint32_t, abi::kChainNfsMax> leases{};
  std::array<uint64_t, abi::kChainNfsMax> deadlines{};
  std::array<std::span<const uint8_t>, abi::kChainNfsMax> slots;
};

bool Read(const Chain& chain, std::span<const uint8_t> image, ReadImage* read) {
  Reader reader(image);
  ImageHeader header;
  if (!reader.Get(&header) || header.bytes != image.size() || header.has_flow > 1 || header.has_alias > 1 ||
      header.zero != 0) {
    return false;
  }
  read->has_flow = header.has_flow != 0;
  read->has_alias = header.has_alias != 0;
  if (!read->has_flow) return reader.left() == 0 && !read->has_alias;
  FlowActor& actor = read->actor;
  if (!reader.Get(&actor) || !IsSound(actor, chain)) return false;
  if (read->has_alias && (!reader.Get(&read->alias) || read->alias.ip_version == 0 || !chain.may_edit())) return false;
  if ((actor.out_tuple == OutTuple::kReverseOfAlias) != read->has_alias) return false;
  for (uint32_t i = 0; i < chain.size(); ++i) {
    if (chain.nf(i).has_lease() && !reader.Get(&read->leases[i])) return false;
  }
  for (uint32_t i = 0; i < chain.size(); ++i) {
    if ((actor.timers >> i & 1) != 0 && !reader.Get(&read->deadlines[i])) return false;
  }
  for (uint32_t i = 0; i < chain.size(); ++i) {
    const uint32_t bytes = chain.nf(i).states().state_bytes();
    if ((actor.opened >> i & 1) == 0 || bytes == 0) continue;
    read->slots[i] = reader.Take(bytes);
    if (read->slots[i].empty()) return false;
  }
  return reader.left() == 0;
}

uint64_t Mix(uint64_t digest, std::string_view text) {
  for (char letter : text) digest = (digest ^ static_cast<uint8_t>(letter)) * 0x100000001b3u;
  return (digest ^ text.size()) * 0x100000001b3u;
}

}  // namespace

uint32_t FlowImageBytesMax(std::span<const NfSpec> chain) {
  uint32_t bytes = sizeof(ImageHeader) + sizeof(FlowActor) + sizeof(FlowKey);
  for (const NfSpec& nf : chain) bytes += uint32_t{sizeof(uint32_t) + sizeof(uint64_t)} + nf.state_bytes;
  return bytes;
}

proto::Digests FlowImageDigests(std::span<const NfSpec> chain) {
  proto::Digests digests{.chain = 0xcbf29ce484222325u, .layout = 0xcbf29ce484222325u};
  for (const NfSpec& nf : chain) {
    digests.chain = Mix(Mix(digests.chain, nf.entry), nf.name);
    digests.layout = Mix(Mix(digests.layout, nf.state_digest), std::to_string(nf.state_bytes));
    digests.layout = Mix(digests.layout, nf.rights.lease ? "lease" : "");
  }
  return digests;
}

uint32_t WriteFlowImage(const Chain& chain, const Flows& flows, uint32_t flow, std::span<uint8_t> out) {
  const FlowActor& actor = flows.actor(flow);
  const FlowKey* alias = actor.number != 0 ? flows.table().AliasOf(flow) : nullptr;
  Writer writer(out);
  ImageHeader header{.bytes = 0, .has_flow = actor.number != 0, .has_alias = alias != nullptr, .zero = 0};
  writer.Put(header);
  if (actor.number != 0) {
    writer.Put(actor);
    if (alias != nullptr) writer.Put(*alias);
    for (uint32_t i = 0; i < chain.size(); ++i) {
      if (chain.nf(i).has_lease()) writer.Put(flows.lease(i, flow));
    }
    for (uint32_t i = 0; i < chain.size(); ++i) {
      if ((actor.timers >> i & 1) != 0) writer.Put(flows.timer_deadline(i, flow));
    }
    for (uint32_t i = 0; i < chain.size(); ++i) {
      const StateStore& states = chain.nf(i).states();
      if ((actor.opened >> i & 1) != 0 && states.state_bytes() != 0) writer.Put(states.slot(flow));
    }
  }
  header.bytes = writer.size();
  if (header.bytes != 0) std::memcpy(out.data(), &header, sizeof header);
  return header.bytes;
}

bool IsFlowImage(const Chain& chain, std::span<const uint8_t> image) {
  ReadImage read;
  return Read(chain, image, &read);
}

bool ReportFlowImage(const Chain& chain, std::span<const uint8_t> image, FlowReport* report) {
  ReadImage read;
  if (!Read(chain, image, &read) || !read.has_flow) return false;
  *report = {.has_alias = read.has_alias, .taught = read.actor.taught, .leases = read.leases, .alias = read.alias};
  for (uint32_t i = 0; i < chain.size(); ++i) report->lease_mask |= uint32_t{chain.nf(i).has_lease()} << i;
  return true;
}

bool ReadFlowImage(Chain& chain, Flows& flows, uint32_t flow, std::span<const uint8_t> image) {
  ReadImage read;
  if (!Read(chain, image, &read)) return false;
  if (!read.has_flow) return true;
  for (uint32_t i = 0; i < chain.size(); ++i) {
    if (const auto& slot = read.slots[i]; !slot.empty())
      std::memcpy(chain.nf(i).states().data(flow), slot.data(), slot.size());
    if ((read.actor.bypassed >> i & 1) != 0) chain.nf(i).any_bypassed = true;
  }
  flows.Arrive(flow, read.actor, read.has_alias ? &read.alias : nullptr, read.leases, read.deadlines);
  return true;
}

}  // namespace nf
