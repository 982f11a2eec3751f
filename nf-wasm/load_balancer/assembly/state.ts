// The flow's state: its backend, ready to be written into packets.
//
// Values come in pairs: element 0 is the service (what the client uses), element 1 the backend. A packet of direction d carries
// element d, as destination (d = 0) or source (d = 1), and leaves with element 1 - d. Addresses and ports lie here as in the frame.
// A slot has 64 bytes, a cache line, and what packets need lies close together.
import { U16Array, U32Array, U64Array } from "@nfactor/sdk";

/** What becomes of the flow's packets; from 128 on it is the reason why they are dropped. */
export namespace Mode {
  export const PASS: u32 = 0; // untouched
  export const BOUND: u32 = 1; // to the backend and back
}

/** Why packets are dropped: the names are in nf.yaml. */
export namespace Reason {
  export const NO_BACKEND: u32 = 128;
  export const NO_SERVICE: u32 = 129;
  export const UNSOLICITED: u32 = 130;
}

@flowState
export class Binding {
  @length(2) address: U32Array; // IPv4
  @length(2) port: U16Array;
  @length(2) addressDelta: U16Array; // what the change of the address adds to the IPv4 checksum, by direction
  @length(2) l4Delta: U16Array; // what address and port add to the L4 checksum, by direction
  mode: u8;
  checksumAt: u8; // offset of the checksum in the L4 header
  backendPort: u16; // for people: address and port as numbers, of IPv6 the last four bytes
  backendAddress: u32;
  backend: u16; // number in the configuration that chose it, from 1, counted through all services
  service: u16; // likewise
  @length(4) address6: U64Array; // IPv6, two words each
}
