/**
 * Takes a frame apart: docs/packet_path.md, section 2. Pure; never reads beyond the captured bytes.
 *
 * Each step looks at one header. `Walk` holds the frame and what was found so far; a step that finds something wrong returns the drop reason,
 * else `none`.
 */
import { DropReason, LIMITS, PacketFlag } from "../abi/gen/abi.ts";
import { type Tuple, addressHex } from "./tuple.ts";

export interface Fragment {
  /** In units of 8 bytes. */
  offset: number;
  more: boolean;
  identification: number;
  /** Part of the datagram's key. */
  protocol: number;
}

export interface Packet {
  kind: "packet" | "later_fragment" | "icmp_error";
  ipVersion: 4 | 6;
  l3Offset: number;
  l4Offset: number;
  payloadOffset: number;
  /** Where the IP datagram ends in the frame; link padding may follow. */
  datagramEnd: number;
  /** packet_flag bits but FIRST. */
  flags: number;
  l4Protocol: number;
  /** 0 without a TCP header. */
  tcpFlags: number;
  fragment: Fragment | undefined;
  /** As the sender shows it; of an ICMP error the reverse of the inner tuple, with the frame's own VLAN ids. */
  tuple: Tuple;
  /** Source and destination of the outermost IP header. */
  source: string;
  destination: string;
}

export type ParseOutcome = { packet: Packet } | { drop: DropReason } | { nonIp: true };

const TAGS = [0x8100, 0x88a8, 0x9100];
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
export const Protocol = { ICMP: 1, TCP: 6, UDP: 17, ROUTING: 43, FRAGMENT: 44, AUTHENTICATION: 51, ICMPV6: 58, SCTP: 132, UDPLITE: 136 } as const;
/** Hop-by-hop, routing, destination, mobility, HIP, shim6: the length counts 8 bytes, the first not included. */
const EXTENSIONS = [0, Protocol.ROUTING, 60, 135, 139, 140];
const ICMPV4_ERRORS = [3, 4, 5, 11, 12];
const ICMPV6_ERRORS = [1, 2, 3, 4];
const ICMPV4_QUERIES = [0, 8, 13, 14, 15, 16, 17, 18];
const ICMPV6_QUERIES = [128, 129];
/** Neighbour discovery, believed with hop limit 255 only; multicast listener discovery, sent with hop limit 1. */
const NEIGHBOUR_DISCOVERY = [133, 134, 135, 136, 137];
const LISTENER_DISCOVERY = [130, 131, 132, 143];
const OK = DropReason.none;

export function parse(frame: Uint8Array, wireLength: number): ParseOutcome {
  if (wireLength > LIMITS.frame_bytes_max || frame.length > LIMITS.frame_bytes_max) return { drop: DropReason.frame_too_long };
  const walk = new Walk(frame, wireLength);
  let drop = walk.ethernet();
  if (drop !== OK) return { drop };
  if (walk.etherType !== IPV4 && walk.etherType !== IPV6) return { nonIp: true };
  drop = walk.etherType === IPV4 ? walk.ipv4() : walk.ipv6();
  if (drop !== OK) return { drop };
  drop = walk.fragmentBounds() || walk.l4() || walk.icmpError();
  if (drop !== OK) return { drop };
  if (walk.payloadOffset > LIMITS.header_stride) return { drop: DropReason.header_too_long };
  if (frame.length < walk.payloadOffset) return { drop: DropReason.truncated_headers };
  return walk.isLinkControl() ? { nonIp: true } : { packet: walk.packet() };
}

/** Where an IPv6 header chain ends. */
interface Chain {
  at: number;
  protocol: number;
  fragment: Fragment | undefined;
}

class Walk {
  readonly frame: Uint8Array;
  readonly wireLength: number;
  readonly #view: DataView;
  readonly vlan: number[] = [];
  etherType = 0;
  l3Offset = 0;
  l4Offset = 0;
  payloadOffset = 0;
  datagramEnd = 0;
  protocol = 0;
  fragment: Fragment | undefined;
  ports: readonly [number, number] = [0, 0];
  tcpFlags = 0;
  inner: Tuple | undefined;

  constructor(frame: Uint8Array, wireLength: number) {
    this.frame = frame;
    this.wireLength = Math.max(wireLength, frame.length);
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  }

  u8(at: number): number {
    return this.#view.getUint8(at);
  }
  u16(at: number): number {
    return this.#view.getUint16(at);
  }
  u32(at: number): number {
    return this.#view.getUint32(at);
  }

  /** `none` when `bytes` from `at` on have room before `end` and were captured. */
  fits(at: number, bytes: number, end: number, malformed: DropReason): DropReason {
    if (at + bytes > end) return malformed;
    return at + bytes > this.frame.length ? DropReason.truncated_headers : OK;
  }

  ethernet(): DropReason {
    const drop = this.fits(0, 14, this.wireLength, DropReason.malformed_ethernet);
    if (drop !== OK) return drop;
    let at = 12;
    while (TAGS.includes(this.u16(at)) && this.vlan.length < LIMITS.vlan_tags_max) {
      const cut = this.fits(at + 2, 4, this.wireLength, DropReason.malformed_ethernet);
      if (cut !== OK) return cut;
      this.vlan.push(this.u16(at + 2) & 0xfff);
      at += 4;
    }
    this.etherType = this.u16(at);
    this.l3Offset = at + 2;
    return OK;
  }

