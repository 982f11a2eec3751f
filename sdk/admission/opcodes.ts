/**
 * The instructions that a module may use, with what follows each opcode in the binary; and the names of the features that others belong to, for
 * messages. What is not listed here is refused: a new proposal is outside until someone adds it.
 */

/** What follows an opcode. */
export const Immediate = {
  /** The opcode is not allowed. */
  refused: 0,
  none: 1,
  /** Block type; opens a block. */
  block: 2,
  /** `else`. */
  otherwise: 3,
  /** Closes a block. */
  end: 4,
  /** One index, or a branch depth. */
  index: 5,
  branchTable: 6,
  /** Type index and a zero byte: the only table. */
  callIndirect: 7,
  /** Alignment and offset. */
  memory: 8,
  /** A zero byte: the only memory. */
  zero: 9,
  i32: 10,
  i64: 11,
  f32: 12,
  f64: 13,
  /** The 0xfc page: a further opcode. */
  page: 14,
} as const;
export type Immediate = (typeof Immediate)[keyof typeof Immediate];

const table = new Uint8Array(256);
const set = (kind: Immediate, ...ranges: readonly (number | readonly [number, number])[]): void => {
  for (const range of ranges) {
    const [from, to] = typeof range === "number" ? [range, range] : range;
    table.fill(kind, from, to + 1);
  }
};
set(Immediate.none, [0x00, 0x01], 0x0f, [0x1a, 0x1b], [0x45, 0xc4]);
set(Immediate.block, [0x02, 0x04]);
set(Immediate.otherwise, 0x05);
set(Immediate.end, 0x0b);
set(Immediate.index, [0x0c, 0x0d], 0x10, [0x20, 0x24]);
set(Immediate.branchTable, 0x0e);
set(Immediate.callIndirect, 0x11);
set(Immediate.memory, [0x28, 0x3e]);
set(Immediate.zero, [0x3f, 0x40]);
set(Immediate.i32, 0x41);
set(Immediate.i64, 0x42);
set(Immediate.f32, 0x43);
set(Immediate.f64, 0x44);
set(Immediate.page, 0xfc);

/** The kind of each opcode. */
export const IMMEDIATES: Readonly<Uint8Array> = table;

/** Opcodes of the 0xfc page up to here are the non-trapping conversions; the others are refused. */
export const PAGE_LAST = 7;

/** The feature that a refused opcode belongs to; undefined when no known one has it. */
export function featureOf(opcode: number, sub?: number): string | undefined {
  if (opcode === 0xfc && sub !== undefined) return sub <= 14 ? "bulk memory" : sub <= 17 ? "reference types" : undefined;
  if ((opcode >= 0x06 && opcode <= 0x0a) || opcode === 0x18 || opcode === 0x19 || opcode === 0x1f) return "exceptions";
  if (opcode === 0x12 || opcode === 0x13) return "tail calls";
  if (opcode === 0x14 || opcode === 0x15) return "function references";
  if (opcode === 0x1c || opcode === 0x25 || opcode === 0x26 || (opcode >= 0xd0 && opcode <= 0xd6)) return "reference types";
  if (opcode === 0xfb) return "garbage collection";
  if (opcode === 0xfd) return "SIMD";
  if (opcode === 0xfe) return "threads";
  return undefined;
}

export const ValueType = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c } as const;

/** The name of a number type; undefined for all that are refused. */
export function valueTypeName(type: number): keyof typeof ValueType | undefined {
  switch (type) {
    case 0x7f:
      return "i32";
    case 0x7e:
      return "i64";
    case 0x7d:
      return "f32";
    case 0x7c:
      return "f64";
    default:
      return undefined;
  }
}

/** The feature that a refused value type belongs to. */
export function featureOfType(type: number): string | undefined {
  if (type === 0x7b) return "SIMD";
  if (type === 0x70 || type === 0x6f) return "reference types";
  if (type >= 0x5e && type <= 0x77) return "garbage collection";
  return undefined;
}
