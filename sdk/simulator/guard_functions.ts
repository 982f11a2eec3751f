/**
 * The functions that a guarded module gets besides its own: one that checks a read of each size, one for each kind of store, and the clock.
 *
 * Their refusal leaves a fault kind in a global before it traps, since V8 knows `unreachable` only.
 */
import { FaultKind } from "../abi/gen/abi.ts";
import { encodeU32 } from "../pack/wasm_reader.ts";
import type { MemoryPlan, Range } from "./memory_plan.ts";
import { Op, Type, functionType, i32, i64 } from "./wasm_writer.ts";

export interface GuardFunction {
  /** Bytes of its type, and of its body with the length before it. */
  type: number[];
  body: number[];
}

/** Globals that guards use: kind of the refusal, and steps that are left. */
export interface GuardGlobals {
  fault: number;
  fuel: number;
}

/** Bytes that a load touches, by opcode from 0x28 on. */
const LOAD_BYTES = [4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4];
/** Bytes and value type of a store, by opcode from 0x36 on. */
const STORES: readonly (readonly [number, number])[] = [
  [4, Type.I32],
  [8, Type.I64],
  [4, Type.F32],
  [8, Type.F64],
  [1, Type.I32],
  [2, Type.I32],
  [1, Type.I64],
  [2, Type.I64],
  [4, Type.I64],
];
const LOAD = 0x28;
const STORE = 0x36;
const READ_SIZES = [1, 2, 4, 8];

/** The clock is the first of the functions, then come the reads, then the stores. */
export const CLOCK = 0;

export function isLoad(opcode: number): boolean {
  return opcode >= LOAD && opcode < STORE;
}
export function isStore(opcode: number): boolean {
  return opcode >= STORE && opcode < STORE + STORES.length;
}
/** Which of the functions guards this load or store. */
export function guardOf(opcode: number): number {
  return isLoad(opcode) ? 1 + READ_SIZES.indexOf(LOAD_BYTES[opcode - LOAD]!) : 1 + READ_SIZES.length + opcode - STORE;
}

export function guardFunctions(plan: MemoryPlan, globals: GuardGlobals): GuardFunction[] {
  return [
    clock(globals),
    ...READ_SIZES.map((bytes) => checkedRead(bytes, plan.readable, globals)),
    ...STORES.map((_, i) => checkedStore(STORE + i, plan.writable, globals)),
  ];
}

function refuse(kind: number, { fault }: GuardGlobals): number[] {
  return [...i32(kind), Op.GLOBAL_SET, ...encodeU32(fault), Op.UNREACHABLE];
}

function sized(locals: number[], code: number[]): number[] {
  const body = [...locals, ...code, Op.END];
  return [...encodeU32(body.length), ...body];
}

/** Called at each function's start and each loop's head. */
function clock(globals: GuardGlobals): GuardFunction {
  const fuel = encodeU32(globals.fuel);
  const code = [
    ...[Op.GLOBAL_GET, ...fuel, Op.I32_EQZ, Op.IF, Type.VOID, ...refuse(FaultKind.deadline, globals), Op.END],
    ...[Op.GLOBAL_GET, ...fuel, ...i32(1), Op.I32_SUB, Op.GLOBAL_SET, ...fuel],
  ];
  return { type: functionType([], []), body: sized([0], code) };
}

/** Puts the effective address of parameters `address` and `offset` into local `to`. */
function effectiveAddress(address: number, offset: number, to: number): number[] {
  return [Op.LOCAL_GET, address, Op.I64_EXTEND_I32_U, Op.LOCAL_GET, offset, Op.I64_EXTEND_I32_U, Op.I64_ADD, Op.LOCAL_SET, to];
}

/** `then` for an access of `bytes` bytes at local `at` that lies within one of the ranges. */
function within(ranges: readonly Range[], bytes: number, at: number, then: number[]): number[] {
  return ranges.flatMap(({ start, end }) => [
    ...[Op.LOCAL_GET, at, ...i64(start), Op.I64_SUB, ...i64(end - start - bytes), Op.I64_LE_U],
    ...[Op.IF, Type.VOID, ...then, Op.RETURN, Op.END],
  ]);
}

/** (address, offset) → address. */
function checkedRead(bytes: number, ranges: readonly Range[], globals: GuardGlobals): GuardFunction {
  const code = [...effectiveAddress(0, 1, 2), ...within(ranges, bytes, 2, [Op.LOCAL_GET, 0]), ...refuse(FaultKind.out_of_bounds, globals)];
  return { type: functionType([Type.I32, Type.I32], [Type.I32]), body: sized([1, 1, Type.I64], code) };
}

/** (address, value, offset), which stores too. */
function checkedStore(opcode: number, ranges: readonly Range[], globals: GuardGlobals): GuardFunction {
  const [bytes, type] = STORES[opcode - STORE]!;
  const store = [Op.LOCAL_GET, 3, Op.I32_WRAP_I64, Op.LOCAL_GET, 1, opcode, 0, 0];
  const code = [...effectiveAddress(0, 2, 3), ...within(ranges, bytes, 3, store), ...refuse(FaultKind.out_of_bounds, globals)];
  return { type: functionType([Type.I32, type, Type.I32], []), body: sized([1, 1, Type.I64], code) };
}
