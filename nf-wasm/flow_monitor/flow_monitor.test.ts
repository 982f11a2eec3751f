// What the monitor counts, by example; random traffic is in random_traffic.test.ts.
import { beforeAll, describe, expect, test } from "vitest";
import { type TcpOptions, type TestChain, fragments, icmpEcho, icmpError, ip, loadNf, tcp, udp } from "@nfactor/sdk/test";

const SERVER = { port: "server" } as const;

let nf: TestChain;
beforeAll(async () => {
  nf = await loadNf(import.meta.dirname);
});

let port = 1024;
/** A connection of its own: `client` and `server` send a segment and return nothing. */
class Connection {
  readonly #ends: readonly [string, string];
  constructor(v6 = false) {
    this.#ends = v6 ? [`[fd00::1]:${port++}`, "[fd00::2]:80"] : [`10.0.0.1:${port++}`, "10.0.0.2:80"];
  }
  client(flags: string, options: TcpOptions = {}): void {
    expect(String(nf.sendOne(tcp(`${this.#ends[0]} > ${this.#ends[1]}`, { flags, ...options })))).toBe("FORWARD");
  }
  server(flags: string, options: TcpOptions = {}): void {
    expect(String(nf.sendOne(tcp(`${this.#ends[1]} > ${this.#ends[0]}`, { flags, ...options }), SERVER))).toBe("FORWARD");
  }
  /** SYN, SYN+ACK 20 ms later, ACK 5 ms later; the first data byte has number `seq` + 1 on both sides. */
  shake(seq = 1000): void {
    this.client("S", { seq });
    nf.advance(20);
    this.server("SA", { seq, ack: seq + 1 });
    nf.advance(5);
    this.client("A", { seq: seq + 1, ack: seq + 1 });
  }
  get state(): Record<string, unknown> {
    return nf.flow(`tcp ${this.#ends[0]} > ${this.#ends[1]}`).state;
  }
}

describe("what passes", () => {
  test.each([
    ["10.0.0.1:7 > 10.0.0.2:8", "10.0.0.2:8 > 10.0.0.1:7", 42],
    ["[fd00::1]:7 > [fd00::2]:8", "[fd00::2]:8 > [fd00::1]:7", 62],
  ])("packets, bytes, payload and times by direction: %s", (there, back, headers) => {
    const start = nf.now;
    nf.sendOne(udp(there, { payload: "12345" }));
    nf.advance(7);
    nf.send([udp(back), udp(back, { payload: "1" })], SERVER);
    nf.advance(1);
    nf.sendOne(udp(there, { payload: "1234" }));
    expect(nf.flow(`udp ${there}`).state).toMatchObject({
      packets: [2n, 2n],
      bytes: [BigInt(2 * headers + 9), BigInt(2 * headers + 1)],
      payloadBytes: [9n, 1n],
      firstNs: [start, start + 7_000_000n],
      lastNs: [start + 8_000_000n, start + 7_000_000n],
      tcpFlags: [0, 0],
    });
  });

  test("link padding is no payload, tags and options are no payload, and what was not captured is", () => {
    const path = "10.0.0.1:9 > 10.0.0.2:9";
    nf.sendOne(udp(path, { payload: "abc", padTo: 60 }));
    nf.sendOne(udp(path, { payload: "abc", ipOptions: [1, 1, 1, 1] }));
    nf.sendOne(udp(path, { payload: "x".repeat(1000) }).slice(0, 96), { wireLength: 1042 });
    expect(nf.flow(`udp ${path}`).state).toMatchObject({ packets: [3n, 0n], bytes: [60n + 49n + 1042n, 0n], payloadBytes: [1006n, 0n] });
    nf.sendOne(udp("10.0.0.1:10 > 10.0.0.2:9", { payload: "abc", vlan: [5, 6] }));
    expect(nf.flow("udp 10.0.0.1:10 > 10.0.0.2:9").state).toMatchObject({ bytes: [53n, 0n], payloadBytes: [3n, 0n] });
  });

  test("fragments: all of a datagram's bytes", () => {
    for (const path of ["10.0.0.1:11 > 10.0.0.2:9", "[fd00::1]:11 > [fd00::2]:9"]) {
      nf.send(fragments(udp(path, { payload: "x".repeat(3000) }), 1400));
      expect(nf.flow(`udp ${path}`).state).toMatchObject({ packets: [3n, 0n], fragments: [3, 0], payloadBytes: [3000n, 0n] });
    }
  });

  test("ICMP errors count for the flow that they are about, against its direction", () => {
    const asked = udp("10.0.0.1:12 > 10.0.0.2:9");
    const error = icmpError(asked, { from: "10.0.0.254", type: 11, code: 0 });
    nf.sendOne(asked);
    nf.sendOne(error, SERVER);
    expect(nf.flow("udp 10.0.0.1:12 > 10.0.0.2:9").state).toMatchObject({ icmpErrors: [0, 1], packets: [1n, 1n], bytes: [42n, BigInt(error.length)] });
  });

  test("ICMP queries, and protocols without ports", () => {
    nf.sendOne(icmpEcho("10.0.0.1 > 10.0.0.2", { identifier: 5, payload: "12345678" }));
    nf.sendOne(icmpEcho("10.0.0.2 > 10.0.0.1", { identifier: 5, payload: "1234", reply: true }), SERVER);
    expect(nf.flow("icmp 10.0.0.1:5 > 10.0.0.2:5").state).toMatchObject({ packets: [1n, 1n], payloadBytes: [8n, 4n] });
    nf.sendOne(ip("fd00::1 > fd00::2", 47, "12345"));
    expect(nf.flow("ip47 fd00::1 > fd00::2").state).toMatchObject({ packets: [1n, 0n], payloadBytes: [5n, 0n] });
  });
});

