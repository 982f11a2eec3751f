/**
 * Generated traffic: interleaved conversations of every kind the dataplane knows, with the faults that real networks and attackers add. A function
 * of its seed. Packets carry capture timestamps; some gaps are long enough for flows to expire.
 */
import { ACK, type Endpoint, FIN, type IpOptions, PSH, RST, SYN, ethernet, icmpMessage, ip, tcpSegment, udpSegment } from "./frames.ts";

export interface CapturedPacket {
  timestampNs: bigint;
  /** The captured bytes. */
  data: Uint8Array;
  wireLength: number;
}

/** xorshift128+ on two 32-bit halves would do; splitmix on 32 bits is enough to choose packets. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** 0 ≤ n < bound. */
  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) % bound;
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
  bytes(count: number): number[] {
    return Array.from({ length: count }, () => this.below(256));
  }
}

type Frame = number[];
const text = (value: string): number[] => [...Buffer.from(value, "latin1")];
const MSS = [2, 4, 5, 180, 1, 3, 3, 7];

/** One conversation: yields its frames in order, one each time it is asked. */
type Conversation = Generator<Frame, void>;

interface Ends {
  client: Endpoint;
  server: Endpoint;
  link: IpOptions;
}

function ends(r: Random, serverPort: number): Ends {
  const six = r.chance(25);
  const v6 = (last: number): number[] => [0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
  const clientAddress = six ? v6(1 + r.below(20)) : [10, 0, r.below(2), 1 + r.below(40)];
  const serverAddress = six ? v6(200 + r.below(4)) : [192, 0, 2, 10 + r.below(6)];
  const vlans = r.chance(80) ? [] : r.chance(60) ? [1 + r.below(3)] : [100, 1 + r.below(3)];
  const link: IpOptions = { vlans };
  if (!six && r.chance(10)) link.options = [1, 1, 1, 0];
  if (six && r.chance(15))
    link.extensions = r.chance(50)
      ? [[0, [0, 1, 4, 0, 0, 0, 0]]]
      : [
          [60, [0, 1, 4, 0, 0, 0, 0]],
          [43, [0, 4, 0, 0, 0, 0, 0]],
        ];
  return { client: { address: clientAddress, port: 1024 + r.below(3000) }, server: { address: serverAddress, port: serverPort }, link };
}

function* tcp(r: Random): Conversation {
  const { client, server, link } = ends(r, r.pick([80, 80, 8080, 22, 23, 443]));
  let [cseq, sseq] = [r.below(2 ** 31) * 2, r.below(2 ** 31) * 2];
  const up = (flags: number, payload: number[] = [], options: number[] = []): Frame =>
    ip(client.address, server.address, 6, tcpSegment(client, server, cseq, flags & ACK ? sseq : 0, flags, payload, options), link);
  const down = (flags: number, payload: number[] = [], options: number[] = []): Frame =>
    ip(server.address, client.address, 6, tcpSegment(server, client, sseq, flags & ACK ? cseq : 0, flags, payload, options), link);
  if (r.chance(90)) {
    yield up(SYN, [], MSS);
    if (r.chance(5)) yield up(SYN, [], MSS);
    cseq += 1;
    if (r.chance(5)) return void (yield down(RST | ACK));
    yield down(SYN | ACK, [], MSS);
    sseq += 1;
    yield up(ACK);
  }
  for (let i = r.below(5); i >= 0; i--) {
    const path = `/item/${String(r.below(1000))}`;
    const request = text(
      `${r.pick(["GET", "POST", "HEAD", "PUT"])} ${path} HTTP/1.1\r\nHost: host${String(r.below(9))}.example\r\nX-Pad: ${"x".repeat(r.below(60))}\r\nContent-Length: 0\r\n\r\n`,
    );
    const cut = r.chance(30) ? 1 + r.below(request.length - 1) : request.length;
    const parts = [request.slice(0, cut), request.slice(cut)].filter((part) => part.length > 0);
    const frames = parts.map((part) => {
      const frame = up(ACK | PSH, part);
      cseq += part.length;
      return frame;
    });
    if (r.chance(20)) frames.reverse();
    yield* frames;
    if (r.chance(8)) yield frames[0]!;
    const body = r.bytes(r.below(700));
    const response = [
      ...text(`HTTP/1.1 ${r.pick(["200 OK", "404 Not Found", "301 Moved Permanently"])}\r\nContent-Length: ${String(body.length)}\r\n\r\n`),
      ...body,
    ];
    yield down(ACK | PSH, response);
    if (r.chance(5)) yield down(ACK | PSH, response);
    sseq += response.length;
    if (r.chance(8)) sseq += 100_000;
    yield up(ACK);
  }
  const end = r.below(10);
  if (end === 0) yield up(RST | ACK);
  else if (end < 8) {
    yield up(FIN | ACK);
    cseq += 1;
    yield down(FIN | ACK);
    sseq += 1;
    yield up(ACK);
    if (r.chance(15)) yield up(SYN, [], MSS);
  }
}

function* udp(r: Random): Conversation {
  const { client, server, link } = ends(r, r.pick([53, 123, 4500, 5000]));
  for (let i = r.below(6); i >= 0; i--) {
    const out = udpSegment(client, server, r.bytes(r.below(300)));
    const frame = ip(client.address, server.address, 17, out, link);
    yield frame;
    if (r.chance(10)) {
      // The server's answer: nobody listens there.
      const inner = frame.slice(frame.length - out.length - headerBytes(client, link), frame.length).slice(0, 128);
      const v4 = client.address.length === 4;
      yield ip(server.address, client.address, v4 ? 1 : 58, icmpMessage(server.address, client.address, v4 ? 3 : 1, v4 ? 3 : 4, [0, 0, 0, 0], inner), {
        vlans: link.vlans ?? [],
      });
    } else if (r.chance(70)) yield ip(server.address, client.address, 17, udpSegment(server, client, r.bytes(r.below(500))), link);
  }
}

function headerBytes(end: Endpoint, link: IpOptions): number {
  if (end.address.length === 4) return 20 + (link.options?.length ?? 0);
  return 40 + (link.extensions ?? []).reduce((n, [, body]) => n + 1 + body.length, 0);
}

function* echo(r: Random): Conversation {
  const { client, server, link } = ends(r, 0);
  const v4 = client.address.length === 4;
  const rest = [...r.bytes(2), 0, 1];
  for (let i = r.below(4); i >= 0; i--) {
    rest[3] = i;
    const body = r.bytes(56);
    yield ip(client.address, server.address, v4 ? 1 : 58, icmpMessage(client.address, server.address, v4 ? 8 : 128, 0, rest, body), link);
    if (r.chance(80)) yield ip(server.address, client.address, v4 ? 1 : 58, icmpMessage(server.address, client.address, v4 ? 0 : 129, 0, rest, body), link);
  }
}

/** A UDP datagram in fragments, some out of order, missing or twice. */
function* fragments(r: Random): Conversation {
  const { client, server, link } = ends(r, 9000);
  for (let i = r.below(3); i >= 0; i--) {
    const datagram = udpSegment(client, server, r.bytes(200 + r.below(1200)));
    const size = 8 * (10 + r.below(60));
    const id = r.below(65536);
    const pieces: Frame[] = [];
    for (let at = 0; at < datagram.length; at += size) {
      const more = at + size < datagram.length;
      pieces.push(ip(client.address, server.address, 17, datagram.slice(at, at + size), { ...link, id, fragment: { offset: at, more } }));
    }
    if (r.chance(40)) pieces.reverse();
    if (r.chance(15)) pieces.splice(r.below(pieces.length), 1);
    if (r.chance(15) && pieces.length > 0) pieces.push(r.pick(pieces));
    yield* pieces;
  }
}

function* others(r: Random): Conversation {
  const { client, server, link } = ends(r, 0);
  const kind = r.below(6);
  if (kind === 0) yield ethernet(link.vlans ?? [], 0x0806, [0, 1, 8, 0, 6, 4, 0, 1, ...r.bytes(20)]);
  else if (kind === 1) yield ip(client.address, server.address, 50, r.bytes(40), link);
  else if (kind === 2) yield ip(client.address, server.address, 132, [0x30, 0x39, 0x0b, 0x59, ...r.bytes(24)], link);
  else if (kind === 3)
    yield ip(
      [0xfe, 0x80, ...new Array<number>(13).fill(0), 1],
      [0xff, 2, ...new Array<number>(13).fill(0), 1],
      58,
      icmpMessage(new Array<number>(16).fill(0), new Array<number>(16).fill(0), r.pick([133, 135, 136]), 0, [0, 0, 0, 0], r.bytes(16)),
      { ttl: 255 },
    );
  else if (kind === 4) yield ethernet([1, 2, 3], 0x0800, r.bytes(60));
  else yield ip(client.address, server.address, 136, udpSegment(client, server, r.bytes(30)), link);
}

/** Makes a frame wrong somewhere: shorter, or with flipped bits in its headers. */
function damage(r: Random, frame: Frame): Frame {
  const damaged = [...frame];
  if (r.chance(40)) return damaged.slice(0, r.below(damaged.length + 1));
  for (let i = r.below(3); i >= 0; i--) {
    const at = 12 + r.below(Math.min(damaged.length, 80) - 12);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << r.below(8));
  }
  return damaged;
}

