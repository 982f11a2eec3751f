// The payload of the packet in hand: a view of its descriptor. Reading needs `view: payload` (without it the length is 0), writing
// `edit: payload`. Readers give host order and fault behind the end: ask has() or length first.
//
// A setter keeps the checksum of TCP, UDP and ICMP right, unless the packet is a later fragment (the header went before) or the
// byte lies behind the part that UDP's length covers.
import { Descriptor, PacketFlag } from "./abi";
import { Bytes } from "./bytes";
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_UDP_LITE, updateAt, updateUdpAt } from "./checksum";
import { editedPayload } from "./runtime";

@unmanaged
@final
export class Payload {
  // prettier-ignore
  @inline private get d(): Descriptor { return changetype<Descriptor>(this); }

  /** Bytes that can be read: those captured, and 0 without the right. */
  @inline get length(): u32 {
    return <u32>this.d.payload_length;
  }
  /** Guest address of the first byte, for load by hand; 0 without the right. */
  @inline get address(): usize {
    return <usize>this.d.payload;
  }
  @inline has(i: u32, n: u32): bool {
    return <u64>i + <u64>n <= <u64>this.length;
  }
  @inline private at(i: u32, n: u32): usize {
    if (!this.has(i, n)) throw new RangeError("payload: the index lies behind the end");
    return <usize>this.d.payload + <usize>i;
  }
  @inline @operator("[]") private __get(i: u32): u32 {
    return <u32>load<u8>(this.at(i, 1));
  }
  @inline u8(i: u32): u32 {
    return <u32>load<u8>(this.at(i, 1));
  }
  @inline u16(i: u32): u32 {
    return <u32>bswap<u16>(load<u16>(this.at(i, 2)));
  }
  @inline u32(i: u32): u32 {
    return bswap<u32>(load<u32>(this.at(i, 4)));
  }
  @inline u64(i: u32): u64 {
    return bswap<u64>(load<u64>(this.at(i, 8)));
  }
  /** Index of the first such byte at or behind `from`; -1 if there is none. */
  find(byte: u32, from: u32 = 0): i32 {
    const start = <usize>this.d.payload;
    const length = this.length;
    for (let i = from; i < length; i++) {
      if (<u32>load<u8>(start + <usize>i) == byte) return <i32>i;
    }
    return -1;
  }
  /** True when the bytes from `from` on are this text (ASCII). */
  matches(from: u32, text: string): bool {
    const n = <u32>text.length;
    if (!this.has(from, n)) return false;
    const start = <usize>this.d.payload + <usize>from;
    for (let i: u32 = 0; i < n; i++) {
      if (<u32>load<u8>(start + <usize>i) != <u32>text.charCodeAt(i)) return false;
    }
    return true;
  }
  /** Copies into a field of the state: from (here), to (there), count. */
  copyTo(target: Bytes, from: u32, to: u32, count: u32): void {
    if (<u64>to + <u64>count > <u64>target.length) throw new RangeError("payload: the target has no room");
    memory.copy(target.address + <usize>to, this.at(from, count), <usize>count);
  }

  setU8(i: u32, value: u32): void {
    const address = this.at(i, 1);
    const shift = (i & 1) << 3; // Words of the checksum begin at even offsets, since every L4 header here has an even length.
    const before = (<u32>load<u8>(address)) << shift;
    store<u8>(address, <u8>value);
    this.changed(i, before, (value & 0xff) << shift);
    editedPayload();
  }
  setU16(i: u32, value: u32): void {
    this.setU8(i, value >>> 8);
    this.setU8(i + 1, value);
  }
  setU32(i: u32, value: u32): void {
    this.setU16(i, value >>> 16);
    this.setU16(i + 2, value);
  }

  private changed(i: u32, from: u32, to: u32): void {
    const d = this.d;
    if ((<u32>d.flags) & (<u32>PacketFlag.LATER_FRAGMENT)) return;
    const l4 = <usize>d.header + <usize>d.l4_offset;
    const protocol = <u32>d.l4_protocol;
    if (protocol == PROTOCOL_TCP) updateAt(l4 + 16, from, to);
    else if (protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6) updateAt(l4 + 2, from, to);
    else if (protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDP_LITE) {
      const covered = <u32>bswap<u16>(load<u16>(l4, 4));
      if (i + 8 < covered || (covered == 0 && protocol == PROTOCOL_UDP_LITE)) updateUdpAt(l4 + 6, from, to);
    }
  }
}
