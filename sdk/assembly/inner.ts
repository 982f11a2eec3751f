// Views of the headers inside an ICMP error: those of the packet that it is about. Of the inner L4 header only the first 8 bytes
// are there.
//
// A setter mends what lies inside (IPv4 header checksum; the checksum of UDP and ICMP, which the 8 bytes show; TCP's they do not)
// and, for each 16-bit word that changed, the checksum of the ICMP message around it. All words lie at even offsets of the message.
import { Descriptor } from "./abi";
import { PROTOCOL_ICMPV6, PROTOCOL_UDP, PROTOCOL_UDP_LITE, updateAt, updated } from "./checksum";
import { current, editedHeader } from "./runtime";

/** Protocol of an inner packet whose IP header is at `ip` and whose L4 header is at `l4`: IPv6 extension headers lie between. */
export function innerProtocol(ip: usize, l4: usize): u32 {
  if (load<u8>(ip) >> 4 == 4) return <u32>load<u8>(ip, 9);
  let protocol = <u32>load<u8>(ip, 6);
  for (let at = ip + 40; at + 2 <= l4;) {
    const length = <u32>load<u8>(at, 1);
    const bytes: u32 = protocol == 44 ? 8 : protocol == 51 ? (length + 2) << 2 : (length + 1) << 3;
    protocol = <u32>load<u8>(at);
    at += <usize>bytes;
  }
  return protocol;
}

/** The ICMP checksum of the packet in hand follows a change of one of the words it covers. */
function outerChanged(from: u32, to: u32): void {
  const d = changetype<Descriptor>(current);
  updateAt(<usize>d.header + <usize>d.l4_offset + 2, from, to);
}

/** Writes a word of the inner packet. */
function put16(address: usize, to: u32): void {
  const from = <u32>load<u16>(address);
  if (from == to) return;
  store<u16>(address, <u16>to);
  outerChanged(from, to);
}

/** Brings a checksum of the inner packet up to date. `udp`: 0 says that there is none. */
function mend(address: usize, from: u32, to: u32, udp: bool): void {
  const before = <u32>load<u16>(address);
  if (udp && before == 0) return;
  const after = updated(before, from, to);
  put16(address, udp && after == 0 ? 0xffff : after);
}

/** The inner L4 checksum follows a change of an address, where it is visible and covers addresses. */
function innerPseudoChanged(ip: usize, from: u32, to: u32): void {
  const d = changetype<Descriptor>(current);
  const l4 = <usize>d.header + <usize>d.header_length - 8;
  const protocol = innerProtocol(ip, l4);
  if (protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDP_LITE) mend(l4 + 6, from, to, true);
  else if (protocol == PROTOCOL_ICMPV6) mend(l4 + 2, from, to, false);
}

function setIpv4Address(ip: usize, offset: usize, value: u32): void {
  const address = ip + offset;
  const before = load<u32>(address);
  const after = bswap<u32>(value);
  if (before == after) return;
  put16(address, after & 0xffff);
  put16(address + 2, after >>> 16);
  mend(ip + 10, before, after, false);
  innerPseudoChanged(ip, before, after);
  editedHeader();
}

function setIpv6Half(ip: usize, offset: usize, value: u64): void {
  for (let i: usize = 0; i < 8; i += 4) {
    const address = ip + offset + i;
    const before = load<u32>(address);
    const after = bswap<u32>(<u32>(value >> (32 - ((<u64>i) << 3))));
    if (before == after) continue;
    put16(address, after & 0xffff);
    put16(address + 2, after >>> 16);
    innerPseudoChanged(ip, before, after);
  }
  editedHeader();
}

@unmanaged
@final
export class InnerIpv4 {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get headerLength(): u32 {
    return ((<u32>load<u8>(this.at)) & 15) << 2;
  }
  @inline get totalLength(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 2));
  }
  @inline get id(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
  @inline get ttl(): u32 {
    return <u32>load<u8>(this.at, 8);
  }
  @inline get protocol(): u32 {
    return <u32>load<u8>(this.at, 9);
  }
  @inline get checksum(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 10));
  }
  @inline get src(): u32 {
    return bswap<u32>(load<u32>(this.at, 12));
  }
  @inline get dst(): u32 {
    return bswap<u32>(load<u32>(this.at, 16));
  }
  @inline set src(value: u32) {
    setIpv4Address(this.at, 12, value);
  }
  @inline set dst(value: u32) {
    setIpv4Address(this.at, 16, value);
  }
}

@unmanaged
@final
export class InnerIpv6 {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get payloadLength(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
  @inline get nextHeader(): u32 {
    return <u32>load<u8>(this.at, 6);
  }
  @inline get hopLimit(): u32 {
    return <u32>load<u8>(this.at, 7);
  }
  @inline get srcHigh(): u64 {
    return bswap<u64>(load<u64>(this.at, 8));
  }
  @inline get srcLow(): u64 {
    return bswap<u64>(load<u64>(this.at, 16));
  }
  @inline get dstHigh(): u64 {
    return bswap<u64>(load<u64>(this.at, 24));
  }
  @inline get dstLow(): u64 {
    return bswap<u64>(load<u64>(this.at, 32));
  }
  @inline set srcHigh(value: u64) {
    setIpv6Half(this.at, 8, value);
  }
  @inline set srcLow(value: u64) {
    setIpv6Half(this.at, 16, value);
  }
  @inline set dstHigh(value: u64) {
    setIpv6Half(this.at, 24, value);
  }
  @inline set dstLow(value: u64) {
    setIpv6Half(this.at, 32, value);
  }
}

@unmanaged
@final
export class InnerTcp {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get srcPort(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at));
  }
  @inline get dstPort(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 2));
  }
  @inline get seq(): u32 {
    return bswap<u32>(load<u32>(this.at, 4));
  }
  /** The inner TCP checksum does not show: it stays as it was, as RFC 5508 has it. */
  @inline set srcPort(value: u32) {
    put16(this.at, <u32>bswap<u16>(<u16>value));
    editedHeader();
  }
  @inline set dstPort(value: u32) {
    put16(this.at + 2, <u32>bswap<u16>(<u16>value));
    editedHeader();
  }
}

@unmanaged
@final
export class InnerUdp {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get srcPort(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at));
  }
  @inline get dstPort(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 2));
  }
  @inline get length(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
  @inline get checksum(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 6));
  }
  @inline set srcPort(value: u32) {
    setInnerWord(this.at, 0, value, 6, true);
  }
  @inline set dstPort(value: u32) {
    setInnerWord(this.at, 2, value, 6, true);
  }
}

@unmanaged
@final
export class InnerIcmp {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get type(): u32 {
    return <u32>load<u8>(this.at);
  }
  @inline get code(): u32 {
    return <u32>load<u8>(this.at, 1);
  }
  @inline get checksum(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 2));
  }
  @inline get identifier(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
  @inline get sequence(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 6));
  }
  @inline set identifier(value: u32) {
    setInnerWord(this.at, 4, value, 2, false);
  }
  @inline set sequence(value: u32) {
    setInnerWord(this.at, 6, value, 2, false);
  }
}

function setInnerWord(l4: usize, offset: usize, value: u32, checksum: usize, udp: bool): void {
  const before = <u32>load<u16>(l4 + offset);
  const after = <u32>bswap<u16>(<u16>value);
  if (before == after) return;
  put16(l4 + offset, after);
  mend(l4 + checksum, before, after, udp);
  editedHeader();
}
