// Views of the Ethernet header and of VLAN tags: read only, since the host refuses a change of what lies before the IP header.

@unmanaged
@final
export class Ethernet {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  /** 48 bits. */
  @inline get dst(): u64 {
    return bswap<u64>(load<u64>(this.at)) >> 16;
  }
  /** 48 bits. */
  @inline get src(): u64 {
    return bswap<u64>(load<u64>(this.at, 6)) >> 16;
  }
  /** 0x8100, 0x88a8 or 0x9100 when there is a VLAN tag. */
  @inline get etherType(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 12));
  }
}

@unmanaged
@final
export class Vlan {
  // prettier-ignore
  @inline private get at(): usize { return changetype<usize>(this); }

  @inline get tagType(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at));
  }
  @inline get id(): u32 {
    return (<u32>bswap<u16>(load<u16>(this.at, 2))) & 0xfff;
  }
  @inline get priority(): u32 {
    return (<u32>load<u8>(this.at, 2)) >> 5;
  }
  /** What follows the tag. */
  @inline get etherType(): u32 {
    return <u32>bswap<u16>(load<u16>(this.at, 4));
  }
}
