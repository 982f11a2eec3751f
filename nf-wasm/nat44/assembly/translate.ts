// Writes a flow's mapping into a packet.
import { Ipv4, Packet, addDeltaAt, addUdpDeltaAt, checksumDelta, checksumDeltas, editedHeader } from "@nfactor/sdk";
import { Mapping } from "./state";

export const ICMP: u32 = 1;
export const TCP: u32 = 6;
export const UDP: u32 = 17;

/** Offset of the checksum in the header of TCP, UDP and ICMP. */
export const TCP_CHECKSUM: u32 = 16;
export const UDP_CHECKSUM: u32 = 6;
export const ICMP_CHECKSUM: u32 = 2;

/** Fills the mapping. Addresses and ports in host order. */
export function map(s: Mapping, protocol: u32, inside: u32, insidePort: u32, outside: u32, outsidePort: u32): void {
  s.outsideAddress = outside;
  s.outsidePort = <u16>outsidePort;
  const a = bswap<u32>(inside);
  const b = bswap<u32>(outside);
  const p = <u32>bswap<u16>(<u16>insidePort);
  const q = <u32>bswap<u16>(<u16>outsidePort);
  s.address[0] = a;
  s.address[1] = b;
  s.port[0] = <u16>p;
  s.port[1] = <u16>q;
  s.checksumAt = <u8>(protocol == TCP ? TCP_CHECKSUM : protocol == UDP ? UDP_CHECKSUM : ICMP_CHECKSUM);
  s.addressDelta[0] = <u16>checksumDelta(a, b);
  s.addressDelta[1] = <u16>checksumDelta(b, a);
  const out = checksumDelta(p, q);
  const back = checksumDelta(q, p);
  // ICMP has no pseudo header: addresses do not count.
  s.l4Delta[0] = <u16>(protocol == ICMP ? out : checksumDeltas(<u32>s.addressDelta[0], out));
  s.l4Delta[1] = <u16>(protocol == ICMP ? back : checksumDeltas(<u32>s.addressDelta[1], back));
}

/** Translates a packet of direction d; false, with nothing written, if it does not carry what the mapping says. */
@inline
export function translate(p: Packet, ipv4: Ipv4, s: Mapping, d: u32): bool {
  const o = d ^ 1;
  const ip = changetype<usize>(ipv4);
  const address = ip + 12 + <usize>(d << 2); // source or destination
  if (load<u32>(address) != s.address[d]) return false;
  if (!p.isLaterFragment) {
    const l4 = ip + <usize>(p.l4Offset - p.l3Offset);
    const checksumAt = <u32>s.checksumAt;
    const port = l4 + (checksumAt == ICMP_CHECKSUM ? 4 : <usize>(d << 1)); // identifier, source or destination port
    if (<u32>load<u16>(port) != <u32>s.port[d]) return false;
    store<u16>(port, <u16>s.port[o]);
    if (checksumAt == UDP_CHECKSUM) addUdpDeltaAt(l4 + UDP_CHECKSUM, <u32>s.l4Delta[d]);
    else addDeltaAt(l4 + <usize>checksumAt, <u32>s.l4Delta[d]);
  }
  store<u32>(address, s.address[o]);
  addDeltaAt(ip + 10, <u32>s.addressDelta[d]);
  editedHeader();
  return true;
}

/**
 * An ICMP error of direction d, about a packet of the other direction: that packet was seen as it is on this error's side, and has
 * to look as it did where the error goes (RFC 5508, section 4). False, with nothing written, if it is not about this mapping.
 */
export function translateError(p: Packet, ipv4: Ipv4, s: Mapping, d: u32): bool {
  const inner = p.innerIpv4();
  if (inner === null) return false;
  const from = bswap<u32>(s.address[d]);
  const to = bswap<u32>(s.address[d ^ 1]);
  const port = <u32>bswap<u16>(<u16>s.port[d]);
  const newPort = <u32>bswap<u16>(<u16>s.port[d ^ 1]);
  const outward = d == 0;
  // From inside, any router may be the sender: it takes the outside address too. From outside, it must be for the mapping.
  if ((outward ? inner.dst : inner.src) != from || (!outward && ipv4.dst != from)) return false;
  const tcp = p.innerTcp();
  const udp = p.innerUdp();
  const icmp = p.innerIcmp();
  if (tcp !== null) {
    if ((outward ? tcp.dstPort : tcp.srcPort) != port) return false;
    if (outward) tcp.dstPort = newPort;
    else tcp.srcPort = newPort;
  } else if (udp !== null) {
    if ((outward ? udp.dstPort : udp.srcPort) != port) return false;
    if (outward) udp.dstPort = newPort;
    else udp.srcPort = newPort;
  } else if (icmp !== null) {
    if (icmp.identifier != port) return false;
    icmp.identifier = newPort;
  } else {
    return false;
  }
  if (outward) {
    inner.dst = to;
    ipv4.src = to;
  } else {
    inner.src = to;
    ipv4.dst = to;
  }
  return true;
}
