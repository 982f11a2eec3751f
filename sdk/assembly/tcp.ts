// A view of a TCP header: a pointer to its first byte. Packet.tcp() has checked that 20 bytes are there.
import { updateAt } from "./checksum";
import { editedHeader } from "./runtime";

/** Bits of Tcp.flags. */
export namespace TcpFlag {
  // prettier-ignore
  // @ts-ignore: decorator
  @inline export const FIN: u32 = 0x01;
  // @ts-ignore: decorator
  @inline export const SYN: u32 = 0x02;
  // @ts-ignore: decorator
  @inline export const RST: u32 = 0x04;
  // @ts-ignore: decorator
  @inline export const PSH: u32 = 0x08;
  // @ts-ignore: decorator
  @inline export const ACK: u32 = 0x10;
  // @ts-ignore: decorator
  @inline export const URG: u32 = 0x20;
  // @ts-ignore: decorator
  @inline export const ECE: u32 = 0x40;
  // @ts-ignore: decorator
  @inline export const CWR: u32 = 0x80;
}

@unmanaged
@final
export class Tcp {
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
  @inline get ack(): u32 {
    return bswap<u32>(load<u32>(this.at, 8));
  }
  /** Bytes, options included. */
  @inline get headerLength(): u32 {
    return ((<u32>load<u8>(this.at, 12)) >> 4) << 2;
  }
  /** TcpFlag bits. */
  @inline get flags(): u32 {
    return <u32>load<u8>(this.at, 13);
  }
  /** As sent, without the scale factor. */
  @inline get window(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 14));
  }
  @inline get checksum(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 16));
  }
  @inline get urgent(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 18));
  }
  /** Byte i of the options; 0 behind their end. */
  @inline optionByte(i: u32): u32 {
    return i < this.headerLength - 20 ? <u32>load<u8>(this.at + <usize>i, 20) : 0;
  }

  /** srcPort == port, without swapping the packet's bytes. */
  @inline srcPortIs(port: u32): bool {
    return load<u16>(this.at) == bswap<u16>(<u16>port);
  }
  @inline dstPortIs(port: u32): bool {
    return load<u16>(this.at, 2) == bswap<u16>(<u16>port);
  }

  @inline set srcPort(value: u32) {
    setWord(this.at, 0, value);
  }
  @inline set dstPort(value: u32) {
    setWord(this.at, 2, value);
  }
  @inline set seq(value: u32) {
    setLong(this.at, 4, value);
  }
  @inline set ack(value: u32) {
    setLong(this.at, 8, value);
  }
  @inline set flags(value: u32) {
    setWord(this.at, 12, ((<u32>load<u8>(this.at, 12)) << 8) | (value & 0xff));
  }
  @inline set window(value: u32) {
    setWord(this.at, 14, value);
  }
  @inline set urgent(value: u32) {
    setWord(this.at, 18, value);
  }
}

function setWord(header: usize, offset: usize, value: u32): void {
  const before = <u32>load<u16>(header + offset);
  const after = <u32>bswap<u16>(<u16>value);
  store<u16>(header + offset, <u16>after);
  updateAt(header + 16, before, after);
  editedHeader();
}

function setLong(header: usize, offset: usize, value: u32): void {
  const before = load<u32>(header + offset);
  const after = bswap<u32>(value);
  store<u32>(header + offset, after);
  updateAt(header + 16, before, after);
  editedHeader();
}
