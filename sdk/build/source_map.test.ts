import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AREAS, CALL, RECORDS, RESULT } from "../abi/gen/abi.ts";
import type { BuiltNf } from "./build.ts";
import { SourceMap } from "./source_map.ts";
import { type RunningNf, buildText, run } from "./testing/temporary_nf.ts";

const HEAD = `import { Bytes, NetworkFunction, NoConfig, Packet, U32Array, Verdict } from "@nfactor/sdk";
@flowState class State { which: u32; index: u32; @length(4) list: U32Array; @bytes(4) raw: Bytes; }
`;
const NF = `${HEAD}
function divide(a: u32, b: u32): u32 {
  return a / b;
}

export class Probe extends NetworkFunction<State, NoConfig> {
  process(p: Packet, s: State): Verdict {
    const i = s.index;
    if (s.which == 1) s.which = load<u32>(0);
    if (s.which == 2) s.which = divide(7, i);
    if (s.which == 3) s.which = s.list[i];
    if (s.which == 4) s.which = s.raw.u8(i);
    if (s.which == 5) throw new Error("five: stop");
    if (s.which == 6) assert(i < 3, "index");
    return Verdict.FORWARD;
  }
}
`;

/** Runs process on one packet with this state; the offsets of V8's backtrace, innermost first, when it trapped. */
function trapOf(nf: RunningNf, which: number, index: number): number[] {
  const state = AREAS.state.address;
  nf.memory.setUint32(state, which, true);
  nf.memory.setUint32(state + 4, index, true);
  nf.memory.setUint32(CALL.descriptors + RECORDS.descriptor.fields.state.offset, state, true);
  try {
    nf.exports["process-burst"]!(1);
  } catch (error) {
    return [...(error as Error).stack!.matchAll(/wasm-function\[\d+\]:0x([0-9a-f]+)/g)].map(([, hex]) => parseInt(hex!, 16));
  }
  throw new Error("no trap");
}

async function prepare(): Promise<{ nf: BuiltNf; map: SourceMap; running: RunningNf }> {
  const nf = await buildText(NF);
  return { nf, map: new SourceMap(readFileSync(nf.sourceMap, "utf8"), nf.core), running: await run(nf.core) };
}
const lineOf = (text: string): number => NF.split("\n").findIndex((l) => l.includes(text)) + 1;

test("a trap in the author's own code is at its line", async () => {
  const { map, running } = await prepare();
  expect(map.author(trapOf(running, 2, 0))).toMatchObject({ file: "assembly/index.ts", line: lineOf("return a / b"), text: "  return a / b;" });
});

test.each([
  ["an index beyond an array of the state", 3, "s.list[i]"],
  ["an index beyond a byte string", 4, "s.raw.u8(i)"],
  ["a throw", 5, "throw new Error"],
  ["an assertion", 6, "assert(i < 3"],
])("%s is at the author's line, not the SDK's", async (_, which, text) => {
  const { map, running } = await prepare();
  expect(map.author(trapOf(running, which, 4))).toMatchObject({ file: "assembly/index.ts", line: lineOf(text) });
});

test("a throw leaves message, file and line in the fault record, and no path of this machine", async () => {
  const { nf, running } = await prepare();
  trapOf(running, 5, 0);
  const record = (offset: number): number => RESULT.fault_record + offset;
  const { fields } = RECORDS.fault_record;
  const text = (at: number, length: number): string => new TextDecoder("utf-16le").decode(new Uint8Array(running.memory.buffer, record(at), length));
  const length = (field: { offset: number }): number => running.memory.getUint16(record(field.offset), true);
  expect(running.memory.getUint32(record(fields.is_set.offset), true)).toBe(1);
  expect(text(fields.message.offset, length(fields.message_length))).toBe("five: stop");
  expect(text(fields.file.offset, length(fields.file_length))).toBe("assembly/index.ts");
  expect(running.memory.getUint32(record(fields.line.offset), true)).toBe(lineOf("throw new Error"));
  const module = Buffer.from(nf.core);
  for (const path of [nf.folder, process.cwd()]) {
    expect(module.includes(Buffer.from(path))).toBe(false);
    expect(module.includes(Buffer.from(path, "utf16le"))).toBe(false);
    expect(readFileSync(nf.sourceMap, "utf8").includes(path)).toBe(false);
  }
});
