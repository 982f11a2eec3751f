/** What hostile artifacts get to see: packets of the flows that they attack, and of others that must not notice. */
import { ACK, SYN, icmpMessage, ip, tcpSegment, udpSegment } from "../conformance/frames.ts";

export interface TestPacket {
  timestampNs: bigint;
  bytes: Uint8Array;
}

const MS = 1_000_000n;
const CLIENT = [10, 0, 0, 1];
const SERVER = [10, 0, 9, 9];
/** Responder port of the attacked flows. */
export const VICTIM_PORT = 80;
/** What NFs without the right may not find. */
export const SECRET = "SeCrEt42";

const SECRETS = [...Buffer.from(`--${SECRET}--${SECRET}`)];
const at = (ms: bigint, frame: readonly number[]): TestPacket => ({ timestampNs: (1_000_000n + ms) * MS, bytes: Uint8Array.from(frame) });
const victim = (n: number) => ({ from: { address: CLIENT, port: 4000 + n }, to: { address: SERVER, port: VICTIM_PORT } });

function udp(n: number): number[] {
  const { from, to } = victim(n);
  return ip(CLIENT, SERVER, 17, udpSegment(from, to, SECRETS));
}

function tcp(n: number, sequence: number): number[] {
  const { from, to } = victim(n);
  return ip(CLIENT, SERVER, 6, tcpSegment(from, to, sequence, 0, sequence === 0 ? SYN : ACK, sequence === 0 ? [] : SECRETS));
}

/**
 * Three flows, 24 packets: two polls of several packets each, then single ones a tick apart, so that everything that can be called is called. Below
 * ten callbacks of a kind: more faults would quarantine the NF, and its packets with it.
 */
export function traffic(): TestPacket[] {
  const packets: TestPacket[] = [];
  for (const ms of [0n, 1n]) {
    for (let i = 0; i < 3; i++) packets.push(at(ms, udp(1)), at(ms, udp(2)), at(ms, tcp(3, i + Number(ms) * 3)));
  }
  for (const ms of [10n, 120n, 240n]) packets.push(at(ms, udp(1)), at(ms, udp(2)));
  return packets;
}

export interface MixedTraffic {
  victims: TestPacket[];
  others: TestPacket[];
  /** Both, in order. */
  all: TestPacket[];
}

/**
 * The same three flows among others, which share polls and calls with them. Nine of their packets, so that a fault of each does not quarantine the
 * NF: the others could not pass it then, however well they behave.
 */
export function mixedTraffic(): MixedTraffic {
  const mixed: MixedTraffic = { victims: [], others: [], all: [] };
  const add = (whose: "victims" | "others", ms: bigint, ...frames: number[][]): void => {
    for (const frame of frames) {
      const packet = at(ms, frame);
      mixed[whose].push(packet);
      mixed.all.push(packet);
    }
  };
  for (const [round, ms] of [0n, 1n, 10n].entries()) {
    add("others", ms, ...connection(round));
    add("victims", ms, udp(1));
    add("others", ms, ...twin());
    add("victims", ms, udp(2), tcp(3, round));
    add("others", ms, ...queries(round));
  }
  for (const ms of [120n, 240n]) add("others", ms, ...queries(Number(ms)));
  return mixed;
}

const TEXT = [...Buffer.from("of no interest")];

/** A TCP connection: its handshake, then a segment each round, acknowledged. */
function connection(round: number): number[][] {
  const [client, server] = [
    { address: CLIENT, port: 5000 },
    { address: SERVER, port: 443 },
  ];
  const next = 1 + round * TEXT.length;
  const there = (...segment: [number, number, number, number[]]): number[] => ip(CLIENT, SERVER, 6, tcpSegment(client, server, ...segment));
  const back = (...segment: [number, number, number, number[]]): number[] => ip(SERVER, CLIENT, 6, tcpSegment(server, client, ...segment));
  if (round === 0) return [there(0, 0, SYN, []), back(0, 1, SYN | ACK, []), there(1, 1, ACK, TEXT), back(1, next + TEXT.length, ACK, [])];
  return [there(next, 1, ACK, TEXT), back(1, next + TEXT.length, ACK, [])];
}

/** A flow that differs from an attacked one by a port only. */
function twin(): number[][] {
  const [client, server] = [victim(1).from, { address: SERVER, port: VICTIM_PORT + 1 }];
  return [ip(CLIENT, SERVER, 17, udpSegment(client, server, TEXT)), ip(SERVER, CLIENT, 17, udpSegment(server, client, TEXT))];
}

/** UDP over IPv6 and ping, with answers. */
function queries(round: number): number[][] {
  const host = (n: number): number[] => [0xfd, ...Array<number>(14).fill(0), n];
  const [client, server] = [
    { address: host(1), port: 5000 },
    { address: host(2), port: 53 },
  ];
  const identifier = [0, 7, 0, round];
  return [
    ip(client.address, server.address, 17, udpSegment(client, server, TEXT)),
    ip(server.address, client.address, 17, udpSegment(server, client, TEXT)),
    ip(CLIENT, SERVER, 1, icmpMessage(CLIENT, SERVER, 8, 0, identifier, TEXT)),
    ip(SERVER, CLIENT, 1, icmpMessage(SERVER, CLIENT, 0, 0, identifier, TEXT)),
  ];
}
