/** A packet on its way: its frame as it is now, the flow it belongs to, and where it came from. */
import type { Flow } from "./flow.ts";
import type { Packet } from "./parse.ts";

export interface Job {
  /** Number of the packet at the input; of an emitted frame that of its cause. */
  readonly index: number;
  readonly timestampNs: bigint;
  readonly flow: Flow;
  /** Packets of the flow before this one. */
  readonly sequence: number;
  readonly inPort: 0 | 1;
  /** Port it leaves through. */
  outPort: 0 | 1;
  direction: 0 | 1;
  kind: "packet" | "reply" | "emitted";
  /** Never written to: an edit makes a new one. */
  frame: Uint8Array;
  wireLength: number;
  packet: Packet;
  done: boolean;
}
