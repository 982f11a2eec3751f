/**
 * An NF of one's own, from `nfactor init` to the chain, as an author does it at the command line: it is short, its mistakes are told at their source
 * line and cost nobody else a packet, and it neither sees nor changes what it was not given.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AREAS } from "@nfactor/sdk/abi";
import { type CaptureRecord, readCapture } from "@nfactor/sdk/capture";
import { Cli } from "../../host/src/cli/testing.ts";
import { type RunResult, runResultSchema } from "../../host/src/result/run_result.ts";
import { ROOT } from "../../scripts/lib/live_host.ts";
import { classicPcap } from "../conformance/pcap_file.ts";
import { ip, udpSegment } from "../conformance/frames.ts";

const CAPTURE = join(ROOT, "test/fixtures/http.pcap");
/** One connection of the capture is with this port. */
const PORT = 8080;

let cli: Cli;
beforeAll(() => {
  cli = new Cli();
});
afterAll(() => cli.remove());

interface Run {
  result: RunResult;
  stderr: string;
}

async function run(...args: string[]): Promise<Run> {
  const { code, stdout, stderr } = await cli.run("run", "--quiet", "--json", ...args);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const result = runResultSchema.parse(JSON.parse(stdout));
  const { received, sent, held, dropped, emitted = 0 } = result.packets;
  expect(received + emitted).toBe(sent + held + Object.values(dropped).reduce((sum, n) => sum + n, 0));
  return { result, stderr };
}

/** `nfactor init`, then the file with the NF and its manifest changed as an author would. */
async function author(name: string, source: (text: string) => string, manifest: (text: string) => string = (text) => text): Promise<string[]> {
  expect((await cli.run("init", name)).code).toBe(0);
  const [path, yaml] = [cli.path(`${name}/assembly/index.ts`), cli.path(`${name}/nf.yaml`)];
  const text = source(readFileSync(path, "utf8"));
  writeFileSync(path, text);
  writeFileSync(yaml, manifest(readFileSync(yaml, "utf8")));
  return text.trimEnd().split("\n");
}

/** Where `mark` is in these lines, counted from 1. */
function placeOf(lines: readonly string[], mark: string): { line: number; column: number } {
  const line = lines.findIndex((text) => text.includes(mark));
  return { line: line + 1, column: lines[line]!.indexOf(mark) + 1 };
}

const isOfPort = ({ bytes }: CaptureRecord): boolean => {
  const view = Buffer.from(bytes);
  return view.length >= 38 && view.readUInt16BE(12) === 0x0800 && view[23] === 6 && [34, 36].some((at) => view.readUInt16BE(at) === PORT);
};
const shown = ({ timestampNs, wireLength, bytes }: CaptureRecord): string => `${timestampNs} ${wireLength} ${Buffer.from(bytes).toString("hex")}`;
const recordsOf = (file: string, which: (record: CaptureRecord) => boolean): string[] => readCapture(file).records.filter(which).map(shown);
const otherFlows = ({ flows }: RunResult): unknown[] =>
  flows.filter(({ key }) => key.responder.port !== PORT).map(({ nfs: { flow_monitor, firewall }, ...flow }) => ({ ...flow, flow_monitor, firewall }));

test("from init: under 40 lines that build, are admitted, pass their test, and run in the chain", async () => {
  const lines = await author("own", (text) => text);
  expect(lines.length).toBeLessThan(40);
  const built = await cli.run("build", "own", "--json");
  expect(built).toMatchObject({ code: 0, stderr: "" });
  const { nfs } = JSON.parse(built.stdout) as { nfs: { path: string }[] };
  expect(await cli.run("check", nfs[0]!.path)).toMatchObject({ code: 0, stderr: "" });
  const tested = await cli.run("test", "own", "--json");
  expect(JSON.parse(tested.stdout)).toMatchObject({ passed: 1, failed: 0, skipped: 0 });

  const { result, stderr } = await run("--chain", "flow_monitor,./own,firewall", "--in", CAPTURE, "--out", "own.pcap");
  expect(stderr).toBe("");
  execFileSync("cmp", [CAPTURE, cli.path("own.pcap")]);
  expect(result.flows.length).toBeGreaterThan(10);
  for (const { packets, nfs: state } of result.flows) expect(state["own"]).toEqual({ passed: String(packets[0] + packets[1]), dropped: "0" });
});