describe("round-trip times", () => {
  test.each([false, true])("from the handshake (IPv6: %s)", (v6) => {
    const c = new Connection(v6);
    const before = nf.counters();
    c.shake();
    expect(c.state).toMatchObject({ rttServerNs: 20_000_000n, rttClientNs: 5_000_000n, syn: [1, 1], retransmissions: [0, 0], tcpFlags: [0x12, 0x12] });
    expect(nf.counters()).toEqual({ ...before, flows: before["flows"]! + 1n, handshakes: before["handshakes"]! + 1n });
    nf.advance(5);
    c.client("A", { seq: 1001, ack: 1001 });
    expect(c.state).toMatchObject({ rttClientNs: 5_000_000n });
  });

  test("a SYN that was sent again leaves out the server's, a SYN+ACK that was sent again the client's", () => {
    const before = nf.counters()["handshakes"]!;
    const c = new Connection();
    c.client("S", { seq: 1 });
    nf.advance(1000);
    c.shake(1);
    expect(c.state).toMatchObject({ rttServerNs: 0n, rttClientNs: 5_000_000n, syn: [2, 1], retransmissions: [1, 0], keepAlives: [0, 0] });
    const d = new Connection();
    d.client("S", { seq: 1 });
    nf.advance(30);
    for (let i = 0; i < 2; i++) d.server("SA", { seq: 1, ack: 2 });
    d.client("A", { seq: 2, ack: 2 });
    expect(d.state).toMatchObject({ rttServerNs: 30_000_000n, rttClientNs: 0n, syn: [1, 2], retransmissions: [0, 1] });
    expect(nf.counters()["handshakes"]).toBe(before + 2n);
  });

  test("not when the SYN was not seen, or refused", () => {
    const c = new Connection();
    c.server("SA", { seq: 5, ack: 2 });
    nf.advance(1);
    c.client("A", { seq: 2, ack: 6 });
    expect(c.state).toMatchObject({ rttServerNs: 0n, rttClientNs: 0n });
    const d = new Connection();
    d.client("S", { seq: 1 });
    d.server("RA", { ack: 2, window: 0 });
    expect(d.state).toMatchObject({ rttServerNs: 0n, rttClientNs: 0n, rst: [0, 1], zeroWindow: [0, 0] });
  });

  test("a SYN with another number begins anew", () => {
    const c = new Connection();
    c.shake(3_000_000_000);
    c.client("A", { seq: 3_000_000_001, payload: "x".repeat(100) });
    nf.advance(100);
    c.client("S", { seq: 7 });
    nf.advance(3);
    c.server("SA", { seq: 2_900_000_000, ack: 8 });
    nf.advance(4);
    c.client("A", { seq: 8, ack: 2_900_000_001, payload: "x".repeat(100) });
    expect(c.state).toMatchObject({ rttServerNs: 3_000_000n, rttClientNs: 4_000_000n, retransmissions: [0, 0], gaps: [0, 0], outOfOrder: [0, 0] });
  });
});

