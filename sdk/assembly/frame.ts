// A frame that the NF sends besides the packet: a view of its emit record. The bytes are zero at first.
import { Descriptor, EmitRecord } from "./abi";
import { Packet } from "./packet";

@unmanaged
@final
export class Frame {
  @inline get length(): u32 {
    return <u32>changetype<EmitRecord>(this).length;
  }
  @inline private at(offset: u32, bytes: u32): usize {
    if (<u64>offset + <u64>bytes > <u64>this.length) throw new RangeError("frame: the offset lies behind its end");
    return <usize>changetype<EmitRecord>(this).frame + <usize>offset;
  }
  @inline u8(offset: u32): u32 {
    return <u32>load<u8>(this.at(offset, 1));
  }
  @inline u16(offset: u32): u32 {
    return <u32>bswap<u16>(load<u16>(this.at(offset, 2)));
  }
  @inline u32(offset: u32): u32 {
    return bswap<u32>(load<u32>(this.at(offset, 4)));
  }
  @inline setU8(offset: u32, value: u32): void {
    store<u8>(this.at(offset, 1), <u8>value);
  }
  @inline setU16(offset: u32, value: u32): void {
    store<u16>(this.at(offset, 2), bswap<u16>(<u16>value));
  }
  @inline setU32(offset: u32, value: u32): void {
    store<u32>(this.at(offset, 4), bswap<u32>(value));
  }
  /** Copies header bytes of a packet: from, to (in this frame), count. */
  copyHeader(p: Packet, from: u32, to: u32, count: u32): void {
    const d = changetype<Descriptor>(p);
    if (<u64>from + <u64>count > <u64>d.header_length) throw new RangeError("frame: the packet has fewer header bytes");
    memory.copy(this.at(to, count), <usize>d.header + <usize>from, <usize>count);
  }
  /** Copies payload bytes of a packet: from, to (in this frame), count. */
  copyPayload(p: Packet, from: u32, to: u32, count: u32): void {
    const d = changetype<Descriptor>(p);
    if (<u64>from + <u64>count > <u64>d.payload_length) throw new RangeError("frame: the packet has fewer payload bytes");
    memory.copy(this.at(to, count), <usize>d.payload + <usize>from, <usize>count);
  }
  /** Internet checksum of a range, to be stored with setU16; `sum` is that of a pseudo header, if there is one. */
  checksum(from: u32, count: u32, sum: u32 = 0): u32 {
    const start = this.at(from, count);
    const even = <usize>(count & ~1);
    let total: u64 = <u64>sum;
    for (let i: usize = 0; i < even; i += 2) total += <u64>bswap<u16>(load<u16>(start + i));
    if (count & 1) total += (<u64>load<u8>(start + even)) << 8;
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return <u32>(~total & 0xffff);
  }
}
