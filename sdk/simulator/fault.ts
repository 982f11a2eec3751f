/** What is known about a trap in V8: its kind by the ABI, where it happened in the original module, and what the SDK's abort wrote. */
import { FAULT_RECORD_BYTES, FaultKind, LIMITS, RECORDS, RESULT } from "../abi/gen/abi.ts";
import { wasm } from "./v8.ts";

export interface GuestFault {
  kind: FaultKind;
  /** Export that was running. */
  call: string;
  /** From the fault record: the guest's own words. */
  message: string;
  file: string;
  line: number;
  column: number;
  /** Offsets into the original core module, innermost frame first. */
  backtrace: number[];
}

const FRAMES_MAX = 16;

/** V8's words for the traps of WebAssembly. */
const KINDS: readonly (readonly [RegExp, FaultKind])[] = [
  [/^unreachable$/, FaultKind.unreachable],
  [/memory access out of bounds/, FaultKind.out_of_bounds],
  [/divide by zero|remainder by zero|divide result unrepresentable/, FaultKind.integer],
  [/float unrepresentable/, FaultKind.bad_conversion],
  [/table index|table access|null function|signature mismatch/, FaultKind.indirect_call],
];

/** `refused` is the kind that a guard left, 0 if none. Anything that is not a trap of the guest is thrown on. */
export function trapKind(error: unknown, refused: number): FaultKind {
  if (error instanceof RangeError && error.message.includes("call stack")) return FaultKind.stack;
  if (!(error instanceof wasm.RuntimeError)) throw error;
  if (refused !== 0) return refused as FaultKind;
  return KINDS.find(([words]) => words.test(error.message))?.[1] ?? FaultKind.other;
}

/** Offsets into the guarded module of the frames that belong to the NF; those of guards are left out. */
export function trapOffsets(error: Error, functions: number): number[] {
  const offsets: number[] = [];
  for (const [, index, offset] of (error.stack ?? "").matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g)) {
    if (Number(index) < functions && offsets.length < FRAMES_MAX) offsets.push(Number.parseInt(offset!, 16));
  }
  return offsets;
}

/** What the SDK's abort wrote; undefined if it wrote nothing. Lengths are clamped: a guest may have written them. */
export function readFaultRecord(memory: ArrayBuffer): Pick<GuestFault, "message" | "file" | "line" | "column"> | undefined {
  const view = new DataView(memory, RESULT.fault_record, FAULT_RECORD_BYTES);
  const { is_set, line, column, message_length, file_length, message, file } = RECORDS.fault_record.fields;
  if (view.getUint32(is_set.offset, true) !== 1) return undefined;
  const text = (at: number, length: number): string => {
    const bytes = Math.min(view.getUint16(length, true), LIMITS.fault_text_bytes_max) & ~1;
    return utf16(new Uint8Array(memory, RESULT.fault_record + at, bytes));
  };
  return {
    message: text(message.offset, message_length.offset),
    file: text(file.offset, file_length.offset),
    line: view.getUint32(line.offset, true),
    column: view.getUint32(column.offset, true),
  };
}

/** Text of UTF-16LE bytes; halves of surrogate pairs become U+FFFD. */
export function utf16(bytes: Uint8Array): string {
  return new TextDecoder("utf-16le").decode(bytes);
}
