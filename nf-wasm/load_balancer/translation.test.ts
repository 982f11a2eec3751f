// Every byte of what comes out: a packet to a service is the one that the client would have sent to the backend, and back. The kit builds both from scratch.
import { describe, expect, test } from "vitest";
import { Random, type TestChain, fragments, icmpError, loadNf, tcp, udp, wrongChecksums } from "@nfactor/sdk/test";
import { type End, type Protocol, endText, packetOf } from "./testing/packets.ts";

const HERE = import.meta.dirname;
const SERVER = { port: "server" } as const;
const hex = (frame: Uint8Array): string => Buffer.from(frame).toString("hex");

function outcome(nf: TestChain, frame: Uint8Array, port: "client" | "server"): string {
  const verdict = nf.sendOne(frame, { port });
  return String(verdict) === "FORWARD" ? hex(verdict.frame) : String(verdict);
}

const FAMILIES = {
  4: {
    vip: "198.51.100.1",
    backend: "10.9.8.7",
    router: "203.0.113.9",
    nearRouter: "10.0.0.254",
    client: (r: Random) => `10.${r.below(256)}.${r.below(256)}.3`,
  },
  6: { vip: "2001:db8::1", backend: "fd00:9::7", router: "2001:db8:ff::9", nearRouter: "fd77::254", client: (r: Random) => `fd77::${1 + r.below(9999)}` },
} as const;
const ERRORS: Record<4 | 6, [number, number][]> = {
  4: [
    [3, 1],
    [3, 4],
    [11, 0],
    [12, 0],
  ],
  6: [
    [1, 4],
    [2, 0],
    [3, 0],
    [4, 1],
  ],
};

/** One service of each family and protocol, on random ports, with one backend. */
const config = (port: number, backendPort: number) => ({
  services: ([4, 6] as const).flatMap((family) =>
    ["tcp", "udp"].map((protocol) => ({
      addresses: [FAMILIES[family].vip],
      protocol,
      port,
      backends: [{ address: FAMILIES[family].backend, port: backendPort }],
    })),
  ),
});

describe.each(Array.from({ length: 12 }, (_, i) => i + 1))("seed %i", (seed) => {
  test("packets and ICMP errors of 40 flows, both ways", async () => {
    const r = new Random(seed);
    const [port, backendPort] = [1 + r.below(65_535), r.pick([0, 1 + r.below(65_535)])];
    const nf = await loadNf(HERE, config(port, backendPort));
    for (let i = 0; i < 40; i++) {
      const family = r.pick([4, 4, 6] as const);
      const { vip, backend: address, router, nearRouter, client: clientAddress } = FAMILIES[family];
      const protocol = r.pick<Protocol>(["tcp", "udp"]);
      const vlan = r.pick<number[]>([[], [], [5], [5, 6]]);
      const client: End = { address: clientAddress(r), port: 2000 + i };
      const service: End = { address: vip, port };
      const backend: End = { address, port: backendPort || port };
      for (let k = 0; k < 6; k++) {
        const title = `seed ${seed}, flow ${i} (${protocol} ${endText(client)}), packet ${k}`;
        const wanted = { vlan, v6: family === 6, hasExtension: r.below(3) === 0 };
        const out = packetOf(r, protocol, wanted);
        const [sent, translated] = [out(client, service), out(client, backend)];
        expect(outcome(nf, sent, "client"), `${title} out`).toBe(hex(translated));
        const back = packetOf(r, protocol, wanted);
        const [reply, delivered] = [back(backend, client), back(service, client)];
        expect(outcome(nf, reply, "server"), `${title} back`).toBe(hex(delivered));
        if (wanted.v6 && wanted.hasExtension) continue; // the kit quotes plain headers
        const [type, code] = r.pick(ERRORS[family]);
        const options = { type, code, rest: r.bytes(4), quote: 8, ttl: 9, vlan };
        expect(outcome(nf, icmpError(translated, { ...options, from: router }), "server"), `${title}, error in`).toBe(
          hex(icmpError(sent, { ...options, from: vip })),
        );
        expect(outcome(nf, icmpError(delivered, { ...options, from: nearRouter }), "client"), `${title}, error out`).toBe(
          hex(icmpError(reply, { ...options, from: nearRouter })),
        );
      }
    }
    expect(nf.counters()).toMatchObject({ opened: 40n, unmatched: 0n, no_backend: 0n });
    expect(nf.counters()["icmp_errors"]).toBeGreaterThan(200n);
    expect(nf.packets.dropped).toEqual({});
    expect(nf.faults).toEqual([]);
  });
});

