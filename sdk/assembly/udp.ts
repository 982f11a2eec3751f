// A view of a UDP header: a pointer to its first byte. A checksum of 0 says that there is none, and stays 0.
import { updateUdpAt } from "./checksum";
import { editedHeader } from "./runtime";

@unmanaged
@final
export class Udp {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get srcPort(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at));
  }
  @inline get dstPort(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 2));
  }
  /** Bytes of header and data, as the header says. */
  @inline get length(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
  @inline get checksum(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 6));
  }

  /** srcPort == port, without swapping the packet's bytes. */
  @inline srcPortIs(port: u32): bool {
    return load<u16>(this.at) == bswap<u16>(<u16>port);
  }
  @inline dstPortIs(port: u32): bool {
    return load<u16>(this.at, 2) == bswap<u16>(<u16>port);
  }

  @inline set srcPort(value: u32) {
    setPort(this.at, 0, value);
  }
  @inline set dstPort(value: u32) {
    setPort(this.at, 2, value);
  }
}

function setPort(header: usize, offset: usize, value: u32): void {
  const before = <u32>load<u16>(header + offset);
  const after = <u32>bswap<u16>(<u16>value);
  store<u16>(header + offset, <u16>after);
  updateUdpAt(header + 6, before, after);
  editedHeader();
}
