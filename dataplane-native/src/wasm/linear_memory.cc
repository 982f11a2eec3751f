#include "wasm/linear_memory.h"

#include <sys/mman.h>
#include <wasmtime.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/huge_pages.h"
#include "nf_abi.h"

namespace nf {
namespace {

constexpr size_t kGiB = size_t{1} << 30;
// All that a 32-bit address can name, and behind it all that a 32-bit offset can add: an offset beyond the end of the
// largest memory traps without being computed, so the guard is as large as that memory.
constexpr size_t kReservedBytes = 4 * kGiB;
constexpr size_t kGuardBytes = (size_t{abi::kBasePages} + abi::kHeapPagesMax + 1) * abi::kPageBytes;
// In front: room to align to a huge page, and never less than one of them without any right.
constexpr size_t kFrontBytes = 2 * kHugePageBytes;
constexpr size_t kWholeBytes = kFrontBytes + kReservedBytes + kGuardBytes;

thread_local LinearMemory* offered = nullptr;

std::unexpected<Error> FailMapping(const char* what) {
  std::string why = std::strerror(errno);
  return Fail(ErrorCode::kEalMemory, std::string("no address space or memory for ") + what + " of an NF instance (" +
                                         why + "); vm.max_map_count and vm.overcommit_memory limit them");
}

uint8_t* GetMemory(void* env, size_t* bytes, size_t* capacity) {
  auto* memory = static_cast<LinearMemory*>(env);
  *bytes = *capacity = memory->bytes();
  return memory->base();
}

wasmtime_error_t* RefuseGrowth(void*, size_t) { return wasmtime_error_new("this memory never grows"); }

wasmtime_error_t* TakeOffered(void*, const wasm_memorytype_t*, size_t minimum, size_t maximum, size_t reserved,
                              size_t guard, wasmtime_linear_memory_t* out) {
  LinearMemory* memory = offered;
  if (memory == nullptr) return wasmtime_error_new("a module has one memory, made by the host");
  if (minimum != memory->bytes() || maximum != memory->bytes() || reserved > kReservedBytes || guard > kGuardBytes) {
    return wasmtime_error_new("the module's memory is not of the size that was admitted");
  }
  offered = nullptr;
  *out = {memory, GetMemory, RefuseGrowth, nullptr};
  return nullptr;
}

}  // namespace

void LinearMemory::Configure(wasm_config_t* config) {
  wasmtime_config_memory_may_move_set(config, false);
  wasmtime_config_memory_reservation_set(config, kReservedBytes);
  wasmtime_config_memory_guard_size_set(config, kGuardBytes);
  wasmtime_config_memory_reservation_for_growth_set(config, 0);
  wasmtime_config_memory_init_cow_set(config, false);
  wasmtime_memory_creator_t creator = {nullptr, TakeOffered, nullptr};
  wasmtime_config_host_memory_creator_set(config, &creator);
}

LinearMemory::Offer::Offer(LinearMemory& memory) { offered = &memory; }
LinearMemory::Offer::~Offer() { offered = nullptr; }

Expected<std::unique_ptr<LinearMemory>> LinearMemory::Reserve(uint32_t heap_pages) {
  std::unique_ptr<LinearMemory> memory(new LinearMemory);
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* at = mmap(nullptr, kWholeBytes, PROT_NONE, kFlags, -1, 0);
  if (at == MAP_FAILED) return FailMapping("the linear memory");
  memory->reservation_ = static_cast<uint8_t*>(at);
  auto start = reinterpret_cast<uintptr_t>(at);
  memory->base_ = memory->reservation_ + (RoundUpToPages(start + kHugePageBytes, kHugePageBytes) - start);
  memory->bytes_ = (size_t{abi::kBasePages} + heap_pages) * abi::kPageBytes;
  if (mprotect(memory->base_, memory->bytes_, PROT_READ | PROT_WRITE) != 0) return FailMapping("the heap");
  return memory;
}

LinearMemory::~LinearMemory() {
  if (reservation_ != nullptr) munmap(reservation_, kWholeBytes);
}

// Call area, results, emits and configuration in one region, one behind the other.
Expected<void> LinearMemory::MakeOwn(const InstancePlan& plan) {
  constexpr size_t kCallAndResult = abi::kCallAreaBytes + abi::kResultAreaBytes;
  config_offset_ = kCallAndResult + (plan.emits ? abi::kEmitAreaBytes : 0);
  auto own = SharedRegion::Create("nf-instance", config_offset_ + RoundUpToPages(plan.config.size(), kSmallPageBytes));
  if (!own) return std::unexpected(own.error());
  own_ = std::move(*own);
  result_area_ = own_.data() + abi::kCallAreaBytes;
  if (plan.emits) emit_area_ = own_.data() + kCallAndResult;
  if (!plan.config.empty()) std::memcpy(own_.data() + config_offset_, plan.config.data(), plan.config.size());
  return {};
}

Expected<void> LinearMemory::Map(uint32_t address, size_t bytes, Access access, const SharedRegion& region,
                                 size_t offset) {
  if (access == Access::kNone || bytes == 0) return {};
  bool writes = access == Access::kWrite;
  int rights = writes ? PROT_READ | PROT_WRITE : PROT_READ;
  void* at = base_ + address;
  if (mmap(at, bytes, rights, MAP_SHARED | MAP_FIXED, region.fd(), static_cast<off_t>(offset)) == MAP_FAILED) {
    return FailMapping("an area");
  }
  // So that the lcore's first packets don't pay for page faults. EINVAL: a kernel before 5.14, which can't.
  if (madvise(at, bytes, writes ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) != 0 && errno != EINVAL) {
    return FailMapping("an area");
  }
  return {};
}

Expected<void> LinearMemory::MapAreas(const InstancePlan& plan) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (mmap(base_, abi::kModuleAreaAddress, PROT_NONE, kFlags, -1, 0) == MAP_FAILED) return FailMapping("the holes");
  Expected<void> done = MakeOwn(plan);
  auto map = [&](uint32_t address, size_t bytes, Access access, const SharedRegion& region, size_t offset) {
    if (done) done = Map(address, bytes, access, region, offset);
  };
  map(abi::kCallAreaAddress, abi::kCallAreaBytes, Access::kRead, own_, 0);
  map(abi::kResultAreaAddress, abi::kResultAreaBytes, Access::kWrite, own_, abi::kCallAreaBytes);
  map(abi::kHeaderAreaAddress, abi::kHeaderAreaBytes, plan.header_access, *plan.headers, 0);
  if (plan.payloads != nullptr) {
    map(abi::kPayloadAreaAddress, abi::kPayloadAreaBytes, plan.payload_access, *plan.payloads, 0);
  }
  if (plan.emits) {
    map(abi::kEmitAreaAddress, abi::kEmitAreaBytes, Access::kWrite, own_, abi::kCallAreaBytes + abi::kResultAreaBytes);
  }
  map(abi::kConfigAreaAddress, RoundUpToPages(plan.config.size(), kSmallPageBytes), Access::kRead, own_,
      config_offset_);
  if (plan.state != nullptr) map(abi::kStateAreaAddress, plan.state->bytes(), Access::kWrite, *plan.state, 0);
  own_.CloseDescriptor();
  return done;
}

}  // namespace nf
