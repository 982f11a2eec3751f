import { cpSync, readFileSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AREAS, BASE_PAGES, CALL, PacketFlag, RECORDS, RESULT, Verdict } from "../abi/gen/abi.ts";
import { NfError } from "../errors.ts";
import { readState } from "../manifest/index.ts";
import { unpackComponent } from "../pack/index.ts";
import { sections } from "../pack/wasm_reader.ts";
import { buildNf } from "./build.ts";
import { MANIFEST, buildText, nfFolder, refusal, run } from "./testing/temporary_nf.ts";

const NF_WASM = new URL("../../nf-wasm/", import.meta.url).pathname;

/** A copy of the rate limiter, so that nobody else's build is in the way. */
function rateLimiter(): string {
  const folder = nfFolder({});
  for (const path of ["nf.yaml", "assembly/index.ts"]) cpSync(join(NF_WASM, "rate_limiter", path), join(folder, path));
  return folder;
}

test("the example builds, without a warning, and limits a flow", async () => {
  const nf = await buildNf(rateLimiter());
  expect(nf).toMatchObject({ name: "rate_limiter", version: "1.2.0", warnings: [], cached: false });
  expect(nf.stateSchema).toMatchObject({
    version: 1,
    bytes: 24,
    fields: [
      { name: "credit", type: "u64", offset: 0, size: 8 },
      { name: "refilledNs", type: "u64", offset: 8, size: 8 },
      { name: "dropped", type: "u64", offset: 16, size: 8 },
    ],
  });
  const running = await run(nf.core);
  expect(running.exports["abi-version"]!()).toBe(1);
  expect(running.exports["state-bytes"]!()).toBe(24);
  // One packet a second, two at once, as an array of two fields.
  expect(running.configure(Uint8Array.from([0x92, 1, 2]))).toBe(0);
  const { fields } = RECORDS.descriptor;
  const descriptor = (i: number): number => CALL.descriptors + i * RECORDS.descriptor.bytes;
  for (let i = 0; i < 4; i++) running.memory.setUint32(descriptor(i) + fields.state.offset, AREAS.state.address, true);
  running.memory.setUint16(descriptor(0) + fields.flags.offset, PacketFlag.FIRST, true);
  const call = (now: bigint, n: number): [number, number][] => {
    running.memory.setBigUint64(CALL.burst_header + RECORDS.burst_header.fields.now_ns.offset, now, true);
    running.exports["process-burst"]!(n);
    return Array.from({ length: n }, (_, i) => [running.memory.getUint8(RESULT.results + 16 * i), running.memory.getUint8(RESULT.results + 16 * i + 1)]);
  };
  const first = 1_700_000_000_000_000_000n;
  expect(call(first, 4)).toEqual([
    [Verdict.FORWARD, 0],
    [Verdict.FORWARD, 0],
    [Verdict.DROP, 128],
    [Verdict.DROP, 128],
  ]);
  running.memory.setUint16(descriptor(0) + fields.flags.offset, 0, true);
  // The host zeroes results before each call; 1.5 s later there is credit for one.
  new Uint8Array(running.memory.buffer, RESULT.results, 512).fill(0);
  expect(call(first + 1_500_000_000n, 2)).toEqual([
    [Verdict.FORWARD, 0],
    [Verdict.DROP, 128],
  ]);
  const slot = new Uint8Array(running.memory.buffer, AREAS.state.address, 24);
  expect(readState(nf.stateSchema, slot)).toEqual({ credit: 500_000_000n, refilledNs: first + 1_500_000_000n, dropped: 3n });
});

test("the same sources give the same bytes, wherever they lie", async () => {
  const [a, b] = [await buildNf(rateLimiter()), await buildNf(rateLimiter())];
  expect(a.cached || b.cached).toBe(false);
  expect(Buffer.from(a.component).equals(b.component)).toBe(true);
  expect(readFileSync(a.sourceMap, "utf8")).toBe(readFileSync(b.sourceMap, "utf8"));
  expect(a.digest).toBe(b.digest);
});

test("compiler flags are the project's: a file of flags in the NF's folder changes nothing", async () => {
  const [plain, other] = [rateLimiter(), rateLimiter()];
  writeFileSync(join(other, "asconfig.json"), JSON.stringify({ options: { optimizeLevel: 0, runtime: "incremental", importMemory: true, enable: ["simd"] } }));
  expect((await buildNf(other)).digest).toBe((await buildNf(plain)).digest);
});

test("a second build reads; a changed source, manifest or artifact builds again", async () => {
  const folder = rateLimiter();
  const first = await buildNf(folder);
  utimesSync(join(folder, "assembly/index.ts"), new Date(), new Date());
  const again = await buildNf(folder);
  expect(again).toEqual({ ...first, cached: true });
  const edit = (path: string, from: string, to: string): void => writeFileSync(join(folder, path), readFileSync(join(folder, path), "utf8").replace(from, to));
  edit("assembly/index.ts", "burst: u32 = 100", "burst: u32 = 200");
  const changed = await buildNf(folder);
  expect(changed.cached).toBe(false);
  expect(changed.configSchema).not.toEqual(first.configSchema);
  edit("nf.yaml", "1.2.0", "1.2.1");
  expect(await buildNf(folder)).toMatchObject({ cached: false, version: "1.2.1" });
  writeFileSync(changed.componentPath, "spoiled");
  expect((await buildNf(folder)).cached).toBe(false);
  expect(readdirSync(join(folder, "build")).filter((name) => name.includes("tmp"))).toEqual([]);
});

