// The address space of one instance: what Wasmtime takes for its linear memory, laid out as docs/abi.md says.
//
// The reservation is so large that whatever 32-bit address with whatever offset a guest computes falls into it, and
// all of it that is not an area is without any right: so compiled code needs no comparison, the processor refuses. The
// areas are mapped from memory that the host owns, with the NF's rights as page protections.
//
// While Wasmtime instantiates, the memory below the heap is scratch: a data segment that aims at an area or a hole is
// written there by Wasmtime (in host code, where a fault would end the process), and thrown away by MapAreas.
//
// Control threads only: each change of a mapping stalls all cores of the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/shared_region.h"
#include "wasm/instance.h"

struct wasm_config_t;

namespace nf {

class LinearMemory {
 public:
  // Sets the engine's memory options, and that memories come from here.
  static void Configure(wasm_config_t* config);

  static Expected<std::unique_ptr<LinearMemory>> Reserve(uint32_t heap_pages);
  // After Wasmtime's store is gone.
  ~LinearMemory();
  LinearMemory(const LinearMemory&) = delete;
  LinearMemory& operator=(const LinearMemory&) = delete;

  // The next memory that Wasmtime makes on this thread is this one; ends with the object.
  class Offer {
   public:
    explicit Offer(LinearMemory& memory);
    ~Offer();
  };

  // Replaces the scratch memory by the areas, all pages present.
  Expected<void> MapAreas(const InstancePlan& plan);

  // Bytes from address 0 to the end of the heap.
  size_t bytes() const { return bytes_; }
  uint8_t* base() const { return base_; }
  // The host's own mapping of the areas that belong to this instance alone; null where the plan has none.
  uint8_t* call_area() const { return own_.data(); }
  uint8_t* result_area() const { return result_area_; }
  uint8_t* emit_area() const { return emit_area_; }

 private:
  LinearMemory() = default;

  Expected<void> MakeOwn(const InstancePlan& plan);
  Expected<void> Map(uint32_t address, size_t bytes, Access access, const SharedRegion& region, size_t offset);

  uint8_t* reservation_ = nullptr;
  uint8_t* base_ = nullptr;
  size_t bytes_ = 0;
  SharedRegion own_;
  uint8_t* result_area_ = nullptr;
  uint8_t* emit_area_ = nullptr;
  size_t config_offset_ = 0;
};

}  // namespace nf
