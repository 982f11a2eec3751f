// A view of an IPv6 header: a pointer to its first byte. Addresses are two 64-bit words in host order, high word first.
import { pseudoHeaderChanged } from "./checksum";
import { editedHeader } from "./runtime";

@unmanaged
@final
export class Ipv6 {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get version(): u32 {
    return (<u32>load<u8>(this.at)) >> 4;
  }
  @inline get trafficClass(): u32 {
    return (bswap<u32>(load<u32>(this.at)) >>> 20) & 0xff;
  }
  @inline get flowLabel(): u32 {
    return bswap<u32>(load<u32>(this.at)) & 0xfffff;
  }
  /** Bytes behind the 40 of this header, extension headers included. */
  @inline get payloadLength(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
  /** The header that follows this one: an extension header's number, or the protocol. See Packet.protocol. */
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

  @inline srcIs(high: u64, low: u64): bool {
    return load<u64>(this.at, 8) == bswap<u64>(high) && load<u64>(this.at, 16) == bswap<u64>(low);
  }
  @inline dstIs(high: u64, low: u64): bool {
    return load<u64>(this.at, 24) == bswap<u64>(high) && load<u64>(this.at, 32) == bswap<u64>(low);
  }

  @inline set trafficClass(value: u32) {
    const word = bswap<u32>(load<u32>(this.at));
    store<u32>(this.at, bswap<u32>((word & 0xf00fffff) | ((value & 0xff) << 20)));
    editedHeader();
  }
  @inline set flowLabel(value: u32) {
    const word = bswap<u32>(load<u32>(this.at));
    store<u32>(this.at, bswap<u32>((word & 0xfff00000) | (value & 0xfffff)));
    editedHeader();
  }
  @inline set hopLimit(value: u32) {
    store<u8>(this.at, <u8>value, 7);
    editedHeader();
  }
  /** Also brings the checksum of TCP, UDP and ICMPv6 up to date, as the three below do. */
  @inline set srcHigh(value: u64) {
    setHalf(this.at + 8, value);
  }
  @inline set srcLow(value: u64) {
    setHalf(this.at + 16, value);
  }
  @inline set dstHigh(value: u64) {
    setHalf(this.at + 24, value);
  }
  @inline set dstLow(value: u64) {
    setHalf(this.at + 32, value);
  }
}

function setHalf(address: usize, value: u64): void {
  const before = load<u64>(address);
  const after = bswap<u64>(value);
  if (before == after) return;
  store<u64>(address, after);
  pseudoHeaderChanged(<u32>before, <u32>after);
  pseudoHeaderChanged(<u32>(before >> 32), <u32>(after >> 32));
  editedHeader();
}
