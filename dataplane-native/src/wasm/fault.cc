#include "wasm/fault.h"

#include <algorithm>
#include <cstring>

#include "base/utf16.h"

namespace nf {
namespace {

abi::FaultKind KindOf(wasmtime_trap_code_t code) {
  switch (code) {
    case WASMTIME_TRAP_CODE_STACK_OVERFLOW:
      return abi::FaultKind::kStack;
    case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS:
      return abi::FaultKind::kOutOfBounds;
    case WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS:
    case WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL:
    case WASMTIME_TRAP_CODE_BAD_SIGNATURE:
    case WASMTIME_TRAP_CODE_NULL_REFERENCE:
      return abi::FaultKind::kIndirectCall;
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW:
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO:
      return abi::FaultKind::kInteger;
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER:
      return abi::FaultKind::kBadConversion;
    case WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED:
      return abi::FaultKind::kUnreachable;
    case WASMTIME_TRAP_CODE_INTERRUPT:
      return abi::FaultKind::kDeadline;
    default:
      return abi::FaultKind::kOther;
  }
}

void TakeRecord(const abi::FaultRecord* record, FaultInfo& out) {
  abi::FaultRecord copy;
  std::memcpy(&copy, record, sizeof copy);
  if (copy.is_set != 1) return;
  out.kind = abi::FaultKind::kAbort;
  out.line = copy.line;
  out.column = copy.column;
  // Whole UTF-16 units only.
  out.message_bytes = static_cast<uint16_t>(std::min<uint32_t>(copy.message_length, sizeof out.message) & ~1u);
  out.file_bytes = static_cast<uint16_t>(std::min<uint32_t>(copy.file_length, sizeof out.file) & ~1u);
  std::memcpy(out.message, copy.message, out.message_bytes);
  std::memcpy(out.file, copy.file, out.file_bytes);
}

void TakeBacktrace(wasm_frame_vec_t& frames, FaultInfo& out) {
  out.backtrace_size = static_cast<uint32_t>(std::min(frames.size, std::size(out.backtrace)));
  for (size_t i = 0; i < out.backtrace_size; ++i) {
    out.backtrace[i] = static_cast<uint32_t>(wasm_frame_module_offset(frames.data[i]));
  }
  wasm_frame_vec_delete(&frames);
}

}  // namespace

void DescribeFault(wasm_trap_t* trap, wasmtime_error_t* error, bool is_deadline, const abi::FaultRecord* record,
                   FaultInfo& out) noexcept {
  out = FaultInfo{};
  out.kind = is_deadline ? abi::FaultKind::kDeadline : abi::FaultKind::kOther;
  wasm_frame_vec_t frames = {0, nullptr};
  if (trap != nullptr) {
    wasmtime_trap_code_t code;
    if (!is_deadline && wasmtime_trap_code(trap, &code)) out.kind = KindOf(code);
    wasm_trap_trace(trap, &frames);
    TakeBacktrace(frames, out);
    wasm_trap_delete(trap);
  }
  if (error != nullptr) {
    if (trap == nullptr) {
      wasmtime_error_wasm_trace(error, &frames);
      TakeBacktrace(frames, out);
    }
    wasmtime_error_delete(error);
  }
  if (out.kind == abi::FaultKind::kUnreachable) TakeRecord(record, out);
}

std::string FaultText(const FaultInfo& fault) {
  std::string text = std::string(fault.call) + ": " + abi::FaultKindName(fault.kind);
  if (fault.kind == abi::FaultKind::kDeadline) {
    text += " (" + std::to_string(fault.cpu_ns / 1000) + " us of CPU time)";
  }
  if (fault.kind != abi::FaultKind::kAbort) return text;
  text += " \"" + Utf8FromUtf16({fault.message, fault.message_bytes}) + "\"";
  return text + " at " + Utf8FromUtf16({fault.file, fault.file_bytes}) + ":" + std::to_string(fault.line) + ":" +
         std::to_string(fault.column);
}

}  // namespace nf
