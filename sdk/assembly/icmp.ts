// A view of an ICMP or ICMPv6 header: a pointer to its first byte. Packet.icmp() has checked that 8 bytes are there.
import { updateAt } from "./checksum";
import { editedHeader } from "./runtime";

@unmanaged
@final
export class Icmp {
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
  /** Of echo and the other queries. */
  @inline get identifier(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
  /** Of echo and the other queries. */
  @inline get sequence(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 6));
  }
  /** Bytes 4 to 7: what they mean depends on the type (identifier and sequence, pointer, MTU, gateway). */
  @inline get rest(): u32 {
    return bswap<u32>(load<u32>(this.at, 4));
  }

  @inline set type(value: u32) {
    setWord(this.at, 0, (value << 8) | this.code);
  }
  @inline set code(value: u32) {
    setWord(this.at, 0, (this.type << 8) | (value & 0xff));
  }
  @inline set identifier(value: u32) {
    setWord(this.at, 4, value);
  }
  @inline set sequence(value: u32) {
    setWord(this.at, 6, value);
  }
  @inline set rest(value: u32) {
    setWord(this.at, 4, value >>> 16);
    setWord(this.at, 6, value);
  }
}

function setWord(header: usize, offset: usize, value: u32): void {
  const before = <u32>load<u16>(header + offset);
  const after = <u32>bswap<u16>(<u16>value);
  store<u16>(header + offset, <u16>after);
  updateAt(header + 2, before, after);
  editedHeader();
}
