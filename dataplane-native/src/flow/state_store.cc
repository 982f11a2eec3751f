#include "flow/state_store.h"

namespace nf {

Expected<StateStore> StateStore::Create(const std::string& entry, uint32_t state_bytes, uint32_t flows_max) {
  StateStore store;
  if (state_bytes == 0) return store;
  store.state_bytes_ = state_bytes;
  store.stride_ = (state_bytes + abi::kStateAlign - 1) / abi::kStateAlign * abi::kStateAlign;
  const uint64_t bytes = uint64_t{store.stride_} * flows_max;
  if (bytes > abi::kStateAreaBytes) {
    return Fail(ErrorCode::kStateTooLarge, entry + " keeps " + std::to_string(state_bytes) +
                                               " bytes per flow, which for " + std::to_string(flows_max) +
                                               " flows is more than a state store may have; lower flows.max to " +
                                               std::to_string(abi::kStateAreaBytes / store.stride_) + " at most");
  }
  auto region = SharedRegion::Create("nfactor-state", bytes, true);
  if (!region) return std::unexpected(region.error());
  store.region_ = std::move(*region);
  store.slots_ = store.region_.data();
  store.address_ = abi::kStateAreaAddress;
  return store;
}

}  // namespace nf
