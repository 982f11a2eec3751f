// The header bytes of the packet in hand, by offset: for protocols that have no view of their own. Setters do not touch checksums.
import { Descriptor } from "./abi";
import { editedHeader } from "./runtime";

@unmanaged
@final
export class Header {
  @inline get length(): u32 {
    return <u32>changetype<Descriptor>(this).header_length;
  }
  @inline has(offset: u32, bytes: u32): bool {
    return <u64>offset + <u64>bytes <= <u64>this.length;
  }
  @inline private at(offset: u32, bytes: u32): usize {
    if (!this.has(offset, bytes)) throw new RangeError("header: the offset lies behind the headers");
    return <usize>changetype<Descriptor>(this).header + <usize>offset;
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
    editedHeader();
  }
  @inline setU16(offset: u32, value: u32): void {
    store<u16>(this.at(offset, 2), bswap<u16>(<u16>value));
    editedHeader();
  }
  @inline setU32(offset: u32, value: u32): void {
    store<u32>(this.at(offset, 4), bswap<u32>(value));
    editedHeader();
  }
}
