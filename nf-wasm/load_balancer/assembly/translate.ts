// Writes a flow's binding into its packets.
import { Flow, Packet, addDeltaAt, addUdpDeltaAt, checksumDelta, checksumDeltas, editedHeader } from "@nfactor/sdk";
import { Member } from "./maglev";
import { Binding } from "./state";

const TCP: u32 = 6;
/** Offset of the checksum in the header of TCP and UDP. */
const TCP_CHECKSUM: u32 = 16;
const UDP_CHECKSUM: u32 = 6;

function delta64(from: u64, to: u64): u32 {
  return checksumDeltas(checksumDelta(<u32>from, <u32>to), checksumDelta(<u32>(from >> 32), <u32>(to >> 32)));
}

function bindAddresses4(s: Binding, service: u32, backend: u32): void {
  s.address[0] = service;
  s.address[1] = backend;
  s.addressDelta[0] = <u16>checksumDelta(service, backend);
  s.addressDelta[1] = <u16>checksumDelta(backend, service);
}

function bindAddresses6(s: Binding, serviceHigh: u64, serviceLow: u64, backendHigh: u64, backendLow: u64): void {
  s.address6[0] = serviceHigh;
  s.address6[1] = serviceLow;
  s.address6[2] = backendHigh;
  s.address6[3] = backendLow;
  s.addressDelta[0] = <u16>checksumDeltas(delta64(serviceHigh, backendHigh), delta64(serviceLow, backendLow));
  s.addressDelta[1] = <u16>checksumDeltas(delta64(backendHigh, serviceHigh), delta64(backendLow, serviceLow));
}

/** Fills the binding of a flow to this backend. */
export function bind(s: Binding, f: Flow, backend: Member): void {
  if (f.ipVersion == 4) bindAddresses4(s, bswap<u32>(<u32>f.responderLow), bswap<u32>(<u32>backend.low));
  else bindAddresses6(s, bswap<u64>(f.responderHigh), bswap<u64>(f.responderLow), bswap<u64>(backend.high), bswap<u64>(backend.low));
  const p = <u32>bswap<u16>(<u16>f.responderPort);
  const q = <u32>bswap<u16>(<u16>backend.port);
  s.port[0] = <u16>p;
  s.port[1] = <u16>q;
  s.l4Delta[0] = <u16>checksumDeltas(<u32>s.addressDelta[0], checksumDelta(p, q));
  s.l4Delta[1] = <u16>checksumDeltas(<u32>s.addressDelta[1], checksumDelta(q, p));
  s.checksumAt = <u8>(f.protocol == TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
  s.backendAddress = <u32>backend.low;
  s.backendPort = <u16>backend.port;
  s.backend = <u16>backend.number;
}

/** Translates a packet of direction d; false, with nothing written, if it does not carry what the binding says. */
@inline
export function translate(p: Packet, s: Binding, d: u32): bool {
  const o = d ^ 1; // also: 1 where the destination changes, 0 where the source does
  const ipv4 = p.ipv4();
  const ip = ipv4 !== null ? changetype<usize>(ipv4) : changetype<usize>(p.ipv6());
  const l4 = ip + <usize>(p.l4Offset - p.l3Offset);
  const hasPorts = !p.isLaterFragment;
  if (hasPorts && <u32>load<u16>(l4 + <usize>(o << 1)) != s.port[d]) return false;
  if (ipv4 !== null) {
    const address = ip + 12 + <usize>(o << 2);
    if (load<u32>(address) != s.address[d]) return false;
    store<u32>(address, s.address[o]);
    addDeltaAt(ip + 10, s.addressDelta[d]);
  } else {
    const address = ip + 8 + <usize>(o << 4);
    if (load<u64>(address) != s.address6[d << 1] || load<u64>(address, 8) != s.address6[(d << 1) + 1]) return false;
    store<u64>(address, s.address6[o << 1]);
    store<u64>(address, s.address6[(o << 1) + 1], 8);
  }
  if (hasPorts) {
    store<u16>(l4 + <usize>(o << 1), <u16>s.port[o]);
    const checksumAt = <u32>s.checksumAt;
    if (checksumAt == UDP_CHECKSUM) addUdpDeltaAt(l4 + UDP_CHECKSUM, s.l4Delta[d]);
    else addDeltaAt(l4 + <usize>checksumAt, s.l4Delta[d]);
  }
  editedHeader();
  return true;
}

/**
 * An ICMP error of direction d, about a packet of the other direction: that packet was seen as it is on this error's side, and has
 * to look as it did where the error goes (RFC 5508, section 4). False, with nothing written, if it is not about this binding.
 *
 * From the servers' side any router may be the sender: it takes the service's address too. From the client's side the error has
 * to be for the service.
 */
export function translateError(p: Packet, s: Binding, d: u32): bool {
  const back = d == 1; // towards the client
  const port = <u32>bswap<u16>(<u16>s.port[d]);
  const tcp = p.innerTcp();
  const udp = p.innerUdp();
  if (tcp !== null) {
    if ((back ? tcp.dstPort : tcp.srcPort) != port) return false;
  } else if (udp === null || (back ? udp.dstPort : udp.srcPort) != port) return false;
  if (!(p.ipv4() !== null ? error4(p, s, d) : error6(p, s, d))) return false;
  const newPort = <u32>bswap<u16>(<u16>s.port[d ^ 1]);
  if (tcp !== null) {
    if (back) tcp.dstPort = newPort;
    else tcp.srcPort = newPort;
  } else if (udp !== null) {
    if (back) udp.dstPort = newPort;
    else udp.srcPort = newPort;
  }
  return true;
}

/** The addresses of an ICMP error. */
function error4(p: Packet, s: Binding, d: u32): bool {
  const ip = p.ipv4();
  const inner = p.innerIpv4();
  if (ip === null || inner === null) return false;
  const from = bswap<u32>(s.address[d]);
  const to = bswap<u32>(s.address[d ^ 1]);
  if (d == 1) {
    if (inner.dst != from) return false;
    inner.dst = to;
    ip.src = to;
  } else {
    if (inner.src != from || ip.dst != from) return false;
    inner.src = to;
    ip.dst = to;
  }
  return true;
}

function error6(p: Packet, s: Binding, d: u32): bool {
  const ip = p.ipv6();
  const inner = p.innerIpv6();
  if (ip === null || inner === null) return false;
  const fromHigh = bswap<u64>(s.address6[d << 1]);
  const fromLow = bswap<u64>(s.address6[(d << 1) + 1]);
  const o = d ^ 1;
  const toHigh = bswap<u64>(s.address6[o << 1]);
  const toLow = bswap<u64>(s.address6[(o << 1) + 1]);
  if (d == 1) {
    if (inner.dstHigh != fromHigh || inner.dstLow != fromLow) return false;
    inner.dstHigh = toHigh;
    inner.dstLow = toLow;
    ip.srcHigh = toHigh;
    ip.srcLow = toLow;
  } else {
    if (inner.srcHigh != fromHigh || inner.srcLow != fromLow || !ip.dstIs(fromHigh, fromLow)) return false;
    inner.srcHigh = toHigh;
    inner.srcLow = toLow;
    ip.dstHigh = toHigh;
    ip.dstLow = toLow;
  }
  return true;
}
