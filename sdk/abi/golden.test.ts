/**
 * The golden bytes, read and written by what was generated for TypeScript and for AssemblyScript. The C++ test reads the same file. They were laid
 * out by hand, so an error in the generator shows here.
 */
import { readFileSync } from "node:fs";
import * as asc from "assemblyscript/asc";
import { beforeAll, describe, expect, test } from "vitest";
import { RECORDS } from "./gen/abi.ts";
import { type GoldenRecord, readGolden } from "./golden/read.ts";

interface FieldShape {
  offset: number;
  type: "u8" | "u16" | "u32" | "u64";
  length?: number;
}
const shapes = RECORDS as unknown as Record<string, { bytes: number; fields: Record<string, FieldShape>; reserved: [number, number][] }>;
const golden = readGolden();
const BYTES = { u8: 1, u16: 2, u32: 4, u64: 8 } as const;

test("there are golden bytes of every record, and every field is in them", () => {
  expect(golden.map((g) => g.name).sort()).toEqual(Object.keys(RECORDS).sort());
  for (const { name, bytes, fields } of golden) {
    expect([...fields.keys()].sort()).toEqual(Object.keys(shapes[name]!.fields).sort());
    expect(bytes.length).toBe(shapes[name]!.bytes);
  }
});

describe.each(golden)("$name in TypeScript", ({ name, bytes, fields }) => {
  const shape = shapes[name]!;
  test("is read", () => {
    const view = new DataView(bytes.buffer);
    for (const [field, value] of fields) {
      const { offset, type, length } = shape.fields[field]!;
      if (length === undefined) expect([field, readScalar(view, offset, type)]).toEqual([field, value]);
      else expect([field, bytes.subarray(offset, offset + length)]).toEqual([field, value]);
    }
    for (const [offset, length] of shape.reserved) expect(bytes.subarray(offset, offset + length).every((b) => b === 0)).toBe(true);
  });
  test("is written", () => {
    const written = new Uint8Array(shape.bytes);
    const view = new DataView(written.buffer);
    for (const [field, value] of fields) {
      const { offset, type } = shape.fields[field]!;
      if (typeof value === "bigint") writeScalar(view, offset, type, value);
      else written.set(value, offset);
    }
    expect(written).toEqual(bytes);
  });
});

function readScalar(view: DataView, offset: number, type: FieldShape["type"]): bigint {
  if (type === "u64") return view.getBigUint64(offset, true);
  return BigInt(type === "u8" ? view.getUint8(offset) : type === "u16" ? view.getUint16(offset, true) : view.getUint32(offset, true));
}

function writeScalar(view: DataView, offset: number, type: FieldShape["type"], value: bigint): void {
  if (type === "u64") view.setBigUint64(offset, value, true);
  else if (type === "u32") view.setUint32(offset, Number(value), true);
  else if (type === "u16") view.setUint16(offset, Number(value), true);
  else view.setUint8(offset, Number(value));
}

const AT = 4096;

describe.each(golden)("$name in AssemblyScript", ({ name, bytes, fields }) => {
  let exports: Record<string, (...args: number[]) => number>;
  let memory: Uint8Array;
  beforeAll(async () => {
    const instance = await program();
    exports = instance.exports as typeof exports;
    memory = new Uint8Array((instance.exports["memory"] as unknown as { buffer: ArrayBuffer }).buffer);
  });
  test("is read", () => {
    memory.fill(0, AT, AT + bytes.length);
    memory.set(bytes, AT);
    // The number of the first field that differs, from 1.
    const differing = exports[`read_${name}`]!(AT);
    expect(differing === 0 ? "none" : [...fields.keys()][differing - 1]).toBe("none");
  });
  test("is written", () => {
    memory.fill(0, AT, AT + bytes.length);
    exports[`write_${name}`]!(AT);
    expect(memory.slice(AT, AT + bytes.length)).toEqual(bytes);
  });
});

let compiled: Promise<{ exports: Record<string, unknown> }> | undefined;

/** A program with a function to read and one to write each record, through the generated classes. */
function program(): Promise<{ exports: Record<string, unknown> }> {
  compiled ??= compile(`import * as abi from "./abi";\n${golden.map(functionsOf).join("\n")}`);
  return compiled;
}

async function compile(source: string): Promise<{ exports: Record<string, unknown> }> {
  const abi = readFileSync(new URL("gen/abi.as.ts", import.meta.url), "utf8");
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(["golden.ts", "-O1", "--initialMemory", "1", "--runtime", "stub", "--outFile", "golden.wasm"], {
    stdout: asc.createMemoryStream(),
    stderr: asc.createMemoryStream(),
    readFile: (file) => (file === "golden.ts" ? source : file === "abi.ts" ? abi : null),
    writeFile: (_, contents) => void (binary = contents as Uint8Array),
    listFiles: () => [],
  });
  if (error) throw new Error(stderr.toString());
  const v8 = (globalThis as unknown as { WebAssembly: { instantiate(b: Uint8Array): Promise<{ instance: { exports: Record<string, unknown> } }> } })
    .WebAssembly;
  return (await v8.instantiate(binary!)).instance;
}

function functionsOf({ name, fields }: GoldenRecord): string {
  const upper = name.toUpperCase();
  const record = `changetype<abi.${name.replaceAll(/(?:^|_)(\w)/g, (_, c: string) => c.toUpperCase())}>(p)`;
  const parts = [...fields].flatMap(([field, value], i) => accessesOf(upper, record, field, value).map((access) => ({ ...access, number: i + 1 })));
  return `export function read_${name}(p: usize): u32 {
  ${parts.map(({ read, literal, number }) => `if (<u64>${read} != ${literal}) return ${number};`).join("\n  ")}
  return abi.${upper}_BYTES == ${shapes[name]!.bytes} ? 0 : ${fields.size + 1};
}
export function write_${name}(p: usize): void {
  ${parts.map(({ write }) => write).join("\n  ")}
}`;
}

interface Access {
  read: string;
  write: string;
  literal: string;
}

/** How a field is read and written: a property; for arrays a word of 8 bytes each, or loads behind a constant if it is a long one. */
function accessesOf(upper: string, record: string, field: string, value: bigint | Uint8Array): Access[] {
  if (typeof value === "bigint") {
    const type = shapes[upper.toLowerCase()]!.fields[field]!.type;
    return [{ read: `${record}.${field}`, write: `${record}.${field} = <${type}>${value};`, literal: String(value) }];
  }
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return Array.from({ length: value.length / BYTES.u64 }, (_, i) => {
    const literal = String(view.getBigUint64(8 * i, true));
    if (value.length <= 32) return { read: `${record}.${field}_${8 * i}`, write: `${record}.${field}_${8 * i} = ${literal};`, literal };
    const at = `p + abi.${upper}_${field.toUpperCase()}_OFFSET + ${8 * i}`;
    return { read: `load<u64>(${at})`, write: `store<u64>(${at}, ${literal});`, literal };
  });
}