describe("a mistake that one connection meets with each packet", () => {
  let undisturbed: RunResult;
  beforeAll(async () => {
    undisturbed = (await run("--chain", "flow_monitor,firewall", "--in", CAPTURE)).result;
  });

  test.each([
    ["a throw", "thrower", `throw new Error("not this port");`, { kind: "abort", message: "not this port" }],
    ["an endless loop", "looper", "while (true) {}", { kind: "deadline", message: "" }],
  ])("%s is reported at its source line, and costs the other flows no packet", async (_, name, mistake, fault) => {
    const lines = await author(name, (text) =>
      text.replace("    s.passed += 1;", `    if (p.flow.responderPort == ${PORT}) {\n      ${mistake}\n    }\n    s.passed += 1;`),
    );
    expect(lines.length).toBeLessThan(40);
    const { result, stderr } = await run("--chain", `flow_monitor,./${name},firewall`, "--in", CAPTURE, "--out", `${name}.pcap`);

    const { line, column } = placeOf(lines, mistake);
    expect(result.faults).toEqual([{ nf: name, ...fault, file: "assembly/index.ts", line, column, count: 1 }]);
    expect(stderr).toMatch(new RegExp(`^fault  ${name} 0\\.1\\.0 .* ${fault.kind} .*:${PORT}`, "m"));
    expect(stderr).toContain(`${name}/assembly/index.ts:${line}:${column}\n`);
    expect(stderr).toContain(`${String(line).padStart(6)} | ${lines[line - 1]!}`);
    expect(recordsOf(cli.path(`${name}.pcap`), (record) => !isOfPort(record))).toEqual(recordsOf(CAPTURE, (record) => !isOfPort(record)));
    expect(otherFlows(result)).toEqual(otherFlows(undisturbed));
    for (const { key, packets, nfs } of result.flows)
      if (key.responder.port !== PORT) expect(nfs[name]).toEqual({ passed: String(packets[0] + packets[1]), dropped: "0" });
    // The connection itself is refused after its first packet: nothing of it passes.
    expect(recordsOf(cli.path(`${name}.pcap`), isOfPort)).toEqual([]);
    expect(result.packets.dropped).toEqual({ nf_fault: 1, flow_refused: recordsOf(CAPTURE, isOfPort).length - 1 });
  });
});

/** One flow for each, by the responder's port. */
const MISTAKES: readonly [kind: string, code: string][] = [
  ["abort", `throw new RangeError("too far");`],
  ["abort", "assert(zero == 1);"],
  ["out_of_bounds", "store<u8>(0, 1);"],
  ["out_of_bounds", "zero = <u32>load<u8>(<usize>p.sequence + 0x300000 + 0x80000);"],
  ["unreachable", "unreachable();"],
  ["integer", "zero = 1 / zero;"],
  ["deadline", "while (zero == 0) {}"],
  ["stack", "zero = deeper(zero);"],
];

