/**
 * Frames for tests, built from a line of text and what differs from the usual: `udp("10.0.0.1:1000 > 10.0.0.2:53", { payload: "hi" })`.
 *
 * Lengths and checksums are right; a test that wants them wrong writes over the bytes of the result, or says so (`badChecksum`).
 */
import { addressBytes, type Path, parsePath } from "./endpoints.ts";
import { checksum, pseudoSum } from "./checksum.ts";

export type Bytes = Uint8Array | readonly number[] | string;

/** What every frame has. */
export interface FrameOptions {
  /** VLAN ids, outer first; a number is one tag. Two tags are QinQ (0x88a8 outside). */
  vlan?: number | readonly number[];
  sourceMac?: string;
  destinationMac?: string;
  /** Link padding behind the datagram: zero bytes up to this length of the frame. */
  padTo?: number;
}

export interface IpOptions extends FrameOptions {
  ttl?: number;
  /** Identification; 16 bits for IPv4, 32 bits in a fragment header for IPv6. */
  id?: number;
  /** Type of service, traffic class. */
  tos?: number;
  /** IPv4 options, a multiple of 4 bytes. */
  ipOptions?: Bytes;
  /** IPv6 extension headers as [type, whole header with any first byte]. */
  extensions?: readonly (readonly [number, Bytes])[];
  dontFragment?: boolean;
  /** Makes this a fragment: its place in bytes, and whether more follow. */
  fragment?: { offset: number; more: boolean };
}

export interface L4Options extends IpOptions {
  payload?: Bytes;
  badChecksum?: boolean;
}

export interface TcpOptions extends L4Options {
  /** Letters of FIN, SYN, RST, PSH, ACK, URG, ECE, CWR: "S", "SA", "PA", "F"… Default "A". */
  flags?: string;
  seq?: number;
  ack?: number;
  window?: number;
  urgent?: number;
  /** TCP options, padded to a multiple of 4 bytes. */
  tcpOptions?: Bytes;
}

export interface EchoOptions extends L4Options {
  /** Identifier; default 1. */
  identifier?: number;
  sequence?: number;
  reply?: boolean;
}

const TCP_FLAGS = "FSRPAUEC";

export function udp(path: string, options: L4Options = {}): Uint8Array {
  const { source, destination } = parsePath(path);
  const payload = toBytes(options.payload ?? "");
  const segment = join(be16(source.port), be16(destination.port), be16(8 + payload.length), [0, 0], payload);
  // A UDP checksum of zero means that there is none.
  return ip(path, 17, withChecksum(path, 17, segment, 6, options, 0xffff), options);
}

export function tcp(path: string, options: TcpOptions = {}): Uint8Array {
  const { source, destination } = parsePath(path);
  const { flags = "A", seq = 0, ack = 0, window = 65_535, urgent = 0, tcpOptions = [], payload = "" } = options;
  const bits = [...flags].reduce((sum, letter) => {
    const bit = TCP_FLAGS.indexOf(letter);
    if (bit < 0) throw new TypeError(`'${letter}' is no TCP flag; flags are ${TCP_FLAGS}`);
    return sum | (1 << bit);
  }, 0);
  const extra = toBytes(tcpOptions);
  const padding = -extra.length & 3;
  const words = (20 + extra.length + padding) / 4;
  const head = join(be16(source.port), be16(destination.port), be32(seq), be32(ack), [words << 4, bits], be16(window), [0, 0], be16(urgent));
  return ip(path, 6, withChecksum(path, 6, join(head, extra, new Uint8Array(padding), toBytes(payload)), 16, options), options);
}

/** Echo request or reply, ICMP or ICMPv6. */
export function icmpEcho(path: string, options: EchoOptions = {}): Uint8Array {
  const { identifier = 1, sequence = 1, reply = false, payload = "" } = options;
  const isV4 = parsePath(path).ipVersion === 4;
  const type = isV4 ? (reply ? 0 : 8) : reply ? 129 : 128;
  return icmp(path, type, 0, join(be16(identifier), be16(sequence), toBytes(payload)), options);
}

