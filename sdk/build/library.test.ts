/**
 * The AssemblyScript library (sdk/assembly) on V8: what the views read, that every setter leaves all checksums right (computed from scratch here), and
 * that it says which bytes it changed.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { RESULT, ResultFlag } from "../abi/gen/abi.ts";
import { ICMP, ICMPV6, TCP, type TestFrame, UDP, datagram, frame, icmpError, process, wrongChecksums } from "./testing/frames.ts";
import { MANIFEST, type RunningNf, buildText, run } from "./testing/temporary_nf.ts";

const OPERATIONS: [string, string][] = [
  ["ipv4 src", "const h = p.ipv4(); if (h !== null) h.src = <u32>v;"],
  ["ipv4 dst", "const h = p.ipv4(); if (h !== null) h.dst = <u32>v;"],
  ["ipv4 ttl", "const h = p.ipv4(); if (h !== null) h.ttl = <u32>v & 255;"],
  ["ipv4 dscp", "const h = p.ipv4(); if (h !== null) h.dscp = <u32>v & 63;"],
  ["ipv4 ecn", "const h = p.ipv4(); if (h !== null) h.ecn = <u32>v & 3;"],
  ["ipv4 id", "const h = p.ipv4(); if (h !== null) h.id = <u32>v & 0xffff;"],
  ["ipv6 srcHigh", "const h = p.ipv6(); if (h !== null) h.srcHigh = v;"],
  ["ipv6 srcLow", "const h = p.ipv6(); if (h !== null) h.srcLow = v;"],
  ["ipv6 dstHigh", "const h = p.ipv6(); if (h !== null) h.dstHigh = v;"],
  ["ipv6 dstLow", "const h = p.ipv6(); if (h !== null) h.dstLow = v;"],
  ["ipv6 hopLimit", "const h = p.ipv6(); if (h !== null) h.hopLimit = <u32>v & 255;"],
  ["tcp srcPort", "const h = p.tcp(); if (h !== null) h.srcPort = <u32>v & 0xffff;"],
  ["tcp dstPort", "const h = p.tcp(); if (h !== null) h.dstPort = <u32>v & 0xffff;"],
  ["tcp seq", "const h = p.tcp(); if (h !== null) h.seq = <u32>v;"],
  ["tcp ack", "const h = p.tcp(); if (h !== null) h.ack = <u32>v;"],
  ["tcp flags", "const h = p.tcp(); if (h !== null) h.flags = <u32>v & 255;"],
  ["tcp window", "const h = p.tcp(); if (h !== null) h.window = <u32>v & 0xffff;"],
  ["tcp urgent", "const h = p.tcp(); if (h !== null) h.urgent = <u32>v & 0xffff;"],
  ["udp srcPort", "const h = p.udp(); if (h !== null) h.srcPort = <u32>v & 0xffff;"],
  ["udp dstPort", "const h = p.udp(); if (h !== null) h.dstPort = <u32>v & 0xffff;"],
  ["icmp type", "const h = p.icmp(); if (h !== null) h.type = <u32>v & 255;"],
  ["icmp code", "const h = p.icmp(); if (h !== null) h.code = <u32>v & 255;"],
  ["icmp identifier", "const h = p.icmp(); if (h !== null) h.identifier = <u32>v & 0xffff;"],
  ["icmp sequence", "const h = p.icmp(); if (h !== null) h.sequence = <u32>v & 0xffff;"],
  ["icmp rest", "const h = p.icmp(); if (h !== null) h.rest = <u32>v;"],
  ["payload setU8 even", "if (p.payload.length > 4) p.payload.setU8(4, <u32>v & 255);"],
  ["payload setU8 odd", "if (p.payload.length > 5) p.payload.setU8(5, <u32>v & 255);"],
  ["payload setU16 odd", "if (p.payload.length > 6) p.payload.setU16(5, <u32>v & 0xffff);"],
  ["payload setU32", "if (p.payload.length > 6) p.payload.setU32(3, <u32>v);"],
  ["inner ipv4 src", "const h = p.innerIpv4(); if (h !== null) h.src = <u32>v;"],
  ["inner ipv4 dst", "const h = p.innerIpv4(); if (h !== null) h.dst = <u32>v;"],
  ["inner ipv6 srcHigh", "const h = p.innerIpv6(); if (h !== null) h.srcHigh = v;"],
  ["inner ipv6 dstLow", "const h = p.innerIpv6(); if (h !== null) h.dstLow = v;"],
  ["inner udp srcPort", "const h = p.innerUdp(); if (h !== null) h.srcPort = <u32>v & 0xffff;"],
  ["inner udp dstPort", "const h = p.innerUdp(); if (h !== null) h.dstPort = <u32>v & 0xffff;"],
  ["inner icmp identifier", "const h = p.innerIcmp(); if (h !== null) h.identifier = <u32>v & 0xffff;"],
];

const NF = `import { NetworkFunction, NoState, Packet, Verdict } from "@nfactor/sdk";
@config class Config { operation: u32; value: u64; }
let operation: u32 = 0;
let v: u64 = 0;
export class Probe extends NetworkFunction<NoState, Config> {
  configure(c: Config): void { operation = c.operation; v = c.value; }
  process(p: Packet, s: NoState): Verdict {
    ${OPERATIONS.map(([, code], i) => `if (operation == ${i}) { ${code} }`).join("\n    ")}
    return Verdict.FORWARD;
  }
}
`;

let nf: RunningNf;
beforeAll(async () => {
  nf = await run((await buildText(NF, `${MANIFEST}rights: { view: payload, edit: payload }\n`)).core);
});

function choose(operation: number, value: bigint): void {
  const bytes = new DataView(new ArrayBuffer(15));
  new Uint8Array(bytes.buffer).set([0x92, 0xce]);
  bytes.setUint32(2, operation);
  bytes.setUint8(6, 0xcf);
  bytes.setBigUint64(7, value);
  expect(nf.configure(new Uint8Array(bytes.buffer))).toBe(0);
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function framesFor(operation: string): TestFrame[] {
  const payloads = [bytesOf("0123456789abcdef"), bytesOf("odd length")];
  payloads[1] = payloads[1]!.subarray(0, 9);
  const versions: (4 | 6)[] = operation.includes("ipv4") ? [4] : operation.includes("ipv6") ? [6] : [4, 6];
  const isInner = operation.startsWith("inner");
  const protocolsOf = (version: 4 | 6): number[] => {
    if (operation.includes("tcp")) return [TCP];
    if (operation.includes("udp")) return [UDP];
    if (operation.includes("icmp")) return [version === 4 ? ICMP : ICMPV6];
    // Only UDP's and ICMP's checksums show in the 8 bytes that an error has of its inner packet.
    return [...(isInner ? [] : [TCP]), UDP, version === 4 ? ICMP : ICMPV6];
  };
  return versions.flatMap((version) =>
    protocolsOf(version).flatMap((protocol) => payloads.map((payload) => (isInner ? icmpError(version, datagram(version, protocol, payload)) : frame(version, protocol, payload)))),
  );
}

describe("a setter leaves every checksum right and says what it changed", () => {
  test.each(OPERATIONS.map(([name], i) => [name, i] as const))("%s", (name, operation) => {
    const values = [0n, 1n, 0xffffn, 0xffff0000n, 0xffffffffffffffffn, 0x0a0b0c0d0e0f1011n, 0x123456789abcdef0n];
    let edited = 0;
    for (const value of values) {
      choose(operation, value);
      for (const f of framesFor(name)) {
        expect(wrongChecksums(f.bytes, f.l3, name.startsWith("inner"))).toEqual([]);
        const { bytes, flags } = process(nf, f);
        expect([name, value, wrongChecksums(bytes, f.l3, name.startsWith("inner"))]).toEqual([name, value, []]);
        const changed = (from: number, to: number): boolean => !Buffer.from(bytes.subarray(from, to)).equals(f.bytes.subarray(from, to));
        if (changed(0, f.headerLength)) expect(flags & ResultFlag.MODIFIED_HEADER).toBe(ResultFlag.MODIFIED_HEADER);
        if (changed(f.headerLength, bytes.length)) expect(flags & ResultFlag.MODIFIED_PAYLOAD).toBe(ResultFlag.MODIFIED_PAYLOAD);
        if (changed(0, bytes.length)) edited++;
      }
    }
    expect(edited).toBeGreaterThan(0);
  });
});

test("UDP over IPv4 without a checksum stays without one", () => {
  choose(OPERATIONS.findIndex(([name]) => name === "udp srcPort"), 4242n);
  const f = frame(4, UDP, bytesOf("data"));
  f.bytes.set([0, 0], f.l4 + 6);
  const { bytes } = process(nf, f);
  expect([...bytes.subarray(f.l4, f.l4 + 8)]).toEqual([4242 >> 8, 4242 & 255, 0, 53, 0, 12, 0, 0]);
});

test("an address of a later fragment changes no byte behind the IP header", () => {
  choose(OPERATIONS.findIndex(([name]) => name === "ipv4 src"), 0x01020304n);
  const f = frame(4, UDP, bytesOf("not a header"));
  f.flags = 4 | 2;
  f.headerLength = f.l4;
  const { bytes } = process(nf, f);
  expect([...bytes.subarray(f.l3 + 12, f.l3 + 16)]).toEqual([1, 2, 3, 4]);
  expect(Buffer.from(bytes.subarray(f.l4)).equals(f.bytes.subarray(f.l4))).toBe(true);
});

const READER = `import { Bytes, NetworkFunction, NoConfig, Packet, U32Array, Verdict, counter } from "@nfactor/sdk";
@flowState class State { calls: u32; @bytes(8) raw: Bytes; @length(3) list: U32Array; }
export class Probe extends NetworkFunction<State, NoConfig> {
  process(p: Packet, s: State): Verdict {
    const ip = p.ipv4(), ip6 = p.ipv6(), tcp = p.tcp(), udp = p.udp(), icmp = p.icmp();
    counter(0).add(ip !== null ? ip.src : 0);
    counter(1).add(ip6 !== null ? ip6.dstLow : 0);
    counter(2).add(tcp !== null ? tcp.seq : 0);
    counter(3).add(udp !== null ? udp.dstPort : 0);
    counter(4).add(icmp !== null ? icmp.identifier : 0);
    counter(5).add(<u64>p.payload.find(0x2c, 2));
    counter(6).add(p.payload.matches(1, "ello") ? 1 : 0);
    counter(7).add(p.ethernet().dst);
    p.payload.copyTo(s.raw, 0, 1, min<u32>(p.payload.length, 7));
    s.raw.move(1, 0, 7);
    counter(8).add(s.raw.matches(0, "hello,") ? 1 : 0);
    s.list[0] = 7; s.list[2] += s.list[0] * 3;
    counter(9).add(s.list[2]);
    counter(10).add(total(s.list));
    counter(11).add(p.datagramEnd);
    return Verdict.FORWARD;
  }
}
function total<A>(a: A): u64 { let t: u64 = 0; for (let i: u32 = 0; i < a.length; i++) t += a[i]; return t; }
`;

test("views read host order, are null where their header is not, and arrays of the state are passed as they are", async () => {
  const { core } = await buildText(READER, `${MANIFEST}rights: { view: payload }\ncounters: [a, b, c, d, e, f, g, h, i, j, k, l]\n`);
  const read = async (f: TestFrame): Promise<bigint[]> => {
    const running = await run(core);
    process(running, f);
    return Array.from({ length: 12 }, (_, i) => running.counter(i));
  };
  const payload = bytesOf("hello, you");
  const dst = 0x020000000001n;
  expect(await read(frame(4, TCP, payload))).toEqual([0x0a000001n, 0n, 0x01020304n, 0n, 0n, 5n, 1n, dst, 1n, 21n, 28n, 64n]);
  expect(await read(frame(6, UDP, payload))).toEqual([0n, 0x0504030201000102n, 0n, 53n, 0n, 5n, 1n, dst, 1n, 21n, 28n, 72n]);
  expect((await read(frame(4, ICMP, payload)))[4]).toBe(0x1234n);
});

test("log lines and a frame of the NF's own lie where the host looks", async () => {
  const { core } = await buildText(
    `import { LogLevel, NetworkFunction, NoConfig, NoState, Packet, Verdict, counter, log, logIpv4, logNumber } from "@nfactor/sdk";
export class Probe extends NetworkFunction<NoState, NoConfig> {
  process(p: Packet, s: NoState): Verdict {
    logNumber(LogLevel.warn, "seen ", 12345678901);
    logIpv4(LogLevel.info, "from ", 0x0a0000fe);
    for (let i = 0; i < 3; i++) { const f = p.emit(60, 1); if (f === null) counter(0).add(1); else f.setU16(12, 0x0800); }
    return p.reply();
  }
}
`,
    `${MANIFEST}rights: { reply: true, emits: 2 }\ncounters: [refused]\n`,
  );
  const running = await run(core);
  const { verdict } = process(running, frame(4, UDP, bytesOf("x")));
  expect(verdict).toBe(3);
  const logText = (i: number): string => {
    const at = RESULT.log_records + 256 * i;
    return new TextDecoder("utf-16le").decode(new Uint8Array(running.memory.buffer, at + 8, running.memory.getUint16(at + 2, true)));
  };
  expect([logText(0), logText(1), running.memory.getUint32(RESULT.log_ring, true)]).toEqual(["seen 12345678901", "from 10.0.0.254", 2]);
  const emit = (i: number): number[] => {
    const at = RESULT.emit_records + 16 * i;
    return [running.memory.getUint32(at, true), running.memory.getUint16(at + 4, true), running.memory.getUint8(at + 6), running.memory.getUint8(at + 7)];
  };
  expect([emit(0), emit(1), emit(2)]).toEqual([
    [0x200000, 60, 1, 0],
    [0x200000 + 9216, 60, 1, 0],
    [0, 0, 0, 0],
  ]);
  expect(running.memory.getUint16(0x200000 + 9216 + 12)).toBe(0x0800);
  expect(running.counter(0)).toBe(1n);
});
