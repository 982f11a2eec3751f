/**
 * A core module made safe for V8, whose memory is flat: every load and store is checked against the areas that the NF may touch, and every
 * function and loop counts steps, so that an endless one ends. What was refused is told by an exported global.
 *
 * Natively both come from the processor and a watchdog. Here the code is rewritten: types, functions, globals and exports are added behind the
 * module's own, so that no index changes, and calls of them are put before each access. The rewriting knows where each instruction has moved to,
 * so that a trap's place is told as an offset into the original module, which is what source maps are about.
 */
import { MalformedError, WasmReader, concat, encodeU32, sections } from "../pack/wasm_reader.ts";
import { CLOCK, type GuardFunction, guardFunctions, guardOf, isLoad, isStore } from "./guard_functions.ts";
import type { MemoryPlan } from "./memory_plan.ts";
import { Op, Type, call, exportOf, i32 } from "./wasm_writer.ts";

export const FAULT_EXPORT = "nfactor:fault";
export const FUEL_EXPORT = "nfactor:fuel";

export interface GuardedModule {
  binary: Uint8Array<ArrayBuffer>;
  /** Number of the module's own functions; those behind are guards. */
  functions: number;
  /** The offset in the original module of the instruction at this offset of the guarded one. */
  originalOffset(offset: number): number;
}

const Section = { TYPE: 1, FUNCTION: 3, GLOBAL: 6, EXPORT: 7, CODE: 10 } as const;
/** Sections in the order that a module has to keep; 12 (data count) stands before the code. */
const ORDER = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];
const GLOBAL_KIND = 3;

/** Throws MalformedError for a module that is none, or that uses what the ABI does not allow. */
export function guardModule(core: Uint8Array, plan: MemoryPlan): GuardedModule {
  const found = new Map<number, { start: number; end: number }>();
  for (const { id, start, end } of sections(core)) if (id !== 0) found.set(id, { start, end });
  const reader = (id: number): WasmReader | undefined => {
    const section = found.get(id);
    return section && new WasmReader(core, section.start, section.end);
  };
  const countOf = (id: number): number => reader(id)?.u32("count") ?? 0;
  const counts = { types: countOf(Section.TYPE), functions: countOf(Section.FUNCTION), globals: countOf(Section.GLOBAL) };
  const guards = guardFunctions(plan, { fault: counts.globals, fuel: counts.globals + 1 });
  const extended = (id: number, entries: readonly number[][]): Uint8Array => {
    const section = reader(id);
    const count = section?.u32("count") ?? 0;
    return concat([
      Uint8Array.from(encodeU32(count + entries.length)),
      section?.take(section.left, "section") ?? new Uint8Array(0),
      ...entries.map((e) => Uint8Array.from(e)),
    ]);
  };
  const moves = new Moves();
  const parts: Uint8Array[] = [core.subarray(0, 8)];
  let at = 8;
  for (const id of ORDER) {
    const body = rewritten(id);
    if (!body) continue;
    const head = Uint8Array.from([id, ...encodeU32(body.bytes.length)]);
    if (id === Section.CODE) moves.base = at + head.length;
    parts.push(head, body.bytes);
    at += head.length + body.bytes.length;
  }
  return { binary: concat(parts) as Uint8Array<ArrayBuffer>, functions: counts.functions, originalOffset: (offset) => moves.original(offset) };

  function rewritten(id: number): { bytes: Uint8Array } | undefined {
    switch (id) {
      case Section.TYPE:
        return {
          bytes: extended(
            id,
            guards.map((g) => g.type),
          ),
        };
      case Section.FUNCTION:
        return {
          bytes: extended(
            id,
            guards.map((_, i) => encodeU32(counts.types + i)),
          ),
        };
      case Section.GLOBAL: {
        const mutable = [Type.I32, 1, ...i32(0), Op.END];
        return { bytes: extended(id, [mutable, mutable]) };
      }
      case Section.EXPORT:
        return { bytes: extended(id, [exportOf(FAULT_EXPORT, GLOBAL_KIND, counts.globals), exportOf(FUEL_EXPORT, GLOBAL_KIND, counts.globals + 1)]) };
      case Section.CODE:
        return { bytes: rewriteCode(reader(id), counts.functions, guards, moves) };
      default: {
        const section = found.get(id);
        return section && { bytes: core.subarray(section.start, section.end) };
      }
    }
  }
}