/** Any ICMP or ICMPv6 message; `body` follows type, code and checksum. */
export function icmp(path: string, type: number, code: number, body: Bytes, options: L4Options = {}): Uint8Array {
  const protocol = parsePath(path).ipVersion === 4 ? 1 : 58;
  return ip(path, protocol, withChecksum(path, protocol, join([type, code, 0, 0], toBytes(body)), 2, options), options);
}

export interface IcmpErrorOptions extends L4Options {
  /** Sender; default is the destination of the packet that the error is about. */
  from?: string;
  type?: number;
  code?: number;
  /** The 4 bytes behind the checksum (the MTU, for instance). */
  rest?: Bytes;
  /** Bytes of the packet behind its IP header that the error quotes; default 8. */
  quote?: number;
}

/** An ICMP error (default: port unreachable) about a frame, sent to its source; with the frame's VLAN tags unless others are given. */
export function icmpError(about: Uint8Array, options: IcmpErrorOptions = {}): Uint8Array {
  const { at, tags } = l3Of(about);
  const isV4 = about[at]! >> 4 === 4;
  const [from, bytes] = isV4 ? [at + 12, 4] : [at + 8, 16];
  const [source, destination] = [addressText(about.slice(from, from + bytes)), addressText(about.slice(from + bytes, from + 2 * bytes))];
  const { type = isV4 ? 3 : 1, code = isV4 ? 3 : 4, rest = [0, 0, 0, 0], quote = 8 } = options;
  const header = isV4 ? (about[at]! & 15) * 4 : 40;
  const inner = about.slice(at, Math.min(about.length, at + header + quote));
  return icmp(`${options.from ?? destination} > ${source}`, type, code, join(toBytes(rest), inner), { vlan: tags, ...options });
}

/** Any IP packet; of the path only the addresses count. */
export function ip(path: string, protocol: number, payload: Bytes, options: IpOptions = {}): Uint8Array {
  const parsed = parsePath(path);
  const body = toBytes(payload);
  return parsed.ipVersion === 4
    ? ethernet(0x0800, ipv4(parsed, protocol, body, options), options)
    : ethernet(0x86dd, ipv6(parsed, protocol, body, options), options);
}

function ipv4({ source, destination }: Path, protocol: number, payload: Uint8Array, options: IpOptions): Uint8Array {
  const { ttl = 64, id = 1, tos = 0, ipOptions = [], fragment, dontFragment = !fragment } = options;
  const extra = toBytes(ipOptions);
  if (extra.length % 4 !== 0) throw new TypeError("IPv4 options have a multiple of 4 bytes");
  const word = (dontFragment ? 0x4000 : 0) | (fragment?.more ? 0x2000 : 0) | ((fragment?.offset ?? 0) >> 3);
  const addresses = [addressBytes(source.address), addressBytes(destination.address)];
  const length = 20 + extra.length + payload.length;
  const header = join([0x45 + extra.length / 4, tos], be16(length), be16(id), be16(word), [ttl, protocol, 0, 0], ...addresses, extra);
  header.set(be16(checksum(header)), 10);
  return join(header, payload);
}

function ipv6({ source, destination }: Path, protocol: number, payload: Uint8Array, options: IpOptions): Uint8Array {
  const { ttl = 64, id = 1, tos = 0, extensions = [], fragment } = options;
  const fragmentHeader: [number, Bytes][] = fragment ? [[44, join([0, 0], be16(fragment.offset | (fragment.more ? 1 : 0)), be32(id))]] : [];
  const chain = [...extensions, ...fragmentHeader];
  const headers = chain.map(([, bytes], i) => {
    const header = toBytes(bytes).slice();
    header[0] = chain[i + 1]?.[0] ?? protocol;
    return header;
  });
  const body = join(...headers, payload);
  const first = chain[0]?.[0] ?? protocol;
  return join(
    [0x60 | (tos >> 4), (tos & 15) << 4, 0, 0],
    be16(body.length),
    [first, ttl],
    addressBytes(source.address),
    addressBytes(destination.address),
    body,
  );
}

