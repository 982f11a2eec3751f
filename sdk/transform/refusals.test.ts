/**
 * Everything that the compiler refuses or warns about, each at its place. `▲` in a source stands before the place; it is taken out before the NF is
 * built.
 */
import { describe, expect, test } from "vitest";
import { MANIFEST, buildText, refusal } from "../build/testing/temporary_nf.ts";

const HEAD = `import { Bytes, CloseReason, Flow, NetworkFunction, NoConfig, NoState, Packet, U8Array, U32Array, Verdict, counter, now } from "@nfactor/sdk";
`;

function marked(text: string): { source: string; line: number; column: number } {
  const whole = /^▲?import/.test(text) ? text : HEAD + text;
  const at = whole.indexOf("▲");
  expect(at, "the source has a mark").toBeGreaterThanOrEqual(0);
  const before = whole.slice(0, at);
  return { source: whole.replace("▲", ""), line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}

/** An NF whose process has this body, and state this. */
const nf = (body: string, { state = "a: u32; b: u64; @length(4) list: U32Array;", rest = "", top = "" } = {}): string =>
  `${top}
@flowState class State { ${state} }
export class Probe extends NetworkFunction<State, NoConfig> {
  process(p: Packet, s: State): Verdict { ${body} return Verdict.FORWARD; }
  ${rest}
}
`;

const REFUSED: [string, string, RegExp][] = [
  ["no NF", `▲${HEAD}const x = 1;`, /has to export a class that extends NetworkFunction/],
  ["an NF that is not exported", "class ▲Probe extends NetworkFunction<NoState, NoConfig> {}", /has to be exported/],
  [
    "two NFs",
    "export class A extends NetworkFunction<NoState, NoConfig> { process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; } }\nexport class ▲B extends NetworkFunction<NoState, NoConfig> {}",
    /A is an NF already/,
  ],
  ["no process", "export class ▲Probe extends NetworkFunction<NoState, NoConfig> {}", /has no method process/],
  ["an instance field", nf("", { rest: "▲seen: u32 = 0;" }), /an NF has no instance fields/],
  ["a constructor", nf("", { rest: "▲constructor() { super(); }" }), /use configure/],
  [
    "a method with other parameters",
    nf("", { rest: "▲close(f: Flow): void {}" }),
    /close takes 3 parameters, not 1: close\(f: Flow, s: State, reason: CloseReason\)/,
  ],
  ["one type argument", "export class Probe extends ▲NetworkFunction<NoState> {}", /NetworkFunction<State, Config>/],
  [
    "a state that is none",
    "class S { a: u32; }\nexport class Probe extends NetworkFunction<▲S, NoConfig> { process(p: Packet, s: S): Verdict { return Verdict.FORWARD; } }",
    /S is not a @flowState class/,
  ],
  [
    "an unknown state",
    "export class Probe extends NetworkFunction<▲Stat, NoConfig> { process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; } }",
    /there is no class Stat/,
  ],
  ["a float in the state", nf("", { state: "a: ▲f64;" }), /field a of a flow state is f64, which is not plain data/],
  ["a string in the state", nf("", { state: "a: ▲string;" }), /is not plain data/],
  ["a reference in the state", nf("", { state: "a: ▲Array<u32>;" }), /is not plain data/],
  ["an initialiser in the state", nf("", { state: "a: u32 = ▲5;" }), /a slot starts as zeros: set a in open/],
  ["bytes without a size", nf("", { state: "▲a: Bytes;" }), /@bytes\(n\) a: Bytes/],
  ["bytes of a size that is not constant", nf("", { state: "@bytes(▲size()) a: Bytes;" }), /n a constant from 1 to 4096/],
  ["@length on bytes", nf("", { state: "▲@length(4) a: Bytes;" }), /@length\(n\) belongs to a field of type U8Array/],
  ["@text on a number", nf("", { state: "▲@text a: u32;" }), /@text belongs to a field of type Bytes/],
  [
    "a state that is too large",
    "@flowState class ▲State { @bytes(4096) a: Bytes; b: u8; }\nexport class P extends NetworkFunction<State, NoConfig> { process(p: Packet, s: State): Verdict { return Verdict.FORWARD; } }",
    /at most 4096 bytes; State has 4104/,
  ],
  [
    "a state that extends something",
    "class Base {}\n@flowState class State extends ▲Base { a: u32; }\nexport class P extends NetworkFunction<State, NoConfig> { process(p: Packet, s: State): Verdict { return Verdict.FORWARD; } }",
    /a flow state extends nothing/,
  ],
  [
    "a configuration that is none",
    "class C {}\nexport class P extends NetworkFunction<NoState, ▲C> { process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; } }",
    /C is not a @config class/,
  ],
  [
    "a map in a configuration",
    "@config class C { m: ▲Map<string, u32>; }\nexport class P extends NetworkFunction<NoState, C> { process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; } }",
    /no type of a configuration/,
  ],
  [
    "a configuration inside itself",
    "@config class ▲C { c: C[] = []; }\nexport class P extends NetworkFunction<NoState, C> { process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; } }",
    /holds no C inside another/,
  ],
  [
    "a null in a configuration",
    "@config class C { s: ▲string | null = null; }\nexport class P extends NetworkFunction<NoState, C> { process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; } }",
    /never null/,
  ],
  [
    "an unknown format",
    '@config class C { ▲@format("url") s: string = ""; }\nexport class P extends NetworkFunction<NoState, C> { process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; } }',
    /one of ipv4, ipv6, address, prefix, ports/,
  ],
  ["an object made per packet", nf("const x = ▲new Uint8Array(4); s.a = x[0];"), /allocates, and it can run for every packet/],
  ["a string made per packet", nf('const t = ▲"a" + s.a.toString(); s.b = t.length;'), /allocates, and it can run for every packet/],
  [
    "an allocation in a function that process calls",
    nf("s.a = make();", { top: "function make(): u32 { const list = ▲[1, 2, 3]; list.push(4); return list.length; }" }),
    /allocates/,
  ],
  [
    "an allocation in a library function",
    nf("lists[0].▲push(1);", { top: "const lists: u32[][] = [[1]];" }).replace("lists[0].▲push(1)", "▲lists[0].push(1)"),
    /push allocates/,
  ],
  ["an allocation in close", nf("", { rest: "close(f: Flow, s: State, reason: CloseReason): void { s.a = ▲new Array<u32>(3).length; }" }), /allocates/],
  ["a header edited without the right", nf("const ip = p.ipv4(); if (ip !== null) ip.ttl = ▲5;"), /changes header bytes, which needs 'edit: headers'/],
  ["a payload edited without the right", nf("▲p.payload.setU8(0, 1);"), /changes payload bytes, which needs 'edit: payload'/],
  ["a reply without the right", nf("return ▲p.reply();"), /sends the packet back, which needs 'reply: true'/],
  ["REPLY without the right", nf("return ▲Verdict.REPLY;"), /needs 'reply: true'/],
  ["a frame without the right", nf("▲p.emit(64, 0);"), /sends a frame of its own, which needs 'emits: 1'/],
  ["a reshape without the right", nf("▲p.reshape(64, 0);"), /changes the packet's lengths, which needs 'reshape: true'/],
  ["a drop reason of the host's", nf("return ▲p.drop(17);"), /drop reason 17 is not the NF's to give/],
  ["CONSUME", nf("return ▲Verdict.CONSUME;"), /CONSUME is reserved/],
  ["a compound assignment with an effect", nf("let i: u32 = 0; s.list[▲i++] += 1;"), /evaluates s\.list\[i\+\+\] twice/],
  ["Math.random", nf("s.a = <u32>(▲Math.random() * 8);"), /random\(p\) gives random numbers that replay/],
  ["Date.now", nf("s.b = ▲Date.now();"), /now\(\) is the only clock/],
  ["console", nf('▲console.log("x");'), /log\(level, text\)/],
  ["trace", nf('▲trace("x");'), /log\(level, text\)/],
  [
    "an import",
    nf("s.a = foreign();", { top: "// @ts-ignore\n@external('env', 'f') declare function foreign(): u32;" }).replace("class Probe", "class ▲Probe"),
    /would import env\.f/,
  ],
  ["a wrong type", nf('s.a = ▲"text";'), /not assignable to type 'u32'/],
  ["a name that is unknown", nf("s.a = ▲count;"), /Cannot find name 'count'/],
  ["a syntax error", nf("s.a = ▲;"), /Expression expected/],
  ["a file that is missing", `import { x } from ▲"./missing";\n${HEAD}${nf("s.a = x;")}`, /File 'assembly\/missing\.ts' not found/],
  [
    "types of process that do not fit",
    "export class ▲Probe extends NetworkFunction<NoState, NoConfig> { process(p: u32, s: NoState): Verdict { return Verdict.FORWARD; } }",
    /the exports of this class cannot be made/,
  ],
];

describe("refused with its place", () => {
  test.each(REFUSED)("%s", async (_, text, message) => {
    const { source, line, column } = marked(text);
    const error = await refusal(source);
    expect(error.message).toMatch(message);
    expect(error.code).toBe("build.compile");
    expect(error.where).toEqual({ file: expect.stringMatching(/\/assembly\/index\.ts$/) as string, line, column });
    expect(error.message).toContain(source.split("\n")[line - 1]!);
  });
});

const WARNED: [string, string, RegExp][] = [
  ["a variable written in process", nf("▲total += 1;", { top: "let total: u64 = 0;" }), /total is a variable of the instance/],
  [
    "a variable written by a function that process calls",
    nf("bump();", { top: "let total: u64 = 0;\nfunction bump(): void { ▲total++; }" }),
    /total is a variable of the instance/,
  ],
  ["a sum that wraps", nf("s.b = ▲x + y;", { top: "const x: u16 = load<u16>(0x10040), y: u16 = load<u16>(0x10042);" }), /computed in 16 bits/],
  ["a call in a compound assignment", nf("s.list[▲next()] += 1;", { top: "function next(): u32 { return load<u32>(0x10040) & 3; }" }), /called twice/],
  ["a drop reason without a name", nf("return ▲p.drop(200);"), /drop reason 200 has no name/],
  ["a counter without a name", nf("▲counter(3).add(1);"), /counter 3 has no name/],
  ["a payload read without the right", nf("s.a = ▲p.payload.length;"), /view: payload/],
  ["a lease without the right", nf("s.a = ▲p.lease;"), /lease: true/],
];

describe("warned about with its place", () => {
  test.each(WARNED)("%s", async (_, text, message) => {
    const { source, line, column } = marked(text);
    const { warnings } = await buildText(source);
    expect(warnings.map((w) => w.message)).toEqual([expect.stringMatching(message)]);
    expect(warnings[0]!.where).toEqual({ file: "assembly/index.ts", line, column });
  });
});

const FINE: [string, string, string?][] = [
  ["a variable written in configure", nf("s.b = total;", { top: "let total: u64 = 0;", rest: "configure(c: NoConfig): void { total = 3; }" })],
  ["a variable that says what it is", nf("total += 1;", { top: "@instanceState let total: u64 = 0;" })],
  [
    "allocation in configure",
    nf("s.b = table[0];", { top: "let table: u64[] = [];", rest: "configure(c: NoConfig): void { table = [1, 2]; table.push(3); }" }),
  ],
  ["a throw", nf('if (s.a > 5) throw new Error("too many");')],
  ["edits with the right", nf("const ip = p.ipv4(); if (ip !== null) ip.ttl = 5;"), "rights: { edit: headers }\n"],
  ["replies and frames with the right", nf("p.emit(64, 0); return p.reply();"), "rights: { reply: true, emits: 1 }\n"],
  ["a named reason and counter", nf("counter(0).add(1); return p.drop(128);"), "drop_reasons: { 128: full }\ncounters: [seen]\n"],
  ["a class of the author's called Date", nf("s.a = Date.now();", { top: "class Date { static now(): u32 { return 1; } }" })],
];

describe("built without a word", () => {
  test.each(FINE)("%s", async (_, text, manifest = "") => {
    expect((await buildText(HEAD + text, MANIFEST + manifest)).warnings).toEqual([]);
  });
});
