// Every byte of what comes out: a translated packet is the packet that the outside host would have built, and back. The kit builds both from scratch.
import { describe, expect, test } from "vitest";
import { Random, type TestChain, icmpEcho, icmpError, loadNf, tcp, udp, wrongChecksums } from "@nfactor/sdk/test";
import { type End, large, sidesOf } from "./testing/packets.ts";

const HERE = import.meta.dirname;
const SERVER = { port: "server" } as const;
const CONFIG = { addresses: ["192.0.2.1"] };
const ROUTER = "203.0.113.9";

const hex = (frame: Uint8Array): string => Buffer.from(frame).toString("hex");

function outcome(nf: TestChain, frame: Uint8Array, port: "client" | "server"): string {
  const verdict = nf.sendOne(frame, { port });
  return String(verdict) === "FORWARD" ? hex(verdict.frame) : String(verdict);
}

const ERRORS = [
  [3, 1],
  [3, 4],
  [11, 0],
  [12, 0],
  [4, 0],
] as const;

describe.each(Array.from({ length: 12 }, (_, i) => i + 1))("seed %i", (seed) => {
  test("packets and ICMP errors of 40 flows, both ways", async () => {
    const r = new Random(seed);
    const nf = await loadNf(HERE, CONFIG);
    for (let i = 0; i < 40; i++) {
      const sides = sidesOf(r);
      const client: End = { address: `10.${r.below(256)}.${r.below(256)}.${1 + r.below(254)}`, port: 1 + r.below(65_535) };
      const server: End = { address: `198.51.100.${1 + r.below(254)}`, port: sides.protocol === "icmp" ? client.port : 1 + r.below(65_535) };
      const outside: End = { address: "192.0.2.1", port: 1024 + i };
      // The identifier of a query is one for both ends.
      const seenFrom = (end: End): End => (sides.protocol === "icmp" ? { ...server, port: end.port } : server);
      for (let k = 0; k < 6; k++) {
        const title = `seed ${seed}, flow ${i} (${sides.protocol}), packet ${k}`;
        const out = sides.client();
        const [inside, translated] = [out(client, seenFrom(client)), out(outside, seenFrom(outside))];
        expect(outcome(nf, inside, "client"), `${title} out`).toBe(hex(translated));
        expect(wrongChecksums(translated)).toEqual([]);
        const back = sides.server();
        const [reply, delivered] = [back(seenFrom(outside), outside), back(seenFrom(client), client)];
        expect(outcome(nf, reply, "server"), `${title} back`).toBe(hex(delivered));

        const [type, code] = r.pick(ERRORS);
        const options = { type, code, rest: r.bytes(4), quote: 8, ttl: 9, vlan: sides.vlan ?? [] };
        expect(outcome(nf, icmpError(translated, { ...options, from: ROUTER }), "server"), `${title}, error in`).toBe(
          hex(icmpError(inside, { ...options, from: ROUTER })),
        );
        expect(outcome(nf, icmpError(delivered, { ...options, from: "10.0.0.254" }), "client"), `${title}, error out`).toBe(
          hex(icmpError(reply, { ...options, from: "192.0.2.1" })),
        );
      }
    }
    expect(nf.counters()).toEqual({ mappings: 40n, exhausted: 0n, icmp_errors: 480n });
    expect(nf.packets.dropped).toEqual({});
    expect(nf.faults).toEqual([]);
  });
});

describe("UDP checksums", () => {
  const [inside, outside] = ["10.0.0.1:5000 > 198.51.100.1:53", "192.0.2.1:1024 > 198.51.100.1:53"];
  const checksumOf = (frame: Uint8Array): number => (frame[40]! << 8) | frame[41]!;
  /** Two bytes of payload that make the checksum what is wanted. */
  const payloadFor = (path: string, wanted: number): number[] => {
    for (let n = 0; n < 65_536; n++) if (checksumOf(udp(path, { payload: [n >> 8, n & 255] })) === wanted) return [n >> 8, n & 255];
    throw new Error("no payload gives this checksum");
  };

  test("none stays none", async () => {
    const nf = await loadNf(HERE, CONFIG);
    const frame = udp(inside, { payload: "x" });
    frame.fill(0, 40, 42);
    expect(checksumOf(nf.sendOne(frame).frame)).toBe(0);
  });

  test.each([0xffff, 1, 0xfffe])("one that becomes %i", async (wanted) => {
    const nf = await loadNf(HERE, CONFIG);
    const payload = payloadFor(outside, wanted);
    expect(hex(nf.sendOne(udp(inside, { payload })).frame)).toBe(hex(udp(outside, { payload })));
    expect(checksumOf(udp(outside, { payload }))).toBe(wanted);
  });

  test("one that was 0xffff", async () => {
    const nf = await loadNf(HERE, CONFIG);
    const payload = payloadFor(inside, 0xffff);
    expect(hex(nf.sendOne(udp(inside, { payload })).frame)).toBe(hex(udp(outside, { payload })));
  });

  test("one that was wrong stays wrong", async () => {
    const nf = await loadNf(HERE, CONFIG);
    expect(wrongChecksums(nf.sendOne(udp(inside, { payload: "x", badChecksum: true })).frame)).toEqual(["udp"]);
    expect(wrongChecksums(nf.sendOne(tcp("10.0.0.1:5 > 198.51.100.1:80", { badChecksum: true })).frame)).toEqual(["tcp"]);
  });
});