  ipv4(): DropReason {
    const at = this.l3Offset;
    const malformed = DropReason.malformed_ipv4;
    const drop = this.fits(at, 20, this.wireLength, malformed);
    if (drop !== OK) return drop;
    const headerBytes = (this.u8(at) & 15) * 4;
    const total = this.u16(at + 2);
    if (this.u8(at) >> 4 !== 4 || headerBytes < 20 || total < headerBytes) return malformed;
    if (at + total > this.wireLength) return malformed;
    this.datagramEnd = at + total;
    this.l4Offset = at + headerBytes;
    this.protocol = this.u8(at + 9);
    const word = this.u16(at + 6);
    const [more, offset] = [(word & 0x2000) !== 0, word & 0x1fff];
    if (more || offset !== 0) this.fragment = { offset, more, identification: this.u16(at + 4), protocol: this.protocol };
    return OK;
  }

  ipv6(): DropReason {
    const at = this.l3Offset;
    const malformed = DropReason.malformed_ipv6;
    const drop = this.fits(at, 40, this.wireLength, malformed);
    if (drop !== OK) return drop;
    this.datagramEnd = at + 40 + this.u16(at + 4);
    if (this.u8(at) >> 4 !== 6 || this.datagramEnd > this.wireLength) return malformed;
    const chain = this.extensions(at + 40, this.u8(at + 6), malformed);
    if (typeof chain === "number") return chain;
    this.l4Offset = chain.at;
    this.protocol = chain.protocol;
    const { fragment } = chain;
    if (fragment && (fragment.more || fragment.offset !== 0)) this.fragment = fragment;
    return OK;
  }

  extensions(start: number, firstHeader: number, malformed: DropReason): Chain | DropReason {
    let [at, protocol] = [start, firstHeader];
    let fragment: Fragment | undefined;
    for (let count = 0; ; count++) {
      const isFragment = protocol === Protocol.FRAGMENT;
      const isAuthentication = protocol === Protocol.AUTHENTICATION;
      if (!isFragment && !isAuthentication && !EXTENSIONS.includes(protocol)) return { at, protocol, fragment };
      if (count === LIMITS.ipv6_extension_headers_max || (isFragment && fragment)) return malformed;
      const drop = this.fits(at, 8, this.datagramEnd, malformed);
      if (drop !== OK) return drop;
      const next = this.u8(at);
      const bytes = isFragment ? 8 : isAuthentication ? (this.u8(at + 1) + 2) * 4 : 8 + this.u8(at + 1) * 8;
      if (at + bytes > this.datagramEnd) return malformed;
      if (isFragment) {
        const word = this.u16(at + 2);
        fragment = { offset: word >> 3, more: (word & 1) !== 0, identification: this.u32(at + 4), protocol: next };
        if (fragment.offset !== 0) return { at: at + 8, protocol: next, fragment };
      }
      [at, protocol] = [at + bytes, next];
    }
  }

  get isLaterFragment(): boolean {
    return this.fragment !== undefined && this.fragment.offset !== 0;
  }

  fragmentBounds(): DropReason {
    if (!this.fragment || this.fragment.offset * 8 + this.datagramEnd - this.l4Offset <= 0xffff) return OK;
    return DropReason.malformed_fragment;
  }

  /** Bytes of the fixed part of the L4 header; 0 for a protocol that is passed without one. */
  l4Bytes(): number {
    const isV4 = this.etherType === IPV4;
    switch (this.protocol) {
      case Protocol.TCP:
        return 20;
      case Protocol.SCTP:
        return 12;
      case Protocol.UDP:
      case Protocol.UDPLITE:
        return 8;
      case Protocol.ICMP:
        return isV4 ? 8 : 0;
      case Protocol.ICMPV6:
        return isV4 ? 0 : 8;
      default:
        return 0;
    }
  }

  l4(): DropReason {
    const at = this.l4Offset;
    const bytes = this.isLaterFragment ? 0 : this.l4Bytes();
    this.payloadOffset = at + bytes;
    if (bytes === 0) return OK;
    const malformed = this.fragment ? DropReason.malformed_fragment : DropReason.malformed_l4;
    const drop = this.fits(at, bytes, this.datagramEnd, malformed);
    if (drop !== OK) return drop;
    if (this.protocol === Protocol.TCP) {
      const headerBytes = (this.u8(at + 12) >> 4) * 4;
      if (headerBytes < 20 || at + headerBytes > this.datagramEnd) return malformed;
      this.payloadOffset = at + headerBytes;
      this.tcpFlags = this.u8(at + 13);
    }
    if (this.protocol === Protocol.UDP) {
      const length = this.u16(at + 4);
      if (length < 8 || (!this.fragment && at + length > this.datagramEnd)) return malformed;
    }
    this.ports = this.portsAt(at, this.protocol);
    return OK;
  }

