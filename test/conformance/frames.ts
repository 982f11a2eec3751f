/**
 * Frames for generated traffic, built by hand from the RFCs: a third opinion beside the SDK's packet builders and the parsers under test.
 * All numbers are in host order; addresses are byte arrays of 4 or 16.
 */
export interface Endpoint {
  address: number[];
  port: number;
}

const be16 = (n: number): number[] => [(n >>> 8) & 255, n & 255];
const be32 = (n: number): number[] => [...be16(n >>> 16), ...be16(n & 0xffff)];

export function sum16(bytes: readonly number[], start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
const checksum = (bytes: readonly number[], start = 0): number => ~sum16(bytes, start) & 0xffff;

/** Sum of the pseudo header (RFC 9293, RFC 8200). */
function pseudo(from: number[], to: number[], protocol: number, length: number): number {
  return sum16([...from, ...to, ...be32(length), 0, 0, 0, protocol]);
}

export function ethernet(vlans: readonly number[], etherType: number, body: readonly number[]): number[] {
  const tags = vlans.flatMap((id, i) => [...be16(vlans.length === 2 && i === 0 ? 0x88a8 : 0x8100), ...be16(id)]);
  return [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...tags, ...be16(etherType), ...body];
}

export interface IpOptions {
  vlans?: number[];
  id?: number;
  ttl?: number;
  /** IPv4: option bytes, a multiple of 4. */
  options?: number[];
  /** IPv6: extension headers as [type, body without its first byte]; lengths are the caller's. */
  extensions?: [number, number[]][];
  /** A fragment: bytes of payload before it (a multiple of 8), and whether more follow. */
  fragment?: { offset: number; more: boolean };
}

export function ip(from: number[], to: number[], protocol: number, payload: readonly number[], options: IpOptions = {}): number[] {
  const { vlans = [], id = 1, ttl = 64, fragment } = options;
  if (from.length === 4) {
    const extra = options.options ?? [];
    const flags = fragment ? (fragment.more ? 0x2000 : 0) | (fragment.offset >>> 3) : 0x4000;
    const header = [
      0x45 + extra.length / 4,
      0,
      ...be16(20 + extra.length + payload.length),
      ...be16(id),
      ...be16(flags),
      ttl,
      protocol,
      0,
      0,
      ...from,
      ...to,
      ...extra,
    ];
    const sum = checksum(header);
    header[10] = sum >>> 8;
    header[11] = sum & 255;
    return ethernet(vlans, 0x0800, [...header, ...payload]);
  }
  const chain: [number, number[]][] = [...(options.extensions ?? [])];
  if (fragment) chain.push([44, [0, ...be16(fragment.offset | (fragment.more ? 1 : 0)), ...be32(id)]]);
  const next = (i: number): number => chain[i]?.[0] ?? protocol;
  const headers = chain.flatMap(([, body], i) => [next(i + 1), ...body]);
  const length = headers.length + payload.length;
  return ethernet(vlans, 0x86dd, [0x60, 0, 0, 0, ...be16(length), next(0), ttl, ...from, ...to, ...headers, ...payload]);
}

function withChecksum(segment: number[], at: number, from: Endpoint, to: Endpoint, protocol: number): number[] {
  const sum = checksum(segment, pseudo(from.address, to.address, protocol, segment.length)) || 0xffff;
  segment[at] = sum >>> 8;
  segment[at + 1] = sum & 255;
  return segment;
}

export function udpSegment(from: Endpoint, to: Endpoint, payload: readonly number[]): number[] {
  return withChecksum([...be16(from.port), ...be16(to.port), ...be16(8 + payload.length), 0, 0, ...payload], 6, from, to, 17);
}

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

export function tcpSegment(
  from: Endpoint,
  to: Endpoint,
  seq: number,
  ack: number,
  flags: number,
  payload: readonly number[] = [],
  options: number[] = [],
  window = 64240,
): number[] {
  const head = [
    ...be16(from.port),
    ...be16(to.port),
    ...be32(seq >>> 0),
    ...be32(ack >>> 0),
    (5 + options.length / 4) << 4,
    flags,
    ...be16(window),
    0,
    0,
    0,
    0,
  ];
  return withChecksum([...head, ...options, ...payload], 16, from, to, 6);
}

/** ICMP or ICMPv6 message; `rest` are the four bytes behind the checksum. */
export function icmpMessage(from: number[], to: number[], type: number, code: number, rest: number[], body: readonly number[]): number[] {
  const message = [type, code, 0, 0, ...rest, ...body];
  const sum = checksum(message, from.length === 16 ? pseudo(from, to, 58, message.length) : 0);
  message[2] = sum >>> 8;
  message[3] = sum & 255;
  return message;
}