describe("fragments", () => {
  test.each(["udp", "icmp"] as const)("%s: the first shows the ports, the others only addresses; out of order too", async (protocol) => {
    const nf = await loadNf(HERE, CONFIG);
    const [client, outside]: End[] = [
      { address: "10.0.0.1", port: 5000 },
      { address: "192.0.2.1", port: 1024 },
    ];
    const server: End = { address: "198.51.100.1", port: 53 };
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
    ]) {
      const [sent, wanted] = [large(protocol, client!, server), large(protocol, outside!, server)];
      expect(sent).toHaveLength(3);
      const out = nf.send(order.map((i) => sent[i]!));
      expect(out.map(({ frame }) => hex(frame))).toEqual(order.map((i) => hex(wanted[i]!)));
      const [reply, delivered] = [large(protocol, server, outside!, true), large(protocol, server, client!, true)];
      const back = nf.send(
        order.map((i) => reply[i]!),
        SERVER,
      );
      expect(back.map(({ frame }) => hex(frame))).toEqual(order.map((i) => hex(delivered[i]!)));
    }
    expect(nf.counters()["mappings"]).toBe(1n);
  });
});

describe("ICMP errors", () => {
  test("quote more than 8 bytes: the rest, TCP's checksum in it, stays; the message's own checksum holds", async () => {
    const nf = await loadNf(HERE, CONFIG);
    const frame = tcp("10.0.0.1:5000 > 198.51.100.1:80", { flags: "S", seq: 77, payload: "some bytes" });
    const translated = nf.sendOne(frame).frame;
    const delivered = nf.sendOne(icmpError(translated, { from: ROUTER, type: 11, code: 0, quote: 28 }), SERVER).frame;
    const wanted = icmpError(frame, { from: ROUTER, type: 11, code: 0, quote: 28 });
    const innerChecksum = 14 + 20 + 8 + 20 + 16;
    const same = (bytes: Uint8Array): string =>
      hex(Uint8Array.from([...bytes.slice(0, 36), ...bytes.slice(38, innerChecksum), ...bytes.slice(innerChecksum + 2)]));
    expect(same(delivered)).toBe(same(wanted));
    expect(delivered.slice(innerChecksum, innerChecksum + 2)).toEqual(translated.slice(50, 52));
    expect(wrongChecksums(delivered)).toEqual([]);
  });

  test("of UDP without a checksum, and of a frame that the capture cut", async () => {
    const nf = await loadNf(HERE, CONFIG);
    const frame = udp("10.0.0.1:5000 > 198.51.100.1:53");
    frame.fill(0, 40, 42);
    const translated = nf.sendOne(frame).frame;
    const error = icmpError(translated, { from: ROUTER });
    expect(hex(nf.sendOne(error, SERVER).frame)).toBe(hex(icmpError(frame, { from: ROUTER })));
    const long = icmpError(translated, { from: ROUTER, rest: [1, 2, 3, 4] });
    const cut = nf.sendOne(long, { port: "server", wireLength: long.length + 400 });
    expect(String(cut)).toBe("FORWARD");
  });

  test.each([
    ["for another address", 33, "unsolicited"],
    ["about a packet that no mapping sent", 57, "icmp_error_no_flow"],
  ])("%s are dropped", async (_, at, reason) => {
    const nf = await loadNf(HERE, CONFIG);
    const translated = nf.sendOne(udp("10.0.0.1:5000 > 198.51.100.1:53")).frame;
    const error = icmpError(translated, { from: ROUTER });
    error[at]! ^= 1; // last byte of an address
    expect(String(nf.sendOne(error, SERVER))).toBe(`DROP ${reason}`);
  });

  test("about the client's own address, from outside, are dropped", async () => {
    const nf = await loadNf(HERE, CONFIG);
    const frame = udp("10.0.0.1:5000 > 198.51.100.1:53");
    nf.sendOne(frame);
    expect(String(nf.sendOne(icmpError(frame, { from: ROUTER }), SERVER))).toBe("DROP unsolicited");
    const echo = icmpEcho("10.0.0.1 > 198.51.100.1", { identifier: 9 });
    nf.sendOne(echo);
    expect(String(nf.sendOne(icmpError(echo, { from: ROUTER }), SERVER))).toBe("DROP unsolicited");
  });
});