  /** Ports, or what stands for them (section 3), of an L4 header of which 8 bytes were captured. */
  portsAt(at: number, protocol: number): readonly [number, number] {
    if (protocol !== this.icmpProtocol) return hasPorts(protocol) ? [this.u16(at), this.u16(at + 2)] : [0, 0];
    const type = this.u8(at);
    const value = this.isQuery(type) ? this.u16(at + 4) : type * 256 + this.u8(at + 1);
    return [value, value];
  }

  get icmpProtocol(): number {
    return this.etherType === IPV4 ? Protocol.ICMP : Protocol.ICMPV6;
  }
  isQuery(type: number): boolean {
    return (this.etherType === IPV4 ? ICMPV4_QUERIES : ICMPV6_QUERIES).includes(type);
  }

  icmpError(): DropReason {
    if (this.protocol !== this.icmpProtocol || this.fragment) return OK;
    if (!(this.etherType === IPV4 ? ICMPV4_ERRORS : ICMPV6_ERRORS).includes(this.u8(this.l4Offset))) return OK;
    const at = this.l4Offset + 8;
    const malformed = DropReason.malformed_icmp_error;
    const isV4 = this.etherType === IPV4;
    const fixed = isV4 ? 20 : 40;
    let drop = this.fits(at, fixed, this.datagramEnd, malformed);
    if (drop !== OK) return drop;
    if (this.u8(at) >> 4 !== (isV4 ? 4 : 6)) return malformed;
    const chain = isV4 ? this.innerIpv4(at) : this.extensions(at + 40, this.u8(at + 6), malformed);
    if (typeof chain === "number") return chain;
    drop = this.fits(chain.at, 8, this.datagramEnd, malformed);
    if (drop !== OK) return drop;
    this.payloadOffset = chain.at + 8;
    if (chain.fragment && chain.fragment.offset !== 0) return DropReason.icmp_error_no_flow;
    if (chain.protocol === this.icmpProtocol && !this.isQuery(this.u8(chain.at))) return DropReason.icmp_error_no_flow;
    const [sourcePort, destinationPort] = this.portsAt(chain.at, chain.protocol);
    this.inner = { ...this.tupleOf(at, chain.protocol), sourcePort, destinationPort };
    return OK;
  }

  innerIpv4(at: number): Chain | DropReason {
    const headerBytes = (this.u8(at) & 15) * 4;
    if (headerBytes < 20 || at + headerBytes > this.datagramEnd) return DropReason.malformed_icmp_error;
    const offset = this.u16(at + 6) & 0x1fff;
    const protocol = this.u8(at + 9);
    return { at: at + headerBytes, protocol, fragment: { offset, more: false, identification: 0, protocol } };
  }

  /** Without ports. */
  tupleOf(ip: number, protocol: number): Tuple {
    const [ipVersion, from, bytes] = this.etherType === IPV4 ? ([4, ip + 12, 4] as const) : ([6, ip + 8, 16] as const);
    const [source, destination] = [addressHex(this.frame, from, bytes), addressHex(this.frame, from + bytes, bytes)];
    return { ipVersion, protocol, vlan: this.vlan, source, sourcePort: 0, destination, destinationPort: 0 };
  }

  isLinkControl(): boolean {
    if (this.etherType !== IPV6 || this.protocol !== Protocol.ICMPV6 || this.fragment) return false;
    const [type, hopLimit] = [this.u8(this.l4Offset), this.u8(this.l3Offset + 7)];
    return (hopLimit === 255 && NEIGHBOUR_DISCOVERY.includes(type)) || (hopLimit === 1 && LISTENER_DISCOVERY.includes(type));
  }

  packet(): Packet {
    const own = { ...this.tupleOf(this.l3Offset, this.protocol), sourcePort: this.ports[0], destinationPort: this.ports[1] };
    const { inner } = this;
    const tuple = inner
      ? { ...inner, source: inner.destination, sourcePort: inner.destinationPort, destination: inner.source, destinationPort: inner.sourcePort }
      : own;
    const flags =
      (this.fragment ? PacketFlag.FRAGMENT : 0) |
      (this.isLaterFragment ? PacketFlag.LATER_FRAGMENT : 0) |
      (this.frame.length < this.datagramEnd ? PacketFlag.TRUNCATED : 0) |
      (inner ? PacketFlag.ICMP_ERROR : 0);
    return {
      kind: inner ? "icmp_error" : this.isLaterFragment ? "later_fragment" : "packet",
      ipVersion: own.ipVersion,
      l3Offset: this.l3Offset,
      l4Offset: this.l4Offset,
      payloadOffset: this.payloadOffset,
      datagramEnd: this.datagramEnd,
      flags,
      l4Protocol: this.protocol,
      tcpFlags: this.tcpFlags,
      fragment: this.fragment,
      tuple,
      source: own.source,
      destination: own.destination,
    };
  }
}

function hasPorts(protocol: number): boolean {
  return protocol === Protocol.TCP || protocol === Protocol.UDP || protocol === Protocol.SCTP || protocol === Protocol.UDPLITE;
}