/** A frame with any EtherType. */
export function ethernet(etherType: number, payload: Bytes, options: FrameOptions = {}): Uint8Array {
  const { vlan = [], sourceMac = "02:00:00:00:00:01", destinationMac = "02:00:00:00:00:02", padTo = 0 } = options;
  const ids = typeof vlan === "number" ? [vlan] : vlan;
  const tags = ids.map((id, i) => join(be16(ids.length === 2 && i === 0 ? 0x88a8 : 0x8100), be16(id)));
  const frame = join(mac(destinationMac), mac(sourceMac), ...tags, be16(etherType), toBytes(payload));
  return frame.length < padTo ? join(frame, new Uint8Array(padTo - frame.length)) : frame;
}

/** The fragments of a frame's datagram with at most `bytes` (a multiple of 8) of payload each; the frame must have no extension headers. */
export function fragments(frame: Uint8Array, bytes: number, id = 1): Uint8Array[] {
  if (bytes < 8 || bytes % 8 !== 0) throw new TypeError("fragments carry a multiple of 8 bytes");
  const { at } = l3Of(frame);
  const isV4 = frame[at]! >> 4 === 4;
  const end = at + (isV4 ? (frame[at + 2]! << 8) | frame[at + 3]! : 40 + ((frame[at + 4]! << 8) | frame[at + 5]!));
  const start = at + (isV4 ? (frame[at]! & 15) * 4 : 40);
  const payload = frame.slice(start, end);
  const out: Uint8Array[] = [];
  for (let offset = 0; offset < payload.length; offset += bytes) {
    const piece = payload.subarray(offset, offset + bytes);
    const more = offset + bytes < payload.length;
    out.push(isV4 ? fragment4(frame, at, start, piece, offset, more, id) : fragment6(frame, at, piece, offset, more, id));
  }
  return out;
}

function fragment4(frame: Uint8Array, at: number, start: number, piece: Uint8Array, offset: number, more: boolean, id: number): Uint8Array {
  const out = join(frame.subarray(0, start), piece);
  out.set(join(be16(out.length - at), be16(id), be16((more ? 0x2000 : 0) | (offset >> 3))), at + 2);
  out.set([0, 0], at + 10);
  out.set(be16(checksum(out.subarray(at, start))), at + 10);
  return out;
}

function fragment6(frame: Uint8Array, at: number, piece: Uint8Array, offset: number, more: boolean, id: number): Uint8Array {
  const header = join([frame[at + 6]!, 0], be16(offset | (more ? 1 : 0)), be32(id));
  const out = join(frame.subarray(0, at + 40), header, piece);
  out.set(be16(8 + piece.length), at + 4);
  out[at + 6] = 44;
  return out;
}

// Parts.

/** Offset of the IP header, and the VLAN ids before it. */
function l3Of(frame: Uint8Array): { at: number; tags: number[] } {
  const tags: number[] = [];
  let at = 12;
  for (; [0x8100, 0x88a8].includes((frame[at]! << 8) | frame[at + 1]!); at += 4) tags.push(((frame[at + 2]! & 15) << 8) | frame[at + 3]!);
  return { at: at + 2, tags };
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  return Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16)).join(":");
}

/** Puts the checksum at `at`; `zero` is what is written for 0. */
function withChecksum(path: string, protocol: number, segment: Uint8Array, at: number, options: L4Options, zero = 0): Uint8Array {
  const { source, destination } = parsePath(path);
  // ICMP of IPv4 is the one without a pseudo header.
  const start = protocol === 1 ? 0 : pseudoSum(addressBytes(source.address), addressBytes(destination.address), protocol, segment.length);
  const right = checksum(segment, start) || zero;
  segment.set(be16(options.badChecksum ? right ^ 0x5555 : right), at);
  return segment;
}

function mac(text: string): Uint8Array {
  return Uint8Array.from(text.split(":").map((part) => Number.parseInt(part, 16)));
}

export function toBytes(bytes: Bytes): Uint8Array {
  return typeof bytes === "string" ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes);
}
function be16(n: number): number[] {
  return [(n >>> 8) & 255, n & 255];
}
function be32(n: number): number[] {
  return [...be16(n >>> 16), ...be16(n & 0xffff)];
}
function join(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
