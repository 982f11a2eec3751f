// Who gets a mapping, for how long, and what becomes of the others. What packets look like is in translation.test.ts.
import { describe, expect, test } from "vitest";
import { StartError } from "@nfactor/sdk/simulator";
import { type TestChain, icmp, icmpEcho, icmpError, ip, loadNf, tcp, tupleText, udp } from "@nfactor/sdk/test";

const HERE = import.meta.dirname;
const SERVER = { port: "server" } as const;
const CONFIG = { addresses: ["192.0.2.1", "192.0.2.200"] };
const PORTS = 64_512;

const outOf = (nf: TestChain, frame: Uint8Array): string => {
  const verdict = nf.sendOne(frame);
  return String(verdict) === "FORWARD" ? tupleText(verdict.frame) : String(verdict);
};

describe("mappings", () => {
  test("one for each flow, whatever clients have in common", async () => {
    const nf = await loadNf(HERE, CONFIG);
    const flows = ["10.0.0.1:5000 > 198.51.100.1:53", "10.0.0.2:5000 > 198.51.100.1:53", "10.0.0.1:5000 > 198.51.100.2:53", "10.0.0.1:5001 > 198.51.100.1:53"];
    expect([...flows, flows[0]!].map((path) => outOf(nf, udp(path)))).toEqual([
      "udp 192.0.2.1:1024 > 198.51.100.1:53",
      "udp 192.0.2.1:1025 > 198.51.100.1:53",
      "udp 192.0.2.1:1026 > 198.51.100.2:53",
      "udp 192.0.2.1:1027 > 198.51.100.1:53",
      "udp 192.0.2.1:1024 > 198.51.100.1:53",
    ]);
    expect(nf.flow(`udp ${flows[1]!}`).state).toMatchObject({ outsideAddress: 3_221_225_985, outsidePort: 1025, mode: 1 });
    expect(String(nf.sendOne(udp("198.51.100.1:53 > 192.0.2.1:1025"), SERVER))).toBe("FORWARD");
    expect(nf.flow(`udp ${flows[1]!}`).packets).toEqual([1, 1]);
    expect(nf.counters()).toEqual({ mappings: 4n, exhausted: 0n, icmp_errors: 0n });
  });

  test.each([
    [["192.0.2.1"], "DROP no_port", { mappings: BigInt(PORTS), exhausted: 1n }],
    [["192.0.2.1", "192.0.2.200"], "udp 192.0.2.200:1024 > 198.51.100.1:53", { mappings: BigInt(PORTS + 1), exhausted: 0n }],
  ])("the lease behind the last port of an address, with %j", async (addresses, last, counters) => {
    const nf = await loadNf(HERE, { addresses }, { leaseSize: PORTS + 1, flows: { max: 70_000 } });
    const frame = udp("10.0.0.0:5000 > 198.51.100.1:53");
    const frames = Array.from({ length: PORTS + 1 }, (_, i) => {
      const copy = frame.slice();
      copy.set([i >> 16, (i >> 8) & 255, i & 255], 27); // source address 10.x.x.x
      return copy;
    });
    const verdicts = nf.send(frames);
    expect(tupleText(verdicts[PORTS - 1]!.frame)).toBe("udp 192.0.2.1:65535 > 198.51.100.1:53");
    const verdict = verdicts[PORTS]!;
    expect(String(verdict) === "FORWARD" ? tupleText(verdict.frame) : String(verdict)).toBe(last);
    expect(nf.counters()).toMatchObject(counters);
  });
});

describe("when ports run out", () => {
  test("new flows are refused and counted; a port comes back a second after its flow has ended", async () => {
    const nf = await loadNf(HERE, { ...CONFIG, udpTimeoutMs: 5000 }, { leaseSize: 2 });
    const path = (i: number): string => `10.0.0.${i}:5000 > 198.51.100.1:53`;
    expect([1, 2, 3].map((i) => outOf(nf, udp(path(i))))).toEqual([
      "udp 192.0.2.1:1024 > 198.51.100.1:53",
      "udp 192.0.2.1:1025 > 198.51.100.1:53",
      "DROP no_port",
    ]);
    expect(outOf(nf, udp(path(3)))).toBe("DROP flow_refused");
    expect(nf.counters()).toMatchObject({ mappings: 2n, exhausted: 1n });
    nf.advance(3000);
    expect(outOf(nf, udp(path(2)))).toBe("udp 192.0.2.1:1025 > 198.51.100.1:53");
    nf.advance(2010);
    expect(nf.hasFlow(`udp ${path(1)}`)).toBe(false);
    expect(outOf(nf, udp(path(3)))).toBe("DROP no_port"); // it rests
    nf.advance(1010);
    expect(outOf(nf, udp(path(3)))).toBe("udp 192.0.2.1:1024 > 198.51.100.1:53");
    expect(String(nf.sendOne(udp("198.51.100.1:53 > 192.0.2.1:1024"), SERVER))).toBe("FORWARD");
    expect(nf.flow(`udp ${path(3)}`).packets).toEqual([1, 1]);
    expect(nf.flow(`udp ${path(1)}`).packets).toEqual([1, 0]);
  });

  test("a flow that was refused for another reason keeps none", async () => {
    const nf = await loadNf(HERE, CONFIG, { leaseSize: 1 });
    expect(outOf(nf, udp("10.0.0.1:5 > 192.0.2.1:5"))).toBe("DROP unsolicited");
    nf.advance(1010);
    expect(outOf(nf, udp("10.0.0.1:5 > 198.51.100.1:5"))).toBe("udp 192.0.2.1:1024 > 198.51.100.1:5");
  });
});

