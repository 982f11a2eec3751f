/** Parts that several sections of a module have: limits of memories and tables, constant expressions. All throw MalformedError or FeatureError. */
import { MalformedError, type WasmReader } from "../pack/wasm_reader.ts";
import { FeatureError } from "./code_reader.ts";
import { featureOf, featureOfType } from "./opcodes.ts";

export interface Limits {
  min: number;
  max: number | undefined;
}

export function readMemory(reader: WasmReader): Limits {
  const at = reader.position;
  const flags = reader.u8("limits of the memory");
  if (flags > 1) throw memoryFeature(flags, at);
  return readBounds(reader, flags, "pages");
}

function memoryFeature(flags: number, at: number): Error {
  if (flags >= 16) return new MalformedError(`${flags} is no kind of limits`, at);
  return new FeatureError((flags & 8) !== 0 ? "custom page sizes" : (flags & 4) !== 0 ? "memory64" : "threads", at);
}

export function readTable(reader: WasmReader): Limits {
  const at = reader.position;
  const type = reader.u8("type of the table");
  if (type !== 0x70) {
    const feature = type === 0x40 ? "function references" : featureOfType(type);
    throw feature === undefined ? new MalformedError(`0x${type.toString(16)} is no type of a table`, at) : new FeatureError(feature, at);
  }
  const flags = reader.u8("limits of the table");
  if (flags > 1) throw new FeatureError((flags & 4) !== 0 ? "memory64" : "threads", at);
  return readBounds(reader, flags, "elements");
}

function readBounds(reader: WasmReader, flags: number, what: string): Limits {
  const min = reader.u32(`minimum of ${what}`);
  return { min, max: flags === 1 ? reader.u32(`maximum of ${what}`) : undefined };
}

/** A constant expression of one instruction: the value of an `i32.const` as unsigned, undefined for the other constants. */
export function readConstant(reader: WasmReader, what: string): number | undefined {
  const at = reader.position;
  const opcode = reader.u8(what);
  let value: number | undefined;
  if (opcode === 0x41) value = reader.s32(what) >>> 0;
  else if (opcode === 0x42) reader.signed(64, what);
  else if (opcode === 0x43) reader.take(4, what);
  else if (opcode === 0x44) reader.take(8, what);
  else if (opcode === 0x23) reader.u32(what);
  else {
    const feature = featureOf(opcode);
    throw feature === undefined ? new MalformedError(`${what}: 0x${opcode.toString(16)} is no constant`, at) : new FeatureError(feature, at);
  }
  if (reader.u8(what) !== 0x0b) throw new FeatureError("extended constant expressions", at);
  return value;
}