/** `count` packets. `damagedPercent` of them are malformed, as many were cut by a snap length. */
export function generateTraffic(seed: number, count: number, damagedPercent = 6): CapturedPacket[] {
  const r = new Random(seed);
  const packets: CapturedPacket[] = [];
  const running: Conversation[] = [];
  let now = 1_700_000_000_000_000_000n;
  const kinds = [tcp, tcp, tcp, udp, udp, echo, fragments, others];
  while (packets.length < count) {
    if (running.length < 24) running.push(r.pick(kinds)(r));
    const at = r.below(running.length);
    const { value: frame, done } = running[at]!.next();
    if (done || frame === undefined) {
      running.splice(at, 1);
      continue;
    }
    const bytes = frame.length > 14 && r.chance(damagedPercent) ? damage(r, frame) : frame;
    const padded = bytes.length < 60 && r.chance(50) ? [...bytes, ...new Array<number>(60 - bytes.length).fill(0)] : bytes;
    const captured = r.chance(damagedPercent / 2) ? padded.slice(0, r.below(padded.length + 1)) : padded;
    now += BigInt(r.chance(70) ? r.below(30_000) : r.chance(98) ? r.below(20_000_000) : r.below(2_000_000_000) * 6);
    packets.push({ timestampNs: r.chance(2) ? now - BigInt(r.below(5_000_000)) : now, data: Uint8Array.from(captured), wireLength: padded.length });
  }
  return packets;
}