describe("idle times", () => {
  const frames = {
    udp: udp("10.0.0.1:5 > 198.51.100.1:5"),
    icmp: icmpEcho("10.0.0.1 > 198.51.100.1", { identifier: 5 }),
    tcp: tcp("10.0.0.1:5 > 198.51.100.1:5", { flags: "S" }),
  };
  test.each([
    ["udp", {}, 300],
    ["udp", { udpTimeoutMs: 1000 }, 1],
    ["udp", { udpTimeoutMs: 0 }, 30],
    ["icmp", {}, 60],
    ["icmp", { icmpTimeoutMs: 0 }, 5],
    ["tcp", {}, 240],
    ["tcp", { tcpOpeningTimeoutMs: 0 }, 30],
    ["tcp", { tcpTimeoutMs: 0 }, 30],
  ] as const)("%s with %j: %i s", async (protocol, config, seconds) => {
    const nf = await loadNf(HERE, { ...CONFIG, ...config });
    nf.sendOne(frames[protocol]);
    const flow = `${protocol} 10.0.0.1:5 > 198.51.100.1:5`;
    nf.advance(seconds * 1000 - 10);
    expect(nf.hasFlow(flow)).toBe(true);
    nf.advance(20);
    expect(nf.hasFlow(flow)).toBe(false);
  });

  test.each([
    [{}, "SA", 7440],
    [{}, "RA", 10],
    [{ tcpTimeoutMs: 60_000 }, "SA", 60],
    [{ tcpTimeoutMs: 0 }, "SA", 300],
  ])("tcp with %j, answered by %s: %i s", async (config, flags, seconds) => {
    const nf = await loadNf(HERE, { ...CONFIG, ...config });
    nf.sendOne(frames.tcp);
    nf.sendOne(tcp("198.51.100.1:5 > 192.0.2.1:1024", { flags, ack: 1 }), SERVER);
    nf.advance(seconds * 1000 - 10);
    expect(nf.hasFlow("tcp 10.0.0.1:5 > 198.51.100.1:5")).toBe(true);
    nf.advance(20);
    expect(nf.hasFlow("tcp 10.0.0.1:5 > 198.51.100.1:5")).toBe(false);
  });
});

describe("from the server's side", () => {
  test("nobody reaches a client that did not begin", async () => {
    const nf = await loadNf(HERE, CONFIG);
    const frames = ["198.51.100.1:53 > 192.0.2.1:1024", "198.51.100.1:53 > 192.0.2.200:9", "198.51.100.1:53 > 10.0.0.1:5000"].map((path) => udp(path));
    expect(nf.send(frames, SERVER).map(String)).toEqual(Array(3).fill("DROP unsolicited"));
  });

  test("another host than the one that was asked, and another port, are nobody", async () => {
    const nf = await loadNf(HERE, CONFIG);
    nf.sendOne(udp("10.0.0.1:5000 > 198.51.100.1:53"));
    const frames = ["198.51.100.2:53 > 192.0.2.1:1024", "198.51.100.1:54 > 192.0.2.1:1024", "198.51.100.1:53 > 192.0.2.1:1025"].map((path) => udp(path));
    expect(nf.send(frames, SERVER).map(String)).toEqual(Array(3).fill("DROP unsolicited"));
    expect(String(nf.sendOne(udp("198.51.100.1:53 > 10.0.0.1:5000"), SERVER))).toBe("DROP unsolicited"); // the client's own address
    expect(nf.flow("udp 10.0.0.1:5000 > 198.51.100.1:53").state).toMatchObject({ mode: 1 });
  });

  test("inbound: pass lets flows to other addresses through untouched, and their answers", async () => {
    const nf = await loadNf(HERE, { ...CONFIG, inbound: "pass" });
    const [frame, answer] = [udp("198.51.100.1:53 > 10.0.0.1:80"), udp("10.0.0.1:80 > 198.51.100.1:53")];
    expect(nf.sendOne(frame, SERVER).frame).toEqual(frame);
    expect(nf.sendOne(answer).frame).toEqual(answer);
    expect(String(nf.sendOne(udp("198.51.100.1:53 > 192.0.2.1:80"), SERVER))).toBe("DROP unsolicited");
  });
});

