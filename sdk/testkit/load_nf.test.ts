import { resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { fragments, icmpEcho, icmpError, loadChain, loadNf, tcp, tupleText, udp } from "./index.ts";
import { removeScratchNfs, scratchNf } from "./scratch_nf.ts";

afterAll(removeScratchNfs);

const counting = () =>
  scratchNf(
    `import { NetworkFunction, Packet, Verdict, CloseReason, Flow, counter, logNumber, LogLevel } from "@nfactor/sdk";
@config class Config { limit: u32 = 2; }
@flowState class Counts { passed: u64; @length(2) by: U32Array; @bytes(4) tag: Bytes; dropped: u32; }
let limit: u64 = 0;
export class Counting extends NetworkFunction<Counts, Config> {
  configure(c: Config): void { limit = c.limit; }
  process(p: Packet, s: Counts): Verdict {
    s.by[p.direction] = s.by[p.direction] + 1;
    if (s.passed >= limit) { s.dropped += 1; return p.drop(128); }
    s.passed += 1;
    counter(0).add(1);
    return Verdict.FORWARD;
  }
  close(f: Flow, s: Counts, reason: CloseReason): void { logNumber(LogLevel.info, "closed after ", s.passed); }
}`.replace("U32Array;", "U32Array;"),
    { drop_reasons: { 128: "limit" }, counters: ["passed"] },
  );

describe("one NF", () => {
  test("what it has to do with moves is called when the test says so", async () => {
    const source = `import { Flow, NetworkFunction, NoConfig, Packet, Verdict, leastLoaded } from "@nfactor/sdk";
@flowState class Moves { packets: u32; arrived: u32; left: u32; }
export class Moving extends NetworkFunction<Moves, NoConfig> {
  process(p: Packet, s: Moves): Verdict { s.packets += 1; p.askMigrate(); return Verdict.FORWARD; }
  migrationTarget(cluster: u32, n: u32, f: Flow, s: Moves): u32 {
    assert(s.packets < 3, "enough");
    return leastLoaded(cluster, n).number;
  }
  arrived(f: Flow, s: Moves, reason: u32): u32 { s.arrived += reason; return f.responderPort == 53 ? 0 : 9; }
  left(f: Flow, s: Moves): void { s.left += 1; }
}`;
    const nf = await loadNf(scratchNf(source));
    const [dns, web] = ["udp 10.0.0.1:1000 > 10.0.0.2:53", "udp 10.0.0.1:1000 > 10.0.0.2:80"];
    nf.send([udp(dns.slice(4)), udp(web.slice(4))]);
    expect(nf.flow(dns).state).toEqual({ packets: 1, arrived: 0, left: 0 });
    const runtimes = [
      { runtime: 1, own: true, loadPermille: 700 },
      { runtime: 2, loadPermille: 100, draining: true },
      { runtime: 5, loadPermille: 200 },
    ];
    expect(nf.migrationTarget(dns, runtimes)).toBe(5);
    expect([nf.arrive(dns), nf.arrive(web)]).toEqual([true, false]);
    nf.leave(dns);
    expect(nf.flow(dns).state).toEqual({ packets: 1, arrived: 1, left: 1 });
    nf.send([udp(dns.slice(4)), udp(dns.slice(4))]);
    expect(nf.migrationTarget(dns, runtimes)).toBe(0);
    expect(nf.faults).toMatchObject([{ call: "migration-target", message: "enough" }]);
    expect(() => nf.arrive("udp 10.0.0.9:1 > 10.0.0.2:53")).toThrow("no flow 'udp 10.0.0.9:1 > 10.0.0.2:53' is open");
  });

  test("verdicts, state by field name, counters, logs", async () => {
    const nf = await loadNf(counting(), { limit: 2 });
    const verdicts = nf.send([1, 2, 3].map(() => udp("10.0.0.1:1000 > 10.0.0.2:53", { payload: "hi" })));
    expect(verdicts.map(String)).toEqual(["FORWARD", "FORWARD", "DROP limit"]);
    expect(verdicts[0]!.frame).toEqual(udp("10.0.0.1:1000 > 10.0.0.2:53", { payload: "hi" }));
    expect(() => verdicts[2]!.frame).toThrow("DROP limit");
    expect(nf.flow("udp 10.0.0.1:1000 > 10.0.0.2:53")).toMatchObject({
      state: { passed: 2n, by: [3, 0], dropped: 1, tag: "00000000" },
      packets: [3, 0],
      bytes: [132, 0],
    });
    expect(nf.flow("udp 10.0.0.2:53 > 10.0.0.1:1000").packets).toEqual([3, 0]);
    expect(nf.counters()).toEqual({ passed: 2n });
    nf.advance(29_000);
    expect(nf.hasFlow("udp 10.0.0.1:1000 > 10.0.0.2:53")).toBe(true);
    nf.advance(2_000);
    expect(nf.hasFlow("udp 10.0.0.1:1000 > 10.0.0.2:53")).toBe(false);
    expect(nf.logs).toEqual(["info: closed after 2"]);
    expect(nf.packets).toEqual({ received: 3, sent: 2, emitted: 0, held: 0, dropped: { "scratch.limit": 1 } });
    expect(() => nf.flow("tcp 10.0.0.1:1 > 10.0.0.2:2")).toThrow("there is 'udp 10.0.0.1:1000 > 10.0.0.2:53'");
  });

  test("both directions, IPv6, VLANs, ICMP errors, fragments", async () => {
    const nf = await loadNf(counting(), { limit: 100 });
    const request = udp("[fd00::1]:1000 > [fd00::2]:53", { vlan: [7, 8] });
    nf.send(request);
    nf.send(udp("[fd00::2]:53 > [fd00::1]:1000", { vlan: [7, 8] }), { port: "server" });
    expect(nf.sendOne(icmpError(request), { port: "server" }).kind).toBe("FORWARD");
    expect(nf.flow("udp [fd00::1]:1000 > [fd00::2]:53").packets).toEqual([1, 2]);
    const pieces = fragments(udp("10.0.0.1:7 > 10.0.0.2:9", { payload: "x".repeat(3000) }), 1400);
    const [late, first] = [nf.sendOne(pieces[1]!), pieces[0]!];
    expect(String(late)).toBe("HELD");
    expect(String(nf.sendOne(first))).toBe("FORWARD");
    expect(String(late)).toBe("FORWARD");
    expect(nf.flow("udp 10.0.0.1:7 > 10.0.0.2:9").packets).toEqual([2, 0]);
    expect(String(nf.sendOne(icmpEcho("10.0.0.1 > 10.0.0.2", { identifier: 77 })))).toBe("FORWARD");
    expect(nf.hasFlow("icmp 10.0.0.1:77 > 10.0.0.2:77")).toBe(true);
    expect(tupleText(tcp("10.0.0.1:1 > 10.0.0.2:2"))).toBe("tcp 10.0.0.1:1 > 10.0.0.2:2");
  });

  test("a capture file", async () => {
    const nf = await loadNf(counting(), { limit: 1000 });
    const verdicts = nf.replay(resolve(import.meta.dirname, "../../test/fixtures/http.pcap"), ["10.77.0.1/32", "fd77::1"]);
    expect(verdicts).toHaveLength(161);
    expect(new Set(verdicts.map(String))).toEqual(new Set(["FORWARD"]));
    expect(
      nf
        .flows()
        .filter(({ protocol }) => protocol === 6)
        .every(({ packets }) => packets[1] > 0n),
    ).toBe(true);
  });
});

describe("faults", () => {
  const faulty = (line: string, manifest = {}) =>
    scratchNf(
      `import { NetworkFunction, NoState, NoConfig, Packet, Verdict } from "@nfactor/sdk";
let zero: u32 = 0;
function deeper(n: u32): u32 { return n == 0xffffffff ? 0 : deeper(n + 1) + 1; }
export class Faulty extends NetworkFunction<NoState, NoConfig> {
  process(p: Packet, s: NoState): Verdict {
    const u = p.udp();
    if (u !== null && u.dstPort == 666) {
      ${line}
    }
    return Verdict.FORWARD;
  }
}`,
      { on_fault: "drop", ...manifest },
    );
  const bad = udp("10.0.0.1:1 > 10.0.0.2:666");
  const good = udp("10.0.0.1:1 > 10.0.0.2:2");

  test.each([
    ["abort", `throw new Error("no such port");`],
    ["out_of_bounds", `store<u8>(0, 1);`],
    ["out_of_bounds", `if (load<u32>(<usize>p.payload.length + 0x300000 + 8192) == 0) return Verdict.DROP;`],
    ["unreachable", `unreachable();`],
    ["integer", `zero = 1 / zero;`],
    ["deadline", `while (zero == 0) {}`],
    ["stack", `zero = deeper(zero);`],
  ])("%s: %s", async (kind, line) => {
    const nf = await loadNf(faulty(line));
    expect(nf.send([good, bad, good]).map(String)).toEqual(["FORWARD", "DROP nf_fault", "FORWARD"]);
    expect(nf.faults).toMatchObject([{ nf: "scratch", kind, call: "process-burst", file: "assembly/index.ts" }]);
    if (kind !== "stack") expect(nf.faults[0]!.line).toBe(8);
    if (kind === "abort") expect(nf.faults[0]!.message).toBe("no such port");
  });

  test("on_fault: close_flow and bypass", async () => {
    const closing = await loadNf(faulty("unreachable();", { on_fault: "close_flow" }));
    expect(closing.send([bad, bad, good]).map(String)).toEqual(["DROP nf_fault", "DROP flow_refused", "FORWARD"]);
    expect(closing.send(Array<Uint8Array>(20).fill(bad)).map(String)).toEqual(Array<string>(20).fill("DROP flow_refused"));
    expect(closing.faults).toHaveLength(1);
    expect(String(closing.sendOne(good))).toBe("FORWARD");
    const passing = await loadNf(faulty("unreachable();", { on_fault: "bypass" }));
    expect(passing.send([bad, bad]).map(String)).toEqual(["FORWARD", "FORWARD"]);
    expect(passing.faults).toHaveLength(1);
  });

  test("ten within a second: quarantine", async () => {
    const nf = await loadNf(faulty("unreachable();", { quarantine: "closed" }));
    expect(nf.send(Array<Uint8Array>(12).fill(bad)).map(String)).toEqual([
      ...Array<string>(10).fill("DROP nf_fault"),
      "DROP nf_quarantined",
      "DROP nf_quarantined",
    ]);
    expect(String(nf.sendOne(good))).toBe("DROP nf_quarantined");
    const open = await loadNf(faulty("unreachable();", { quarantine: "open" }));
    expect(open.send(Array<Uint8Array>(11).fill(bad)).map(String).at(-1)).toBe("FORWARD");
  });

  test("an NF that refuses its configuration or fails in init does not start", async () => {
    const refusing = scratchNf(`import { NetworkFunction, NoState, Packet, Verdict } from "@nfactor/sdk";
@config class Config { port: u16 = 0; }
export class Refusing extends NetworkFunction<NoState, Config> {
  configure(c: Config): u32 { return c.port == 0 ? 7 : 0; }
  process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; }
}`);
    await expect(loadNf(refusing)).rejects.toMatchObject({ code: "config.refused" });
    await expect(loadNf(refusing, { port: "x" })).rejects.toMatchObject({ code: "config.field" });
    expect(String((await loadNf(refusing, { port: 1 })).sendOne(good))).toBe("FORWARD");
  });
});

test("an NF that does not build: the place is in the message, and the stack begins in the test", async () => {
  const folder = scratchNf("export const nothing = 1;");
  let error: unknown;
  try {
    await loadNf(folder);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({
    code: "build.compile",
    message: expect.stringContaining(`${folder}/assembly/index.ts:1:1: this file has to export a class`) as string,
  });
  expect((error as Error).stack!.split("\n").find((line) => /^\s+at /.test(line))).toContain("load_nf.test.ts");
});

test("a chain: direction 1 in reverse, reasons with the entry's name", async () => {
  const chain = await loadChain([
    { folder: counting(), config: { limit: 1 }, name: "a" },
    { folder: counting(), config: { limit: 2 }, name: "b" },
  ]);
  const forth = udp("10.0.0.1:1 > 10.0.0.2:2");
  const back = udp("10.0.0.2:2 > 10.0.0.1:1");
  expect(chain.send([forth, back, back]).map(String)).toEqual(["FORWARD", "DROP a.limit", "DROP b.limit"]);
  expect(chain.flow("udp 10.0.0.1:1 > 10.0.0.2:2").states).toMatchObject({ a: { passed: 1n, dropped: 1 }, b: { passed: 2n, dropped: 1 } });
});