/** Where instructions came from: pairs of a new offset (from the code section's body) and an original one, in order. */
class Moves {
  base = 0;
  readonly #to: number[] = [];
  readonly #from: number[] = [];

  add(to: number, from: number): void {
    this.#to.push(to);
    this.#from.push(from);
  }

  /** That of the last instruction at or before the offset. */
  original(offset: number): number {
    const wanted = offset - this.base;
    let [low, high] = [0, this.#to.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#to[middle]! <= wanted) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.#from[low - 1]!;
  }
}

function rewriteCode(code: WasmReader | undefined, functions: number, guards: readonly GuardFunction[], moves: Moves): Uint8Array {
  const count = code?.u32("functions") ?? 0;
  if (count !== functions) throw new MalformedError(`${functions} functions are declared, ${count} have a body`, code?.position ?? 0);
  const parts: Uint8Array[] = [Uint8Array.from(encodeU32(count + guards.length))];
  let at = parts[0]!.length;
  for (let i = 0; i < count; i++) {
    const { bytes, pairs } = rewriteBody(code!.sub(code!.u32("body"), "body"), functions);
    const head = Uint8Array.from(encodeU32(bytes.length));
    for (const [to, from] of pairs) moves.add(at + head.length + to, from);
    parts.push(head, bytes);
    at += head.length + bytes.length;
  }
  return concat([...parts, ...guards.map(({ body }) => Uint8Array.from(body))]);
}

/** One function's body; pairs are offsets in the new body and in the original module. */
function rewriteBody(body: WasmReader, functions: number): { bytes: Uint8Array; pairs: [number, number][] } {
  const out: number[] = [];
  const pairs: [number, number][] = [];
  const copy = (from: number, to: number): void => {
    for (let i = from; i < to; i++) out.push(body.bytes[i]!);
  };
  const localsStart = body.position;
  for (let groups = body.u32("locals"); groups > 0; groups--) {
    body.u32("locals");
    body.u8("type");
  }
  copy(localsStart, body.position);
  const tick = call(functions + CLOCK);
  pairs.push([out.length, body.position]);
  out.push(...tick);
  while (!body.done) {
    const start = body.position;
    const opcode = body.u8("opcode");
    pairs.push([out.length, start]);
    if (isLoad(opcode) || isStore(opcode)) {
      body.u32("alignment");
      out.push(...i32(body.u32("offset")), ...call(functions + guardOf(opcode)));
      // A guarded store has stored already.
      if (isLoad(opcode)) copyAt(start);
      continue;
    }
    skipImmediates(body, opcode);
    copyAt(start);
    if (opcode === Op.LOOP) out.push(...tick);
  }
  return { bytes: Uint8Array.from(out), pairs };

  function copyAt(start: number): void {
    pairs.push([out.length, start]);
    copy(start, body.position);
  }
}

function skipImmediates(body: WasmReader, opcode: number): void {
  const at = body.position - 1;
  if (opcode >= 0x45 && opcode <= 0xc4) return;
  switch (opcode) {
    case 0x00:
    case 0x01:
    case 0x05:
    case 0x0b:
    case 0x0f:
    case 0x1a:
    case 0x1b:
      return;
    case 0x02:
    case 0x03:
    case 0x04:
      body.signed(33, "block type");
      return;
    case 0x0c:
    case 0x0d:
    case 0x10:
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
    case 0x24:
      body.u32("index");
      return;
    case 0x0e:
      for (let targets = body.count("targets") + 1; targets > 0; targets--) body.u32("target");
      return;
    case 0x11:
      body.u32("type");
      body.u32("table");
      return;
    case 0x3f:
    case 0x40:
      body.u8("memory");
      return;
    case 0x41:
      body.signed(32, "constant");
      return;
    case 0x42:
      body.signed(64, "constant");
      return;
    case 0x43:
      body.take(4, "constant");
      return;
    case 0x44:
      body.take(8, "constant");
      return;
    case 0xfc: {
      const operation = body.u32("operation");
      if (operation <= 7) return;
      throw new MalformedError(`instruction 0xfc ${operation} is not allowed`, at);
    }
    default:
      throw new MalformedError(`instruction 0x${opcode.toString(16)} is not allowed`, at);
  }
}