test("every kind of mistake natively, each at its line, none of them on the other flows' account", async () => {
  const cases = MISTAKES.map(([, code], i) => `      case ${1000 + i}: ${code} break;`);
  const lines = await author(
    "faulty",
    () => `import { NetworkFunction, NoConfig, NoState, Packet, Verdict } from "@nfactor/sdk";

// @ts-ignore: decorator
@instanceState let zero: u32 = 0;
function deeper(n: u32): u32 { return n == 0xffffffff ? 0 : deeper(n + 1) + 1; }

export class Faulty extends NetworkFunction<NoState, NoConfig> {
  process(p: Packet, s: NoState): Verdict {
    switch (p.flow.responderPort) {
${cases.join("\n")}
      default: break;
    }
    return Verdict.FORWARD;
  }
}
`,
  );
  const [client, server] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
  ];
  const datagram = (port: number) =>
    Uint8Array.from(ip(client!, server!, 17, udpSegment({ address: client!, port: 5 }, { address: server!, port }, [1, 2, 3])));
  // The good flow's packets stand between the others' in the same call.
  const frames = MISTAKES.flatMap((_, i) => [datagram(1000 + i), datagram(53)]);
  writeFileSync(cli.path("mistakes.pcap"), classicPcap(frames.map((data) => ({ timestampNs: 1_000_000n, data, wireLength: data.length }))));
  const { result, stderr } = await run("--chain", "./faulty,flow_monitor", "--in", "mistakes.pcap", "--out", "spared.pcap");

  expect(result.faults).toEqual(
    MISTAKES.map(([kind, code]) => {
      // The stack may end in the function itself.
      const line = kind === "stack" ? (expect.any(Number) as number) : placeOf(lines, code).line;
      return expect.objectContaining({ nf: "faulty", kind, file: "assembly/index.ts", line, count: 1 }) as unknown;
    }),
  );
  for (const { line } of result.faults) expect(stderr).toContain(`faulty/assembly/index.ts:${line}:`);
  expect(result.packets).toMatchObject({ received: frames.length, sent: MISTAKES.length, dropped: { nf_fault: MISTAKES.length } });
  expect(readCapture(cli.path("spared.pcap")).records.map(({ bytes }) => Buffer.from(bytes))).toEqual(MISTAKES.map(() => Buffer.from(datagram(53))));
});

describe("an NF that may see headers only", () => {
  const PAGE = 4096;
  const { call, result, payload, state, module } = AREAS;
  /** The first page of the gigabytes between the areas, at each of these steps. */
  const COARSE = 64 << 20;
  const END = Math.ceil((AREAS.staging.address + AREAS.staging.bytes) / PAGE) + 16;
  const [HEAP_PAGES, STATE_PAGES] = [24, 16];
  const MARKS = 150;

  /** For each packet of a flow one page of its memory; a page that it may not read is a fault, and the next packet goes on behind it. */
  const SEEKER = `import { NetworkFunction, NoConfig, Packet, Verdict } from "@nfactor/sdk";

@flowState
class Seen {
  readable: u32;
  found: u64;
}

const MARK: u64 = 0x${Buffer.from("pAyLoAd!").readBigUInt64LE().toString(16)}; // "pAyLoAd!"

function pageOf(i: u32): usize {
  if (i < ${END}) return <usize>i * ${PAGE};
  if (i < ${END + STATE_PAGES}) return ${state.address} + <usize>(i - ${END}) * ${PAGE};
  if (i < ${END + STATE_PAGES + HEAP_PAGES}) return ${module.address} + <usize>(i - ${END + STATE_PAGES}) * ${PAGE};
  return <usize>(i - ${END + STATE_PAGES + HEAP_PAGES}) * ${COARSE};
}

export class Seeker extends NetworkFunction<Seen, NoConfig> {
  process(p: Packet, s: Seen): Verdict {
    const page = pageOf(p.sequence);
    for (let at = page; at <= page + ${PAGE - 8}; at++) if (load<u64>(at) == MARK) s.found += 1;
    s.readable += 1;
    return Verdict.FORWARD;
  }
}
`;
  const PROBES = END + STATE_PAGES + HEAP_PAGES + 2 ** 32 / COARSE;

  beforeAll(() => {
    const [client, server] = [
      { address: [10, 0, 0, 1], port: 1000 },
      { address: [10, 0, 0, 2], port: 53 },
    ];
    const marks = [...Buffer.from("pAyLoAd!".repeat(MARKS))];
    const data = Uint8Array.from(ip(client.address, server.address, 17, udpSegment(client, server, marks)));
    // So far apart that ten faults are no quarantine.
    const packets = Array.from({ length: PROBES }, (_, i) => ({ timestampNs: BigInt(i) * 150_000_000n, data, wireLength: data.length }));
    writeFileSync(cli.path("marked.pcap"), classicPcap(packets));
  });

  async function seek(name: string, view: string): Promise<{ readable: number; found: bigint; faults: RunResult["faults"] }> {
    const lines = await author(
      name,
      () => SEEKER.replace("Seeker", name),
      (yaml) => yaml.replace("view: headers", `view: ${view}`).replace("close_flow", "drop"),
    );
    expect(lines.length).toBeLessThan(40);
    // Behind an NF that sees payloads, so that they are there, in memory that the chain shares.
    const { result: ran } = await run("--chain", `http_parser,./${name}`, "--in", "marked.pcap");
    expect(ran.flows).toHaveLength(1);
    const { readable, found } = ran.flows[0]!.nfs[name]! as { readable: number; found: string };
    return { readable, found: BigInt(found), faults: ran.faults };
  }

  test("finds no byte of a payload in all the memory that it can read; one that may see payloads finds them", async () => {
    const blind = await seek("blind", "headers");
    const seeing = await seek("seeing", "payload");
    expect(blind.found).toBe(0n);
    expect(seeing.found).toBe(BigInt(MARKS));
    expect(seeing.readable - blind.readable).toBe(payload.bytes / PAGE);
    // It did read what it may: the areas of each NF, its state and its heap.
    expect(blind.readable).toBeGreaterThanOrEqual((call.bytes + result.bytes + AREAS.header.bytes + 65536) / PAGE);
    expect(blind.faults.map(({ kind }) => kind)).toEqual(["out_of_bounds"]);
  });
});

