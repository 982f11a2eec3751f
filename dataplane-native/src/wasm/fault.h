// From a trap of Wasmtime to what the host says about it.
#pragma once

#include <wasmtime.h>

#include <string>

#include "nf_abi.h"
#include "wasm/instance.h"

namespace nf {

// Fills `out` except `call` and `cpu_ns`, and deletes what is not null of the first two. `record` lies in the guest's
// result area: it is copied once, its lengths are clamped. Allocates (in Wasmtime), so a faulting call is not cheap.
void DescribeFault(wasm_trap_t* trap, wasmtime_error_t* error, bool is_deadline, const abi::FaultRecord* record,
                   FaultInfo& out) noexcept;

// One sentence for messages of the control path.
std::string FaultText(const FaultInfo& fault);

}  // namespace nf