test("the artifact holds the module, its manifest and its schemas", async () => {
  const nf = await buildNf(rateLimiter());
  const unpacked = unpackComponent(new Uint8Array(readFileSync(nf.componentPath)));
  expect(Buffer.from(unpacked.core).equals(nf.core)).toBe(true);
  expect(unpacked).toMatchObject({ manifest: { name: "rate_limiter" }, stateSchema: nf.stateSchema, configSchema: nf.configSchema });
});

test("the module is what the ABI asks for: no imports, no custom sections, fixed memory, no bulk memory", async () => {
  // Fills and copies of every kind that the library offers.
  const nf = await buildText(
    `import { Bytes, Frame, NetworkFunction, NoConfig, Packet, Verdict, log } from "@nfactor/sdk";
@flowState class State { @bytes(64) a: Bytes; @bytes(64) b: Bytes; }
export class Probe extends NetworkFunction<State, NoConfig> {
  process(p: Packet, s: State): Verdict {
    s.a.fill(7); s.a.move(0, 8, 16); s.b.copy(s.b, 0, 32, 32);
    memory.fill(s.a.address, 0, s.a.length); memory.copy(s.a.address, s.b.address, 8);
    p.payload.copyTo(s.a, 0, 0, min<u32>(p.payload.length, 64));
    const f = p.emit(64, 0); if (f !== null) f.copyHeader(p, 0, 0, 14);
    log(1, "seen");
    return Verdict.FORWARD;
  }
}
`,
    `${MANIFEST}rights: { view: payload, emits: 1 }\nheap_pages: 3\n`,
  );
  const ids = [...sections(nf.core)].map((s) => s.id);
  expect(ids).not.toContain(0);
  expect(ids).not.toContain(2);
  expect(ids).not.toContain(12); // data count: there only with bulk memory
  const memory = [...sections(nf.core)].find((s) => s.id === 5)!.body;
  expect([memory.u8("count"), memory.u8("limits"), memory.u32("least"), memory.u32("most")]).toEqual([1, 1, BASE_PAGES + 3, BASE_PAGES + 3]);
  // 0xfc 8 to 11 are the bulk operations; V8 without them would be the judge, the admission check is ours.
  const { checkComponent } = await import("../admission/index.ts");
  expect(await checkComponent(nf.component)).toMatchObject({ ok: true, refusals: [] });
});

test("optional exports are there when their methods are written", async () => {
  const nf = await buildText(`import { CloseReason, Flow, NetworkFunction, NoConfig, NoState, Packet, Verdict, counter } from "@nfactor/sdk";
export class Probe extends NetworkFunction<NoState, NoConfig> {
  process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; }
  close(f: Flow, s: NoState, reason: CloseReason): void { counter(0).add(reason); }
  timer(f: Flow, s: NoState, nowNs: u64): void { counter(1).add(nowNs); }
  tick(nowMs: u64): void { counter(2).add(nowMs); }
  migrationTarget(cluster: u32, n: u32, f: Flow, s: NoState): u32 { return cluster + n; }
  arrived(f: Flow, s: NoState, reason: u32): u32 { return reason; }
  left(f: Flow, s: NoState): void { counter(3).add(1); }
  migrateState(fromVersion: u32, old: usize, oldBytes: u32, s: NoState): bool { return fromVersion == 1; }
}
`);
  const { exports, counter } = await run(nf.core);
  expect(Object.keys(exports).sort()).toEqual(
    ["abi-version", "state-bytes", "state-version", "init", "configure", "process-burst", "flow-close", "flow-timer", "tick", "migration-target", "flow-arrived", "flow-left", "migrate-state", "memory"].sort(),
  );
  exports["flow-close"]!(0, 0, 3);
  exports["flow-timer"]!(0, 0, 5n);
  exports["tick"]!(7n);
  exports["flow-left"]!(0, 0);
  expect([0, 1, 2, 3].map(counter)).toEqual([3n, 5n, 7n, 1n]);
  expect([exports["migration-target"]!(1, 2, 0, 0), exports["flow-arrived"]!(0, 0, 9)]).toEqual([3, 9]);
  expect([exports["migrate-state"]!(1, 0, 0, 0), exports["migrate-state"]!(2, 0, 0, 0)]).toEqual([0, 1]);
});

