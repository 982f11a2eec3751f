#include "runtime/flow_image.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>

#include "proto/word_delta.h"

namespace nf {
namespace {

// Followed by: the alias, if there is one; a lease for each NF that leases; a deadline for each set timer; a slot for
// each NF that has opened the flow and keeps a state, up to whole words. All by position in the chain.
struct ImageHeader {
  uint32_t bytes;  // Of the image, this header included.
  uint8_t has_flow;
  uint8_t has_alias;
  uint16_t zero;
};
static_assert(sizeof(ImageHeader) == kFlowImageActor);
constexpr size_t kPadTo = 8;

size_t PaddingBehind(size_t slot_bytes) { return (kPadTo - slot_bytes % kPadTo) % kPadTo; }

// Takes an image's parts and puts one behind the other.
class Writer {
 public:
  explicit Writer(std::span<uint8_t> out) : out_(out) {}
  void Put(const void* bytes, size_t count) {
    if (count > out_.size() - at_) {
      is_full_ = true;
      return;
    }
    std::memcpy(out_.data() + at_, bytes, count);
    at_ += count;
  }
  void PutActor(const FlowActor& actor) { Put(&actor, sizeof actor); }
  uint32_t size() const { return is_full_ ? 0 : static_cast<uint32_t>(at_); }

 private:
  std::span<uint8_t> out_;
  size_t at_ = 0;
  bool is_full_ = false;
};

// Takes them and writes down what is not as in an earlier image.
class Comparer {
 public:
  // `before` lies at `offset` of the image.
  Comparer(std::span<const uint8_t> before, size_t offset, std::span<uint8_t> out)
      : before_(before), offset_(offset), delta_(out) {}
  void Put(const void* bytes, size_t count) {
    if (count > before_.size() - at_) {
      is_longer_ = true;
      return;
    }
    // Where a short part was just written, reading it as a long one would wait for the store.
    if (count > sizeof(uint64_t) || std::memcmp(before_.data() + at_, bytes, count) != 0)
      delta_.Compare(offset_ + at_, before_.data() + at_, static_cast<const uint8_t*>(bytes), count);
    at_ += count;
  }
  // The first half stays as it is while the flow is the same.
  void PutActor(const FlowActor& actor) {
    uint64_t number = 0;
    if (before_.size() - at_ >= sizeof actor)
      std::memcpy(&number, before_.data() + at_ + offsetof(FlowActor, number), sizeof number);
    if (number != actor.number) return Put(&actor, sizeof actor);
    at_ += kHalf;
    Put(&actor.last_seen_ns, kHalf);
  }
  // Nothing: the image is of another length.
  std::optional<size_t> bytes() const {
    return is_longer_ || at_ != before_.size() ? std::nullopt : std::optional(delta_.bytes());
  }

