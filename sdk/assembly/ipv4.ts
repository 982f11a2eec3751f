// A view of an IPv4 header: a pointer to its first byte. The host has parsed it, so the 20 bytes are there.
import { pseudoHeaderChanged, updateAt } from "./checksum";
import { editedHeader } from "./runtime";

@unmanaged
@final
export class Ipv4 {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get version(): u32 {
    return (<u32>load<u8>(this.at)) >> 4;
  }
  /** Bytes, options included. */
  @inline get headerLength(): u32 {
    return ((<u32>load<u8>(this.at)) & 15) << 2;
  }
  @inline get dscp(): u32 {
    return (<u32>load<u8>(this.at, 1)) >> 2;
  }
  @inline get ecn(): u32 {
    return (<u32>load<u8>(this.at, 1)) & 3;
  }
  /** Bytes of the datagram, header included. */
  @inline get totalLength(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 2));
  }
  @inline get id(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
  @inline get dontFragment(): bool {
    return ((<u32>load<u8>(this.at, 6)) & 0x40) != 0;
  }
  @inline get moreFragments(): bool {
    return ((<u32>load<u8>(this.at, 6)) & 0x20) != 0;
  }
  /** Bytes. */
  @inline get fragmentOffset(): u32 {
    return ((<u32>bswap<u16>(load<u16>(this.at, 6))) & 0x1fff) << 3;
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

  /** src == address, without swapping the packet's bytes. */
  @inline srcIs(address: u32): bool {
    return load<u32>(this.at, 12) == bswap<u32>(address);
  }
  @inline dstIs(address: u32): bool {
    return load<u32>(this.at, 16) == bswap<u32>(address);
  }

  @inline set dscp(value: u32) {
    const before = <u32>load<u16>(this.at);
    store<u8>(this.at, <u8>((value << 2) | ((<u32>load<u8>(this.at, 1)) & 3)), 1);
    updateAt(this.at + 10, before, <u32>load<u16>(this.at));
    editedHeader();
  }
  @inline set ecn(value: u32) {
    const before = <u32>load<u16>(this.at);
    store<u8>(this.at, <u8>((value & 3) | ((<u32>load<u8>(this.at, 1)) & 0xfc)), 1);
    updateAt(this.at + 10, before, <u32>load<u16>(this.at));
    editedHeader();
  }
  @inline set id(value: u32) {
    const before = <u32>load<u16>(this.at, 4);
    const after = <u32>bswap<u16>(<u16>value);
    store<u16>(this.at, <u16>after, 4);
    updateAt(this.at + 10, before, after);
    editedHeader();
  }
  @inline set ttl(value: u32) {
    const before = <u32>load<u16>(this.at, 8);
    store<u8>(this.at, <u8>value, 8);
    updateAt(this.at + 10, before, <u32>load<u16>(this.at, 8));
    editedHeader();
  }
  /** Also brings the checksum of TCP and UDP up to date. */
  @inline set src(value: u32) {
    setAddress(this.at, 12, value);
  }
  /** Also brings the checksum of TCP and UDP up to date. */
  @inline set dst(value: u32) {
    setAddress(this.at, 16, value);
  }
}

function setAddress(header: usize, offset: usize, value: u32): void {
  const before = load<u32>(header + offset);
  const after = bswap<u32>(value);
  if (before == after) return;
  store<u32>(header + offset, after);
  updateAt(header + 10, before, after);
  pseudoHeaderChanged(before, after);
  editedHeader();
}