test("clients do not reach each other through the pool, and must not have its addresses", async () => {
  const nf = await loadNf(HERE, CONFIG);
  nf.sendOne(udp("10.0.0.1:5000 > 198.51.100.1:53"));
  expect(outOf(nf, udp("10.0.0.2:5000 > 192.0.2.1:1024"))).toBe("DROP unsolicited");
  expect(outOf(nf, udp("192.0.2.200:5000 > 198.51.100.1:53"))).toBe("DROP source_in_pool");
  expect(nf.packets.dropped).toEqual({ "nat44.unsolicited": 1, "nat44.source_in_pool": 1 });
});

describe("what has no port to change", () => {
  const frames: [string, Uint8Array][] = [
    ["GRE", ip("10.0.0.1 > 198.51.100.1", 47, "x")],
    ["ESP", ip("10.0.0.1 > 198.51.100.1", 50, "x")],
    ["SCTP", ip("10.0.0.1 > 198.51.100.1", 132, new Uint8Array(12))],
    ["UDP-Lite", ip("10.0.0.1 > 198.51.100.1", 136, new Uint8Array(8))],
    ["router advertisement", icmp("10.0.0.1 > 198.51.100.1", 9, 0, [0, 0, 0, 0])],
    ["multicast", udp("10.0.0.1:5 > 224.0.0.251:5353")],
    ["broadcast", udp("0.0.0.0:68 > 255.255.255.255:67")],
    ["link-local", udp("169.254.3.4:5 > 198.51.100.1:5")],
    ["to link-local", udp("10.0.0.1:5 > 169.254.169.254:80")],
    ["loopback", udp("127.0.0.1:5 > 198.51.100.1:5")],
  ];
  test.each(frames)("%s: drop or pass", async (_, frame) => {
    const nf = await loadNf(HERE, CONFIG);
    expect(outOf(nf, frame)).toBe("DROP untranslatable");
    const passing = await loadNf(HERE, { ...CONFIG, untranslatable: "pass" });
    expect(passing.sendOne(frame).frame).toEqual(frame);
  });
});

test("IPv6 passes untouched", async () => {
  const nf = await loadNf(HERE, CONFIG, { leaseSize: 1 });
  const frames = [udp("[fd00::1]:5 > [fd00::2]:53"), tcp("[fd00::1]:5 > [fd00::2]:80", { flags: "S" }), icmpEcho("fd00::1 > fd00::2")];
  expect(nf.send(frames).map(({ frame }) => frame)).toEqual(frames);
  const back = [udp("[fd00::2]:53 > [fd00::1]:5"), icmpError(frames[1]!, { from: "fd00::9" }), udp("[fd00::7]:53 > [fd00::1]:5")];
  expect(nf.send(back, SERVER).map(({ frame }) => frame)).toEqual(back);
  expect(nf.counters()).toEqual({ mappings: 0n, exhausted: 0n, icmp_errors: 0n });
});

async function complaint(config: object): Promise<string> {
  const error: unknown = await loadNf(HERE, config).catch((thrown: unknown) => thrown);
  return error instanceof StartError ? error.lines.join("\n") : String(error);
}

test.each([
  [{}, /addresses/],
  [{ addresses: [] }, /addresses: config\.field: at least one address/],
  [{ addresses: ["10.0.0"] }, /addresses/],
  [{ addresses: ["192.0.2.010"] }, /addresses/],
  [{ addresses: ["192.0.2.256"] }, /addresses/],
  [{ addresses: ["2001:db8::1"] }, /addresses/],
  [{ addresses: ["192.0.2.1", "0.1.2.3"] }, /addresses\[1\]: config\.prefix: '0\.1\.2\.3'.*no host/],
  [{ addresses: ["127.0.0.1"] }, /does not leave a host/],
  [{ addresses: ["169.254.0.1"] }, /link/],
  [{ addresses: ["224.0.0.1"] }, /multicast/],
  [{ addresses: ["255.255.255.255"] }, /reserved/],
  [{ addresses: ["192.0.2.1", "192.0.2.2", "192.0.2.1"] }, /addresses\[2\].*in the list before/],
  [{ addresses: Array.from({ length: 1025 }, (_, i) => `10.0.${i >> 8}.${i & 255}`) }, /1,?024/],
  [{ ...CONFIG, inbound: "allow" }, /inbound/],
  [{ ...CONFIG, untranslatable: "no" }, /untranslatable/],
])("a configuration that makes no sense: %j", async (config, message) => {
  expect(await complaint(config)).toMatch(message);
});
