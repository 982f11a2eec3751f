// The flow's state. Arrays have two elements: what direction 0 (from the initiator) sends, and what direction 1 sends.
import { U32Array, U8Array } from "@nfactor/sdk";

/** Why packets are dropped: the names are in nf.yaml. */
export namespace Reason {
  export const POLICY: u32 = 128;
  export const TCP_STATE: u32 = 129;
  export const OUT_OF_WINDOW: u32 = 130;
  export const TCP_FLAGS: u32 = 131;
}

/** Counters, in the order of nf.yaml. */
export const COUNTER_ALLOWED: u32 = 0;
export const COUNTER_BLOCKED: u32 = 1;
export const COUNTER_MIDSTREAM: u32 = 2;

/** How far a TCP connection has come. The order counts: from SYN_RECEIVED on, the numbers of both sides are known. */
export namespace Stage {
  export const NONE: u8 = 0; // no connection yet, or not TCP
  export const SYN_SENT: u8 = 1; // one side's SYN
  export const SYN_RECEIVED: u8 = 2; // SYN and SYN+ACK
  export const SIMULTANEOUS: u8 = 3; // a SYN from both sides
  export const ESTABLISHED: u8 = 4;
  export const CLOSING: u8 = 5; // a FIN from one side or both
  export const RESET: u8 = 6; // a RST that was inside the window
  export const ONE_SIDED: u8 = 7; // its beginning was not seen, and so far only one side
}

/** Scale of a side that sent no window scale option. */
export const NO_SCALE: u32 = 255;

@flowState
export class Connection {
  tag: u32; // 0 = the flow may pass; else it is blocked, and this is the drop reason
  rule: u32; // number of the rule that decided, from 1; 0 = the default
  @length(2) end: U32Array; // the sequence number behind the highest sent
  @length(2) limit: U32Array; // how far it may send: what the other side acknowledged and its window, at most so far
  @length(2) window: U32Array; // the largest window that it offered, in bytes
  @length(2) synNext: U32Array; // the sequence number behind its SYN
  newSyn: u32; // the same of a SYN with another number in the middle of a connection
  @length(2) scale: U8Array; // shift of its windows
  stage: u8;
  opener: u8; // direction of the SYN that opened the connection; of one that is one-sided, the side that was seen
  fins: u8; // bit d: direction d sent a FIN
  newSynFrom: u8; // 1 + the direction of newSyn, 0 = none
  midstream: u8; // 1: the handshake was not seen, so windows are not known exactly
  icmpType: u8; // of the packet that opened an ICMP flow
  icmpCode: u8;
}
