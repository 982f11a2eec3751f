/** Pieces of WebAssembly binaries, as arrays of bytes. */
import { encodeU32 } from "../pack/wasm_reader.ts";

export const Type = { I32: 0x7f, I64: 0x7e, F32: 0x7d, F64: 0x7c, FUNCTION: 0x60, VOID: 0x40 } as const;

export const Op = {
  UNREACHABLE: 0x00,
  LOOP: 0x03,
  IF: 0x04,
  END: 0x0b,
  RETURN: 0x0f,
  CALL: 0x10,
  LOCAL_GET: 0x20,
  LOCAL_SET: 0x21,
  GLOBAL_GET: 0x23,
  GLOBAL_SET: 0x24,
  I32_CONST: 0x41,
  I64_CONST: 0x42,
  I32_EQZ: 0x45,
  I64_LE_U: 0x58,
  I32_SUB: 0x6b,
  I64_ADD: 0x7c,
  I64_SUB: 0x7d,
  I32_WRAP_I64: 0xa7,
  I64_EXTEND_I32_U: 0xad,
} as const;

/** Signed LEB128. */
export function signed(value: bigint): number[] {
  const out: number[] = [];
  for (let rest = value; ;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0);
    out.push(done ? byte : byte | 0x80);
    if (done) return out;
  }
}

/** i32.const of 32 bits, however they are meant. */
export function i32(value: number): number[] {
  return [Op.I32_CONST, ...signed(BigInt(value | 0))];
}
export function i64(value: number): number[] {
  return [Op.I64_CONST, ...signed(BigInt(value))];
}
export function call(index: number): number[] {
  return [Op.CALL, ...encodeU32(index)];
}
export function functionType(params: readonly number[], results: readonly number[]): number[] {
  return [Type.FUNCTION, ...encodeU32(params.length), ...params, ...encodeU32(results.length), ...results];
}
export function exportOf(name: string, kind: number, index: number): number[] {
  const text = new TextEncoder().encode(name);
  return [...encodeU32(text.length), ...text, kind, ...encodeU32(index)];
}