describe("fragments", () => {
  test.each([
    ["10.0.0.1:5000", "198.51.100.1:53", "10.9.8.7:5353"],
    ["[fd77::1]:5000", "[2001:db8::1]:53", "[fd00:9::7]:5353"],
  ])("from %s: the first shows the ports, the others only addresses; out of order too", async (client, service, backend) => {
    const nf = await loadNf(HERE, config(53, 5353));
    const payload = Uint8Array.from({ length: 3001 }, (_, i) => i * 7);
    const large = (from: string, to: string): Uint8Array[] => fragments(udp(`${from} > ${to}`, { payload }), 1400, 77);
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
    ]) {
      const [sent, wanted] = [large(client, service), large(client, backend)];
      expect(nf.send(order.map((i) => sent[i]!)).map(({ frame }) => hex(frame))).toEqual(order.map((i) => hex(wanted[i]!)));
      const [reply, delivered] = [large(backend, client), large(service, client)];
      const back = nf.send(
        order.map((i) => reply[i]!),
        SERVER,
      );
      expect(back.map(({ frame }) => hex(frame))).toEqual(order.map((i) => hex(delivered[i]!)));
    }
    expect(nf.counters()).toMatchObject({ opened: 1n });
  });
});

describe("checksums", () => {
  test("one that was wrong stays wrong", async () => {
    const nf = await loadNf(HERE, config(80, 8080));
    expect(wrongChecksums(nf.sendOne(udp("10.0.0.1:5 > 198.51.100.1:80", { payload: "x", badChecksum: true })).frame)).toEqual(["udp"]);
    expect(wrongChecksums(nf.sendOne(tcp("[fd77::1]:5 > [2001:db8::1]:80", { badChecksum: true })).frame)).toEqual(["tcp"]);
  });
});

describe("ICMP errors", () => {
  test.each([4, 6] as const)("IPv%i: about or for another address than the binding's are dropped", async (family) => {
    const nf = await loadNf(HERE, config(80, 0));
    const { vip, backend, router, nearRouter } = FAMILIES[family];
    const client = { address: family === 4 ? "10.0.0.1" : "fd77::1", port: 5000 };
    const path = (from: End, to: End): string => `${endText(from)} > ${endText(to)}`;
    const sent = udp(path(client, { address: vip, port: 80 }));
    nf.sendOne(sent);
    // From the servers' side, about what only the client's side has seen.
    expect(outcome(nf, icmpError(sent, { from: router }), "server")).toBe("DROP unsolicited");
    // From the client's side, but not sent to the service.
    const delivered = nf.sendOne(udp(path({ address: backend, port: 80 }, client)), SERVER).frame;
    const error = icmpError(delivered, { from: nearRouter });
    const lastOfDestination = family === 4 ? 33 : 53;
    error[lastOfDestination]! ^= 1;
    expect(outcome(nf, error, "client")).toBe("DROP unsolicited");
    error[lastOfDestination]! ^= 1;
    expect(outcome(nf, error, "client")).toBe(hex(icmpError(udp(path({ address: backend, port: 80 }, client)), { from: nearRouter })));
  });

  test("about a flow that is bound to nothing pass untouched", async () => {
    const nf = await loadNf(HERE, config(80, 8080));
    const sent = udp("10.0.0.1:5000 > 198.51.100.9:80");
    nf.sendOne(sent);
    const error = icmpError(sent, { from: "203.0.113.9" });
    expect(hex(nf.sendOne(error, SERVER).frame)).toBe(hex(error));
    expect(nf.counters()).toMatchObject({ icmp_errors: 0n });
  });
});
