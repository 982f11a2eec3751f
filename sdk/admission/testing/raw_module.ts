/**
 * Core modules made by hand, for tests: entries of sections as bytes, in the order and number that a test likes. `validModule()` is the smallest
 * module that is admitted; a test spoils one thing of it. Nothing is checked here: wrong modules are the purpose.
 */
import { ABI_VERSION, BASE_PAGES, EXPORTS } from "../../abi/gen/abi.ts";
import { encodeU32 } from "../../pack/wasm_reader.ts";

export const I32 = 0x7f;
export const I64 = 0x7e;
export const END = 0x0b;

/** Each entry is the encoding of one member; `sections` are further ones, raw, put behind the section of the id `after`. */
export interface RawModule {
  types: number[][];
  imports: number[][];
  functions: number[];
  tables: number[][];
  memories: number[][];
  globals: number[][];
  exports: number[][];
  start: number | undefined;
  elements: number[][];
  bodies: number[][];
  data: number[][];
  sections: { after: number; id: number; content: number[] }[];
}

export const u32 = encodeU32;

/** Signed LEB128 of 32 bits. */
export function s32(value: number): number[] {
  const out: number[] = [];
  for (let rest = value | 0; ;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return [...out, byte];
    out.push(byte | 0x80);
  }
}

export const vector = (entries: readonly (readonly number[])[]): number[] => [...u32(entries.length), ...entries.flat()];
export const text = (name: string): number[] => [...u32(Buffer.byteLength(name)), ...Buffer.from(name)];
export const constant = (value: number): number[] => [0x41, ...s32(value)];
export const type = (params: number[], results: number[] = []): number[] => [0x60, ...u32(params.length), ...params, ...u32(results.length), ...results];
export const exported = (name: string, kind: number, index: number): number[] => [...text(name), kind, ...u32(index)];
export const memory = (min: number, max?: number): number[] => (max === undefined ? [0, ...u32(min)] : [1, ...u32(min), ...u32(max)]);
export const data = (address: number, bytes: number): number[] => [0, ...constant(address), END, ...u32(bytes), ...Array<number>(bytes).fill(1)];
/** A body of these local runs and instructions; its length and the last `end` are added. */
export function body(instructions: readonly number[], runs: readonly (readonly [number, number])[] = []): number[] {
  const inside = [...vector(runs.map(([n, of]) => [...u32(n), of])), ...instructions, END];
  return [...u32(inside.length), ...inside];
}

/** The functions of the required exports, in the ABI's order, then the memory. */
export function validModule(): RawModule {
  const kinds = new Map<string, number>();
  const module: RawModule = {
    types: [],
    imports: [],
    functions: [],
    tables: [],
    memories: [memory(BASE_PAGES + 1, BASE_PAGES + 1)],
    globals: [],
    exports: [],
    start: undefined,
    elements: [],
    bodies: [],
    data: [],
    sections: [],
  };
  const scalar = { u32: I32, u64: I64 } as const;
  for (const [index, { name, params, result }] of EXPORTS.required.entries()) {
    const encoded = type(
      params.map((p) => scalar[p.type]),
      result === undefined ? [] : [scalar[result]],
    );
    const key = encoded.join();
    if (!kinds.has(key)) kinds.set(key, module.types.push(encoded) - 1);
    module.functions.push(kinds.get(key)!);
    module.bodies.push(body(result === undefined ? [] : constant(name === "abi-version" ? ABI_VERSION : 0)));
    module.exports.push(exported(name, 0, index));
  }
  module.exports.push(exported(EXPORTS.memory, 2, 0));
  return module;
}

/** Adds a function of this type (`type([])` by default) and returns its index. */
export function addFunction(module: RawModule, code: number[], of = type([])): number {
  module.types.push(of);
  module.functions.push(module.types.length - 1);
  return module.bodies.push(code) - 1;
}

export function encodeModule(module: RawModule): Uint8Array {
  const { types, imports, functions, tables, memories, globals, exports, start, elements, bodies, data } = module;
  const lists: [number, number[][]][] = [
    [1, types],
    [2, imports],
    [3, functions.map((index) => u32(index))],
    [4, tables],
    [5, memories],
    [6, globals],
    [7, exports],
    [8, []],
    [9, elements],
    [10, bodies],
    [11, data],
  ];
  const out: number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  const add = (id: number, content: readonly number[]): void => {
    out.push(id);
    for (const part of [u32(content.length), content]) for (const byte of part) out.push(byte);
  };
  for (const [id, list] of lists) {
    if (id === 8 && start !== undefined) add(8, u32(start));
    if (list.length > 0) add(id, vector(list));
    for (const section of module.sections) if (section.after === id) add(section.id, section.content);
  }
  return Uint8Array.from(out);
}