 private:
  static constexpr size_t kHalf = offsetof(FlowActor, last_seen_ns);
  static_assert(2 * kHalf == sizeof(FlowActor));
  std::span<const uint8_t> before_;
  size_t offset_;
  proto::DeltaWriter delta_;
  size_t at_ = 0;
  bool is_longer_ = false;
};

// What lies behind the header.
template <typename Sink>
void PutParts(const Chain& chain, const Flows& flows, uint32_t flow, const FlowKey* alias, Sink* sink) {
  const FlowActor& actor = flows.actor(flow);
  sink->PutActor(actor);
  if (alias != nullptr) sink->Put(alias, sizeof *alias);
  for (uint32_t i = 0; i < chain.size(); ++i) {
    if (!chain.nf(i).has_lease()) continue;
    const uint32_t lease = flows.lease(i, flow);
    sink->Put(&lease, sizeof lease);
  }
  for (uint32_t timers = actor.timers; timers != 0; timers &= timers - 1) {
    const uint64_t deadline = flows.timer_deadline(static_cast<uint32_t>(std::countr_zero(timers)), flow);
    sink->Put(&deadline, sizeof deadline);
  }
  for (uint32_t opened = actor.opened; opened != 0; opened &= opened - 1) {
    const auto slot = chain.nf(static_cast<uint32_t>(std::countr_zero(opened))).states().slot(flow);
    if (slot.empty()) continue;
    const size_t padding = PaddingBehind(slot.size()),
                 whole = padding == 0 ? slot.size() : slot.size() / kPadTo * kPadTo;
    sink->Put(slot.data(), whole);
    if (padding == 0) continue;
    uint8_t last[kPadTo] = {};
    std::memcpy(last, slot.data() + whole, slot.size() - whole);
    sink->Put(last, kPadTo);
  }
}

const FlowKey* AliasOf(const Flows& flows, uint32_t flow) {
  const FlowActor& actor = flows.actor(flow);
  return actor.number != 0 && actor.out_tuple == OutTuple::kReverseOfAlias ? flows.table().AliasOf(flow) : nullptr;
}

// Words of an image that may be anything: what counts, times, and what only NFs know. Any other says how to read it.
constexpr size_t kCountedBegin = kFlowImageActor + offsetof(FlowActor, last_seen_ns),
                 kCountedEnd = kFlowImageActor + offsetof(FlowActor, number),
                 kBehindActor = kFlowImageActor + sizeof(FlowActor);

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
    const size_t padding = PaddingBehind(bytes);
    if (read->slots[i].empty() || (padding != 0 && reader.Take(padding).empty())) return false;
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
  for (const NfSpec& nf : chain) bytes += uint32_t{sizeof(uint32_t) + sizeof(uint64_t)} + nf.state_bytes + kPadTo;
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
  const bool has_flow = flows.actor(flow).number != 0;
  const FlowKey* alias = AliasOf(flows, flow);
  Writer writer(out);
  ImageHeader header{.bytes = 0, .has_flow = has_flow, .has_alias = alias != nullptr, .zero = 0};
  writer.Put(&header, sizeof header);
  if (has_flow) PutParts(chain, flows, flow, alias, &writer);
  header.bytes = writer.size();
  if (header.bytes != 0) std::memcpy(out.data(), &header, sizeof header);
  return header.bytes;
}

size_t WriteFlowDelta(const Chain& chain, const Flows& flows, uint32_t flow, std::span<const uint8_t> before,
                      std::span<uint8_t> out) {
  const bool has_flow = flows.actor(flow).number != 0;
  const FlowKey* alias = AliasOf(flows, flow);
  ImageHeader header{};
  if (before.size() >= sizeof header) std::memcpy(&header, before.data(), sizeof header);
  // Another kind of image is no change of this one; its length will show in the end.
  if (header.has_flow != has_flow || header.has_alias != (alias != nullptr)) return out.size() + 1;
  Comparer comparer(before.subspan(std::min(before.size(), sizeof header)), sizeof header, out);
  if (has_flow) PutParts(chain, flows, flow, alias, &comparer);
  const auto bytes = comparer.bytes();
  return bytes && *bytes < before.size() ? *bytes : out.size() + 1;
}

bool ApplyFlowDelta(const Chain& chain, std::span<const uint8_t> delta, std::span<uint8_t> image,
                    std::span<uint8_t> scratch) {
  if (image.size() < kBehindActor) return false;  // What has ended doesn't change.
  const size_t any_from = kBehindActor + (image[offsetof(ImageHeader, has_alias)] != 0 ? sizeof(FlowKey) : 0);
  bool is_free = true;
  const auto see = [&](const proto::DeltaChunk& chunk) {
    const size_t first = chunk.at + proto::kDeltaWord * static_cast<size_t>(std::countr_zero(chunk.words));
    const size_t end = chunk.at + proto::kDeltaWord * static_cast<size_t>(std::bit_width(chunk.words));
    is_free = is_free && (first >= any_from || (first >= kCountedBegin && end <= kCountedEnd));
  };
  if (!proto::IsWordDelta(delta, image.size(), see)) return false;
  if (is_free) [[likely]] {
    proto::ApplyCheckedDelta(delta, image);
    return true;
  }
  const auto after = scratch.first(image.size());
  std::ranges::copy(image, after.begin());
  proto::ApplyCheckedDelta(delta, after);
  if (!IsFlowImage(chain, after)) return false;
  std::ranges::copy(after, image.begin());
  return true;
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