describe("the sequence space", () => {
  const data = (length: number): { payload: string } => ({ payload: "x".repeat(length) });

  // The last start lets the numbers wrap inside of the second segment.
  test.each([1000, 0, 0xffff_ffff, 0xffff_ff00 - 1])("retransmissions, from number %i", (start) => {
    const c = new Connection();
    c.shake(start);
    const at = (n: number): { seq: number } => ({ seq: (start + 1 + n) >>> 0 });
    const before = nf.counters()["retransmissions"]!;
    for (const n of [0, 100, 200]) c.client("A", { ...at(n), ...data(100) });
    expect(c.state).toMatchObject({ retransmissions: [0, 0], gaps: [0, 0] });
    c.client("A", { ...at(100), ...data(100) });
    c.client("A", { ...at(250), ...data(150) }); // 50 of it are new
    c.client("A", { ...at(400), ...data(10) });
    c.client("A", at(410));
    expect(c.state).toMatchObject({ retransmissions: [2, 0], retransmittedBytes: [150, 0], gaps: [0, 0], payloadBytes: [560n, 0n] });
    expect(nf.counters()["retransmissions"]).toBe(before + 2n);
  });

  test("a gap that is filled within 3 ms was out of order, later it is a retransmission", () => {
    for (const [ms, outOfOrder, retransmissions] of [
      [2.9, 1, 0],
      [3, 0, 1],
    ] as const) {
      const c = new Connection();
      c.shake();
      c.client("A", { seq: 1101, ...data(100) });
      nf.advance(ms);
      c.client("A", { seq: 1001, ...data(100) });
      c.client("A", { seq: 1201, ...data(100) });
      expect(c.state).toMatchObject({ gaps: [1, 0], outOfOrder: [outOfOrder, 0], retransmissions: [retransmissions, 0] });
    }
  });

  test("keep-alives, with and without a byte, are no retransmissions", () => {
    const c = new Connection();
    c.shake();
    c.client("A", { seq: 1001, ...data(10) });
    c.client("A", { seq: 1010 });
    c.client("A", { seq: 1010, ...data(1) });
    c.client("A", { seq: 1011 });
    c.server("A", { seq: 1000 });
    expect(c.state).toMatchObject({ keepAlives: [2, 1], retransmissions: [0, 0] });
  });

  test("a FIN that was sent again is a retransmission, not a keep-alive", () => {
    const c = new Connection();
    c.shake();
    c.client("FA", { seq: 1001, ...data(5) });
    c.client("FA", { seq: 1006 });
    c.server("A", { seq: 1001, ack: 1007, window: 0 });
    expect(c.state).toMatchObject({ fin: [2, 0], retransmissions: [1, 0], retransmittedBytes: [1, 0], keepAlives: [0, 0], zeroWindow: [0, 1] });
  });

  test("a connection that was there before is followed from its first segment on", () => {
    const c = new Connection();
    c.client("PA", { seq: 5000, ...data(100) });
    c.server("A", { seq: 77, ack: 5100, ...data(1) });
    c.client("PA", { seq: 5100, ...data(100) });
    c.client("PA", { seq: 5000, ...data(100) });
    expect(c.state).toMatchObject({ retransmissions: [1, 0], retransmittedBytes: [100, 0], gaps: [0, 0], tcpFlags: [0x18, 0x10], syn: [0, 0] });
  });

  test("a segment in fragments is neither a gap nor makes one", () => {
    const path = "10.0.0.1:900 > 10.0.0.2:80";
    nf.sendOne(tcp(path, { seq: 1, ...data(100) }));
    nf.send(fragments(tcp(path, { seq: 101, ...data(3000) }), 1400));
    nf.sendOne(tcp(path, { seq: 3101, ...data(100) }));
    nf.sendOne(tcp(path, { seq: 3201, ...data(100) }));
    expect(nf.flow(`tcp ${path}`).state).toMatchObject({ gaps: [0, 0], retransmissions: [0, 0], fragments: [3, 0], payloadBytes: [3300n, 0n] });
  });
});
