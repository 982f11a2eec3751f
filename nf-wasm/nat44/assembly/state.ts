// The flow's state: its mapping, ready to be written into packets.
//
// Values come in pairs: element 0 is the inside (what the client uses), element 1 the outside (what the server sees). A packet of
// direction d carries element d and leaves with element 1 - d. Addresses and ports lie here as in the frame, in network order.
import { U16Array, U32Array } from "@nfactor/sdk";

/** What becomes of the flow's packets. */
export namespace Mode {
  export const PASS: u8 = 0; // untouched
  export const TRANSLATE: u8 = 1;
  export const DROP: u8 = 2;
}

/** Why packets are dropped: the names are in nf.yaml. */
export namespace Reason {
  export const NO_PORT: u32 = 128;
  export const UNSOLICITED: u32 = 129;
  export const UNTRANSLATABLE: u32 = 130;
  export const SOURCE_IN_POOL: u32 = 131;
}

@flowState
export class Mapping {
  @length(2) address: U32Array;
  @length(2) port: U16Array; // of an ICMP query the identifier
  @length(2) addressDelta: U16Array; // what the change of the address adds to the IPv4 checksum, by direction
  @length(2) l4Delta: U16Array; // what address and port add to the L4 checksum, by direction
  mode: u8;
  reason: u8; // with DROP
  checksumAt: u8; // offset of the checksum in the L4 header
  isOpening: u8; // a TCP connection whose other side has not answered yet
  outsidePort: u16; // for people: address and port as numbers
  outsideAddress: u32;
}