describe("an NF without the right to edit", () => {
  const WRITER = `import { NetworkFunction, NoConfig, NoState, Packet, Verdict, editedHeader } from "@nfactor/sdk";

export class Writer extends NetworkFunction<NoState, NoConfig> {
  process(p: Packet, s: NoState): Verdict {
    const ip = p.ipv4();
    if (ip !== null) {
      store<u8>(changetype<usize>(ip), 7, 8); // its time to live
      editedHeader();
    }
    return Verdict.FORWARD;
  }
}
`;

  test("is told so by the compiler, at the line", async () => {
    const lines = await author("asking", () => WRITER);
    const { code, stdout, stderr } = await cli.run("build", "asking");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    const { line, column } = placeOf(lines, "editedHeader();");
    expect(stderr).toContain(`error[build.compile]: asking/assembly/index.ts:${line}:${column}: this changes header bytes, which needs 'edit: headers'`);
  });

  test("that writes to its headers all the same changes no frame, and is reported", async () => {
    const lines = await author(
      "writing",
      () => WRITER.replace("      editedHeader();\n", "").replace(", editedHeader", ""),
      (yaml) => yaml.replace("close_flow", "bypass").replace("quarantine: closed", "quarantine: open"),
    );
    const { result } = await run("--chain", "./writing,flow_monitor", "--in", CAPTURE, "--out", "writing.pcap");
    execFileSync("cmp", [CAPTURE, cli.path("writing.pcap")]);
    expect(result.packets).toEqual({ received: 161, sent: 161, held: 0, dropped: {} });
    expect(result.faults).toMatchObject([{ nf: "writing", kind: "out_of_bounds", file: "assembly/index.ts", line: placeOf(lines, "store<u8>").line }]);
  });

  test("with the right, the same write leaves with every frame", async () => {
    await author(
      "granted",
      () => WRITER,
      (yaml) => yaml.replace("view: headers", "view: headers, edit: headers"),
    );
    await run("--chain", "./granted", "--grant", "granted=edit:headers", "--in", CAPTURE, "--out", "granted.pcap");
    const [before, after] = [CAPTURE, cli.path("granted.pcap")].map((file) => readCapture(file).records.map(({ bytes }) => Buffer.from(bytes)));
    const isIpv4 = (frame: Buffer): boolean => frame.readUInt16BE(12) === 0x0800;
    expect(after!.filter(isIpv4).every((frame) => frame[22] === 7)).toBe(true);
    expect(after!.map((frame) => (isIpv4(frame) ? frame.fill(0, 22, 23) : frame))).toEqual(
      before!.map((frame) => (isIpv4(frame) ? frame.fill(0, 22, 23) : frame)),
    );
  });
});