test("classes may lie in other files, and under other names", async () => {
  const folder = nfFolder({
    "assembly/index.ts": `import { NetworkFunction, Packet, Verdict } from "@nfactor/sdk";
import { Settings as Config, Slot } from "./model";
let step: u32 = 0;
export class Probe extends NetworkFunction<Slot, Config> {
  configure(c: Config): void { step = c.steps[0].width; }
  process(p: Packet, s: Slot): Verdict { s.seen[1] = s.seen[1] + step; return Verdict.FORWARD; }
}
`,
    "assembly/model/index.ts": `export { Slot } from "./slot";\nexport * from "./settings";\n`,
    "assembly/model/slot.ts": `import { U32Array } from "@nfactor/sdk";\n@flowState(7) export class Slot { flag: u8; @length(1 + 1) seen: U32Array; }\n`,
    "assembly/model/settings.ts": `import { Step } from "./step";\n@config export class Settings { steps: Step[]; }\n`,
    "assembly/model/step.ts": `@config export class Step { width: u16 = 4; }\n`,
  });
  const nf = await buildNf(folder);
  expect(nf.stateSchema).toMatchObject({ version: 7, bytes: 16, fields: [{ name: "flag" }, { name: "seen", type: "u32[]", offset: 4, size: 8 }] });
  const running = await run(nf.core);
  expect(running.exports["state-version"]!()).toBe(7);
  expect(running.configure(Uint8Array.from([0x91, 0x91, 0x91, 9]))).toBe(0);
  running.memory.setUint32(CALL.descriptors + RECORDS.descriptor.fields.state.offset, AREAS.state.address, true);
  running.exports["process-burst"]!(1);
  expect(running.memory.getUint32(AREAS.state.address + 8, true)).toBe(9);
});

test("offsetof knows the places of arrays in the state", async () => {
  const nf = await buildText(`import { Bytes, NetworkFunction, NoConfig, Packet, Verdict, counter } from "@nfactor/sdk";
@flowState class State { a: u8; @bytes(5) raw: Bytes; b: u16; @text @bytes(3) word: Bytes; c: u64; }
export class Probe extends NetworkFunction<State, NoConfig> {
  configure(c: NoConfig): void {
    counter(0).add(offsetof<State>("raw")); counter(1).add(offsetof<State>("b"));
    counter(2).add(offsetof<State>("word")); counter(3).add(offsetof<State>("c")); counter(4).add(offsetof<State>());
  }
  process(p: Packet, s: State): Verdict { return Verdict.FORWARD; }
}
`);
  const running = await run(nf.core);
  running.configure(new Uint8Array(0));
  const places = [0, 1, 2, 3, 4].map((i) => Number(running.counter(i)));
  expect(places).toEqual([1, 6, 8, 16, 24]);
  expect([...nf.stateSchema.fields.slice(1).map((f) => f.offset), nf.stateSchema.bytes]).toEqual(places);
  expect(nf.stateSchema.fields[3]).toMatchObject({ name: "word", text: true });
});

test("more static data than the heap has room for is an error that says so", async () => {
  const error = await refusal(`import { NetworkFunction, NoConfig, NoState, Packet, Verdict } from "@nfactor/sdk";
const table = memory.data(100000);
export class Probe extends NetworkFunction<NoState, NoConfig> {
  process(p: Packet, s: NoState): Verdict { store<u8>(table, 1); return Verdict.FORWARD; }
}
`);
  expect(error.message).toMatch(/heap_pages/);
});

test("what is missing is named", async () => {
  await expect(buildNf(nfFolder({}))).rejects.toMatchObject({ code: "build.no_source" });
  await expect(buildNf("/nonexistent")).rejects.toMatchObject({ code: "manifest.not_found" });
  await expect(buildNf(nfFolder({ "nf.yaml": "name: [" }))).rejects.toBeInstanceOf(NfError);
});

test("nothing outside of the NF's folder is compiled into it", async () => {
  const folder = nfFolder({
    "outside.ts": "export const secret: u32 = 5;",
    "nf/nf.yaml": MANIFEST,
    "nf/assembly/index.ts": `import { secret } from "../../outside";\nimport { NetworkFunction, NoConfig, NoState, Packet, Verdict } from "@nfactor/sdk";
export class Probe extends NetworkFunction<NoState, NoConfig> { process(p: Packet, s: NoState): Verdict { return p.drop(secret); } }`,
  });
  await expect(buildNf(join(folder, "nf"))).rejects.toMatchObject({ code: "build.compile", where: { file: join(folder, "nf/assembly/index.ts"), line: 1 } });
});

test("a name that was not imported is told also where the compiler crashes over it", async () => {
  const source = `import { NetworkFunction, NoConfig, Packet, Verdict } from "@nfactor/sdk";
@flowState
class S { @bytes(8) last: Bytes; }
export class Probe extends NetworkFunction<S, NoConfig> {
  process(p: Packet, s: S): Verdict {
    s.last.fill(0);
    return Verdict.FORWARD;
  }
}`;
  const error = await refusal(source);
  expect(error).toMatchObject({ code: "build.compile", where: { line: 4 } });
  expect(error.message).toContain("Cannot find name 'Bytes'. See that it is imported");
  // And whoever builds goes on: the next NF is built as if nothing had been.
  await expect(buildText(source.replace("Packet,", "Bytes, Packet,"))).resolves.toMatchObject({ warnings: [] });
});
